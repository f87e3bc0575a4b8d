// Keypoint candidates of one heat map.
#ifndef WHOLEBODY_PAF_PEAKS_H
#define WHOLEBODY_PAF_PEAKS_H

#include "paf_tiles.h"

namespace wholebody {

// Finds the peaks of one plane at full resolution, of which only the tiles are computed that may hold one.
class PeakFinder {
public:
    void prepare(const Grid &grid, const wb_paf_config &config);
    // Writes at most `capacity` peaks in scan order and returns how many.
    int32_t find(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity);

private:
    void scan_tiles(const Grid &grid, const Plane &plane, int32_t cell_y);
    bool may_be_peak(const Grid &grid, const Plane &plane, Spots spots, int32_t cell_y) const;
    void scan_tile(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x);
    void scan_row(const Grid &grid, const float *above, const float *line, const float *below, int32_t x0, int32_t y);
    void scan_any_tile(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x);
    bool may_be_tied(const Grid &grid, int32_t x, int32_t y) const;
    bool counts(const Grid &grid, int32_t x, int32_t y) const;
    Peak refine(const Grid &grid, const Plane &plane, int32_t x, int32_t y) const;

    TileKernel kernel_;
    bool fast_ = false;  // the kernel has this stride
    float threshold_ = 0;
    bool cuda_border_ = false;
    int32_t height_ = 0, width_ = 0, stride_ = 0;
    CellSet marked_;              // near cells that can lift a pixel above the threshold
    std::vector<int32_t> found_;  // pixel numbers
    std::vector<float> lines_;    // three rows of pixels, for other strides
};

}  // namespace wholebody
#endif
