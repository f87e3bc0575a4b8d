// The two inner loops of peak finding, for the common strides, in vectors as wide as the machine has.
#ifndef WHOLEBODY_PAF_TILES_H
#define WHOLEBODY_PAF_TILES_H

#include <cstdint>

namespace wholebody {

// Writes the stride x stride pixels of one cell from the 5 x 5 cells around it; false for strides without a fast way.
// weights: by tap, one for each pixel of a cell. The order of the sums is that of `weighted`.
bool fill_tile(const float *cells, int32_t cells_pitch, const float *const weights[4], int32_t stride, float *out,
               int32_t pitch);

// Bit y is set when row y of the tile has a pixel that can be a peak, told from the tile's own pixels alone.
uint64_t rows_with_peaks(const float *pixels, int32_t pitch, int32_t stride, float threshold);

// The largest and the smallest of `count` values and 0.
void extremes(const float *values, int32_t count, float *most, float *least);

}  // namespace wholebody
#endif
