#include "paf_fast_peaks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "paf_simd.h"

namespace wholebody {
namespace {

const float kLeast = 1e-6f;  // what is smaller has no logarithm here
const float kHalf = 0.5f;
const int32_t kLanes = 8;
typedef Lanes<kLanes>::Floats Floats;
typedef Lanes<kLanes>::Bits Bits;
const int32_t kRows = 4;  // are looked at at once: most hold nothing

// A logarithm by float operations that every machine does alike, to 1e-6.
float natural_log(float value) {
    int32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    // value = scale * 2^exponent with scale in [sqrt(1/2), sqrt(2)).
    const int32_t exponent = (bits - 0x3f3504f3) >> 23;
    bits -= exponent * (1 << 23);
    float scale;
    std::memcpy(&scale, &bits, sizeof(scale));
    const float t = (scale - 1.0f) / (scale + 1.0f), square = t * t;
    const float series = ((square * static_cast<float>(1.0 / 7) + static_cast<float>(1.0 / 5)) * square +
                          static_cast<float>(1.0 / 3)) * square + 1.0f;
    return static_cast<float>(exponent) * 0.69314718055994531f + t * 2.0f * series;
}

float exp_of_little(float x) {
    const float exp = ((x * 0.25f + 1.0f) * x * static_cast<float>(1.0 / 3) + 1.0f) * x * kHalf;
    return (exp + 1.0f) * x + 1.0f;
}

struct Vertex {
    float place, rise;
};

Vertex vertex(float before, float height, float after) {
    if (!(before > kLeast && after > kLeast)) return {0, 0};
    const float left = natural_log(before), right = natural_log(after), bend = (left - height) + (right - height);
    if (!(bend < 0)) return {0, 0};
    const float place = std::max(-kHalf, std::min(kHalf, kHalf * (left - right) / bend));
    return {place, 0.25f * (right - left) * place};
}

// A vector that ends at the last cell looks at some cells twice.
template <int Rows>
WB_INLINE bool some_above(const char *first, int64_t stride, int32_t width, float threshold) {
    const float *rows[Rows];
    for (int y = 0; y < Rows; ++y) rows[y] = reinterpret_cast<const float *>(first + y * stride);
    Bits hits = {};
    bool more = false;
    for (int32_t x = 0; x + kLanes <= width; x += kLanes)
        for (int y = 0; y < Rows; ++y) {
            Floats value;
            load(value, rows[y] + x);
            hits |= value > threshold;
        }
    if (width >= kLanes) {
        for (int y = 0; y < Rows; ++y) {
            Floats value;
            load(value, rows[y] + width - kLanes);
            hits |= value > threshold;
        }
    } else {
        for (int y = 0; y < Rows; ++y)
            for (int32_t x = 0; x < width; ++x) more |= rows[y][x] > threshold;
    }
    return more | any<kLanes>(hits);
}

// The rows in which some value is above the threshold. Infinity is, though it counts as 0.
WB_CLONES int32_t rows_above(const char *first, int64_t stride, int32_t height, int32_t width, float threshold,
                             int32_t *rows) {
    int32_t found = 0;
    for (int32_t y = 0; y < height; y += kRows) {
        const int32_t end = std::min(height, y + kRows);
        if (end == y + kRows && !some_above<kRows>(first + y * stride, stride, width, threshold)) continue;
        for (int32_t row = y; row < end; ++row) {
            rows[found] = row;
            found += some_above<1>(first + row * stride, stride, width, threshold);
        }
    }
    return found;
}

WB_CLONES void clean(const float *row, int32_t width, float *out) {
    for (int32_t x = 0; x < width; ++x) out[x] = usable(row[x]);
}

// The cells of a row that are above the threshold and win against the eight around them: a neighbour that comes earlier
// in scan order wins a tie.
WB_CLONES int32_t winners(const float *above, const float *row, const float *below, int32_t width, float threshold,
                          int32_t *cells) {
    int32_t found = 0;
    for (int32_t x = 0; x < width; x += kLanes) {
        Floats value, other;
        load(value, row + x);
        Bits wins = value > threshold;
        if (!any<kLanes>(wins)) continue;
        for (const float *earlier : {above + x - 1, above + x, above + x + 1, row + x - 1}) {
            load(other, earlier);
            wins &= value > other;
        }
        for (const float *later : {row + x + 1, below + x - 1, below + x, below + x + 1}) {
            load(other, later);
            wins &= value >= other;
        }
        for (uint32_t lanes = lanes_of<kLanes>(wins); lanes; lanes &= lanes - 1)
            cells[found++] = x + __builtin_ctz(lanes);
    }
    return found;
}

Peak peak_at(const float *above, const float *row, const float *below, int32_t x, int32_t y, float stride) {
    const float value = row[x], height = natural_log(value);
    const Vertex across = vertex(row[x - 1], height, row[x + 1]), down = vertex(above[x], height, below[x]);
    return {(static_cast<float>(x) + across.place + kHalf) * stride,
            (static_cast<float>(y) + down.place + kHalf) * stride, value * exp_of_little(across.rise + down.rise)};
}

}  // namespace

int32_t FastPeakFinder::find(const char *map, const wb_layout &layout, const wb_paf_config &config, Peak *peaks) {
    const float stride = static_cast<float>(config.stride);
    int64_t pitch = layout.stride_row;
    if (!plain_rows(layout)) {
        plane_.load(map, layout);
        map = reinterpret_cast<const char *>(plane_.row(kPad) + kPad);
        pitch = plane_.pitch * static_cast<int64_t>(sizeof(float));
    }
    prepare(layout.height, layout.width);
    const int32_t rows = rows_above(map, pitch, layout.height, layout.width, config.nms_threshold, rows_.data());
    int32_t found = 0;
    for (int32_t i = 0; i < rows; ++i) {
        const int32_t y = rows_[i];
        const float *above = line(map, pitch, y - 1), *row = line(map, pitch, y), *below = line(map, pitch, y + 1);
        const int32_t count = winners(above, row, below, layout.width, config.nms_threshold, cells_.data());
        for (int32_t k = 0; k < count; ++k) {
            if (found == config.max_peaks) return found;
            peaks[found++] = peak_at(above, row, below, cells_[k], y, stride);
        }
    }
    return found;
}

void FastPeakFinder::prepare(int32_t height, int32_t width) {
    std::fill(held_, held_ + kLines, -1);
    if (height == height_ && width == width_) return;
    height_ = 0;  // not usable until all is set: an allocation may throw
    rows_.resize(height);
    cells_.resize(width);
    // Nobody loses against what is outside: -infinity before each line and behind, and all of the last one.
    pitch_ = static_cast<size_t>(width) + 2 * kLanes;
    lines_.assign((kLines + 1) * pitch_ + kLanes, -std::numeric_limits<float>::infinity());
    width_ = width;
    height_ = height;
}

const float *FastPeakFinder::line(const char *map, int64_t pitch, int32_t y) {
    const int32_t slot = y < 0 || y >= height_ ? kLines : y % kLines;
    float *cells = lines_.data() + slot * pitch_ + kLanes;
    if (slot == kLines || held_[slot] == y) return cells;
    clean(reinterpret_cast<const float *>(map + y * pitch), width_, cells);
    held_[slot] = y;
    return cells;
}

}  // namespace wholebody
