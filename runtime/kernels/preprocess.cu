// Pictures to the network's input in one go: resize or crop, pad, colour order, normalise; a whole batch in one launch.
//
// Every way of resizing is a few taps each way with weights that the host worked out once (runtime/kernels/taps.py):
// bilinear, the mean over an area, cubic. A crop has a matrix instead and takes four pixels. Rows are added first, then
// columns, and the sum is rounded to a whole grey level, as on the CPU.
#include "kernel.h"

namespace wholebody {

// One picture and its place in the input.
struct Picture {
    const unsigned char *pixels;  // BGR, BGRx, or the Y of NV12
    const unsigned char *chroma;  // the UV of NV12
    const int *rows, *columns;                     // first pixel for each output line and column; 0: by matrix
    const float *row_weights, *column_weights;     // (output, taps)
    int pitch, chroma_pitch;      // bytes
    int width, height;
    int format, row_taps, column_taps;
    int left, top, covered_width, covered_height;  // where it lies in the input; around it is padding
    float matrix[6];              // from an input pixel, counted from (left, top), to a pixel of the picture
    int unused;
};

struct PreprocessArguments {
    const Picture *pictures;  // (batch)
    void *out;                // (batch, 3, height, width), or channels last
    int height, width;
    int type;                 // 0 float, 1 half, 2 bytes
    int channels_last;
    int channel[3];           // of the input, for B, G and R
    float gain[3], bias[3];   // of B, G and R
    float padding[3];         // of B, G and R, as it comes out
};

namespace preprocess {

const int kBgr = 0, kBgrx = 1, kNv12 = 2;
const int kFloat = 0, kHalf = 1;
const int kTapsAcross = 2;  // of a crop

// Four bytes of NV12 to BGR as OpenCV does it: BT.601, video range, one chroma for four pixels.
WB_DEVICE void from_nv12(int luma, int u, int v, float *bgr) {
    const int shift = 20, round = 1 << (shift - 1), y = max(0, luma - 16) * 1220542;
    u -= 128;
    v -= 128;
    bgr[0] = static_cast<float>(clamped((y + round + 2116026 * u) >> shift, 0, 255));
    bgr[1] = static_cast<float>(clamped((y + round - 852492 * v - 409993 * u) >> shift, 0, 255));
    bgr[2] = static_cast<float>(clamped((y + round + 1673527 * v) >> shift, 0, 255));
}

WB_DEVICE void read(const Picture &p, int x, int y, float *bgr) {
    const unsigned char *line = p.pixels + static_cast<long long>(y) * p.pitch;
    if (p.format == kNv12) {
        const unsigned char *uv = p.chroma + static_cast<long long>(y / 2) * p.chroma_pitch + x / 2 * 2;
        from_nv12(__ldg(line + x), __ldg(uv), __ldg(uv + 1), bgr);
        return;
    }
    const unsigned char *pixel = line + (p.format == kBgr ? 3 : 4) * x;
    for (int c = 0; c < 3; ++c) bgr[c] = static_cast<float>(__ldg(pixel + c));
}

// Where a crop reads along one axis: the first of two pixels, and their weights; outside the picture lies black.
WB_DEVICE int bilinear(float position, int size, float *weights) {
    weights[0] = weights[1] = 0.0f;
    if (!(position > -1.0f && position < static_cast<float>(size))) return 0;
    const float base = floorf(position), t = position - base;
    const int first = static_cast<int>(base);
    if (first >= 0) weights[0] = 1.0f - t;
    if (first + 1 < size) weights[1] = t;
    return first;
}

WB_DEVICE void sample(const Picture &p, int row, int row_taps, const float *row_weights, int column, int column_taps,
                      const float *column_weights, float *bgr) {
    for (int c = 0; c < 3; ++c) bgr[c] = 0.0f;
    for (int i = 0; i < column_taps; ++i) {
        const int x = clamped(column + i, 0, p.width - 1);
        float sums[3] = {0.0f, 0.0f, 0.0f};
        for (int j = 0; j < row_taps; ++j) {
            float pixel[3];
            read(p, x, clamped(row + j, 0, p.height - 1), pixel);
            for (int c = 0; c < 3; ++c) sums[c] += pixel[c] * row_weights[j];
        }
        for (int c = 0; c < 3; ++c) bgr[c] += sums[c] * column_weights[i];
    }
    for (int c = 0; c < 3; ++c) bgr[c] = fminf(fmaxf(rintf(bgr[c]), 0.0f), 255.0f);
}

// The picture at an input pixel counted from its corner.
WB_DEVICE void picture_at(const Picture &p, int x, int y, float *bgr) {
    if (p.rows) {
        sample(p, p.rows[y], p.row_taps, p.row_weights + y * p.row_taps, p.columns[x], p.column_taps,
               p.column_weights + x * p.column_taps, bgr);
        return;
    }
    const float *m = p.matrix, across = static_cast<float>(x), down = static_cast<float>(y);
    float row_weights[kTapsAcross], column_weights[kTapsAcross];
    const int column = bilinear(m[0] * across + m[1] * down + m[2], p.width, column_weights);
    const int row = bilinear(m[3] * across + m[4] * down + m[5], p.height, row_weights);
    sample(p, row, kTapsAcross, row_weights, column, kTapsAcross, column_weights, bgr);
}

// To the nearest half, ties to even.
WB_DEVICE unsigned short narrowed(float value) {
    unsigned bits = static_cast<unsigned>(__float_as_int(value));
    const unsigned sign = bits >> 16 & 0x8000u;
    bits &= 0x7fffffffu;
    unsigned half;
    if (bits > 0x7f800000u) {
        half = 0x7e00u;  // NaN
    } else if (bits >= 0x477ff000u) {
        half = 0x7c00u;
    } else if (bits < 0x38800000u) {
        // Below the normal halves: one half has the last bit of 0.5.
        half = static_cast<unsigned>(__float_as_int(__int_as_float(static_cast<int>(bits)) + 0.5f)) - 0x3f000000u;
    } else {
        half = (bits - 0x38000000u + 0xfffu + (bits >> 13 & 1u)) >> 13;
    }
    return static_cast<unsigned short>(sign | half);
}

WB_DEVICE void store(const PreprocessArguments &a, long long at, float value) {
    if (a.type == kFloat)
        static_cast<float *>(a.out)[at] = value;
    else if (a.type == kHalf)
        static_cast<unsigned short *>(a.out)[at] = narrowed(value);
    else
        static_cast<unsigned char *>(a.out)[at] = static_cast<unsigned char>(value);
}

}  // namespace preprocess
}  // namespace wholebody

// Grid: (columns of 32, lines of 4, batch), block (32, 4).
WB_KERNEL(wb_preprocess, wholebody::PreprocessArguments) {
    using namespace wholebody;
    const int x = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    const int y = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
    if (x >= arguments.width || y >= arguments.height) return;
    const Picture &p = arguments.pictures[blockIdx.z];
    const int from_left = x - p.left, from_top = y - p.top;
    const bool covered = from_left >= 0 && from_left < p.covered_width && from_top >= 0 && from_top < p.covered_height;
    float bgr[3];
    if (covered) preprocess::picture_at(p, from_left, from_top, bgr);
    const long long area = static_cast<long long>(arguments.height) * arguments.width;
    const long long pixel = static_cast<long long>(y) * arguments.width + x, first = 3 * area * blockIdx.z;
    for (int c = 0; c < 3; ++c) {
        const float value = covered ? bgr[c] * arguments.gain[c] + arguments.bias[c] : arguments.padding[c];
        const int channel = arguments.channel[c];
        const long long at = arguments.channels_last ? 3 * pixel + channel : channel * area + pixel;
        preprocess::store(arguments, first + at, value);
    }
}
