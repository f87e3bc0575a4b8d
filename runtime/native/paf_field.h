// The part-affinity field of one limb, upsampled where it is asked for: rows first, then columns 0 + 2 and 1 + 3, as in
// the NumPy twin. Three readers with the same answers: each takes more to set up than the one before and answers faster.
// Two more, for fields read between four cells only, are in paf_linear.h.
#ifndef WHOLEBODY_PAF_FIELD_H
#define WHOLEBODY_PAF_FIELD_H

#include <algorithm>

#include "paf_simd.h"
#include "paf_upsample.h"

namespace wholebody {

struct Vector {
    float x, y;
};

// The two maps of a limb.
struct Field {
    const char *x, *y;  // the first value
    wb_layout layout;

    // True where both are plain rows of floats.
    bool plain() const { return plain_rows(layout); }
};

// Brings the maps that are wanted next nearer, a few at a time, while others are worked on.
class Ahead {
public:
    void nothing() { left_ = 0; }

    // `steps`: in how many to be done.
    void set(const Field &field, int32_t steps) {
        const int64_t bytes = field.layout.stride_row * field.layout.height;
        left_ = 0;
        if (bytes <= 0 || bytes > kMost) return;
        maps_[0] = field.x;
        maps_[1] = field.y;
        left_ = (bytes + kLine - 1) / kLine;
        at_once_ = (left_ + steps - 1) / steps;
    }

    WB_INLINE void step() {
        for (int64_t i = std::min(at_once_, left_); i > 0; --i) {
            --left_;
            for (const char *&map : maps_) {
                __builtin_prefetch(map, 0, 3);
                map += kLine;
            }
        }
    }

private:
    static const int64_t kLine = 64, kMost = 1 << 17;
    const char *maps_[2] = {};
    int64_t left_ = 0, at_once_ = 0;
};

// A pixel half summed: x of columns 0 + 2, y of 0 + 2, x of 1 + 3, y of 1 + 3.
typedef Lanes<4>::Floats Quad;

WB_INLINE Vector sum_of(const Quad &quad) { return {quad[0] + quad[2], quad[1] + quad[3]}; }

// Four pixels at once.
WB_INLINE void sums_of(const Quad quads[4], Lanes<4>::Floats &x, Lanes<4>::Floats &y) {
    const Quad first = WB_SHUFFLE(quads[0], quads[1], 0, 1, 4, 5) + WB_SHUFFLE(quads[0], quads[1], 2, 3, 6, 7);
    const Quad second = WB_SHUFFLE(quads[2], quads[3], 0, 1, 4, 5) + WB_SHUFFLE(quads[2], quads[3], 2, 3, 6, 7);
    x = WB_SHUFFLE(first, second, 0, 2, 4, 6);
    y = WB_SHUFFLE(first, second, 1, 3, 5, 7);
}

// Where each column of pixels reads: its first padded cell and its weights' number.
class Columns {
public:
    explicit Columns(const Grid &grid) : places_(grid.places.data()), shift_(grid.shift), half_(grid.stride / 2) {}

    template <typename Bits>
    WB_INLINE void at(const Bits &x, Bits &first, Bits &phase) const {
        if (shift_ > 0) {
            first = (x + half_) >> shift_;
            phase = x & (2 * half_ - 1);
            return;
        }
        for (size_t lane = 0; lane < sizeof(Bits) / sizeof(int32_t); ++lane) {
            first[lane] = places_[x[lane]].first;
            phase[lane] = places_[x[lane]].phase;
        }
    }

private:
    const Place *places_;
    int32_t shift_, half_;
};

// Reads plain maps where they lie.
class MapReader {
public:
    int32_t height, width;  // pixels

    MapReader(const Grid &grid, const Field &field)
        : height(grid.height), width(grid.width), columns_(grid.columns.data()), rows_(grid.rows.data()),
          x_(reinterpret_cast<const float *>(field.x)), y_(reinterpret_cast<const float *>(field.y)),
          pitch_(field.layout.stride_row / static_cast<int64_t>(sizeof(float))), cells_down_(field.layout.height),
          cells_across_(field.layout.width) {}

    // What `at` wants of pixels.
    template <typename Bits>
    WB_INLINE void find(const Bits &x, const Bits &y, Bits &where, Bits &weights) const {
        where = x;
        weights = y;
    }

    WB_INLINE void at(int32_t x, int32_t y, Quad &quad) const {
        const Tap &across = columns_[x], &down = rows_[y];
        const int32_t left = across.first - kPad, top = down.first - kPad;
        const ptrdiff_t first = top * pitch_ + left;
        if (left < 0 || top < 0 || left + 4 > cells_across_ || top + 4 > cells_down_ ||
            !weighted_cells(x_ + first, y_ + first, pitch_, across.weight, down.weight, quad))
            at_worse(left, top, across.weight, down.weight, quad);
    }

    // Brings what a pixel reads nearer.
    void fetch(float x, float y) const {
        const int32_t column = std::max(0, std::min(width - 1, static_cast<int32_t>(x)));
        const int32_t line = std::max(0, std::min(height - 1, static_cast<int32_t>(y)));
        const int32_t left = std::max(0, columns_[column].first - kPad), top = rows_[line].first - kPad;
        for (int32_t row = std::max(0, top); row < std::min(cells_down_, top + 4); ++row) {
            __builtin_prefetch(x_ + row * pitch_ + left);
            __builtin_prefetch(y_ + row * pitch_ + left);
        }
    }

private:
    static WB_INLINE void add_row(const float *cells, float weight, Lanes<4>::Floats &sum, Lanes<4>::Bits &seen) {
        Lanes<4>::Floats value;
        load(value, cells);
        seen |= (Lanes<4>::Bits)value;
        sum += value * weight;
    }

