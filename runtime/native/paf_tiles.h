// The inner loops of peak finding for strides 4 and 8, in vectors as wide as the machine has.
//
// A tile is the stride x stride pixels of one cell. All of them, and those one pixel around, are sums over the same
// 5 x 5 cells.
#ifndef WHOLEBODY_PAF_TILES_H
#define WHOLEBODY_PAF_TILES_H

#include "paf_upsample.h"

namespace wholebody {

constexpr int32_t kCells = 2 * kPad + 1;     // cells that a tile reads, each way
constexpr int32_t kStrideMax = 8;            // of a tile
constexpr int32_t kPatchPitch = 16;          // floats between the rows of a patch
constexpr int32_t kWindow = 7;               // pixels across the centroid's window
constexpr int32_t kWindowPitch = 8;

// The pixels of a tile and those one pixel around it.
struct Patch {
    float pixels[(kStrideMax + 2) * kPatchPitch];
    const float *row(int32_t y) const { return pixels + (y + 1) * kPatchPitch + 1; }  // y and x from -1
    float *row(int32_t y) { return pixels + (y + 1) * kPatchPitch + 1; }
};

// Some pixels of one column of a tile.
struct Spots {
    int32_t x;      // of the map
    uint32_t rows;  // of the tile, one bit each
};

class TileKernel {
public:
    // False for strides that have no fast way: nothing else may be called then.
    bool prepare(const Grid &grid);

    // Finds every pixel of a row of tiles that may be a peak, and few others: it is above the threshold and not below
    // its neighbours to the left, to the right and within the tile above and below. `marked`: a bit for each cell of
    // which one within two rows is larger than threshold / gain; `slack`: more than the rounding of a pixel.
    // Valid until the next call.
    const std::vector<Spots> &search(const Plane &plane, int32_t cell_y, const uint64_t *marked, float threshold,
                                     float slack);
    void fill(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x, Patch &patch) const;
    // Bit y is set when row y of the tile has a pixel above the threshold and not below its eight neighbours.
    uint32_t rows_with_peaks(const Patch &patch, float threshold) const;
    // The pixels of rows y0 to y1 and columns x to x + 7 (those beyond the map are garbage); y1 - y0 < kWindow.
    void window(const Grid &grid, const Plane &plane, int32_t x, int32_t y0, int32_t y1, float *out) const;

    // What follows is for the loops themselves.
    float phases[kStrideMax][4][kStrideMax];         // weights of the four taps of each pixel, in every lane
    float inner[kCells][kStrideMax];                 // weight of each cell of the five, for each pixel of a tile
    float left[kCells][kStrideMax];                  // the same one pixel further left,
    float right[kCells][kStrideMax];                 // and right
    float wide[kStrideMax][kCells + 2][kStrideMax];  // of seven cells, for eight pixels from each pixel of a tile
    float gain = 0;                                  // the largest sum of the absolute weights of a pixel, one way
    // Scratch of `search`: for each padded column of cells its pixels in this row of tiles, and whether they are there;
    // bits of cells, for the columns that are high and low somewhere and the tiles looked at.
    int32_t width = 0;
    std::vector<float> columns;
    std::vector<uint8_t> known;
    std::vector<uint64_t> high, low, tiles;
    std::vector<Spots> spots;

private:
    int32_t stride_ = 0;
};

}  // namespace wholebody
#endif
