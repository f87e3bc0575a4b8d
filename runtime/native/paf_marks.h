// Which patches of a map may have a pixel above a threshold: a bit each.
#ifndef WHOLEBODY_PAF_MARKS_H
#define WHOLEBODY_PAF_MARKS_H

#include "paf_plane.h"

namespace wholebody {

// A patch is the pixels between four cells (paf_patches.h).
class PatchMarks {
public:
    static const int32_t kWord = 64;

    // `outer`: the largest sum of the outer two of a pixel's four weights, their sign turned.
    void prepare(int32_t height, int32_t width, float outer);
    // Another plane, and its rows of patches that may have some: those are then asked for in order.
    const std::vector<int32_t> &begin(const Plane &plane, float threshold);
    // The bits of a row of patches. Valid until the next call.
    const uint64_t *row(const Plane &plane, int32_t number);
    float threshold() const { return threshold_; }
    float largest(int32_t number) const { return largest_[number]; }  // absolute value of the cells a row is sums of

private:
    void mark_cells(const Plane &plane, int32_t last);
    void mark_patches(int32_t number);

    int32_t height_ = 0, width_ = 0, words_ = 0;
    // A pixel is at most the sum of: this times the largest of the four cells beside it, of the four at the corners
    // around those, and of what lies below 0 between the corners.
    float parts_[3];
    float threshold_ = 0;
    int32_t marked_ = 0;  // rows of cells
    std::vector<uint64_t> high_, far_, patches_;  // of each row of cells, and two before and after; of patches
    std::vector<float> tops_, largest_, bounds_;
    std::vector<int32_t> rows_;
};

}  // namespace wholebody
#endif
