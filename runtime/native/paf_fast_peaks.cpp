#include "paf_fast_peaks.h"

#include <algorithm>
#include <limits>

#include "paf_simd.h"

namespace wholebody {
namespace {

const float kLeast = 1e-6f;  // what is smaller has no logarithm here
const float kHalf = 0.5f;
const int32_t kLanes = 8;
typedef Lanes<kLanes>::Floats Floats;

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

// The cells of one row that are above the threshold and not below the eight around them; the padding repeats the edge.
WB_CLONES int32_t likely_cells(const float *row, ptrdiff_t pitch, int32_t width, float threshold, int32_t *cells) {
    int32_t found = 0;
    for (int32_t x = 0; x < width; x += kLanes) {
        Floats value, other;
        load(value, row + x);
        Lanes<kLanes>::Bits wins = value > threshold;
        if (!any<kLanes>(wins)) continue;
        for (ptrdiff_t line = -pitch; line <= pitch; line += pitch)
            for (int beside = -1; beside <= 1; ++beside) {
                load(other, row + line + x + beside);
                wins &= value >= other;
            }
        for (int32_t lane = 0; lane < std::min(kLanes, width - x); ++lane)
            if (wins[lane]) cells[found++] = x + lane;
    }
    return found;
}

}  // namespace

int32_t find_fast_peaks(const Plane &plane, const wb_paf_config &config, Peak *peaks) {
    const float stride = static_cast<float>(config.stride), outside = -std::numeric_limits<float>::infinity();
    int32_t found = 0, likely[kLanes * 64];
    for (int32_t y = 0; y < plane.height; ++y) {
        if (!(plane.row_largest[y] > config.nms_threshold)) continue;
        const auto cell = [&](int32_t x, int32_t line) {
            return x < 0 || x >= plane.width || line < 0 || line >= plane.height ? outside
                                                                                  : plane.row(line + kPad)[x + kPad];
        };
        for (int32_t from = 0; from < plane.width; from += kLanes * 64) {
            const int32_t count = likely_cells(plane.row(y + kPad) + kPad + from, plane.pitch,
                                               std::min(plane.width - from, kLanes * 64), config.nms_threshold, likely);
            for (int32_t i = 0; i < count; ++i) {
                const int32_t x = from + likely[i];
                const float value = cell(x, y);
                // A neighbour that comes earlier in scan order wins a tie.
                if (value <= cell(x - 1, y - 1) || value <= cell(x, y - 1) || value <= cell(x + 1, y - 1) ||
                    value <= cell(x - 1, y))
                    continue;
                if (found == config.max_peaks) return found;
                const float height = natural_log(value);
                const Vertex across = vertex(cell(x - 1, y), height, cell(x + 1, y));
                const Vertex down = vertex(cell(x, y - 1), height, cell(x, y + 1));
                peaks[found++] = {(static_cast<float>(x) + across.place + kHalf) * stride,
                                  (static_cast<float>(y) + down.place + kHalf) * stride,
                                  value * exp_of_little(across.rise + down.rise)};
            }
        }
    }
    return found;
}

}  // namespace wholebody
