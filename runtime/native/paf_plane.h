// One map, cleaned and padded, and where it has anything.
#ifndef WHOLEBODY_PAF_PLANE_H
#define WHOLEBODY_PAF_PLANE_H

#include <cmath>

#include "paf_types.h"

namespace wholebody {

constexpr float kLargestCell = 1e9f;

inline float usable(float value) { return std::fabs(value) < kLargestCell ? value : 0.0f; }

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

}  // namespace wholebody
#endif
