// Where a map's upsampled surface may have peaks, for strides 4 and 8, in vectors as wide as the machine has.
//
// A patch is the stride x stride pixels between four cells: all are sums over the same 4 x 4 cells. Patch (0, 0) has
// the cell (0, 0) at its lower right, so that half of it lies beyond the map.
#ifndef WHOLEBODY_PAF_PATCHES_H
#define WHOLEBODY_PAF_PATCHES_H

#include "paf_controls.h"
#include "paf_marks.h"
#include "paf_upsample.h"

namespace wholebody {

constexpr int32_t kStrideMax = 8;
constexpr int32_t kWindow = 7;         // pixels across the centroid's window
constexpr int32_t kWindowPitch = 8;    // of which the last may be garbage
constexpr int32_t kWindowCells = 7;    // cells that eight pixels in a row are sums of

class PatchSearch {
public:
    // False for strides and kernels that have no fast way: nothing else may be called then.
    bool prepare(const Grid &grid);

    // Another plane, and those of its rows of patches, 0 to the map's height, that are to be searched in order.
    const std::vector<int32_t> &begin(const Plane &plane, float threshold) { return marks_.begin(plane, threshold); }
    // The numbers of a row's pixels that may be peaks: all that are, and few others, in scan order. Valid until the
    // next call.
    const std::vector<int32_t> &find(const Grid &grid, const Plane &plane, int32_t row);
    // The pixels of rows y0 to y1 and columns x to x + 7 (those beyond the map are garbage); y1 - y0 < kWindow.
    void window(const Grid &grid, const Plane &plane, int32_t x, int32_t y0, int32_t y1, float *out) const;

    // What follows is for the loops themselves.
    struct Row {
        const Grid &grid;
        const Plane &plane;
        int32_t number;           // of patches
        PatchRules rules;
        const uint64_t *patches;  // a bit each
    };
    float down[4][kStrideMax];                           // weights of the four cells, for each pixel of a patch
    float even[kStrideMax / 2][2][kStrideMax];           // the same of a pixel and its mirror image, half their sum
    float odd[kStrideMax / 2][2][kStrideMax];            // and difference, in every lane
    float wide[kStrideMax][kWindowCells][kWindowPitch];  // for eight pixels from each pixel of a tile

private:
    PatchRules rules_of(float largest) const;

    int32_t stride_ = 0;
    float third_ = 0;     // PatchRules
    float outer_ = 0;     // PatchRules
    float inner_ = 0;     // what the way across a patch's edge adds to the margin, of the largest cell
    PatchMarks marks_;
    std::vector<int32_t> found_;
};

}  // namespace wholebody
#endif
