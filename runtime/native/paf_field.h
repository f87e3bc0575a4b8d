// The part-affinity field of one limb, upsampled where it is asked for: rows first, then columns 0 + 2 and 1 + 3, as in
// the NumPy twin. Two readers with the same answers: `CellReader` takes nothing to set up, `RowReader` answers faster.
#ifndef WHOLEBODY_PAF_FIELD_H
#define WHOLEBODY_PAF_FIELD_H

#include <algorithm>

#include "paf_simd.h"
#include "paf_upsample.h"

namespace wholebody {

struct Vector {
    float x, y;
};

// The two maps of a limb as plain rows of floats; values that are not finite or beyond 1e9 are still in them.
struct Field {
    const float *x, *y;  // the first cell
    ptrdiff_t pitch;
    int32_t height, width;
};

// The columns of both maps around a pixel, weighted and not yet added.
struct Columns {
    Lanes<4>::Floats x, y;

    WB_INLINE Vector sum() const { return {(x[0] + x[2]) + (x[1] + x[3]), (y[0] + y[2]) + (y[1] + y[3])}; }
};

// Adds the columns of four pixels at once.
WB_INLINE void sum_of_four(const Lanes<4>::Floats &a, const Lanes<4>::Floats &b, const Lanes<4>::Floats &c,
                           const Lanes<4>::Floats &d, Lanes<4>::Floats &sum) {
    const Lanes<4>::Floats ab = WB_SHUFFLE(a, b, 0, 4, 1, 5) + WB_SHUFFLE(a, b, 2, 6, 3, 7);
    const Lanes<4>::Floats cd = WB_SHUFFLE(c, d, 0, 4, 1, 5) + WB_SHUFFLE(c, d, 2, 6, 3, 7);
    sum = WB_SHUFFLE(ab, cd, 0, 1, 4, 5) + WB_SHUFFLE(ab, cd, 2, 3, 6, 7);
}

// Reads the sixteen cells of each map around a pixel.
struct CellReader {
    int32_t height, width;  // pixels
    const Tap *column_taps, *row_taps;
    Field field;

    CellReader(const Grid &grid, const Field &from)
        : height(grid.height), width(grid.width), column_taps(grid.columns.data()), row_taps(grid.rows.data()),
          field(from) {}

    WB_INLINE void at(int32_t x, int32_t y, Columns &columns) const {
        const Tap &across = column_taps[x], &down = row_taps[y];
        const int32_t left = across.first - kPad, top = down.first - kPad;
        if (left < 0 || top < 0 || left + 4 > field.width || top + 4 > field.height) {
            at_edge(left, top, x, y, columns);
        } else {
            const ptrdiff_t first = top * field.pitch + left;
            weighted_cells(field.x + first, field.y + first, field.pitch, across.weight, down.weight, columns);
        }
    }

private:
    static WB_INLINE void add_row(const float *cells, float weight, Lanes<4>::Floats &sum) {
        Lanes<4>::Floats value;
        load(value, cells);
        const Lanes<4>::Bits bits = (Lanes<4>::Bits)value;
        const Lanes<4>::Bits fits = (Lanes<4>::Floats)(bits & 0x7fffffff) < kLargestCell;
        sum += (Lanes<4>::Floats)(bits & fits) * weight;
    }

    static WB_INLINE void weighted_cells(const float *x, const float *y, ptrdiff_t pitch, const float *across,
                                         const float *down, Columns &columns) {
        Lanes<4>::Floats weight;
        columns.x = columns.y = Lanes<4>::Floats{};
        for (int row = 0; row < 4; ++row) {
            add_row(x + row * pitch, down[row], columns.x);
            add_row(y + row * pitch, down[row], columns.y);
        }
        load(weight, across);
        columns.x *= weight;
        columns.y *= weight;
    }

    __attribute__((noinline)) void at_edge(int32_t left, int32_t top, int32_t x, int32_t y, Columns &columns) const {
        float cells[2][16];
        for (int i = 0; i < 16; ++i) {
            const int32_t row = std::max(0, std::min(field.height - 1, top + i / 4));
            const int32_t column = std::max(0, std::min(field.width - 1, left + i % 4));
            cells[0][i] = field.x[row * field.pitch + column];
            cells[1][i] = field.y[row * field.pitch + column];
        }
        weighted_cells(cells[0], cells[1], 4, column_taps[x].weight, row_taps[y].weight, columns);
    }
};

// Both maps upsampled from row to row, which costs about as much as three hundred pixels read by `CellReader`.
struct FieldRows {
    std::vector<float> x, y;
    Plane cells;  // of one map, cleaned and padded

    void prepare(const Grid &grid, const Field &field);
};

struct RowReader {
    int32_t height, width;  // pixels
    const Tap *taps;        // of the columns
    const float *x, *y;
    ptrdiff_t pitch;

    RowReader(const Grid &grid, const FieldRows &rows)
        : height(grid.height), width(grid.width), taps(grid.columns.data()), x(rows.x.data()), y(rows.y.data()),
          pitch(rows.cells.pitch) {}

    WB_INLINE void at(int32_t pixel_x, int32_t pixel_y, Columns &columns) const {
        const Tap &across = taps[pixel_x];
        const ptrdiff_t first = pixel_y * pitch + across.first;
        Lanes<4>::Floats weight;
        load(weight, across.weight);
        load(columns.x, x + first);
        load(columns.y, y + first);
        columns.x *= weight;
        columns.y *= weight;
    }
};

}  // namespace wholebody
#endif
