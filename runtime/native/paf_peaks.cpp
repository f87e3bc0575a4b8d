#include "paf_peaks.h"

#include <algorithm>

#include "paf_simd.h"

namespace wholebody {
namespace {

const int32_t kReach = kWindow / 2;
const float kOffset = 0.5f;
typedef Lanes<4>::Floats Floats;
typedef Lanes<4>::Bits Bits;

// Four values of each of four windows, by column.
WB_INLINE void columns_of(const float *const windows[4], int32_t first, Floats columns[4]) {
    Floats rows[4];
    for (int i = 0; i < 4; ++i) load(rows[i], windows[i] + first);
    const Floats a = WB_SHUFFLE(rows[0], rows[1], 0, 4, 1, 5), b = WB_SHUFFLE(rows[2], rows[3], 0, 4, 1, 5);
    const Floats c = WB_SHUFFLE(rows[0], rows[1], 2, 6, 3, 7), d = WB_SHUFFLE(rows[2], rows[3], 2, 6, 3, 7);
    columns[0] = WB_SHUFFLE(a, b, 0, 1, 4, 5);
    columns[1] = WB_SHUFFLE(a, b, 2, 3, 6, 7);
    columns[2] = WB_SHUFFLE(c, d, 0, 1, 4, 5);
    columns[3] = WB_SHUFFLE(c, d, 2, 3, 6, 7);
}

// The centroids of the positive values of four windows, summed in float32 in scan order as OpenPose does.
WB_CLONES void centroids_of(const float *const windows[4], const int32_t *x0, const int32_t *y0, float *x, float *y) {
    Floats sum_x = {}, sum_y = {}, sum = {}, columns[8];
    Bits first_x, row_y;
    load(first_x, x0);
    load(row_y, y0);
    for (int32_t row = 0; row < kWindow; ++row, row_y += 1) {
        columns_of(windows, row * kWindowPitch, columns);
        columns_of(windows, row * kWindowPitch + 4, columns + 4);
        const Floats down = __builtin_convertvector(row_y, Floats);
        for (int column = 0; column < kWindow; ++column) {
            const Floats value = columns[column] > 0.0f ? columns[column] : Floats{};
            sum_x += __builtin_convertvector(first_x + column, Floats) * value;
            sum_y += down * value;
            sum += value;
        }
    }
    store(x, sum_x / sum + kOffset);
    store(y, sum_y / sum + kOffset);
}

}  // namespace

void PeakFinder::prepare(const Grid &grid, const wb_paf_config &config) {
    threshold_ = config.nms_threshold;
    cuda_border_ = config.cuda_border != 0;
    if (grid.height == height_ && grid.width == width_ && grid.stride == stride_) return;
    height_ = 0;  // not usable until all is set: an allocation may throw
    fast_ = search_.prepare(grid);
    lines_.resize(3 * (static_cast<size_t>(grid.width) + 2));
    stride_ = grid.stride;
    width_ = grid.width;
    height_ = grid.height;
}

// OpenPose counts what is above its neighbours inside the ring one pixel from the edge; its CPU build takes ties on
// that ring, which runs through to the edge, and its CUDA build leaves out only the edge itself.
bool PeakFinder::stands_out(const Grid &grid, float value, float highest, int32_t x, int32_t y) const {
    const int32_t margin = cuda_border_ ? 1 : 2;
    const bool inside = x >= margin && x < grid.width - margin && y >= margin && y < grid.height - margin;
    const bool ring = !cuda_border_ && (x == 1 || x == grid.width - 2 || y == 1 || y == grid.height - 2);
    return (value > highest && inside) || (value >= highest && ring);
}

// The window around a pixel, with zeros beyond the map.
void PeakFinder::read(const Grid &grid, const Plane &plane, int32_t x, int32_t y, Window &window) const {
    window.x0 = std::max(0, x - kReach);
    window.y0 = std::max(0, y - kReach);
    window.x1 = std::min(grid.width - 1, x + kReach);
    window.y1 = std::min(grid.height - 1, y + kReach);
    const int32_t columns = window.x1 - window.x0 + 1, rows = window.y1 - window.y0 + 1;
    if (fast_) {
        search_.window(grid, plane, window.x0, window.y0, window.y1, window.values);
    } else {
        for (int32_t row = 0; row < rows; ++row)
            for (int32_t column = 0; column < columns; ++column)
                window.values[row * kWindowPitch + column] = grid.at(plane, window.x0 + column, window.y0 + row);
    }
    for (int32_t row = 0; columns < kWindow && row < rows; ++row)
        std::fill(window.values + row * kWindowPitch + columns, window.values + (row + 1) * kWindowPitch, 0.0f);
    std::fill(window.values + rows * kWindowPitch, window.values + kWindow * kWindowPitch, 0.0f);
}

// Around the map lies the threshold.
bool PeakFinder::is_peak(const Grid &grid, const Window &window, int32_t x, int32_t y) const {
    const float value = window.at(x, y);
    if (!(value > threshold_)) return false;
    float highest = threshold_;
    for (int32_t row = std::max(0, y - 1); row <= std::min(grid.height - 1, y + 1); ++row)
        for (int32_t column = std::max(0, x - 1); column <= std::min(grid.width - 1, x + 1); ++column)
            if (row != y || column != x) highest = std::max(highest, window.at(column, row));
    return stands_out(grid, value, highest, x, y);
}

// Appends a peak whose window is the one that waits last.
void PeakFinder::add(int32_t x, int32_t y, Peak *peaks) {
    peaks[count_++].score = windows_[waiting_++].at(x, y);
    if (waiting_ == kBatch) refine(peaks);
}

// Gives the peaks that wait their place.
void PeakFinder::refine(Peak *peaks) {
    int32_t x0[kBatch], y0[kBatch];
    float x[kBatch], y[kBatch];
    const float *values[kBatch];
    for (int32_t i = 0; i < kBatch; ++i) {
        const Window &window = windows_[std::min(i, waiting_ - 1)];
        x0[i] = window.x0;
        y0[i] = window.y0;
        values[i] = window.values;
    }
    centroids_of(values, x0, y0, x, y);
    for (int32_t i = 0; i < waiting_; ++i) {
        peaks[count_ - waiting_ + i].x = x[i];
        peaks[count_ - waiting_ + i].y = y[i];
    }
    waiting_ = 0;
}

void PeakFinder::find_in_patches(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity) {
    seen_.x1 = -1;  // of another plane
    for (int32_t row : search_.begin(plane, threshold_))
        for (int32_t pixel : search_.find(grid, plane, row)) {
            const int32_t x = pixel % grid.width, y = pixel / grid.width;
            // On a plateau every pixel is asked about: one window answers for several.
            const bool seen = seen_.holds(std::max(0, x - 1), std::max(0, y - 1), std::min(grid.width - 1, x + 1),
                                          std::min(grid.height - 1, y + 1));
            if (seen && !is_peak(grid, seen_, x, y)) continue;
            Window &window = windows_[waiting_];
            read(grid, plane, x, y, window);
            if (is_peak(grid, window, x, y)) {
                add(x, y, peaks);
                if (count_ == capacity) return;
            } else {
                seen_ = window;
            }
        }
}

// Any stride and kernel: every pixel is computed.
void PeakFinder::find_anywhere(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity) {
    const size_t pitch = static_cast<size_t>(grid.width) + 2;
    const auto line = [&](int32_t y) { return lines_.data() + static_cast<size_t>(y + 3) % 3 * pitch + 1; };
    std::fill(lines_.begin(), lines_.end(), threshold_);
    for (int32_t y = 0; y <= grid.height; ++y) {
        for (int32_t x = 0; x < grid.width; ++x) line(y)[x] = y < grid.height ? grid.at(plane, x, y) : threshold_;
        for (int32_t x = 0; y > 0 && x < grid.width; ++x) {
            const float value = line(y - 1)[x];
            if (!(value > threshold_)) continue;
            float highest = threshold_;
            for (int32_t row = y - 2; row <= y; ++row)
                for (int32_t column = x - 1; column <= x + 1; ++column)
                    if (row != y - 1 || column != x) highest = std::max(highest, line(row)[column]);
            if (!stands_out(grid, value, highest, x, y - 1)) continue;
            read(grid, plane, x, y - 1, windows_[waiting_]);
            add(x, y - 1, peaks);
            if (count_ == capacity) return;
        }
    }
}

int32_t PeakFinder::find(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity) {
    count_ = waiting_ = 0;
    if (!(plane.largest * grid.gain > threshold_)) return 0;
    (this->*(fast_ ? &PeakFinder::find_in_patches : &PeakFinder::find_anywhere))(grid, plane, peaks, capacity);
    if (waiting_ > 0) refine(peaks);
    return count_;
}

}  // namespace wholebody
