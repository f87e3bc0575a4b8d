/* PAF decoding: heat maps and part-affinity fields in, people out.
 *
 * Contract
 *   Every function returns WB_OK or another status of status.h; none throws, prints, exits or keeps globals.
 *   The caller owns every array it passes; nothing is kept after the call returns, except by wb_paf_create,
 *   which copies what it needs.
 *   A handle serves one thread at a time; different handles are independent. It keeps its scratch memory
 *   between frames, so that a frame no larger and no more crowded than an earlier one allocates nothing.
 *   The same maps give the same bytes. The arithmetic is that of the NumPy twin in runtime/paf, operation by
 *   operation, in float32 (faces and ranks in float64): build without -ffast-math and with -ffp-contract=off.
 *   A map value that is not finite, or beyond 1e9, counts as 0.
 */
#ifndef WHOLEBODY_PAF_H
#define WHOLEBODY_PAF_H

#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WB_PAF_ABI 3

/* Bits of wb_paf_create's `parts`. */
#define WB_PART_FOOT 1
#define WB_PART_LEFT_HAND 2
#define WB_PART_RIGHT_HAND 4
#define WB_PART_FACE 8

typedef struct wb_paf wb_paf;

/* Every member is 4 bytes, so there is no padding. */
typedef struct wb_paf_config {
    int32_t abi;                /* WB_PAF_ABI */
    int32_t keypoints;          /* K >= 1 */
    int32_t limbs;              /* L >= 1 */
    int32_t stride;             /* pixels of the network input per map cell, >= 1 */
    int32_t max_peaks;          /* per keypoint, >= 1; 127 in OpenPose */
    int32_t min_keypoints;      /* >= 1 */
    int32_t maximize_positives; /* 0 or 1 */
    int32_t number_people_max;  /* -1 = all */
    int32_t cuda_border;        /* 0 = ring with ties (CPU build), 1 = strict everywhere (CUDA build) */
    int32_t fast;               /* 1 = peaks by log-parabola among the cells and bilinear fields, without kernel_a
                                   and cuda_border */
    float kernel_a;             /* bicubic coefficient: -0.75 OpenCV, -0.5 Catmull-Rom */
    float nms_threshold;        /* >= 0 */
    float near_score;           /* of a pair too close to sample: nms_threshold + 1e-6 */
    float paf_threshold;        /* >= 0 */
    float paf_ratio;            /* in [0, 1) */
    float min_score;
} wb_paf_config;

#define WB_FLOAT32 0
#define WB_FLOAT16 1

/* Where the values of maps (channels, height, width) lie; strides in bytes, any sign, multiples of the type's size. */
typedef struct wb_layout {
    int64_t stride_channel;
    int64_t stride_row;
    int64_t stride_column;
    int32_t channels;
    int32_t height;
    int32_t width;
    int32_t type; /* WB_FLOAT32 or WB_FLOAT16 */
} wb_layout;

/* pairs: L x 2 keypoint indices; channels: L x 2 PAF channels (x, y); parts: K bit sets of WB_PART_*.
 * *handle is set on WB_OK only, and freed by wb_paf_destroy (which accepts NULL). */
WB_API int32_t wb_paf_create(const wb_paf_config *config, const int32_t *pairs, const int32_t *channels,
                             const uint8_t *parts, wb_paf **handle);
WB_API int32_t wb_paf_destroy(wb_paf *handle);

/* Finds the people of one frame and sets *people to their number N; wb_paf_result gives them.
 * heatmaps: at least K channels; pafs: 2L channels of the same height and width. */
WB_API int32_t wb_paf_decode(wb_paf *handle, const void *heatmaps, const wb_layout *heatmap_layout,
                             const void *pafs, const wb_layout *paf_layout, int32_t *people);

/* The same from what the CUDA kernels found (runtime/kernels): a block of at least as many words of four bytes as its
 * counts say. WB_BAD_ARGUMENT where the block is damaged or of another model.
 *   4 words: K, L, the sum P of the peaks' counts, the sum C of the connections'
 *   K words: peaks of each keypoint; L words: connections of each limb
 *   3P words: x y score (float) of every peak, keypoint by keypoint
 *   2C words: of every connection, limb by limb, its score (float) and its peaks, a | b << 16 */
WB_API int32_t wb_paf_assemble(wb_paf *handle, const int32_t *block, int64_t words, int32_t *people);

/* The people of the last wb_paf_decode or wb_paf_assemble of this handle, pixels of the network input:
 * keypoints (N, K, 2), scores (N, K), person_scores (N), boxes (N, 4) x0 y0 x1 y1. Missing points are zeros. */
WB_API int32_t wb_paf_result(const wb_paf *handle, float *keypoints, float *scores, float *person_scores,
                             float *boxes);

/* Peaks before assembly: counts (K), peaks (K, max_peaks, 3) x y score, of which counts[k] rows are written. */
WB_API int32_t wb_paf_candidates(wb_paf *handle, const void *heatmaps, const wb_layout *layout,
                                 int32_t *counts, float *peaks);

#ifdef __cplusplus
}
#endif
#endif
