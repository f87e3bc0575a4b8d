#include "paf_patches.h"

#include <algorithm>
#include <cmath>

#include "paf_controls.h"

namespace wholebody {
namespace {

// More than a pixel's rounding where the largest cell is given; the smallest floats are rounded more than others.
inline float slack_of(float largest) { return 1e-5f * largest + 1e-36f; }

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

// Pixels that may be peaks.
struct Spots {
    const PatchSearch::Row &row;
    std::vector<int32_t> &pixels;
    int32_t top, height, width;  // pixels

    // True where the pixel is of the map and not above x, y.
    WB_INLINE bool allows(int32_t x, int32_t y, int32_t beyond_x, int32_t beyond_y) const {
        if (beyond_x < 0 || beyond_x >= width || beyond_y < 0 || beyond_y >= height) return true;
        return near_value(row.grid, row.plane, beyond_x, beyond_y) <=
               near_value(row.grid, row.plane, x, y) + row.rules.slack;
    }

    // Adds a pixel of a patch, unless it is in the outermost row or column and below its neighbour outside.
    template <int Stride>
    WB_INLINE void add(int32_t x0, int32_t column, int32_t lane) {
        const int32_t x = x0 + column, y = top + lane;
        if (x < 0 || x >= width || y < 0 || y >= height) return;
        if (lane == 0 && !allows(x, y, x, y - 1)) return;
        if (lane + 1 == Stride && !allows(x, y, x, y + 1)) return;
        if (column == 0 && !allows(x, y, x - 1, y)) return;
        if (column + 1 == Stride && !allows(x, y, x + 1, y)) return;
        pixels.push_back(y * width + x);
    }
};

// The pixels of the patch that are above `least` and not below their neighbours in it. `below`: a bit each for the first
// column, the last one, the first row and the last one, where they are below what lies beyond.
template <int Stride>
WB_INLINE void add_spots(const typename Lanes<Stride>::Floats pixels[Stride], int32_t x0, int32_t below, Spots &spots) {
    typedef typename Lanes<Stride>::Floats Floats;
    typename Lanes<Stride>::Bits columns = {};  // a bit each
    Floats pairs[Stride + 1];  // the larger of two columns
    pairs[0] = pixels[0];
    pairs[Stride] = pixels[Stride - 1];
#pragma GCC unroll 8
    for (int i = 1; i < Stride; ++i) pairs[i] = pixels[i - 1] > pixels[i] ? pixels[i - 1] : pixels[i];
#pragma GCC unroll 8
    for (int i = 0; i < Stride; ++i) {
        Floats most = pairs[i] > pairs[i + 1] ? pairs[i] : pairs[i + 1], before, after;
        beside(most, before, after);
        before = before > after ? before : after;
        most = most > before ? most : before;
        columns |= (pixels[i] + spots.row.rules.slack >= most) & (pixels[i] > spots.row.rules.least) & (1 << i);
    }
    uint64_t words[Stride / 2];
    store(words, columns & ~((below & 1) | (below >> 1 & 1) << (Stride - 1)));
    if (below & 4) words[0] &= ~uint64_t{0xffffffffu};
    if (below & 8) words[Stride / 2 - 1] &= 0xffffffffu;
    for (int pair = 0; pair < Stride / 2; ++pair)
        for (uint64_t bits = words[pair]; bits != 0; bits &= bits - 1) {
            const int bit = __builtin_ctzll(bits);
            spots.add<Stride>(x0, bit % 32, 2 * pair + bit / 32);
        }
}

// Puts the threshold where a patch at the edge has no pixels.
template <int Stride>
WB_INLINE void clear_outside(const Spots &spots, int32_t x0, typename Lanes<Stride>::Floats pixels[Stride]) {
    for (int lane = 0; lane < Stride; ++lane)
        for (int column = 0; column < Stride; ++column) {
            const int32_t x = x0 + column, y = spots.top + lane;
            if (x < 0 || x >= spots.width || y < 0 || y >= spots.height) pixels[column][lane] = spots.row.rules.least;
        }
}

// Looks at a patch pixel by pixel.
template <int Stride>
WB_INLINE void look(const PatchSearch &search, const PatchSearch::Row &row, int32_t patch, int32_t below,
                    Spots &spots) {
    typename Lanes<Stride>::Floats down[4], columns[4], pixels[Stride];
    const float *cells = row.plane.row(row.number) + patch;
    for (int i = 0; i < 4; ++i) load(down[i], search.down[i]);
    for (int i = 0; i < 4; ++i) column_of<Stride>(cells + i, row.plane.pitch, down, columns[i]);
    pixels_of<Stride>(search, columns, pixels);
    const int32_t x0 = patch * Stride - Stride / 2;
    if (patch == 0 || patch == row.plane.width || row.number == 0 || row.number == row.plane.height)
        clear_outside<Stride>(spots, x0, pixels);
    add_spots<Stride>(pixels, x0, below, spots);
}

// Finds the pixels of a row of patches that may be peaks.
template <int Stride>
WB_INLINE void search_in(const PatchSearch &search, const PatchSearch::Row &row, std::vector<int32_t> &found) {
    const int32_t width = row.plane.width;
    const float *cells = row.plane.row(row.number);
    const bool at_edge = row.number == 0 || row.number == row.plane.height;
    Spots spots = {row, found, row.number * Stride - Stride / 2, row.plane.height * Stride, width * Stride};
    for (int32_t word = 0; word * PatchMarks::kWord <= width; ++word) {
        for (uint64_t marks = row.patches[word]; marks != 0;) {
            const int shift = __builtin_ctzll(marks);
            const int32_t first = word * PatchMarks::kWord + shift;
            const uint32_t marked = marks >> shift & 255;
            marks &= ~(uint64_t{255} << shift);
            PatchFloats points[4][4];
            Slopes across = {}, down = {};
            control_points(cells + first, row.plane.pitch, row.rules.third, points);
            const uint32_t above = marked & reaching(points, row.rules, across);
            if (above == 0) continue;
            uint32_t patches = above;
            int32_t below[kPatches] = {};
            if (!at_edge) {
                patches &= hopeful(points, cells + first, row.plane.pitch, row.rules, across, down);
                // Half of the outermost lies beyond the map.
                if (first == 0) patches |= above & 1;
                if (width - first < kPatches) patches |= above & 1u << (width - first);
                store(below, (across.before & 1) | (across.after & 2) | (down.before & 4) | (down.after & 8));
            }
            for (; patches != 0; patches &= patches - 1) {
                const int lane = __builtin_ctz(patches);
                look<Stride>(search, row, first + lane, below[lane], spots);
            }
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

// From a patch's last pixel to the next one's first, the surface rises by 6h times the difference of the last control
// points, h being half a pixel of the cell, but for an error: weights of the five cells there, divided by 6h.
void error_across(const Grid &grid, double weights[5]) {
    const int32_t last = grid.stride / 2 - 1;
    const double h = 0.5 / grid.stride, slope = -grid.kernel_a;
    for (int cell = 0; cell < 5; ++cell) {
        double weight = cell == 1 ? 2 * h * slope : cell == 3 ? -2 * h * slope : 0;
        if (cell > 0) weight += static_cast<double>(grid.phases[cell - 1][last + 1]);
        if (cell < 4) weight -= static_cast<double>(grid.phases[cell][last]);
        // Control points of a column sum up to 1 + 2 / 3 of the slope's coefficient.
        weights[cell] = std::fabs(weight) * (1 + 2 * slope / 3) / (6 * h);
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
    third_ = -static_cast<float>(grid.kernel_a) / 3;
    double error[5];
    error_across(grid, error);
    outer_ = static_cast<float>(std::max(error[0], error[4]) * 1.001);
    inner_ = static_cast<float>((error[1] + error[2] + error[3]) * 1.001);
    found_.reserve(grid.width);
    marks_.prepare(grid.height / stride_, grid.width / stride_, outer);
    return true;
}

// What patches are judged by whose largest cell is given.
PatchRules PatchSearch::rules_of(float largest) const {
    PatchRules rules;
    rules.slack = slack_of(largest);
    const float step = 1.0f / static_cast<float>(stride_), rise = 4 * rules.slack;  // from pixel to pixel: twice enough
    rules.third = third_;
    rules.least = marks_.threshold() - rules.slack;
    rules.low = rules.least - rise / step;
    rules.steep = rise / (3 * step);
    rules.margin = rules.steep + inner_ * largest;
    rules.outer = outer_;
    return rules;
}

const std::vector<int32_t> &PatchSearch::find(const Grid &grid, const Plane &plane, int32_t row) {
    found_.clear();
    const uint64_t *patches = marks_.row(plane, row);
    const auto run = stride_ == 8 ? search_8 : search_4;
    run(*this, {grid, plane, row, rules_of(marks_.largest(row)), patches}, found_);
    std::sort(found_.begin(), found_.end());
    return found_;
}

void PatchSearch::window(const Grid &grid, const Plane &plane, int32_t x, int32_t y0, int32_t y1, float *out) const {
    window_of(grid, plane, wide[x % stride_], x / stride_, y0, y1, out);
}

}  // namespace wholebody
