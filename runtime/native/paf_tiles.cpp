#include "paf_tiles.h"
#include "paf_simd.h"

#include <algorithm>
#include <cmath>

namespace wholebody {
namespace {

// Weighted sums of `Count` cells for a vector of pixels. Zero weights leave a sum as it is, so that the order of the
// four others is that of `weighted`.
template <int Stride, int Count>
WB_INLINE void across(const float *cells, ptrdiff_t step, const float (*weights)[kStrideMax],
                      typename Lanes<Stride>::Floats &sum) {
    typename Lanes<Stride>::Floats weight;
    load(weight, weights[0]);
    sum = cells[0] * weight;
    for (int i = 1; i < Count; ++i) {
        load(weight, weights[i]);
        sum += cells[i * step] * weight;
    }
}

template <int Stride>
WB_INLINE void column(TileKernel &kernel, const float *cells, ptrdiff_t pitch, int32_t padded,
                      typename Lanes<Stride>::Floats &sum) {
    across<Stride, kCells>(cells + padded, pitch, kernel.inner, sum);
    store(&kernel.columns[static_cast<size_t>(padded) * Stride], sum);
    kernel.known[padded] = 1;
}

// Which bits are set in some lane.
template <int Count>
WB_INLINE uint32_t either(const typename Lanes<Count>::Bits &bits) {
    uint64_t words[Count / 2], found = 0;
    store(words, bits);
    for (uint64_t word : words) found |= word;
    return static_cast<uint32_t>(found | found >> 32);
}

// Adds to `out` the bits of `in` and those up to `reach` places beside them.
WB_INLINE void spread_bits(const std::vector<uint64_t> &in, int reach, std::vector<uint64_t> &out) {
    for (size_t i = 0; i < in.size(); ++i) {
        const uint64_t before = i > 0 ? in[i - 1] : 0, after = i + 1 < in.size() ? in[i + 1] : 0;
        out[i] |= in[i];
        for (int by = 1; by <= reach; ++by)
            out[i] |= in[i] << by | in[i] >> by | before >> (64 - by) | after << (64 - by);
    }
}

// Marks the tiles in which a pixel may exceed the threshold: only the column of a pixel and the next have weights
// above 0 that sum to more than 1, all five have weights below 0.
template <int Stride>
WB_INLINE void mark_tiles(TileKernel &kernel, const float *cells, ptrdiff_t pitch, const uint64_t *marked,
                          float threshold) {
    typename Lanes<Stride>::Floats sum;
    const float level = threshold / kernel.gain;
    std::fill(kernel.known.begin(), kernel.known.end(), uint8_t{0});
    for (std::vector<uint64_t> *bits : {&kernel.tiles, &kernel.high, &kernel.low})
        std::fill(bits->begin(), bits->end(), 0);
    for (size_t word = 0; word < kernel.tiles.size(); ++word) {
        for (uint64_t bits = marked[word]; bits != 0; bits &= bits - 1) {
            const int place = __builtin_ctzll(bits);
            column<Stride>(kernel, cells, pitch, static_cast<int32_t>(64 * word) + place + kPad, sum);
            const uint32_t sides = either<Stride>(((sum > level) & 1) | ((sum < -level) & 2));
            kernel.high[word] |= static_cast<uint64_t>(sides & 1) << place;
            kernel.low[word] |= static_cast<uint64_t>(sides >> 1) << place;
        }
    }
    spread_bits(kernel.high, 1, kernel.tiles);
    spread_bits(kernel.low, 2, kernel.tiles);
    if (kernel.width % 64) kernel.tiles.back() &= (uint64_t{1} << (kernel.width % 64)) - 1;
}

// A column of pixels of the tile whose five columns of cells are given; -1 and Stride are those beside it.
template <int Stride>
WB_INLINE void pixels_of(const TileKernel &kernel, const typename Lanes<Stride>::Floats cells[kCells], int pixel,
                         typename Lanes<Stride>::Floats &sum) {
    const typename Lanes<Stride>::Floats *cell = cells + (pixel < Stride / 2 ? 0 : 1);
    const float (*weights)[kStrideMax] = kernel.phases[(pixel + Stride) % Stride];
    typename Lanes<Stride>::Floats w[4];
    for (int i = 0; i < 4; ++i) load(w[i], weights[i]);
    sum = cell[0] * w[0] + cell[1] * w[1] + cell[2] * w[2] + cell[3] * w[3];
}

template <int Stride>
WB_INLINE void search_in(TileKernel &kernel, const float *cells, ptrdiff_t pitch, const uint64_t *marked,
                         float threshold, float slack) {
    typedef typename Lanes<Stride>::Floats Floats;
    mark_tiles<Stride>(kernel, cells, pitch, marked, threshold - slack);
    const Floats least = Floats{} + (threshold - slack);
    int32_t ready = -1;  // the tile that `value` begins
    Floats before = {}, value = {}, after, columns[Stride], cells_of[kCells];
    typename Lanes<Stride>::Bits maybe[Stride];
    for (size_t word = 0; word < kernel.tiles.size(); ++word) {
        for (uint64_t bits = kernel.tiles[word]; bits != 0; bits &= bits - 1) {
            const int32_t x = static_cast<int32_t>(64 * word) + __builtin_ctzll(bits);
            for (int32_t padded = x; padded < x + kCells; ++padded)
                if (!kernel.known[padded]) column<Stride>(kernel, cells, pitch, padded, after);
            for (int i = 0; i < kCells; ++i) load(cells_of[i], &kernel.columns[static_cast<size_t>(x + i) * Stride]);
            if (ready != x) {
                before = least;  // around the map lies the threshold
                if (x > 0) pixels_of<Stride>(kernel, cells_of, -1, before);
                pixels_of<Stride>(kernel, cells_of, 0, value);
            }
            ready = x + 1;
            typename Lanes<Stride>::Bits any_of = {};
#pragma GCC unroll 8
            for (int pixel = 0; pixel < Stride; ++pixel) {
                if (pixel + 1 < Stride || x + 1 < kernel.width)
                    pixels_of<Stride>(kernel, cells_of, pixel + 1, after);
                else
                    after = least;
                Floats highest = before > after ? before : after;
                highest = highest > least ? highest : least;
                columns[pixel] = value;
                maybe[pixel] = value + slack >= highest;
                any_of |= maybe[pixel];
                before = value;
                value = after;
            }
            if (!any<Stride>(any_of)) continue;
            for (int pixel = 0; pixel < Stride; ++pixel) {
                if (!any<Stride>(maybe[pixel])) continue;
                uint32_t rows = 0;
                for (int y = 0; y < Stride; ++y) {
                    const float least_beside = columns[pixel][y] + slack;
                    const bool up = y == 0 || columns[pixel][y - 1] <= least_beside;
                    const bool down = y + 1 == Stride || columns[pixel][y + 1] <= least_beside;
                    rows |= static_cast<uint32_t>(maybe[pixel][y] && up && down) << y;
                }
                if (rows != 0) kernel.spots.push_back({x * Stride + pixel, rows});
            }
        }
    }
}

template <int Stride>
WB_INLINE void fill_in(const TileKernel &kernel, const float *cells, ptrdiff_t pitch, const float *const phases[4],
                       float *out) {
    typedef typename Lanes<Stride>::Floats Floats;
    Floats left[kCells], right[kCells];
    for (int i = 0; i < kCells; ++i) {
        across<Stride, kCells>(cells + i * pitch, 1, kernel.left, left[i]);
        across<Stride, kCells>(cells + i * pitch, 1, kernel.right, right[i]);
    }
    for (int y = -1; y <= Stride; ++y, out += kPatchPitch) {
        const int first = y < Stride / 2 ? 0 : 1, phase = (y + Stride) % Stride;
        const float w[4] = {phases[0][phase], phases[1][phase], phases[2][phase], phases[3][phase]};
        const Floats *l = left + first, *r = right + first;
        store(out, l[0] * w[0] + l[1] * w[1] + l[2] * w[2] + l[3] * w[3]);
        store(out + 2, r[0] * w[0] + r[1] * w[1] + r[2] * w[2] + r[3] * w[3]);
    }
}

template <int Stride>
WB_INLINE uint32_t peaks_in(const float *pixels, float threshold) {
    typedef typename Lanes<Stride>::Floats Floats;
    uint32_t rows = 0;
    Floats most_of[3];  // three rows: the largest of three pixels
    const auto widest = [&](int y, Floats &most) {
        Floats b, c;
        load(most, pixels + y * kPatchPitch);
        load(b, pixels + y * kPatchPitch + 1);
        load(c, pixels + y * kPatchPitch + 2);
        most = most > c ? most : c;
        most = most > b ? most : b;
    };
    widest(0, most_of[0]);
    widest(1, most_of[1]);
    for (int y = 0; y < Stride; ++y) {
        Floats value, most;
        load(value, pixels + (y + 1) * kPatchPitch + 1);
        widest(y + 2, most_of[2]);
        most = most_of[0] > most_of[1] ? most_of[0] : most_of[1];
        most = most > most_of[2] ? most : most_of[2];
        rows |= static_cast<uint32_t>(any<Stride>((value >= most) & (value > threshold))) << y;
        most_of[0] = most_of[1];
        most_of[1] = most_of[2];
    }
    return rows;
}

WB_CLONES void search_8(TileKernel &kernel, const float *cells, ptrdiff_t pitch, const uint64_t *marked,
                        float threshold, float slack) {
    search_in<8>(kernel, cells, pitch, marked, threshold, slack);
}

WB_CLONES void search_4(TileKernel &kernel, const float *cells, ptrdiff_t pitch, const uint64_t *marked,
                        float threshold, float slack) {
    search_in<4>(kernel, cells, pitch, marked, threshold, slack);
}

WB_CLONES void fill_8(const TileKernel &kernel, const float *cells, ptrdiff_t pitch, const float *const phases[4],
                      float *out) {
    fill_in<8>(kernel, cells, pitch, phases, out);
}

WB_CLONES void fill_4(const TileKernel &kernel, const float *cells, ptrdiff_t pitch, const float *const phases[4],
                      float *out) {
    fill_in<4>(kernel, cells, pitch, phases, out);
}

WB_CLONES uint32_t peaks_8(const float *pixels, float threshold) { return peaks_in<8>(pixels, threshold); }

WB_CLONES uint32_t peaks_4(const float *pixels, float threshold) { return peaks_in<4>(pixels, threshold); }

WB_CLONES void window_of(const Grid &grid, const Plane &plane, const float (*wide)[kStrideMax], int32_t cell_x,
                         int32_t y0, int32_t y1, float *out) {
    typedef Lanes<kWindowPitch>::Floats Floats;
    const int32_t first = grid.rows[y0].first, last = grid.rows[y1].first + 3;
    Floats lines[kWindow + 4];
    for (int32_t row = first; row <= last; ++row)
        across<kWindowPitch, kCells + 2>(plane.row(row) + cell_x, 1, wide, lines[row - first]);
    for (int32_t y = y0; y <= y1; ++y, out += kWindowPitch) {
        const Tap &down = grid.rows[y];
        const Floats *line = lines + (down.first - first);
        const float *w = down.weight;
        store(out, line[0] * w[0] + line[1] * w[1] + line[2] * w[2] + line[3] * w[3]);
    }
}

// The weights of pixel `pixel` of a tile (below 0 or beyond the stride: of its neighbours) over cells from kPad before.
void spread(const Grid &grid, int32_t pixel, float (*weights)[kStrideMax], int32_t count, int32_t lane) {
    const int32_t stride = grid.stride, tile = (pixel + stride) / stride - 1, phase = pixel - tile * stride;
    const int32_t first = tile + (phase < stride / 2 ? 0 : 1);
    for (int32_t i = 0; i < count; ++i) {
        const int32_t tap = i - first;
        weights[i][lane] = tap >= 0 && tap < 4 ? grid.phases[tap][phase] : 0.0f;
    }
}

}  // namespace

bool TileKernel::prepare(const Grid &grid) {
    stride_ = grid.stride;
    if (stride_ != 4 && stride_ != 8) return false;
    for (int32_t lane = 0; lane < stride_; ++lane) {
        spread(grid, lane, inner, kCells, lane);
        spread(grid, lane - 1, left, kCells, lane);
        spread(grid, lane + 1, right, kCells, lane);
    }
    gain = std::sqrt(grid.gain);
    for (int32_t phase = 0; phase < stride_; ++phase) {
        for (int32_t lane = 0; lane < kWindowPitch; ++lane) spread(grid, phase + lane, wide[phase], kCells + 2, lane);
        for (int32_t tap = 0; tap < 4; ++tap) std::fill_n(phases[phase][tap], kStrideMax, grid.phases[tap][phase]);
    }
    width = grid.width / stride_;
    columns.resize(static_cast<size_t>(width + 2 * kPad) * stride_);
    known.resize(width + 2 * kPad);
    for (std::vector<uint64_t> *bits : {&tiles, &high, &low}) bits->resize((width + 63) / 64);
    spots.reserve(grid.width);
    return true;
}

const std::vector<Spots> &TileKernel::search(const Plane &plane, int32_t cell_y, const uint64_t *marked,
                                             float threshold, float slack) {
    spots.clear();
    const auto run = stride_ == 8 ? search_8 : search_4;
    run(*this, plane.row(cell_y), plane.pitch, marked, threshold, slack);
    return spots;
}

void TileKernel::fill(const Grid &grid, const Plane &plane, int32_t cell_y, int32_t cell_x, Patch &patch) const {
    const float *phases[4] = {grid.phases[0].data(), grid.phases[1].data(), grid.phases[2].data(),
                              grid.phases[3].data()};
    const auto run = stride_ == 8 ? fill_8 : fill_4;
    run(*this, plane.row(cell_y) + cell_x, plane.pitch, phases, patch.pixels);
}

uint32_t TileKernel::rows_with_peaks(const Patch &patch, float threshold) const {
    return (stride_ == 8 ? peaks_8 : peaks_4)(patch.pixels, threshold);
}

void TileKernel::window(const Grid &grid, const Plane &plane, int32_t x, int32_t y0, int32_t y1, float *out) const {
    window_of(grid, plane, wide[x % stride_], x / stride_, y0, y1, out);
}

}  // namespace wholebody
