#include "paf_field.h"

namespace wholebody {
namespace {

const int32_t kLanes = 8;

// A row of both maps, cleaned and padded, x and y side by side.
WB_CLONES void interleave(const float *x, const float *y, int32_t count, float *out) {
    for (int32_t i = 0; i < count; ++i) {
        out[2 * i] = usable(x[i]);
        out[2 * i + 1] = usable(y[i]);
    }
    for (int32_t i = 0; i < 2 * kPad; ++i) {
        out[i - 2 * kPad] = out[i % 2];
        out[2 * count + i] = out[2 * count - 2 + i % 2];
    }
}

WB_CLONES void upsample_rows(const Grid &grid, const float *values, ptrdiff_t pitch, float *out) {
    typedef Lanes<kLanes>::Floats Floats;
    for (const Tap &down : grid.rows) {
        const float *cells = values + down.first * pitch;
        for (ptrdiff_t x = 0; x < pitch; x += kLanes) {
            Floats sum, value;
            load(value, cells + x);
            sum = value * down.weight[0];
            for (int row = 1; row < 4; ++row) {
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
    const int32_t height = field.layout.height, width = field.layout.width;
    pitch = 2 * (width + 2 * kPad);
    values.resize(static_cast<size_t>(height + 2 * kPad) * pitch + kLanes);
    float *first = values.data() + kPad * pitch, *row = first;
    if (!field.plain()) {
        x_.load(field.x, field.layout);
        y_.load(field.y, field.layout);
    }
    for (int32_t y = 0; y < height; ++y, row += pitch) {
        const char *from_x = field.x + y * field.layout.stride_row, *from_y = field.y + y * field.layout.stride_row;
        if (field.plain())
            interleave(reinterpret_cast<const float *>(from_x), reinterpret_cast<const float *>(from_y), width,
                       row + 2 * kPad);
        else
            interleave(x_.row(y + kPad) + kPad, y_.row(y + kPad) + kPad, width, row + 2 * kPad);
    }
    for (int32_t i = 1; i <= kPad; ++i) {
        std::copy(first, first + pitch, first - i * pitch);
        std::copy(row - pitch, row, row + (i - 1) * pitch);
    }
}

void FieldRows::upsample(const Grid &grid, const FieldCells &cells) {
    pitch = cells.pitch;
    values.resize(static_cast<size_t>(grid.height) * pitch + kLanes);
    upsample_rows(grid, cells.values.data(), pitch, values.data());
}

}  // namespace wholebody
