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

// Copies rows of floats, cleaned, and notes the largest absolute value of each.
WB_CLONES void copy_floats(const char *source, const wb_layout &layout, float *out, ptrdiff_t pitch, float *largest) {
    const int32_t height = layout.height, width = layout.width;
    const int64_t stride = layout.stride_row;
    for (int32_t y = 0; y < height; ++y, source += stride, out += pitch) {
        const float *row = reinterpret_cast<const float *>(source);
        Floats most = {};
        int32_t x = 0;
        for (; x + kLanes <= width; x += kLanes) {
            Floats value;
            load(value, row + x);
            Floats size = (Floats)((Bits)value & kNoSign);
            const Bits fits = size < kLargestCell;
            value = (Floats)((Bits)value & fits);
            size = (Floats)((Bits)size & fits);
            most = size > most ? size : most;
            store(out + x, value);
        }
        float top = 0;
        for (int lane = 0; lane < kLanes; ++lane) top = most[lane] > top ? most[lane] : top;
        for (; x < width; ++x) {
            out[x] = usable(row[x]);
            top = std::fabs(out[x]) > top ? std::fabs(out[x]) : top;
        }
        largest[y] = top;
    }
}

// The same of halves that lie side by side; returns the largest absolute value.
WB_CLONES float copy_halves(const char *source, int32_t width, float *out) {
    typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));
    typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));
    Floats most = {};
    int32_t x = 0;
    for (; x + kLanes <= width; x += kLanes) {
        Halves halves;
        load(halves, source + 2 * x);
        const Words words = __builtin_convertvector(halves, Words);
        const Words finite = (Words)((words & 0x7c00) != 0x7c00);
        const Floats size = (Floats)((words & 0x7fff) << 13) * 5.192296858534828e33f;  // as in `widened`
        store(out + x, ((Words)size | (words & 0x8000) << 16) & finite);
        const Floats kept = (Floats)((Words)size & finite);
        most = kept > most ? kept : most;
    }
    float top = 0;
    for (int lane = 0; lane < kLanes; ++lane) top = std::max(top, most[lane]);
    for (; x < width; ++x) {
        uint16_t half;
        std::memcpy(&half, source + 2 * x, sizeof(half));
        out[x] = widened(half);
        top = std::max(top, std::fabs(out[x]));
    }
    return top;
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
    const bool plain = layout.type == WB_FLOAT32 && layout.stride_column == static_cast<int64_t>(sizeof(float));
    const bool halves = layout.type == WB_FLOAT16 && layout.stride_column == static_cast<int64_t>(sizeof(uint16_t));
    if (plain) copy_floats(base, layout, cells.data() + kPad * pitch + kPad, pitch, row_largest.data());
    for (int32_t y = 0; y < height; ++y) {
        float *out = cells.data() + static_cast<size_t>(y + kPad) * pitch + kPad;
        const char *row = base + y * layout.stride_row;
        if (halves) row_largest[y] = copy_halves(row, width, out);
        if (!plain && !halves) row_largest[y] = copy_any(row, layout, out);
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
