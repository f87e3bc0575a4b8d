#include "paf_plane.h"
#include "paf_simd.h"

#include <algorithm>
#include <cmath>

namespace wholebody {
namespace {

const int32_t kLanes = 8, kWord = 64;
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
    for (int32_t y = 0; y < layout.height; ++y, source += layout.stride_row, out += pitch) {
        const float *row = reinterpret_cast<const float *>(source);
        Floats most = {};
        int32_t x = 0;
        for (; x + kLanes <= layout.width; x += kLanes) {
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
        for (; x < layout.width; ++x) {
            out[x] = usable(row[x]);
            top = std::fabs(out[x]) > top ? std::fabs(out[x]) : top;
        }
        largest[y] = top;
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

WB_CLONES void mark_row(const float *cells, int32_t width, float threshold, uint64_t *bits) {
    const Bits lane_bits = {1, 2, 4, 8, 16, 32, 64, 128};
    int32_t x = 0;
    for (; x + kLanes <= width; x += kLanes) {
        Floats value;
        load(value, cells + x);
        const Bits set = ((Floats)((Bits)value & kNoSign) > threshold) & lane_bits;
        uint64_t words[kLanes / 2];
        store(words, set);
        const uint64_t either = words[0] | words[1] | words[2] | words[3];
        bits[x / kWord] |= ((either | either >> 32) & 255) << (x % kWord);
    }
    for (; x < width; ++x)
        if (std::fabs(cells[x]) > threshold) bits[x / kWord] |= uint64_t{1} << (x % kWord);
}

}  // namespace

void Plane::load(const char *base, const wb_layout &layout) {
    height = layout.height;
    width = layout.width;
    pitch = width + 2 * kPad;
    // Vectors may read, and not use, a little beyond the last cell.
    cells.resize(static_cast<size_t>(height + 2 * kPad) * pitch + 2 * kLanes);
    row_largest.resize(height);
    largest = 0;
    const bool plain = layout.type == WB_FLOAT32 && layout.stride_column == static_cast<int64_t>(sizeof(float));
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

void CellSet::prepare(int32_t height, int32_t width) {
    height_ = height;
    width_ = width;
    words_ = (width + kWord - 1) / kWord;
    own_.resize(words_);
    near_.resize(static_cast<size_t>(height) * words_);
    used_.resize(height);
}

void CellSet::mark(const Plane &plane, float threshold) {
    std::fill(used_.begin(), used_.end(), uint8_t{0});
    for (int32_t row = 0; row < height_; ++row) {
        if (!(plane.row_largest[row] > threshold)) continue;
        std::fill(own_.begin(), own_.end(), 0);
        mark_row(plane.row(row + kPad) + kPad, width_, threshold, own_.data());
        for (int32_t y = std::max(0, row - kPad); y <= std::min(height_ - 1, row + kPad); ++y) {
            uint64_t *near = near_.data() + static_cast<size_t>(y) * words_;
            for (int32_t i = 0; i < words_; ++i) near[i] = used_[y] ? near[i] | own_[i] : own_[i];
            used_[y] = 1;
        }
    }
}

}  // namespace wholebody
