// The network's maps as the PAF kernels read them, and bicubic upsampling by a whole stride.
#ifndef WHOLEBODY_KERNELS_PAF_MAPS_H
#define WHOLEBODY_KERNELS_PAF_MAPS_H

#include "kernel.h"

namespace wholebody {

// Maps (channels, height, width) anywhere in device memory.
struct MapView {
    const void *values;
    long long channel, row, column;  // strides, in values
    int height, width;
    int half;  // 1: IEEE halves, 0: floats
    int unused;
};

// Upsampling: for each phase its four weights and the first cell it reads, relative to its own.
struct TapTable {
    const float *weights;
    const int *first;
};

struct Candidate {
    float x, y, score;
};

struct Limb {
    int from, to;          // keypoints
    int along_x, along_y;  // channels
};

const float kLargestCell = 1e9f;

// What is not finite, or beyond 1e9, counts as 0. The type is a template's: reads with no branch between them overlap.
template <bool Half>
WB_DEVICE float cell_at(const MapView &maps, long long offset) {
    if (Half) return widened(__ldg(static_cast<const unsigned short *>(maps.values) + offset));
    const float value = __ldg(static_cast<const float *>(maps.values) + offset);
    return fabsf(value) < kLargestCell ? value : 0.0f;
}

WB_DEVICE float weighted(float a, float b, float c, float d, const float *w) {
    return a * w[0] + b * w[1] + c * w[2] + d * w[3];  // this order: the CPU's
}

}  // namespace wholebody
#endif
