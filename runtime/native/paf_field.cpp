#include "paf_field.h"

namespace wholebody {
namespace {

const int32_t kLanes = 8;

WB_CLONES void upsample_rows(const Grid &grid, const Plane &plane, float *out) {
    typedef Lanes<kLanes>::Floats Floats;
    const ptrdiff_t pitch = plane.pitch;
    for (const Tap &down : grid.rows) {
        const float *cells = plane.row(down.first);
        for (int32_t x = 0; x < pitch; x += kLanes) {
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

void FieldRows::prepare(const Grid &grid, const Field &field) {
    wb_layout layout = {};
    layout.stride_row = field.pitch * static_cast<int64_t>(sizeof(float));
    layout.stride_column = sizeof(float);
    layout.height = field.height;
    layout.width = field.width;
    for (int i = 0; i < 2; ++i) {
        cells.load(reinterpret_cast<const char *>(i == 0 ? field.x : field.y), layout);
        std::vector<float> &rows = i == 0 ? x : y;
        rows.resize(static_cast<size_t>(grid.height) * cells.pitch + kLanes);
        upsample_rows(grid, cells, rows.data());
    }
}

}  // namespace wholebody
