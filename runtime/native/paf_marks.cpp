#include "paf_marks.h"

#include <algorithm>

#include "paf_simd.h"

namespace wholebody {
namespace {

const float kCareful = 0.9999f;  // for the rounding of a pixel and its bound

struct Levels {
    float high, corner, low;
};

// The cells of a row: those above `high`, and those above `corner` or below -`low`.
WB_CLONES void mark_row(const float *cells, int32_t width, const Levels levels, uint64_t *high, uint64_t *far) {
    typedef Lanes<8>::Floats Floats;
    typedef Lanes<8>::Bits Bits;
    const int32_t group = 32;
    const float least = std::min(levels.high, levels.low);  // below the others
    const Bits ones = {1, 2, 4, 8, 16, 32, 64, 128};
    for (int32_t from = 0; from < width; from += group) {
        Floats values[group / 8];
        Bits some = {};
        for (int i = 0; i < group / 8; ++i) {
            load(values[i], cells + from + 8 * i);
            some |= (Floats)((Bits)values[i] & INT32_MAX) > least;
        }
        if (!any<8>(some)) continue;
        Bits high_bits = {}, far_bits = {};
        for (int i = 0; i < group / 8; ++i) {
            high_bits |= (values[i] > levels.high) & (ones << (8 * i));
            far_bits |= ((values[i] > levels.corner) | (values[i] < -levels.low)) & (ones << (8 * i));
        }
        const uint64_t within = width - from < group ? (uint64_t{1} << (width - from)) - 1 : 0xffffffffu;
        high[from / PatchMarks::kWord] |= (either<8>(high_bits) & within) << (from % PatchMarks::kWord);
        far[from / PatchMarks::kWord] |= (either<8>(far_bits) & within) << (from % PatchMarks::kWord);
    }
}

// Of rows of patches the largest absolute value of the cells they are sums of, and what a pixel is at most, `tops` being
// that value of each row of cells, with kPad zeros before and after.
WB_CLONES void bound_rows(const float *tops, int32_t rows, const float parts[3], float *largest, float *bounds) {
    const float inner = parts[0], others = parts[1] + parts[2];
    for (int32_t row = 0; row < rows; ++row) {
        const float beside = tops[row + 1] > tops[row + 2] ? tops[row + 1] : tops[row + 2];
        const float beyond = tops[row] > tops[row + 3] ? tops[row] : tops[row + 3];
        largest[row] = beside > beyond ? beside : beyond;
        bounds[row] = inner * beside + others * largest[row];
    }
}

}  // namespace

void PatchMarks::prepare(int32_t height, int32_t width, float outer) {
    parts_[0] = (1 + outer) * (1 + outer);
    parts_[1] = outer * outer;
    parts_[2] = 2 * outer * (1 + outer);
    height_ = height;
    width_ = width;
    words_ = width_ / kWord + 1;
    for (std::vector<uint64_t> *bits : {&high_, &far_})
        bits->assign(static_cast<size_t>(height_ + 2 * kPad) * words_, 0);
    patches_.resize(words_);
    tops_.assign(static_cast<size_t>(height_) + 2 * kPad, 0);
    largest_.resize(static_cast<size_t>(height_) + 1);
    bounds_.resize(static_cast<size_t>(height_) + 1);
    rows_.reserve(static_cast<size_t>(height_) + 1);
}

const std::vector<int32_t> &PatchMarks::begin(const Plane &plane, float threshold) {
    threshold_ = threshold;
    marked_ = 0;
    std::copy(plane.row_largest.begin(), plane.row_largest.end(), tops_.begin() + kPad);
    bound_rows(tops_.data(), height_ + 1, parts_, largest_.data(), bounds_.data());
    rows_.clear();
    for (int32_t row = 0; row <= height_; ++row)
        if (bounds_[row] > kCareful * threshold_) rows_.push_back(row);
    return rows_;
}

// Marks cells up to row `last`.
void PatchMarks::mark_cells(const Plane &plane, int32_t last) {
    // Where no cell passes its level, the three parts are less than the threshold together.
    const float most = kCareful * threshold_;
    const Levels levels = {most * 0.65f / parts_[0], most * 0.1f / parts_[1], most * 0.25f / parts_[2]};
    for (; marked_ <= last; ++marked_) {
        const size_t first = static_cast<size_t>(marked_ + kPad) * words_;
        for (size_t word = first; word < first + words_; ++word) high_[word] = far_[word] = 0;
        if (!(plane.row_largest[marked_] > std::min(levels.high, levels.low))) continue;
        mark_row(plane.row(marked_ + kPad) + kPad, width_, levels, &high_[first], &far_[first]);
    }
}

// Patch b of row r has the cells b - 1 and b of the rows r - 1 and r at its corners, and those around them in its sums.
void PatchMarks::mark_patches(int32_t number) {
    const size_t first = static_cast<size_t>(number) * words_;
    const uint64_t *high = &high_[first + words_], *far = &far_[first];
    uint64_t high_before = 0, far_before = 0;
    uint64_t far_here = far[0] | far[words_] | far[2 * words_] | far[3 * words_];
    for (int32_t word = 0; word < words_; ++word, ++high, ++far) {
        const uint64_t high_here = high[0] | high[words_];
        const uint64_t far_next =
            word + 1 < words_ ? far[1] | far[words_ + 1] | far[2 * words_ + 1] | far[3 * words_ + 1] : 0;
        uint64_t patches = high_here | high_here << 1 | high_before >> 63 | far_here >> 1 | far_next << 63 | far_here |
                           far_here << 1 | far_before >> 63 | far_here << 2 | far_before >> 62;
        if (word == words_ - 1) patches &= ~uint64_t{0} >> (kWord - 1 - width_ % kWord);
        patches_[word] = patches;
        high_before = high_here;
        far_before = far_here;
        far_here = far_next;
    }
}

const uint64_t *PatchMarks::row(const Plane &plane, int32_t number) {
    marked_ = std::max(marked_, number - 2);
    mark_cells(plane, std::min(height_ - 1, number + 1));
    mark_patches(number);
    return patches_.data();
}

}  // namespace wholebody
