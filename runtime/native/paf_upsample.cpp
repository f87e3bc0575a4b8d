#include "paf_upsample.h"
#include "paf_tiles.h"

#include <algorithm>
#include <cmath>

namespace wholebody {
namespace {

const float kLargest = 1e9f;

inline float usable(float value) { return std::fabs(value) < kLargest ? value : 0.0f; }

std::vector<Tap> phases_of(int32_t stride, double a) {
    std::vector<Tap> phases(stride);
    for (int32_t phase = 0; phase < stride; ++phase) {
        const double source = (phase + 0.5) / stride - 0.5;
        const double base = std::floor(source), t = source - base;
        const double w0 = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
        const double w1 = ((a + 2) * t - (a + 3)) * t * t + 1;
        const double w2 = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
        phases[phase] = {static_cast<int32_t>(base) - 1 + kPad,
                         {static_cast<float>(w0), static_cast<float>(w1), static_cast<float>(w2),
                          static_cast<float>(1 - w0 - w1 - w2)}};
    }
    return phases;
}

void spread(const std::vector<Tap> &phases, int32_t cells, std::vector<Tap> &taps) {
    taps.clear();
    for (int32_t cell = 0; cell < cells; ++cell)
        for (Tap tap : phases) {
            tap.first += cell;
            taps.push_back(tap);
        }
}

}  // namespace

void Plane::load(const float *maps, const wb_layout &layout, int32_t channel) {
    height = layout.height;
    width = layout.width;
    pitch = width + 2 * kPad;
    cells.resize(static_cast<size_t>(height + 2 * kPad) * pitch);
    const char *base = reinterpret_cast<const char *>(maps) + channel * layout.stride_channel;
    for (int32_t y = 0; y < height; ++y) {
        const char *source = base + y * layout.stride_row;
        float *out = cells.data() + static_cast<size_t>(y + kPad) * pitch + kPad;
        if (layout.stride_column == static_cast<int64_t>(sizeof(float))) {
            const float *values = reinterpret_cast<const float *>(source);
            for (int32_t x = 0; x < width; ++x) out[x] = usable(values[x]);
        } else {
            for (int32_t x = 0; x < width; ++x)
                out[x] = usable(*reinterpret_cast<const float *>(source + x * layout.stride_column));
        }
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

void Grid::prepare(int32_t map_height, int32_t map_width, int32_t pixels_per_cell, double kernel_a) {
    if (stride == pixels_per_cell && height == map_height * stride && width == map_width * stride) return;
    stride = 0;  // not usable until all is set: an allocation may throw
    const std::vector<Tap> taps = phases_of(pixels_per_cell, kernel_a);
    spread(taps, map_height, rows);
    spread(taps, map_width, columns);
    for (int i = 0; i < 4; ++i) {
        phases[i].clear();
        for (const Tap &tap : taps) phases[i].push_back(tap.weight[i]);
    }
    float above = 0, below = 0;
    for (const Tap &tap : taps) {
        float up = 0, down = 0;
        for (float w : tap.weight) (w > 0 ? up : down) += std::fabs(w);
        above = std::max(above, up);
        below = std::max(below, down);
    }
    positive = above * above + below * below;
    negative = 2 * above * below;
    height = map_height * pixels_per_cell;
    width = map_width * pixels_per_cell;
    stride = pixels_per_cell;
}

void Grid::tile(const Plane &plane, int32_t cell_y, int32_t cell_x, float *out, int32_t pitch) const {
    const float *cells = plane.row(cell_y) + cell_x;
    const float *weights[4] = {phases[0].data(), phases[1].data(), phases[2].data(), phases[3].data()};
    if (fill_tile(cells, plane.pitch, weights, stride, out, pitch)) return;
    for (int32_t y = 0; y < stride; ++y)
        for (int32_t x = 0; x < stride; ++x)
            out[static_cast<size_t>(y) * pitch + x] = at(plane, cell_x * stride + x, cell_y * stride + y);
}

}  // namespace wholebody
