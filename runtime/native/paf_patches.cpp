#include "paf_patches.h"

#include <algorithm>
#include <cmath>

#include "paf_simd.h"

namespace wholebody {
namespace {

const int32_t kWord = 64;
const float kRounding = 1e-5f;  // more than a pixel's, relative to the largest cell
const float kCareful = 0.9999f;

// Which bits are set in some lane.
template <int Count>
WB_INLINE uint32_t either(const typename Lanes<Count>::Bits &bits) {
    uint64_t words[Count / 2], found = 0;
    store(words, bits);
    for (uint64_t word : words) found |= word;
    return static_cast<uint32_t>(found | found >> 32);
}

template <int Count>
WB_INLINE uint32_t lanes_of(const typename Lanes<Count>::Bits &set);

template <>
WB_INLINE uint32_t lanes_of<8>(const Lanes<8>::Bits &set) {
    return either<8>(set & Lanes<8>::Bits{1, 2, 4, 8, 16, 32, 64, 128});
}

template <>
WB_INLINE uint32_t lanes_of<4>(const Lanes<4>::Bits &set) {
    return either<4>(set & Lanes<4>::Bits{1, 2, 4, 8});
}

template <int Stride>
WB_INLINE void column_of(const float *cells, ptrdiff_t pitch, const typename Lanes<Stride>::Floats down[4],
                         typename Lanes<Stride>::Floats &sum) {
    sum = cells[0] * down[0] + cells[pitch] * down[1] + cells[2 * pitch] * down[2] + cells[3 * pitch] * down[3];
}

// The columns of pixels of a patch.
template <int Stride>
WB_INLINE void pixels_of(const PatchSearch &search, const typename Lanes<Stride>::Floats cells[4],
                         typename Lanes<Stride>::Floats pixels[Stride]) {
    typedef typename Lanes<Stride>::Floats Floats;
    const Floats outer = cells[0] + cells[3], inner = cells[1] + cells[2];
    const Floats outer_step = cells[0] - cells[3], inner_step = cells[1] - cells[2];
#pragma GCC unroll 4
    for (int i = 0; i < Stride / 2; ++i) {
        Floats a, b, c, d;
        load(a, search.even[i][0]);
        load(b, search.even[i][1]);
        load(c, search.odd[i][0]);
        load(d, search.odd[i][1]);
        const Floats even = outer * a + inner * b, odd = outer_step * c + inner_step * d;
        pixels[i] = even + odd;
        pixels[Stride - 1 - i] = even - odd;
    }
}

struct Spots {
    const PatchSearch::Row &row;
    std::vector<int32_t> &pixels;
    int32_t top, height, width;  // pixels

