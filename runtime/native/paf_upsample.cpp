#include "paf_upsample.h"

#include <algorithm>
#include <cmath>

namespace wholebody {
namespace {

Tap tap_of(double w0, double w1, double w2, double w3) {
    return {{static_cast<float>(w0), static_cast<float>(w1), static_cast<float>(w2), static_cast<float>(w3)}, 0};
}

Tap bicubic(double a, double t) {
    const double w0 = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    const double w1 = ((a + 2) * t - (a + 3)) * t * t + 1;
    const double w2 = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
    return tap_of(w0, w1, w2, 1 - w0 - w1 - w2);
}

// `weigh` gives the weights of the four cells around a place t of the way from the second to the third.
template <typename Weigh>
std::vector<Tap> phases_of(int32_t stride, Weigh weigh) {
    std::vector<Tap> phases(stride);
    for (int32_t phase = 0; phase < stride; ++phase) {
        const double source = (phase + 0.5) / stride - 0.5, base = std::floor(source);
        phases[phase] = weigh(source - base);
        phases[phase].first = static_cast<int32_t>(base) - 1 + kPad;
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

void Grid::prepare(int32_t map_height, int32_t map_width, int32_t pixels_per_cell, double a) {
    if (is_of(map_height, map_width, pixels_per_cell)) return;
    set(map_height, map_width, phases_of(pixels_per_cell, [a](double t) { return bicubic(a, t); }));
    linear = false;
    kernel_a = a;
}

void Grid::prepare_linear(int32_t map_height, int32_t map_width, int32_t pixels_per_cell) {
    if (is_of(map_height, map_width, pixels_per_cell)) return;
    set(map_height, map_width, phases_of(pixels_per_cell, [](double t) { return tap_of(0, 1 - t, t, 0); }));
    linear = true;
}

bool Grid::is_of(int32_t map_height, int32_t map_width, int32_t pixels_per_cell) const {
    return stride == pixels_per_cell && height == map_height * stride && width == map_width * stride;
}

void Grid::set(int32_t map_height, int32_t map_width, const std::vector<Tap> &taps) {
    const int32_t pixels_per_cell = static_cast<int32_t>(taps.size());
    stride = 0;  // not usable until all is set: an allocation may throw
    spread(taps, map_height, rows);
    spread(taps, map_width, columns);
    for (int i = 0; i < 4; ++i) {
        phases[i].clear();
        for (const Tap &tap : taps) phases[i].push_back(tap.weight[i]);
    }
    places.clear();  // of rows as well
    const std::vector<Tap> &longer = rows.size() > columns.size() ? rows : columns;
    for (size_t x = 0; x < longer.size(); ++x)
        places.push_back({longer[x].first, static_cast<int32_t>(x) % pixels_per_cell});
    doubled.clear();
    for (const Tap &tap : taps)
        for (float weight : tap.weight) doubled.insert(doubled.end(), 2, weight);
    float most = 0;
    for (const Tap &tap : taps) {
        float sum = 0;
        for (float w : tap.weight) sum += std::fabs(w);
        most = std::max(most, sum);
    }
    gain = most * most * 1.0001f;  // more than the rounding of sixteen products
    height = map_height * pixels_per_cell;
    width = map_width * pixels_per_cell;
    shift = pixels_per_cell & (pixels_per_cell - 1) ? 0 : __builtin_ctz(static_cast<uint32_t>(pixels_per_cell));
    stride = pixels_per_cell;
}

}  // namespace wholebody
