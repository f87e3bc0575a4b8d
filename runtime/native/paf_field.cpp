#include "paf_field.h"

namespace wholebody {
namespace {

const int32_t kLanes = 8;

WB_CLONES void interleave(const float *x, const float *y, int32_t count, float *out) {
    for (int32_t i = 0; i < count; ++i) {
        out[2 * i] = x[i];
        out[2 * i + 1] = y[i];
    }
}

WB_CLONES void upsample_rows(const Grid &grid, const float *values, ptrdiff_t pitch, float *out) {
    typedef Lanes<kLanes>::Floats Floats;
    for (const Tap &down : grid.rows) {
        const float *cells = values + down.first * pitch;
        for (ptrdiff_t x = 0; x < pitch; x += kLanes) {
            Floats sum = {};
            for (int row = 0; row < 4; ++row) {
                Floats value;
                load(value, cells + row * pitch + x);
                sum += value * down.weight[row];
            }
            store(out + x, sum);  // the next row overwrites what is too much
        }
        out += pitch;
    }
}

}  // namespace

void FieldCells::load(const Field &field) {
    x_.load(field.x, field.layout);
    y_.load(field.y, field.layout);
    pitch = 2 * static_cast<ptrdiff_t>(x_.pitch);
    const int32_t count = x_.pitch * (x_.height + 2 * kPad);
    values.resize(2 * static_cast<size_t>(count) + kLanes);
    interleave(x_.cells.data(), y_.cells.data(), count, values.data());
}

void FieldRows::upsample(const Grid &grid, const FieldCells &cells) {
    pitch = cells.pitch;
    values.resize(static_cast<size_t>(grid.height) * pitch + kLanes);
    upsample_rows(grid, cells.values.data(), pitch, values.data());
}

}  // namespace wholebody