    // A pixel of the map, which may be a peak.
    void add(int32_t x, int32_t lane) {
        if (x >= 0 && x < width) pixels.push_back((top + lane) * width + x);
    }
};

// The pixels of the patch that are above `least` and not below their neighbours in it and right above and below it.
template <int Stride>
WB_INLINE void add_spots(const typename Lanes<Stride>::Floats pixels[Stride],
                         const typename Lanes<Stride>::Bits &open, int32_t patch, Spots &spots) {
    typedef typename Lanes<Stride>::Floats Floats;
    typename Lanes<Stride>::Bits maybe[Stride], any_of = {};
    const PatchSearch::Row &row = spots.row;
    const int32_t x0 = patch * Stride - Stride / 2;
#pragma GCC unroll 8
    for (int i = 0; i < Stride; ++i) {
        Floats most = Floats{} + row.least;
        if (i > 0) most = most > pixels[i - 1] ? most : pixels[i - 1];
        if (i + 1 < Stride) most = most > pixels[i + 1] ? most : pixels[i + 1];
        maybe[i] = (pixels[i] + row.slack >= most) & open;
        any_of |= maybe[i];
    }
    if (!any<Stride>(any_of)) return;
    for (int i = 0; i < Stride; ++i) {
        const int32_t x = x0 + i;
        uint32_t lanes = lanes_of<Stride>(maybe[i]);
        if (lanes == 0 || x < 0 || x >= spots.width) continue;
        float values[Stride];
        store(values, pixels[i]);
        for (; lanes != 0; lanes &= lanes - 1) {
            const int lane = __builtin_ctz(lanes);
            const int32_t y = spots.top + lane;
            const float enough = values[lane] + row.slack;
            const bool above = y == 0 || (lane > 0 ? values[lane - 1] : row.grid.at(row.plane, x, y - 1)) <= enough;
            if (!above) continue;
            const bool below = y + 1 == spots.height ||
                               (lane + 1 < Stride ? values[lane + 1] : row.grid.at(row.plane, x, y + 1)) <= enough;
            if (below) spots.add(x, lane);
        }
    }
}

// Looks for pixels that are not below their neighbours. Of a line of pixels in a patch the slope from left to right is a
// quadratic; where that is sure to have one sign, no pixel of the line is a peak.
template <int Stride>
WB_INLINE void search_in(const PatchSearch &search, const PatchSearch::Row &row, std::vector<int32_t> &found) {
    typedef typename Lanes<Stride>::Floats Floats;
    typedef typename Lanes<Stride>::Bits Bits;
    const int32_t width = row.plane.width, height = row.plane.height, pitch = row.plane.pitch;
    const float *cells = row.plane.row(row.number);
    const Floats least = Floats{} + row.least;
    const float bend = search.bend, steep = 4 * Stride * row.slack;  // rises twice the slack from pixel to pixel
    const float *knot = search.across_knot;
    const Bits signs = Bits{} + INT32_MIN;
    Spots spots = {row, found, row.number * Stride - Stride / 2, height * Stride, width * Stride};
    Bits inside = {};
    for (int lane = 0; lane < Stride; ++lane)
        inside[lane] = spots.top + lane >= 0 && spots.top + lane < spots.height ? -1 : 0;
    Floats down[4], columns[4] = {}, left_slope = {}, right_slope = {};
    for (int i = 0; i < 4; ++i) load(down[i], search.down[i]);
    Bits was_open = {}, was_rising = {}, was_falling = {};  // of the patch before; falling for sure at its right end
    int32_t ready = -1;
    for (int32_t word = 0; word * kWord <= width; ++word) {
        for (uint64_t bits = row.patches[word]; bits != 0; bits &= bits - 1) {
            const int32_t patch = word * kWord + __builtin_ctzll(bits);
            if (patch == ready) {
                for (int i = 0; i < 3; ++i) columns[i] = columns[i + 1];
                left_slope = right_slope;
            } else {
                for (int i = 0; i < 3; ++i) column_of<Stride>(cells + patch + i, pitch, down, columns[i]);
                left_slope = (columns[2] - columns[0]) * bend;
                was_open = was_rising = was_falling = Bits{};
            }
            column_of<Stride>(cells + patch + 3, pitch, down, columns[3]);
            ready = patch + 1;
            right_slope = (columns[3] - columns[1]) * bend;
            const Floats middle = (columns[2] - columns[1]) * 3.0f - left_slope - right_slope;
            // The polynomial lies between the least and the largest of its four control points.
            Floats most = columns[1] + left_slope * 0.33334f, other = columns[2] - right_slope * 0.33334f;
            most = most > columns[1] ? most : columns[1];
            other = other > columns[2] ? other : columns[2];
            most = most > other ? most : other;
            const Bits above = (most > least) & inside;
            // The slope has the sign of its three control points, or does not reach 0 between the outer two.
            const Bits sign = (Bits)left_slope & signs;
            const Floats left = (Floats)((Bits)left_slope ^ sign) - steep, right = (Floats)((Bits)right_slope ^ sign) - steep;
            const Floats between = (Floats)((Bits)middle ^ sign) - steep;
            const Bits steady = (left > 0.0f) & (right > 0.0f) & ((between > 0.0f) | (between * between < left * right));
            const bool at_edge = patch == 0 || patch == width;
            const Bits open = at_edge ? above : above & ~steady, rising = steady & ~(sign != 0);
            const Bits late = was_open & ~was_falling & steady & (sign != 0) & above;
            if (any<Stride>(open | late)) {
                const int32_t x0 = patch * Stride - Stride / 2;
                // A steady line ends beside this one, and its last pixel has its neighbour here.
                const Floats way = left_slope * knot[0] + middle * knot[1] + right_slope * knot[2];
                for (uint32_t lanes = lanes_of<Stride>(open & was_rising & ~(way > 0.0f)); lanes != 0; lanes &= lanes - 1)
                    spots.add(x0 - 1, __builtin_ctz(lanes));
                for (uint32_t lanes = lanes_of<Stride>(late); lanes != 0; lanes &= lanes - 1)
                    spots.add(x0, __builtin_ctz(lanes));
                Floats pixels[Stride];
                pixels_of<Stride>(search, columns, pixels);
                for (int i = 0; at_edge && i < Stride; ++i)
                    if (x0 + i < 0 || x0 + i >= spots.width) pixels[i] = least;  // around the map lies the threshold
                add_spots<Stride>(pixels, open, patch, spots);
                was_falling = right_slope * knot[0] + middle * knot[1] + left_slope * knot[2] < 0.0f;
            }
            was_open = open;
            was_rising = rising;
        }
    }
}

WB_CLONES void search_8(const PatchSearch &search, const PatchSearch::Row &row, std::vector<int32_t> &found) {
    search_in<8>(search, row, found);
}

WB_CLONES void search_4(const PatchSearch &search, const PatchSearch::Row &row, std::vector<int32_t> &found) {
    search_in<4>(search, row, found);
}

// The cells of a row above `high`, and those above `corner` or below -`low`.
WB_CLONES void mark_row(const float *cells, int32_t width, float high, float corner, float low, uint64_t *own,
                        uint64_t *far) {
    typedef Lanes<8>::Floats Floats;
    typedef Lanes<8>::Bits Bits;
    const Bits ones = {1, 2, 4, 8, 16, 32, 64, 128};
    int32_t x = 0;
    for (; x + 8 <= width; x += 8) {
        Floats value;
        load(value, cells + x);
        const Bits beside = value > high, beyond = (value > corner) | (value < -low);
        if (!any<8>(beside | beyond)) continue;
        const uint64_t bits = either<8>((beside & ones) | (beyond & (ones << 8)));
        own[x / kWord] |= (bits & 255) << (x % kWord);
        far[x / kWord] |= (bits >> 8 & 255) << (x % kWord);
    }
    for (; x < width; ++x) {
        own[x / kWord] |= static_cast<uint64_t>(cells[x] > high) << (x % kWord);
        far[x / kWord] |= static_cast<uint64_t>(cells[x] > corner || cells[x] < -low) << (x % kWord);
    }
}

WB_CLONES void window_of(const Grid &grid, const Plane &plane, const float (*wide)[kWindowPitch], int32_t cell_x,
                         int32_t y0, int32_t y1, float *out) {
    typedef Lanes<kWindowPitch>::Floats Floats;
    const int32_t first = grid.rows[y0].first, last = grid.rows[y1].first + 3;
    Floats lines[kWindow + 4], weights[kWindowCells];
    for (int i = 0; i < kWindowCells; ++i) load(weights[i], wide[i]);
    for (int32_t row = first; row <= last; ++row) {
        // Zero weights leave a sum as it is, so that the order of the four others is that of `weighted`.
        const float *cells = plane.row(row) + cell_x;
        Floats sum = cells[0] * weights[0];
        for (int i = 1; i < kWindowCells; ++i) sum += cells[i] * weights[i];
        lines[row - first] = sum;
    }
    for (int32_t y = y0; y <= y1; ++y, out += kWindowPitch) {
        const Tap &tap = grid.rows[y];
        const Floats *line = lines + (tap.first - first);
        const float *w = tap.weight;
        store(out, line[0] * w[0] + line[1] * w[1] + line[2] * w[2] + line[3] * w[3]);
    }
}

// The weights of pixel `pixel` of a tile (beyond the stride: of those after it) over cells from kPad before.
void spread(const Grid &grid, int32_t pixel, float (*weights)[kWindowPitch], int32_t lane) {
    const int32_t stride = grid.stride, tile = pixel / stride, phase = pixel % stride;
    const int32_t first = tile + (phase < stride / 2 ? 0 : 1);
    for (int32_t i = 0; i < kWindowCells; ++i) {
        const int32_t tap = i - first;
        weights[i][lane] = tap >= 0 && tap < 4 ? grid.phases[tap][phase] : 0.0f;
    }
}

}  // namespace

bool PatchSearch::prepare(const Grid &grid) {
    stride_ = grid.stride;
    if (stride_ != 4 && stride_ != 8) return false;
    for (int32_t pixel = 0; pixel < stride_; ++pixel) {
        const int32_t phase = (pixel + stride_ / 2) % stride_;
        for (int tap = 0; tap < 4; ++tap) down[tap][pixel] = grid.phases[tap][phase];
        for (int32_t lane = 0; lane < kWindowPitch; ++lane) spread(grid, pixel + lane, wide[pixel], lane);
    }
    float outer = 0;
    bool usual = true;  // the outer weights are below 0, the others are not
    for (int32_t pixel = 0; pixel < stride_ / 2; ++pixel) {
        const float w[4] = {down[0][pixel], down[1][pixel], down[2][pixel], down[3][pixel]};
        std::fill_n(even[pixel][0], kStrideMax, (w[0] + w[3]) / 2);
        std::fill_n(even[pixel][1], kStrideMax, (w[1] + w[2]) / 2);
        std::fill_n(odd[pixel][0], kStrideMax, (w[0] - w[3]) / 2);
        std::fill_n(odd[pixel][1], kStrideMax, (w[1] - w[2]) / 2);
        outer = std::max(outer, -w[0] - w[3]);
        usual = usual && w[0] < 0 && w[3] < 0 && w[1] >= 0 && w[2] >= 0;
    }
    if (!usual) return false;
    // The kernel's derivative at its knots; integrals of the quadratic's three parts up to the first pixel.
    bend = -static_cast<float>(grid.kernel_a);
    const float t = 0.5f / static_cast<float>(stride_);
    across_knot[0] = t - t * t + t * t * t / 3;
    across_knot[1] = t * t - t * t * t * 2 / 3;
    across_knot[2] = t * t * t / 3;
    // A pixel is at most (1 + outer)^2 times the largest of the four cells beside it, outer^2 times the largest of the
    // corners and 2 outer (1 + outer) times what lies below 0 between them.
    high_ = kCareful * 0.55f / ((1 + outer) * (1 + outer));
    corner_ = kCareful * 0.2f / (outer * outer);
    low_ = kCareful * 0.25f / (2 * outer * (1 + outer));
    height_ = grid.height / stride_;
    width_ = grid.width / stride_;
    words_ = width_ / kWord + 1;
    found_.reserve(grid.width);
    own_.resize(static_cast<size_t>(height_) * words_);
    far_.resize(static_cast<size_t>(height_) * words_);
    patches_.resize(words_);
    return true;
}

void PatchSearch::begin(const Plane &plane, float threshold) {
    threshold_ = threshold;
    std::fill(own_.begin(), own_.end(), 0);
    std::fill(far_.begin(), far_.end(), 0);
    const float high = threshold * high_, corner = threshold * corner_, low = threshold * low_;
    for (int32_t y = 0; y < height_; ++y) {
        if (!(plane.row_largest[y] > std::min(high, std::min(corner, low)))) continue;
        const size_t first = static_cast<size_t>(y) * words_;
        mark_row(plane.row(y + kPad) + kPad, width_, high, corner, low, &own_[first], &far_[first]);
    }
}

// Patch b of row r has the cells b - 1 and b of the rows r - 1 and r at its corners, and those around them in its sums.
bool PatchSearch::mark_patches(int32_t row) {
    const int32_t first = std::max(0, row - 2), last = std::min(height_ - 1, row + 1);
    uint64_t some = 0, own_before = 0, far_before = 0, own, far, next_own, next_far;
    const auto gather = [&](int32_t word, uint64_t &own_bits, uint64_t &far_bits) {
        own_bits = far_bits = 0;
        for (int32_t y = first; y <= last && word < words_; ++y) {
            far_bits |= far_[static_cast<size_t>(y) * words_ + word];
            if (y == row - 1 || y == row) own_bits |= own_[static_cast<size_t>(y) * words_ + word];
        }
    };
    gather(0, own, far);
    for (int32_t word = 0; word < words_; ++word) {
        gather(word + 1, next_own, next_far);
        const uint64_t beside = own | own << 1 | own_before >> 63;
        const uint64_t around = far >> 1 | next_far << 63 | far | far << 1 | far_before >> 63 | far << 2 | far_before >> 62;
        patches_[word] = beside | around;
        some |= patches_[word];
        own_before = own;
        far_before = far;
        own = next_own;
        far = next_far;
    }
    patches_.back() &= ~uint64_t{0} >> (kWord - 1 - width_ % kWord);
    return some != 0;
}

const std::vector<int32_t> &PatchSearch::find(const Grid &grid, const Plane &plane, int32_t row) {
    found_.clear();
    if (!mark_patches(row)) return found_;
    float largest = 0;
    for (int32_t y = std::max(0, row - 2); y <= std::min(height_ - 1, row + 1); ++y)
        largest = std::max(largest, plane.row_largest[y]);
    const float slack = kRounding * largest;
    const auto run = stride_ == 8 ? search_8 : search_4;
    run(*this, {grid, plane, row, threshold_ - slack, slack, patches_.data()}, found_);
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return found_;
}

void PatchSearch::window(const Grid &grid, const Plane &plane, int32_t x, int32_t y0, int32_t y1, float *out) const {
    window_of(grid, plane, wide[x % stride_], x / stride_, y0, y1, out);
}

}  // namespace wholebody
