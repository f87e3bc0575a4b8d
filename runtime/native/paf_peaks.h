// Keypoint candidates of one heat map.
#ifndef WHOLEBODY_PAF_PEAKS_H
#define WHOLEBODY_PAF_PEAKS_H

#include "paf_upsample.h"

namespace wholebody {

// Finds the peaks of one plane at full resolution, computing only the tiles in which a pixel can exceed the
// threshold, and those around them.
class PeakFinder {
public:
    void prepare(const Grid &grid, float threshold);
    // Writes at most `capacity` peaks in scan order and returns how many.
    int32_t find(const Grid &grid, const Plane &plane, const wb_paf_config &config, Peak *peaks, int32_t capacity);

private:
    const float *pixel(int32_t x, int32_t y) const {
        return surface_.data() + static_cast<size_t>(y + 1) * pitch_ + x + 1;
    }
    void mark(const Grid &grid, const Plane &plane, float threshold);
    void compute(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x);
    void compute_window(const Grid &grid, const Plane &plane, int32_t x0, int32_t y0, int32_t x1, int32_t y1);
    void scan(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x, float threshold, bool cuda_border);
    bool is_peak(const Grid &grid, int32_t x, int32_t y, bool cuda_border) const;
    Peak refine(const Grid &grid, int32_t x, int32_t y) const;

    int32_t cells_x_ = 0, cells_y_ = 0, pitch_ = 0;
    float threshold_ = -1;
    std::vector<float> surface_;          // full resolution, with one pixel of `threshold_` around it
    std::vector<uint8_t> active_, done_;  // per tile: can hold a peak, is computed
    std::vector<float> high_, low_;       // per padded row: extremes of five cells across
    std::vector<float> row_high_, row_low_;  // per padded row: extremes of all its cells
    std::vector<uint8_t> live_;           // per row of tiles: one of them can be active
    std::vector<int32_t> found_;          // pixel numbers
};

}  // namespace wholebody
#endif
