#include "paf_peaks.h"
#include "paf_tiles.h"

#include <algorithm>

namespace wholebody {
namespace {

const int32_t kReach = 3;  // the centroid's window is 7 x 7
const float kOffset = 0.5f;
const int32_t kTaps = 2 * kPad + 1;  // cells that the pixels of one tile read, each way

}  // namespace

void PeakFinder::prepare(const Grid &grid, float threshold) {
    const int32_t cells_y = grid.height / grid.stride, cells_x = grid.width / grid.stride;
    if (cells_y == cells_y_ && cells_x == cells_x_ && threshold == threshold_) return;
    cells_y_ = -1;  // not usable until all is set: an allocation may throw
    pitch_ = grid.width + 2;
    surface_.assign(static_cast<size_t>(grid.height + 2) * pitch_, threshold);
    active_.resize(static_cast<size_t>(cells_y) * cells_x);
    done_.resize(active_.size());
    high_.resize(static_cast<size_t>(cells_y + 2 * kPad) * cells_x);
    low_.resize(high_.size());
    row_high_.resize(cells_y + 2 * kPad);
    row_low_.resize(row_high_.size());
    live_.resize(cells_y);
    threshold_ = threshold;
    cells_x_ = cells_x;
    cells_y_ = cells_y;
}

// A tile is active where the weights' extremes times the extremes of its 5 x 5 cells exceed the threshold.
void PeakFinder::mark(const Grid &grid, const Plane &plane, float threshold) {
    const int32_t width = cells_x_;
    const float slack = 1.0001f;  // more than the rounding of sixteen products
    const auto exceeds = [&](float most, float least) {
        return (grid.positive * most - grid.negative * least) * slack > threshold;
    };
    // Most rows of most maps hold nothing: their own extremes tell.
    for (int32_t y = 0; y < cells_y_ + 2 * kPad; ++y)
        extremes(plane.row(y), width + 2 * kPad, &row_high_[y], &row_low_[y]);
    for (int32_t y = 0; y < cells_y_; ++y)
        live_[y] = exceeds(*std::max_element(&row_high_[y], &row_high_[y] + kTaps),
                           *std::min_element(&row_low_[y], &row_low_[y] + kTaps));
    for (int32_t y = 0; y < cells_y_ + 2 * kPad; ++y) {
        bool needed = false;  // by a tile above it or below it
        for (int32_t tile = std::max(0, y - kTaps + 1); tile <= std::min(y, cells_y_ - 1); ++tile)
            needed |= live_[tile] != 0;
        if (!needed) continue;
        const float *cell = plane.row(y);
        float *high = high_.data() + static_cast<size_t>(y) * width;
        float *low = low_.data() + static_cast<size_t>(y) * width;
        for (int32_t x = 0; x < width; ++x) {
            const float *c = cell + x;
            high[x] = std::max(std::max(std::max(c[0], c[1]), std::max(c[2], c[3])), c[4]);
            low[x] = std::min(std::min(std::min(c[0], c[1]), std::min(c[2], c[3])), c[4]);
        }
    }
    for (int32_t y = 0; y < cells_y_; ++y) {
        if (!live_[y]) {
            std::fill_n(active_.data() + static_cast<size_t>(y) * width, width, uint8_t{0});
            continue;
        }
        const float *high = high_.data() + static_cast<size_t>(y) * width;
        const float *low = low_.data() + static_cast<size_t>(y) * width;
        uint8_t *active = active_.data() + static_cast<size_t>(y) * width;
        for (int32_t x = 0; x < width; ++x) {
            float most = 0, least = 0;
            for (int32_t i = 0; i < kTaps; ++i) {
                most = std::max(most, high[i * width + x]);
                least = std::min(least, low[i * width + x]);
            }
            active[x] = exceeds(most, least);
        }
    }
}

void PeakFinder::compute(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x) {
    uint8_t &done = done_[static_cast<size_t>(cell_y) * cells_x_ + cell_x];
    if (done) return;
    done = 1;
    float *out = surface_.data() + static_cast<size_t>(cell_y * grid.stride + 1) * pitch_ + cell_x * grid.stride + 1;
    grid.tile(plane, cell_y, cell_x, out, pitch_);
}

// Computes the tiles of pixels x0 to x1 and y0 to y1, both included; what lies outside the map is left out.
void PeakFinder::compute_window(const Grid &grid, const Plane &plane, int32_t x0, int32_t y0, int32_t x1, int32_t y1) {
    const int32_t last_x = std::min(grid.width - 1, x1) / grid.stride;
    const int32_t last_y = std::min(grid.height - 1, y1) / grid.stride;
    for (int32_t y = std::max(0, y0) / grid.stride; y <= last_y; ++y)
        for (int32_t x = std::max(0, x0) / grid.stride; x <= last_x; ++x) compute(grid, plane, y, x);
}

bool PeakFinder::is_peak(const Grid &grid, int32_t x, int32_t y, bool cuda_border) const {
    const float *p = pixel(x, y);
    const float *above = p - pitch_, *below = p + pitch_;
    const float highest = std::max(std::max(std::max(above[-1], above[0]), std::max(above[1], p[-1])),
                                   std::max(std::max(p[1], below[-1]), std::max(below[0], below[1])));
    if (*p < highest) return false;
    const int32_t right = grid.width - 1, bottom = grid.height - 1;
    if (cuda_border) return *p > highest && x >= 1 && x < right && y >= 1 && y < bottom;
    // OpenPose's CPU build takes ties on the ring one pixel from the edge, which runs through to the edge.
    if (x == 1 || x == right - 1 || y == 1 || y == bottom - 1) return true;
    return *p > highest && x >= 2 && x < right - 1 && y >= 2 && y < bottom - 1;
}

void PeakFinder::scan(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x, float threshold,
                      bool cuda_border) {
    const int32_t stride = grid.stride, x0 = cell_x * stride, y0 = cell_y * stride;
    const uint64_t rows = rows_with_peaks(pixel(x0, y0), pitch_, stride, threshold);
    if (rows == 0) return;
    for (int32_t row = 0; row < stride; ++row) {
        if (row < 64 && !(rows >> row & 1)) continue;
        const float *line = pixel(x0, y0 + row);
        // Neighbours within the tile rule out nearly every pixel; is_peak asks all eight, of other tiles too.
        const float *before = row > 0 ? line - pitch_ : line, *after = row + 1 < stride ? line + pitch_ : line;
        for (int32_t i = 0; i < stride; ++i) {
            const float value = line[i];
            if (!(value > threshold) || value < before[i] || value < after[i]) continue;
            if ((i > 0 && value < line[i - 1]) || (i + 1 < stride && value < line[i + 1])) continue;
            const int32_t x = x0 + i, y = y0 + row;
            compute_window(grid, plane, x - 1, y - 1, x + 1, y + 1);
            if (is_peak(grid, x, y, cuda_border)) found_.push_back(y * grid.width + x);
        }
    }
}

// The centroid of the positive values, summed in float32 in scan order as OpenPose does.
Peak PeakFinder::refine(const Grid &grid, int32_t x, int32_t y) const {
    const int32_t x0 = std::max(0, x - kReach), x1 = std::min(grid.width - 1, x + kReach);
    const int32_t y0 = std::max(0, y - kReach), y1 = std::min(grid.height - 1, y + kReach);
    float sum_x = 0, sum_y = 0, sum = 0;
    for (int32_t row = y0; row <= y1; ++row) {
        const float *line = pixel(0, row);
        for (int32_t column = x0; column <= x1; ++column) {
            const float value = line[column];
            if (!(value > 0)) continue;
            sum_x += static_cast<float>(column) * value;
            sum_y += static_cast<float>(row) * value;
            sum += value;
        }
    }
    return {sum_x / sum + kOffset, sum_y / sum + kOffset, *pixel(x, y)};
}

int32_t PeakFinder::find(const Grid &grid, const Plane &plane, const wb_paf_config &config, Peak *peaks,
                         int32_t capacity) {
    mark(grid, plane, config.nms_threshold);
    std::fill(done_.begin(), done_.end(), uint8_t{0});
    found_.clear();
    for (int32_t y = 0; y < cells_y_; ++y)
        for (int32_t x = 0; x < cells_x_; ++x)
            if (active_[static_cast<size_t>(y) * cells_x_ + x]) {
                compute(grid, plane, y, x);
                scan(grid, plane, y, x, config.nms_threshold, config.cuda_border != 0);
            }
    std::sort(found_.begin(), found_.end());
    const int32_t count = std::min(capacity, static_cast<int32_t>(found_.size()));
    for (int32_t i = 0; i < count; ++i) {
        const int32_t x = found_[i] % grid.width, y = found_[i] / grid.width;
        compute_window(grid, plane, x - kReach, y - kReach, x + kReach, y + kReach);
        peaks[i] = refine(grid, x, y);
    }
    return count;
}

}  // namespace wholebody
