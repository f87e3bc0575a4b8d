/* Top-down networks: crops of all people of a frame, and their maps back to points; the best of overlapping boxes.
 *
 * Contract
 *   Every function returns WB_OK or WB_BAD_ARGUMENT (or WB_OUT_OF_MEMORY, where it says that it allocates); none
 *   throws, prints, exits or keeps globals. The caller owns every array. One call does all the people of a frame.
 *   The arithmetic is that of the NumPy twins in runtime/topdown, operation by operation, in float32: the same bytes,
 *   except where a function says how near.
 */
#ifndef WHOLEBODY_TOPDOWN_H
#define WHOLEBODY_TOPDOWN_H

#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a peak's place is told finer than by cells. */
#define WB_REFINE_NONE 0
#define WB_REFINE_QUARTER 1
#define WB_REFINE_DARK 2
#define WB_REFINE_UDP 3

/* Maps (people, channels, height, width): rows without gaps, maps channel_stride and people person_stride apart. */
typedef struct wb_stack {
    int64_t person_stride;  /* floats */
    int64_t channel_stride; /* floats */
    int32_t people, channels, height, width;
} wb_stack;

/* found (people, channels, 3): x, y in cells, and the highest value; zeros where no value is above 0.
 * A value that is not finite counts as 0. DARK and UDP are within 1e-3 of a cell of the twin. */
WB_API int32_t wb_topdown_peaks(const float *maps, const wb_stack *stack, int32_t refine, float *found);

/* found (people, channels, 3): x, y and value of the highest pixel of the maps enlarged `factor` times, bicubic with
 * this kernel (-0.5 or -0.75) and the border repeated; whole numbers, the first of equal ones in reading order; zeros
 * where no pixel is above 0. The same bytes as the whole enlarged map has, which is not made. A value that is not
 * finite, or beyond 1e9, counts as 0. factor is 1 to 16. Allocates a few maps. */
WB_API int32_t wb_topdown_enlarged_peaks(const float *maps, const wb_stack *stack, int32_t factor, double kernel,
                                         float *found);

/* found (people, channels, 3): the mean place of the sigmoid of the maps in cells, and the highest sigmoid.
 * Within 1e-3 of a cell and 1e-6 of the twin. A value that is not finite counts as no weight at all. */
WB_API int32_t wb_topdown_integrals(const float *maps, const wb_stack *stack, float *found);

/* along_x (people, points, bins_x) and along_y (people, points, bins_y) without gaps; found (people, points, 3): the
 * highest bins divided by `split`, and the lower of the two highest values; zeros where that is not above 0. */
WB_API int32_t wb_topdown_simcc(const float *along_x, const float *along_y, int32_t people, int32_t points,
                                int32_t bins_x, int32_t bins_y, float split, float *found);

/* Every member is 4 bytes but the first two. */
typedef struct wb_crop_target {
    void *out;           /* (people, 3, height, width) or, channels last, (people, height, width, 3) */
    int64_t pitch;       /* bytes a line of the picture takes */
    int32_t picture_width, picture_height;
    int32_t width, height;
    int32_t bytes;       /* 0: float32, 1: uint8, pixels as they are */
    int32_t channels_last;
    int32_t channel[3];  /* of the input, for B, G and R */
    float gain[3], bias[3];
} wb_crop_target;

/* matrices (people, 2, 3): input pixel (x, y) is the picture at matrix * (x, y, 1); bilinear, black outside.
 * Allocates a line. */
WB_API int32_t wb_topdown_crops(const uint8_t *picture, const float *matrices, int32_t people,
                                const wb_crop_target *target);

/* boxes (count, 4) x0 y0 x1 y1, best first. Sets keep (count) to 1 for each box that no kept one before it overlaps
 * by more than `most` (intersection over union), and *kept to their number. */
WB_API int32_t wb_topdown_nms(const float *boxes, int32_t count, float most, uint8_t *keep, int32_t *kept);

#ifdef __cplusplus
}
#endif
#endif
