// The field of one limb between the four nearest cells, for a grid prepared so: what the readers of paf_field.h answer
// there, without the twelve cells that weigh nothing.
#ifndef WHOLEBODY_PAF_LINEAR_H
#define WHOLEBODY_PAF_LINEAR_H

#include "paf_field.h"

namespace wholebody {

// Reads plain maps where they lie.
class LinearMapReader {
public:
    int32_t height, width;  // pixels

    LinearMapReader(const Grid &grid, const Field &field)
        : height(grid.height), width(grid.width), columns_(grid.columns.data()), rows_(grid.rows.data()),
          x_(reinterpret_cast<const float *>(field.x)), y_(reinterpret_cast<const float *>(field.y)),
          pitch_(field.layout.stride_row / static_cast<int64_t>(sizeof(float))), last_row_(field.layout.height - 1),
          last_column_(field.layout.width - 1) {}

    template <typename Bits>
    WB_INLINE void find(const Bits &x, const Bits &y, Bits &where, Bits &weights) const {
        where = x;
        weights = y;
    }

    WB_INLINE void at(int32_t x, int32_t y, Quad &quad) const {
        const Tap &across = columns_[x], &down = rows_[y];
        const int32_t left = across.first - (kPad - 1), top = down.first - (kPad - 1);
        if (left < 0 || top < 0 || left >= last_column_ || top >= last_row_) {
            at_edge(left, top, across.weight + 1, down.weight + 1, quad);
        } else {
            const ptrdiff_t first = top * pitch_ + left;
            weighted_cells(x_ + first, y_ + first, pitch_, across.weight + 1, down.weight + 1, quad);
        }
    }

private:
    // Two floats at each of two places.
    static WB_INLINE void load_twos(const float *a, const float *b, Quad &quad) {
        typedef double Twos __attribute__((vector_size(16)));
        double first, second;
        std::memcpy(&first, a, sizeof(first));
        std::memcpy(&second, b, sizeof(second));
        quad = (Quad)Twos{first, second};
    }

    static WB_INLINE void load_row(const float *x, const float *y, Quad &cells) {
        load_twos(x, y, cells);
        const Lanes<4>::Bits bits = (Lanes<4>::Bits)cells;
        cells = (Quad)(bits & ((Quad)(bits & INT32_MAX) < kLargestCell));
    }

    static WB_INLINE void weighted_cells(const float *x, const float *y, ptrdiff_t pitch, const float *across,
                                         const float *down, Quad &quad) {
        Quad near, far, weight;
        load_row(x, y, near);
        load_row(x + pitch, y + pitch, far);
        load_twos(across, across, weight);
        const Quad sum = (near * down[0] + far * down[1]) * weight;
        quad = WB_SHUFFLE(sum, sum, 0, 2, 1, 3);
    }

    __attribute__((noinline)) void at_edge(int32_t left, int32_t top, const float *across, const float *down,
                                           Quad &quad) const {
        float x[4], y[4];
        for (int i = 0; i < 4; ++i) {
            const int32_t row = std::max(0, std::min(last_row_, top + i / 2));
            const int32_t column = std::max(0, std::min(last_column_, left + i % 2));
            x[i] = x_[row * pitch_ + column];
            y[i] = y_[row * pitch_ + column];
        }
        weighted_cells(x, y, 2, across, down, quad);
    }

    const Tap *columns_, *rows_;
    const float *x_, *y_;
    ptrdiff_t pitch_;
    int32_t last_row_, last_column_;
};

class LinearReader : public CellFinder {
public:
    LinearReader(const Grid &grid, const FieldCells &cells)
        : CellFinder(grid, cells), inner_(grid.doubled.data() + 2), values_(cells.values.data() + cells.pitch + 2) {}

    WB_INLINE void at(int32_t where, int32_t weights, Quad &quad) const {
        const float *cell = values_ + static_cast<uint32_t>(where);
        const float *across = inner_ + across_of(weights), *down = inner_ + down_of(weights);
        Quad near, far, weight;
        load(near, cell);
        load(far, cell + pitch_);
        load(weight, across);
        quad = (near * down[0] + far * down[2]) * weight;
    }

private:
    const float *inner_, *values_;  // of the weights, and of the cells around a pixel, those that count
};

}  // namespace wholebody
#endif
