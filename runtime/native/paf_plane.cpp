#include "paf_plane.h"
#include "paf_simd.h"

#include <algorithm>
#include <cmath>

namespace wholebody {
namespace {

const int32_t kLanes = 8;
typedef Lanes<kLanes>::Floats Floats;
typedef Lanes<kLanes>::Bits Bits;

const int32_t kNoSign = 0x7fffffff;

inline float usable(float value) { return std::fabs(value) < kLargestCell ? value : 0.0f; }

// An IEEE half as a float; infinity and NaN become 0.
inline float widened(uint16_t half) {
    if ((half & 0x7c00) == 0x7c00) return 0;
    const uint32_t bits = static_cast<uint32_t>(half & 0x7fff) << 13;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    value *= 5.192296858534828e33f;  // 2^112: the difference of the exponents' biases
    return half & 0x8000 ? -value : value;
}

// Eight values, cleaned; `most` becomes at least their absolute values.
WB_INLINE void copy_some(const float *from, float *to, Floats &most) {
    Floats value;
    load(value, from);
    Floats size = (Floats)((Bits)value & kNoSign);
    const Bits fits = size < kLargestCell;
    value = (Floats)((Bits)value & fits);
    size = (Floats)((Bits)size & fits);
    most = size > most ? size : most;
    store(to, value);
}

WB_INLINE float largest_of(Floats values) {
    Floats other = WB_SHUFFLE_8(values, 4, 5, 6, 7, 0, 1, 2, 3);
    values = values > other ? values : other;
    other = WB_SHUFFLE_8(values, 2, 3, 0, 1, 6, 7, 4, 5);
    values = values > other ? values : other;
    return values[0] > values[1] ? values[0] : values[1];
}

// Copies rows of at least kLanes floats, cleaned, and notes the largest absolute value of each.
WB_CLONES void copy_floats(const char *source, const wb_layout &layout, float *out, ptrdiff_t pitch, float *largest) {
    const int32_t last = layout.width - kLanes;
    for (int32_t y = 0; y < layout.height; ++y, source += layout.stride_row, out += pitch) {
        const float *row = reinterpret_cast<const float *>(source);
        Floats most = {};
        for (int32_t x = 0; x < last; x += kLanes) copy_some(row + x, out + x, most);
        copy_some(row + last, out + last, most);
        largest[y] = largest_of(most);
    }
}

float copy_any(const char *source, const wb_layout &layout, float *out) {
    float largest = 0;
    for (int32_t x = 0; x < layout.width; ++x, source += layout.stride_column) {
        if (layout.type == WB_FLOAT16) {
            uint16_t half;
            std::memcpy(&half, source, sizeof(half));
            out[x] = widened(half);
        } else {
            float value;
            std::memcpy(&value, source, sizeof(value));
            out[x] = usable(value);
        }
        largest = std::max(largest, std::fabs(out[x]));
    }
    return largest;
}

}  // namespace

void Plane::load(const char *base, const wb_layout &layout) {
    height = layout.height;
    width = layout.width;
    pitch = width + 2 * kPad;
    // Vectors may read, and not use, a little beyond the last cell.
    cells.resize(static_cast<size_t>(height + 2 * kPad) * pitch + 5 * kLanes);
    row_largest.resize(height);
    largest = 0;
    const bool plain = layout.type == WB_FLOAT32 && layout.stride_column == static_cast<int64_t>(sizeof(float)) &&
                       width >= kLanes;
    if (plain) copy_floats(base, layout, cells.data() + kPad * pitch + kPad, pitch, row_largest.data());
    for (int32_t y = 0; y < height; ++y) {
        float *out = cells.data() + static_cast<size_t>(y + kPad) * pitch + kPad;
        if (!plain) row_largest[y] = copy_any(base + y * layout.stride_row, layout, out);
        largest = std::max(largest, row_largest[y]);
        for (int i = 1; i <= kPad; ++i) {
            out[-i] = out[0];
            out[width - 1 + i] = out[width - 1];
        }
    }
    float *first = cells.data() + static_cast<size_t>(kPad) * pitch;
    float *last = first + static_cast<size_t>(height - 1) * pitch;
    for (int i = 1; i <= kPad; ++i) {
        std::copy(first, first + pitch, first - static_cast<ptrdiff_t>(i) * pitch);
        std::copy(last, last + pitch, last + static_cast<ptrdiff_t>(i) * pitch);
    }
}

}  // namespace wholebody
