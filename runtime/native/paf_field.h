// The part-affinity field of one limb, read where it lies.
#ifndef WHOLEBODY_PAF_FIELD_H
#define WHOLEBODY_PAF_FIELD_H

#include <algorithm>

#include "paf_simd.h"
#include "paf_upsample.h"

namespace wholebody {

// The two maps of a limb as plain rows of floats; values that are not finite or beyond 1e9 are still in them.
struct Field {
    const float *x, *y;  // the first cell
    ptrdiff_t pitch;
    int32_t height, width;
    const Grid *grid;
};

struct Vector {
    float x, y;
};

// The field at a pixel, upsampled: rows first, then columns 0 + 2 and 1 + 3, as in the NumPy twin.
WB_INLINE Vector field_at(const Field &field, int32_t x, int32_t y) {
    typedef Lanes<4>::Floats Floats;
    typedef Lanes<4>::Bits Bits;
    const Tap &across = field.grid->columns[x], &down = field.grid->rows[y];
    const int32_t left = across.first - kPad, top = down.first - kPad;
    const float *cells[2] = {field.x + top * field.pitch + left, field.y + top * field.pitch + left};
    ptrdiff_t pitch = field.pitch;
    float clamped[2][16];
    if (left < 0 || top < 0 || left + 4 > field.width || top + 4 > field.height) {
        for (int i = 0; i < 16; ++i) {
            const int32_t row = std::max(0, std::min(field.height - 1, top + i / 4));
            const int32_t column = std::max(0, std::min(field.width - 1, left + i % 4));
            clamped[0][i] = field.x[row * field.pitch + column];
            clamped[1][i] = field.y[row * field.pitch + column];
        }
        cells[0] = clamped[0];
        cells[1] = clamped[1];
        pitch = 4;
    }
    Floats weight;
    load(weight, across.weight);
    float result[2];
    for (int i = 0; i < 2; ++i) {
        Floats sum = {};
        for (int row = 0; row < 4; ++row) {
            Floats value;
            load(value, cells[i] + row * pitch);
            const Bits fits = (Floats)((Bits)value & 0x7fffffff) < kLargestCell;
            value = (Floats)((Bits)value & fits) * down.weight[row];
            sum = row == 0 ? value : sum + value;
        }
        sum *= weight;
        result[i] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }
    return {result[0], result[1]};
}

}  // namespace wholebody
#endif
