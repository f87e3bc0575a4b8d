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
const float kBiases = 5.192296858534828e33f;  // 2^112: between the biases of a half's exponent and a float's

// An IEEE half as a float; infinity and NaN become 0.
inline float widened(uint16_t half) {
    if ((half & 0x7c00) == 0x7c00) return 0;
    const uint32_t bits = static_cast<uint32_t>(half & 0x7fff) << 13;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    value *= kBiases;
    return half & 0x8000 ? -value : value;
}

// Eight cells of a map, cleaned.
struct FloatCells {
    static const int32_t kBytes = 4;

    static WB_INLINE void read(const char *from, Floats &value) {
        load(value, from);
        const Bits fits = (Floats)((Bits)value & kNoSign) < kLargestCell;
        value = (Floats)((Bits)value & fits);
    }
};

struct HalfCells {
    static const int32_t kBytes = 2;
    typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));

    static WB_INLINE void read(const char *from, Floats &value) {
        Halves halves;
        load(halves, from);
        const Bits bits = __builtin_convertvector(halves, Bits), finite = (bits & 0x7c00) != 0x7c00;
        const Floats size = (Floats)((bits & 0x7fff) << 13) * kBiases;
        value = (Floats)(((Bits)size | (bits >> 15) * INT32_MIN) & finite);
    }
};

WB_INLINE float largest_of(const Floats &all) {
    Floats values = all, other = WB_SHUFFLE_8(values, 4, 5, 6, 7, 0, 1, 2, 3);
    values = values > other ? values : other;
    other = WB_SHUFFLE_8(values, 2, 3, 0, 1, 6, 7, 4, 5);
    values = values > other ? values : other;
    return values[0] > values[1] ? values[0] : values[1];
}

template <typename Cells>
WB_INLINE void copy_some(const char *from, float *to, Floats &most) {
    Floats value;
    Cells::read(from, value);
    const Floats size = (Floats)((Bits)value & kNoSign);
    most = size > most ? size : most;
    store(to, value);
}

// Copies rows of at least kLanes cells that lie side by side, and notes the largest absolute value of each.
template <typename Cells>
WB_INLINE void copy_rows(const char *row, const wb_layout &layout, float *out, ptrdiff_t pitch, float *largest) {
    const int32_t last = layout.width - kLanes;
    for (int32_t y = 0; y < layout.height; ++y, row += layout.stride_row, out += pitch) {
        Floats most = {};
        for (int32_t x = 0; x < last; x += kLanes) copy_some<Cells>(row + x * Cells::kBytes, out + x, most);
        copy_some<Cells>(row + last * Cells::kBytes, out + last, most);
        largest[y] = largest_of(most);
    }
}

WB_CLONES void copy_floats(const char *source, const wb_layout &layout, float *out, ptrdiff_t pitch, float *largest) {
    copy_rows<FloatCells>(source, layout, out, pitch, largest);
}

WB_CLONES void copy_halves(const char *source, const wb_layout &layout, float *out, ptrdiff_t pitch, float *largest) {
    copy_rows<HalfCells>(source, layout, out, pitch, largest);
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
    const int32_t bytes = layout.type == WB_FLOAT32 ? FloatCells::kBytes : HalfCells::kBytes;
    const bool whole_vectors = layout.stride_column == bytes && width >= kLanes;
    if (whole_vectors) {
        const auto copy = layout.type == WB_FLOAT32 ? copy_floats : copy_halves;
        copy(base, layout, cells.data() + kPad * pitch + kPad, pitch, row_largest.data());
    }
    for (int32_t y = 0; y < height; ++y) {
        float *out = cells.data() + static_cast<size_t>(y + kPad) * pitch + kPad;
        if (!whole_vectors) row_largest[y] = copy_any(base + y * layout.stride_row, layout, out);
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
