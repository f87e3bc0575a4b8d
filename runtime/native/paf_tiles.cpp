#include "paf_tiles.h"

#include <cstring>

// One body for every instruction set: the loader picks the widest that the machine has. No clone has fused
// multiply-add, so that all give the same bytes.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WB_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define WB_CLONES
#endif

namespace wholebody {
namespace {

template <int Stride>
struct Lanes {
    typedef float Floats __attribute__((vector_size(Stride * 4)));
    typedef int32_t Bits __attribute__((vector_size(Stride * 4)));
};

template <int Stride>
inline __attribute__((always_inline)) void fill(const float *cells, int32_t cells_pitch,
                                                const float *const weights[4], float *out, int32_t pitch) {
    typedef typename Lanes<Stride>::Floats Floats;
    const int taps = 4, rows = 5;
    Floats across[taps], lines[rows];
    float down[taps][Stride];
    for (int i = 0; i < taps; ++i) {
        std::memcpy(&across[i], weights[i], sizeof(Floats));
        std::memcpy(down[i], weights[i], sizeof(down[i]));
    }
    for (int row = 0; row < rows; ++row, cells += cells_pitch) {
        // The first half of the pixels lies left of the cell's centre and reads from one cell before.
        Floats cell[taps];
        for (int i = 0; i < taps; ++i)
            for (int x = 0; x < Stride; ++x) cell[i][x] = cells[i + (x < Stride / 2 ? 0 : 1)];
        lines[row] = cell[0] * across[0] + cell[1] * across[1] + cell[2] * across[2] + cell[3] * across[3];
    }
    for (int y = 0; y < Stride; ++y, out += pitch) {
        const Floats *line = lines + (y < Stride / 2 ? 0 : 1);
        const Floats sum = line[0] * down[0][y] + line[1] * down[1][y] + line[2] * down[2][y] + line[3] * down[3][y];
        std::memcpy(out, &sum, sizeof(sum));
    }
}

template <int Stride>
inline __attribute__((always_inline)) uint64_t rows_with(const float *pixels, int32_t pitch, float threshold) {
    typedef typename Lanes<Stride>::Floats Floats;
    typedef typename Lanes<Stride>::Bits Bits;
    Bits first = {}, last = {};
    uint64_t rows = 0;
    first[0] = -1;
    last[Stride - 1] = -1;
    Floats above, line, below, left, right;
    std::memcpy(&line, pixels, sizeof(line));
    above = line;
    for (int y = 0; y < Stride; ++y, pixels += pitch, above = line, line = below) {
        // Beside the tile lies another one, which may not be computed: it rules nothing out.
        std::memcpy(&below, y + 1 < Stride ? pixels + pitch : pixels, sizeof(below));
        std::memcpy(&left, pixels - 1, sizeof(left));
        std::memcpy(&right, pixels + 1, sizeof(right));
        const Bits maybe = (line > threshold) & (line >= above) & (line >= below) & ((line >= left) | first) &
                           ((line >= right) | last);
        uint64_t words[Stride / 2], found = 0;
        std::memcpy(words, &maybe, sizeof(words));
        for (uint64_t word : words) found |= word;
        rows |= static_cast<uint64_t>(found != 0) << y;
    }
    return rows;
}

WB_CLONES void fill_8(const float *cells, int32_t cells_pitch, const float *const weights[4], float *out,
                      int32_t pitch) {
    fill<8>(cells, cells_pitch, weights, out, pitch);
}

WB_CLONES void fill_4(const float *cells, int32_t cells_pitch, const float *const weights[4], float *out,
                      int32_t pitch) {
    fill<4>(cells, cells_pitch, weights, out, pitch);
}

WB_CLONES uint64_t rows_with_8(const float *pixels, int32_t pitch, float threshold) {
    return rows_with<8>(pixels, pitch, threshold);
}

WB_CLONES uint64_t rows_with_4(const float *pixels, int32_t pitch, float threshold) {
    return rows_with<4>(pixels, pitch, threshold);
}

const int32_t kLanes = 8;

WB_CLONES void extremes_of(const float *values, int32_t count, float *most, float *least) {
    typedef Lanes<kLanes>::Floats Floats;
    Floats high = {}, low = {};
    int32_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        Floats v;
        std::memcpy(&v, values + i, sizeof(v));
        high = v > high ? v : high;
        low = v < low ? v : low;
    }
    *most = *least = 0;
    for (; i < count; ++i) {
        *most = values[i] > *most ? values[i] : *most;
        *least = values[i] < *least ? values[i] : *least;
    }
    for (int lane = 0; lane < kLanes; ++lane) {
        *most = high[lane] > *most ? high[lane] : *most;
        *least = low[lane] < *least ? low[lane] : *least;
    }
}

}  // namespace

void extremes(const float *values, int32_t count, float *most, float *least) {
    extremes_of(values, count, most, least);
}

bool fill_tile(const float *cells, int32_t cells_pitch, const float *const weights[4], int32_t stride, float *out,
               int32_t pitch) {
    if (stride == 8) fill_8(cells, cells_pitch, weights, out, pitch);
    if (stride == 4) fill_4(cells, cells_pitch, weights, out, pitch);
    return stride == 8 || stride == 4;
}

uint64_t rows_with_peaks(const float *pixels, int32_t pitch, int32_t stride, float threshold) {
    if (stride == 8) return rows_with_8(pixels, pitch, threshold);
    if (stride == 4) return rows_with_4(pixels, pitch, threshold);
    return ~uint64_t{0};  // not told: every row may
}

}  // namespace wholebody
