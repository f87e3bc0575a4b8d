#include "paf_peaks.h"

#include <algorithm>

namespace wholebody {
namespace {

const int32_t kReach = kWindow / 2;
const float kOffset = 0.5f;
const float kRounding = 1e-5f;  // more than a pixel's, relative to the largest cell

}  // namespace

void PeakFinder::prepare(const Grid &grid, const wb_paf_config &config) {
    threshold_ = config.nms_threshold;
    cuda_border_ = config.cuda_border != 0;
    if (grid.height == height_ && grid.width == width_ && grid.stride == stride_) return;
    height_ = 0;  // not usable until all is set: an allocation may throw
    fast_ = kernel_.prepare(grid);
    marked_.prepare(grid.height / grid.stride, grid.width / grid.stride);
    lines_.resize(3 * (static_cast<size_t>(grid.stride) + 2));
    stride_ = grid.stride;
    width_ = grid.width;
    height_ = grid.height;
}

// OpenPose's CPU build takes ties on the ring one pixel from the edge, which runs through to the edge.
bool PeakFinder::may_be_tied(const Grid &grid, int32_t x, int32_t y) const {
    return !cuda_border_ && (x == 1 || x == grid.width - 2 || y == 1 || y == grid.height - 2);
}

// Inside the ring; its CUDA build leaves out only the edge itself.
bool PeakFinder::counts(const Grid &grid, int32_t x, int32_t y) const {
    const int32_t margin = cuda_border_ ? 1 : 2;
    return x >= margin && x < grid.width - margin && y >= margin && y < grid.height - margin;
}

// The pixels x0 to x0 + stride of row y; each line starts at x0 and has a pixel before and after.
void PeakFinder::scan_row(const Grid &grid, const float *above, const float *line, const float *below, int32_t x0,
                          int32_t y) {
    for (int32_t i = 0; i < grid.stride; ++i) {
        const float value = line[i];
        if (!(value > threshold_) || value < line[i - 1] || value < line[i + 1]) continue;
        const float highest = std::max(std::max(std::max(above[i - 1], above[i]), std::max(above[i + 1], line[i - 1])),
                                       std::max(std::max(line[i + 1], below[i - 1]), std::max(below[i], below[i + 1])));
        const int32_t x = x0 + i;
        const bool peak = (value > highest && counts(grid, x, y)) || (value >= highest && may_be_tied(grid, x, y));
        if (peak) found_.push_back(y * grid.width + x);
    }
}

void PeakFinder::scan_tiles(const Grid &grid, const Plane &plane, int32_t cell_y) {
    int32_t done = -1;
    for (Spots spots : kernel_.search(plane, cell_y, marked_.row(cell_y), threshold_, kRounding * plane.largest)) {
        const int32_t cell_x = spots.x / grid.stride;
        if (cell_x == done || !may_be_peak(grid, plane, spots, cell_y)) continue;
        scan_tile(grid, plane, cell_y, cell_x);
        done = cell_x;
    }
}

// What `search` leaves open: the rows above and below the tile.
bool PeakFinder::may_be_peak(const Grid &grid, const Plane &plane, Spots spots, int32_t cell_y) const {
    const int32_t top = cell_y * grid.stride, bottom = top + grid.stride - 1;
    const uint32_t first = 1, last = 1u << (grid.stride - 1);
    if (spots.rows & ~(first | last)) return true;
    if ((spots.rows & first) && (top == 0 || grid.at(plane, spots.x, top - 1) <= grid.at(plane, spots.x, top)))
        return true;
    return (spots.rows & last) && (bottom + 1 == grid.height ||
                                   grid.at(plane, spots.x, bottom + 1) <= grid.at(plane, spots.x, bottom));
}

void PeakFinder::scan_tile(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x) {
    const int32_t stride = grid.stride, x0 = cell_x * stride, y0 = cell_y * stride;
    Patch patch;
    kernel_.fill(grid, plane, cell_y, cell_x, patch);
    // Around the map lies the threshold.
    if (y0 == 0) std::fill_n(patch.row(-1) - 1, stride + 2, threshold_);
    if (y0 + stride == grid.height) std::fill_n(patch.row(stride) - 1, stride + 2, threshold_);
    for (int32_t y = -1; y <= stride; ++y) {
        if (x0 == 0) patch.row(y)[-1] = threshold_;
        if (x0 + stride == grid.width) patch.row(y)[stride] = threshold_;
    }
    for (uint32_t rows = kernel_.rows_with_peaks(patch, threshold_); rows != 0; rows &= rows - 1) {
        const int32_t y = __builtin_ctz(rows);
        scan_row(grid, patch.row(y - 1), patch.row(y), patch.row(y + 1), x0, y0 + y);
    }
}

void PeakFinder::scan_any_tile(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x) {
    const int32_t stride = grid.stride, pitch = stride + 2, x0 = cell_x * stride, y0 = cell_y * stride;
    for (int32_t y = y0 - 1; y <= y0 + stride; ++y) {
        float *line = lines_.data() + (y - y0 + 1) % 3 * pitch;
        for (int32_t x = x0 - 1; x <= x0 + stride; ++x)
            line[x - x0 + 1] = x < 0 || x >= grid.width || y < 0 || y >= grid.height ? threshold_
                                                                                      : grid.at(plane, x, y);
        if (y <= y0) continue;
        const float *above = lines_.data() + (y - y0 - 1) % 3 * pitch + 1;
        const float *centre = lines_.data() + (y - y0) % 3 * pitch + 1;
        scan_row(grid, above, centre, line + 1, x0, y - 1);
    }
}

// The centroid of the positive values, summed in float32 in scan order as OpenPose does.
Peak PeakFinder::refine(const Grid &grid, const Plane &plane, int32_t x, int32_t y) const {
    const int32_t x0 = std::max(0, x - kReach), x1 = std::min(grid.width - 1, x + kReach);
    const int32_t y0 = std::max(0, y - kReach), y1 = std::min(grid.height - 1, y + kReach);
    float values[kWindow * kWindowPitch];
    if (fast_) {
        kernel_.window(grid, plane, x0, y0, y1, values);
    } else {
        for (int32_t row = y0; row <= y1; ++row)
            for (int32_t column = x0; column <= x1; ++column)
                values[(row - y0) * kWindowPitch + column - x0] = grid.at(plane, column, row);
    }
    float sum_x = 0, sum_y = 0, sum = 0;
    for (int32_t row = y0; row <= y1; ++row) {
        const float *line = values + (row - y0) * kWindowPitch - x0;
        for (int32_t column = x0; column <= x1; ++column) {
            const float value = std::max(line[column], 0.0f);
            sum_x += static_cast<float>(column) * value;
            sum_y += static_cast<float>(row) * value;
            sum += value;
        }
    }
    return {sum_x / sum + kOffset, sum_y / sum + kOffset, values[(y - y0) * kWindowPitch + x - x0]};
}

int32_t PeakFinder::find(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity) {
    if (!(plane.largest * grid.gain > threshold_)) return 0;
    marked_.mark(plane, threshold_ / grid.gain);
    found_.clear();
    for (int32_t y = 0; y < grid.height / stride_; ++y) {
        if (marked_.empty(y)) continue;
        if (fast_) {
            scan_tiles(grid, plane, y);
        } else {
            for (int32_t x = 0; x < grid.width / stride_; ++x) scan_any_tile(grid, plane, y, x);
        }
    }
    std::sort(found_.begin(), found_.end());
    const int32_t count = std::min(capacity, static_cast<int32_t>(found_.size()));
    for (int32_t i = 0; i < count; ++i) peaks[i] = refine(grid, plane, found_[i] % grid.width, found_[i] / grid.width);
    return count;
}

}  // namespace wholebody
