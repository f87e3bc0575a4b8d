#include "paf_patches.h"

#include <algorithm>
#include <cmath>

#include "paf_simd.h"

namespace wholebody {
namespace {

const float kRounding = 1e-5f;  // more than a pixel's, relative to the largest cell

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

// Each lane's neighbour before and after it; the outer lanes are their own.
WB_INLINE void beside(const Lanes<8>::Floats &value, Lanes<8>::Floats &before, Lanes<8>::Floats &after) {
    before = WB_SHUFFLE_8(value, 0, 0, 1, 2, 3, 4, 5, 6);
    after = WB_SHUFFLE_8(value, 1, 2, 3, 4, 5, 6, 7, 7);
}

WB_INLINE void beside(const Lanes<4>::Floats &value, Lanes<4>::Floats &before, Lanes<4>::Floats &after) {
    before = WB_SHUFFLE(value, value, 0, 0, 1, 2);
    after = WB_SHUFFLE(value, value, 1, 2, 3, 3);
}

// A pixel, to its rounding.
WB_INLINE float near_value(const Grid &grid, const Plane &plane, int32_t x, int32_t y) {
    typedef Lanes<4>::Floats Floats;
    const Tap &across = grid.columns[x], &down = grid.rows[y];
    const float *cells = plane.row(down.first) + across.first;
    Floats sum = {}, value, weight;
    for (int row = 0; row < 4; ++row, cells += plane.pitch) {
        load(value, cells);
        sum += value * down.weight[row];
    }
    load(weight, across.weight);
    sum *= weight;
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

struct Spots {
    const PatchSearch::Row &row;
    std::vector<int32_t> &pixels;
    int32_t top, height, width;  // pixels

    // Adds a pixel, unless it is in a patch's first or last row and below its neighbour outside.
    template <int Stride>
    WB_INLINE void add(int32_t x, int32_t lane) {
        const int32_t y = top + lane, beyond = lane == 0 ? y - 1 : lane + 1 == Stride ? y + 1 : -1;
        if (x < 0 || x >= width) return;
        if (beyond >= 0 && beyond < height &&
            near_value(row.grid, row.plane, x, beyond) > near_value(row.grid, row.plane, x, y) + row.slack)
            return;
        pixels.push_back(y * width + x);
    }

    // Adds those of a single column of pixels, of which none need be a peak.
    template <int Stride>
    WB_INLINE void check(int32_t x, const typename Lanes<Stride>::Floats &values,
                         const typename Lanes<Stride>::Bits &wanted) {
        typename Lanes<Stride>::Floats before, after;
        beside(values, before, after);
        if (top < 0 || top + Stride > height) before = after = values;  // beyond the map is nothing to compare with
        const auto set = wanted & (values + row.slack >= before) & (values + row.slack >= after);
        for (uint32_t lanes = lanes_of<Stride>(set); lanes != 0; lanes &= lanes - 1)
            add<Stride>(x, __builtin_ctz(lanes));
    }
};

// The pixels of the patch that are above `least` and not below their neighbours in it.
template <int Stride>
WB_INLINE void add_spots(const typename Lanes<Stride>::Floats pixels[Stride], const typename Lanes<Stride>::Bits &open,
                         int32_t x0, Spots &spots) {
    typedef typename Lanes<Stride>::Floats Floats;
    typename Lanes<Stride>::Bits columns = {};  // a bit each
    Floats pairs[Stride + 1];  // the larger of two columns
    pairs[0] = pixels[0];
    pairs[Stride] = pixels[Stride - 1];
#pragma GCC unroll 8
    for (int i = 1; i < Stride; ++i) pairs[i] = pixels[i - 1] > pixels[i] ? pixels[i - 1] : pixels[i];
    const bool inside = spots.top >= 0 && spots.top + Stride <= spots.height;
#pragma GCC unroll 8
    for (int i = 0; i < Stride; ++i) {
        Floats most = pairs[i] > pairs[i + 1] ? pairs[i] : pairs[i + 1], before, after;
        beside(most, before, after);
        before = before > after ? before : after;
        if (inside) most = most > before ? most : before;  // beyond the map is nothing to compare with
        columns |= (pixels[i] + spots.row.slack >= most) & (pixels[i] > spots.row.least) & (1 << i);
    }
    uint64_t words[Stride / 2];
    store(words, columns & open);
    for (int pair = 0; pair < Stride / 2; ++pair)
        for (uint64_t bits = words[pair]; bits != 0; bits &= bits - 1) {
            const int bit = __builtin_ctzll(bits);
            spots.add<Stride>(x0 + bit % 32, 2 * pair + bit / 32);
        }
}

// True when every pixel of a patch's first or last line is sure to be below the one beyond, of the next row of patches.
template <int Stride>
WB_INLINE bool below_next(const PatchSearch &search, const PatchSearch::Row &row, const float *cells, int lane) {
    typedef Lanes<4>::Floats Floats;
    const ptrdiff_t pitch = row.plane.pitch;
    const int beyond = Stride - 1 - lane;
    const float *other = cells + (lane == 0 ? -pitch : pitch);
    Floats rise = {}, value;
    for (int i = 0; i < 4; ++i) {
        load(value, other + i * pitch);
        rise += value * search.down[i][beyond];
        load(value, cells + i * pitch);
        rise -= value * search.down[i][lane];
    }
    const float left = rise[1] + (rise[2] - rise[0]) * search.third;
    const float right = rise[2] - (rise[3] - rise[1]) * search.third;
    return std::min(std::min(rise[1], left), std::min(rise[2], right)) > 2 * row.slack;
}

// Leaves those lines of pixels of which none is sure to be below the one before or after.
template <int Stride>
WB_INLINE void keep_ridges(const PatchSearch &search, const PatchSearch::Row &row, const float *cells,
                           const typename Lanes<Stride>::Floats points[4], typename Lanes<Stride>::Bits &open) {
    typedef typename Lanes<Stride>::Floats Floats;
    Floats before, after, rise, fall;
    beside(points[0], before, after);
    rise = after - points[0];
    fall = before - points[0];
    for (int i = 1; i < 4; ++i) {
        beside(points[i], before, after);
        after -= points[i];
        before -= points[i];
        rise = rise < after ? rise : after;
        fall = fall < before ? fall : before;
    }
    open &= ~((rise > 2 * row.slack) | (fall > 2 * row.slack));
    if (open[0] && below_next<Stride>(search, row, cells, 0)) open[0] = 0;
    if (open[Stride - 1] && below_next<Stride>(search, row, cells, Stride - 1)) open[Stride - 1] = 0;
}

// The lines of pixels of a patch, one a lane, from left to right. Along a line the slope is a quadratic.
template <int Stride>
struct Lines {
    typedef typename Lanes<Stride>::Floats Floats;
    typedef typename Lanes<Stride>::Bits Bits;

    Floats down[4];
    Floats columns[4] = {}, before = {};              // of cells: of the patch, and further left
    Floats left = {}, right = {}, middle = {};        // control points of the slope
    Floats points[4] = {};                            // and of the values
    Bits open = {}, rising = {}, falling = {};        // may have a peak; have none, because the slope has one sign
    Bits was_open = {}, was_rising = {}, fell = {};   // the patch before; of those open: falling for sure at the end

    explicit WB_INLINE Lines(const PatchSearch &search) {
        for (int i = 0; i < 4; ++i) load(down[i], search.down[i]);
    }

    // `follows`: the last patch was the one before.
    WB_INLINE void enter(const float *cells, ptrdiff_t pitch, float bend, bool follows) {
        if (follows) {
            before = columns[0];
            for (int i = 0; i < 3; ++i) columns[i] = columns[i + 1];
            left = right;
            was_open = open;
            was_rising = rising;
        } else {
            for (int i = 0; i < 3; ++i) column_of<Stride>(cells + i, pitch, down, columns[i]);
            left = (columns[2] - columns[0]) * bend;
            was_open = was_rising = Bits{};
        }
        column_of<Stride>(cells + 3, pitch, down, columns[3]);
        right = (columns[3] - columns[1]) * bend;
        middle = (columns[2] - columns[1]) * 3.0f - left - right;
        points[0] = columns[1];
        points[1] = columns[1] + left * 0.33334f;
        points[2] = columns[2] - right * 0.33334f;
        points[3] = columns[2];
    }

    WB_INLINE void judge(float least, float steep, const Bits &inside, bool at_edge) {
        // A polynomial lies between the least and the largest of its control points.
        Floats most = points[0] > points[1] ? points[0] : points[1];
        const Floats other = points[2] > points[3] ? points[2] : points[3];
        most = most > other ? most : other;
        const Bits above = (most > least) & inside;
        // The slope has the sign of all three, or does not reach 0 between the outer two.
        const Bits sign = (Bits)left & INT32_MIN;
        const Floats a = (Floats)((Bits)left ^ sign) - steep, b = (Floats)((Bits)middle ^ sign) - steep;
        const Floats c = (Floats)((Bits)right ^ sign) - steep;
        const Bits steady = (a > 0.0f) & (c > 0.0f) & ((b > 0.0f) | (b * b < a * c));
        open = at_edge ? above : above & ~steady;
        rising = steady & (sign == 0);
        falling = steady & (sign != 0) & above;
    }
};

// Looks at the patch whose lines are given pixel by pixel.
template <int Stride>
WB_INLINE void look(const PatchSearch &search, const PatchSearch::Row &row, int32_t patch, Lines<Stride> &lines,
                    Spots &spots) {
    typedef typename Lanes<Stride>::Floats Floats;
    typedef typename Lanes<Stride>::Bits Bits;
    const float *cells = row.plane.row(row.number) + patch, *knot = search.across_knot;
    const int32_t x0 = patch * Stride - Stride / 2;
    Floats pixels[Stride];
    // Where a steady line ends beside an open one its last pixel has its neighbour there.
    const Bits way = lines.left * knot[0] + lines.middle * knot[1] + lines.right * knot[2] > 0.0f;
    const Bits early = lines.open & lines.was_rising & ~way, late = lines.was_open & ~lines.fell & lines.falling;
    lines.fell = lines.right * knot[0] + lines.middle * knot[1] + lines.left * knot[2] < 0.0f;
    if (any<Stride>(early)) {
        const Floats columns[4] = {lines.before, lines.columns[0], lines.columns[1], lines.columns[2]};
        pixels_of<Stride>(search, columns, pixels);
        spots.check<Stride>(x0 - 1, pixels[Stride - 1], early);
    }
    if (any<Stride>(late)) {
        pixels_of<Stride>(search, lines.columns, pixels);
        spots.check<Stride>(x0, pixels[0], late);
    }
    Bits ridges = lines.open;
    if (row.number > 0 && row.number < row.plane.height) keep_ridges<Stride>(search, row, cells, lines.points, ridges);
    if (!any<Stride>(ridges)) return;
    pixels_of<Stride>(search, lines.columns, pixels);
    if (patch == 0 || patch == row.plane.width)
        for (int i = 0; i < Stride; ++i)
            if (x0 + i < 0 || x0 + i >= spots.width) pixels[i] = Floats{} + row.least;  // around the map: the threshold
    add_spots<Stride>(pixels, ridges, x0, spots);
}

// Finds the pixels of a row of patches that may be peaks.
template <int Stride>
WB_INLINE void search_in(const PatchSearch &search, const PatchSearch::Row &row, std::vector<int32_t> &found) {
    const int32_t width = row.plane.width, pitch = row.plane.pitch;
    const float *cells = row.plane.row(row.number);
    const float steep = 4 * Stride * row.slack;  // rises four times the slack from pixel to pixel
    Spots spots = {row, found, row.number * Stride - Stride / 2, row.plane.height * Stride, width * Stride};
    typename Lanes<Stride>::Bits inside = {};
    for (int lane = 0; lane < Stride; ++lane)
        inside[lane] = spots.top + lane >= 0 && spots.top + lane < spots.height ? -1 : 0;
    Lines<Stride> lines(search);
    int32_t next = -1;
    for (int32_t word = 0; word * PatchMarks::kWord <= width; ++word) {
        for (uint64_t bits = row.patches[word]; bits != 0; bits &= bits - 1) {
            const int32_t patch = word * PatchMarks::kWord + __builtin_ctzll(bits);
            lines.enter(cells + patch, pitch, search.bend, patch == next);
            lines.judge(row.least, steep, inside, patch == 0 || patch == width);
            if (any<Stride>(lines.open | (lines.was_open & lines.falling & ~lines.fell)))
                look<Stride>(search, row, patch, lines, spots);
            next = patch + 1;
        }
    }
}

WB_CLONES void search_8(const PatchSearch &search, const PatchSearch::Row &row, std::vector<int32_t> &found) {
    search_in<8>(search, row, found);
}

WB_CLONES void search_4(const PatchSearch &search, const PatchSearch::Row &row, std::vector<int32_t> &found) {
    search_in<4>(search, row, found);
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
    third = bend * 0.33334f;
    const float t = 0.5f / static_cast<float>(stride_);
    across_knot[0] = t - t * t + t * t * t / 3;
    across_knot[1] = t * t - t * t * t * 2 / 3;
    across_knot[2] = t * t * t / 3;
    found_.reserve(grid.width);
    marks_.prepare(grid.height / stride_, grid.width / stride_, outer);
    return true;
}

const std::vector<int32_t> &PatchSearch::find(const Grid &grid, const Plane &plane, int32_t row) {
    found_.clear();
    const uint64_t *patches = marks_.row(plane, row);
    if (!patches) return found_;
    const float slack = kRounding * marks_.largest(), least = marks_.threshold() - slack;
    const auto run = stride_ == 8 ? search_8 : search_4;
    run(*this, {grid, plane, row, least, slack, patches}, found_);
    if (found_.size() > 1) {
        std::sort(found_.begin(), found_.end());
        found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    }
    return found_;
}

void PatchSearch::window(const Grid &grid, const Plane &plane, int32_t x, int32_t y0, int32_t y1, float *out) const {
    window_of(grid, plane, wide[x % stride_], x / stride_, y0, y1, out);
}

}  // namespace wholebody
