// Bicubic upsampling by a whole stride, pixel by pixel or in tiles of stride x stride.
#ifndef WHOLEBODY_PAF_UPSAMPLE_H
#define WHOLEBODY_PAF_UPSAMPLE_H

#include "paf_types.h"

namespace wholebody {

// The four taps of one output row or column.
struct Tap {
    int32_t first;  // first padded cell read
    float weight[4];
};

// A map of h x w cells with kPad clamped cells around it; values that are not finite or beyond 1e9 are 0.
struct Plane {
    int32_t height = 0, width = 0, pitch = 0;
    std::vector<float> cells;

    void load(const float *maps, const wb_layout &layout, int32_t channel);
    const float *row(int32_t padded) const { return cells.data() + static_cast<size_t>(padded) * pitch; }
};

// Taps for every output row and column of maps of one size.
struct Grid {
    int32_t stride = 0, height = 0, width = 0;  // output pixels
    std::vector<Tap> rows, columns;
    std::vector<float> phases[4];  // the same weights, by tap
    float positive = 0, negative = 0;  // a pixel is at most positive * max(cells) + negative * max(-cells)

    void prepare(int32_t map_height, int32_t map_width, int32_t pixels_per_cell, double kernel_a);
    float at(const Plane &plane, int32_t x, int32_t y) const;
    // Writes the pixels of cell (cell_y, cell_x) to `out`, whose rows lie `pitch` floats apart.
    void tile(const Plane &plane, int32_t cell_y, int32_t cell_x, float *out, int32_t pitch) const;
};

inline float weighted(float a, float b, float c, float d, const float *w) {
    return a * w[0] + b * w[1] + c * w[2] + d * w[3];  // this order: the NumPy twin's
}

inline float Grid::at(const Plane &plane, int32_t x, int32_t y) const {
    const Tap &across = columns[x], &down = rows[y];
    float line[4];
    for (int i = 0; i < 4; ++i) {
        const float *cell = plane.row(down.first + i) + across.first;
        line[i] = weighted(cell[0], cell[1], cell[2], cell[3], across.weight);
    }
    return weighted(line[0], line[1], line[2], line[3], down.weight);
}

}  // namespace wholebody
#endif