    // False where a cell may not be usable: seen by the bits of all together, which costs less than to clean each.
    static WB_INLINE bool weighted_cells(const float *x, const float *y, ptrdiff_t pitch, const float *across,
                                         const float *down, Quad &quad) {
        Lanes<4>::Floats weight, sum_x = {}, sum_y = {};
        Lanes<4>::Bits seen = {};
        for (int row = 0; row < 4; ++row) {
            add_row(x + row * pitch, down[row], sum_x, seen);
            add_row(y + row * pitch, down[row], sum_y, seen);
        }
        load(weight, across);
        sum_x *= weight;
        sum_y *= weight;
        quad = WB_SHUFFLE(sum_x, sum_y, 0, 4, 1, 5) + WB_SHUFFLE(sum_x, sum_y, 2, 6, 3, 7);
        return static_cast<int32_t>(either<4>(seen) & INT32_MAX) < kLargestBits;
    }

    // Of cells beyond the map or not usable.
    __attribute__((noinline)) void at_worse(int32_t left, int32_t top, const float *across, const float *down,
                                            Quad &quad) const {
        float x[16], y[16];
        for (int i = 0; i < 16; ++i) {
            const int32_t row = std::max(0, std::min(cells_down_ - 1, top + i / 4));
            const int32_t column = std::max(0, std::min(cells_across_ - 1, left + i % 4));
            x[i] = usable(x_[row * pitch_ + column]);
            y[i] = usable(y_[row * pitch_ + column]);
        }
        weighted_cells(x, y, 4, across, down, quad);
    }

    static const int32_t kLargestBits = 0x4e6e6b28;  // of kLargestCell
    const Tap *columns_, *rows_;
    const float *x_, *y_;
    ptrdiff_t pitch_;
    int32_t cells_down_, cells_across_;
};

// Both maps cleaned and padded, x and y of a cell side by side.
struct FieldCells {
    std::vector<float> values;
    int32_t pitch = 0;

    void load(const Field &field);

private:
    Plane x_, y_;
};

// Where pixels have their cells in a copy, and their weights.
class CellFinder {
public:
    static const int32_t kLargestStride = 1 << 13;  // two pixels' places among the weights make one number
    int32_t height, width;

    CellFinder(const Grid &grid, const FieldCells &cells)
        : height(grid.height), width(grid.width), columns_(grid), pitch_(cells.pitch) {}

    template <typename Bits>
    WB_INLINE void find(const Bits &x, const Bits &y, Bits &where, Bits &weights) const {
        Bits column, across, row, down;
        columns_.at(x, column, across);
        columns_.at(y, row, down);  // rows have the same places
        where = row * pitch_ + column * 2;
        weights = across << 3 | down << (kDownShift + 3);
    }

protected:
    static WB_INLINE uint32_t across_of(int32_t weights) { return static_cast<uint16_t>(weights); }
    static WB_INLINE uint32_t down_of(int32_t weights) { return static_cast<uint32_t>(weights) >> kDownShift; }

private:
    static const int32_t kDownShift = 16;
    Columns columns_;

protected:
    int32_t pitch_;
};

class CellReader : public CellFinder {
public:
    CellReader(const Grid &grid, const FieldCells &cells)
        : CellFinder(grid, cells), doubled_(grid.doubled.data()), values_(cells.values.data()) {}

    WB_INLINE void at(int32_t where, int32_t weights, Quad &quad) const {
        const float *cell = values_ + static_cast<uint32_t>(where);
        const float *across = doubled_ + across_of(weights), *down = doubled_ + down_of(weights);
        Lanes<8>::Floats sum, value, weight;
        Quad near, far;
        load(value, cell);
        sum = value * down[0];
        for (int row = 1; row < 4; ++row) {
            load(value, cell + row * pitch_);
            sum += value * down[2 * row];
        }
        load(weight, across);
        const Lanes<8>::Floats both = sum * weight;
        load(near, &both);
        load(far, reinterpret_cast<const char *>(&both) + sizeof(near));
        quad = near + far;
    }

private:
    const float *doubled_, *values_;
};

// The same, upsampled from row to row.
struct FieldRows {
    std::vector<float> values;
    int32_t pitch = 0;

    void upsample(const Grid &grid, const FieldCells &cells);
};

class RowReader {
public:
    int32_t height, width;

    RowReader(const Grid &grid, const FieldRows &rows)
        : height(grid.height), width(grid.width), columns_(grid), doubled_(grid.doubled.data()),
          values_(rows.values.data()), pitch_(rows.pitch) {}

    template <typename Bits>
    WB_INLINE void find(const Bits &x, const Bits &y, Bits &where, Bits &weights) const {
        Bits column, across;
        columns_.at(x, column, across);
        where = y * pitch_ + column * 2;
        weights = across * 8;
    }

    WB_INLINE void at(int32_t where, int32_t weights, Quad &quad) const {
        Quad near, far, near_weight, far_weight;
        const float *values = values_ + static_cast<uint32_t>(where);
        const float *across = doubled_ + static_cast<uint32_t>(weights);
        load(near, values);
        load(far, values + 4);
        load(near_weight, across);
        load(far_weight, across + 4);
        quad = near * near_weight + far * far_weight;
    }

private:
    Columns columns_;
    const float *doubled_, *values_;
    int32_t pitch_;
};

}  // namespace wholebody
#endif
