// Upsampling by a whole stride, pixel by pixel.
#ifndef WHOLEBODY_PAF_UPSAMPLE_H
#define WHOLEBODY_PAF_UPSAMPLE_H

#include "paf_plane.h"

namespace wholebody {

// The four taps of one output row or column. `new` aligns no further before C++17.
struct alignas(16) Tap {
    float weight[4];
    int32_t first;  // first padded cell read
};

// The same of a column, its weights by number.
struct Place {
    int32_t first, phase;
};

// Taps for every output row and column of maps of one size.
struct Grid {
    int32_t stride = 0, height = 0, width = 0;  // output pixels
    int32_t shift = 0;                          // stride = 1 << shift, or 0
    std::vector<Tap> rows, columns;
    std::vector<Place> places;
    std::vector<float> phases[4];  // the same weights, by tap
    std::vector<float> doubled;    // by phase: w0 w0 w1 w1 w2 w2 w3 w3
    bool linear = false;
    double kernel_a = 0;           // if not
    float gain = 0;                // a pixel is at most this times the largest absolute value around it

    // Bicubic with coefficient `a`, or linear, where only the two nearest cells of each axis weigh anything. The same
    // grid is prepared by one of them only.
    void prepare(int32_t map_height, int32_t map_width, int32_t pixels_per_cell, double a);
    void prepare_linear(int32_t map_height, int32_t map_width, int32_t pixels_per_cell);
    float at(const Plane &plane, int32_t x, int32_t y) const;

private:
    bool is_of(int32_t map_height, int32_t map_width, int32_t pixels_per_cell) const;
    void set(int32_t map_height, int32_t map_width, const std::vector<Tap> &taps);
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
