// One map, cleaned and padded, and where it has anything.
#ifndef WHOLEBODY_PAF_PLANE_H
#define WHOLEBODY_PAF_PLANE_H

#include "paf_types.h"

namespace wholebody {

constexpr float kLargestCell = 1e9f;

// A map of h x w cells with kPad clamped cells around it; values that are not finite or beyond 1e9 are 0.
struct Plane {
    int32_t height = 0, width = 0, pitch = 0;
    float largest = 0;  // of all absolute values
    std::vector<float> cells;
    std::vector<float> row_largest;

    // `base`: the map's first value.
    void load(const char *base, const wb_layout &layout);
    const float *row(int32_t padded) const { return cells.data() + static_cast<size_t>(padded) * pitch; }
};

// A set of cells, one bit each.
class CellSet {
public:
    void prepare(int32_t height, int32_t width);
    // The cells within kPad rows of one in their column whose absolute value exceeds `threshold`.
    void mark(const Plane &plane, float threshold);
    const uint64_t *row(int32_t y) const { return near_.data() + static_cast<size_t>(y) * words_; }
    bool empty(int32_t y) const { return !used_[y]; }

private:
    int32_t height_ = 0, width_ = 0, words_ = 0;
    std::vector<uint64_t> own_, near_;  // of one row; of all
    std::vector<uint8_t> used_;
};

}  // namespace wholebody
#endif
