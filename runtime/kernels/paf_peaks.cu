// Keypoint candidates of all heat maps, upsampled tile by tile in shared memory: the full-size map never exists.
//
// A block looks at one strip: the pixels of one row of cells of one map. It leaves at once where no cell can lift a
// pixel above the threshold. Peaks become bits, so that no order of threads shows; reading the bits in scan order gives
// the strip's peaks. The last block of a map to finish puts its strips together.
#include "paf_maps.h"

namespace wholebody {

struct PeaksArguments {
    MapView heat;
    TapTable taps;
    int *tickets;             // per map: strips that are done; 0 between frames
    int *strip_counts;        // (maps, height)
    Candidate *strip_peaks;   // (maps, height, max_peaks)
    int *counts;              // (maps)
    Candidate *peaks;         // (maps, max_peaks)
    int *limb_counts;         // (limbs), set to 0 for the next kernel
    int limbs, stride, max_peaks;
    int top, rows;            // the cells that a strip reads: `rows` rows from `top`, relative to its own
    int batch;                // tiles at a time
    int cuda_border, fast;
    float threshold;          // a peak is above it
    float cell_threshold;     // a pixel above the threshold is near a cell above this
};

namespace peaks {

const int kPad = 2, kWindow = 7, kReach = 3, kWord = 32;
const int kPerWindow = 64;  // threads
const int kAtOnce = 4;
const int kWindowPitch = 52;
const float kLeast = 1e-6f, kHalf = 0.5f;

// Shared memory of a block; runtime/paf/cuda_launches.py sums up the same sizes.
struct Strip {
    float *weights, *cells, *wide, *patches, *windows;
    int *first, *active, *scratch, *number;
    unsigned *mask;
    int pitch, lines, columns, words;  // floats a row of cells; pixels down and across; mask words a line
};

WB_DEVICE Strip strip_of(const PeaksArguments &a, float *shared) {
    Strip s;
    const int side = a.stride + 2;
    s.pitch = a.heat.width + 2 * kPad;
    s.lines = a.fast ? 1 : a.stride;
    s.columns = a.fast ? a.heat.width : a.heat.width * a.stride;
    s.words = (s.columns + kWord - 1) / kWord;
    s.weights = shared;
    s.first = reinterpret_cast<int *>(s.weights + 4 * a.stride);
    s.cells = reinterpret_cast<float *>(s.first + a.stride);
    s.wide = s.cells + a.rows * s.pitch;
    s.patches = s.wide + a.batch * a.rows * side;
    s.windows = s.patches + a.batch * side * side;
    s.active = reinterpret_cast<int *>(s.windows + WB_THREADS / kPerWindow * kWindowPitch);
    s.scratch = s.active + a.heat.width;
    s.number = s.scratch + WB_THREADS;
    s.mask = reinterpret_cast<unsigned *>(s.number + 4);
    return s;
}

// Four reads a thread on their way at a time. True where a cell is above the threshold.
template <bool Half>
WB_DEVICE bool load_cells(const PeaksArguments &a, const Strip &s, int map, int cell_y) {
    const int cells = a.rows * s.pitch;
    bool some = false;
    for (int begun = static_cast<int>(threadIdx.x); begun < cells; begun += kAtOnce * WB_THREADS) {
        float values[kAtOnce];
        for (int k = 0; k < kAtOnce; ++k) {
            const int i = min(begun + k * WB_THREADS, cells - 1);
            const int y = clamped(cell_y + a.top + i / s.pitch, 0, a.heat.height - 1);
            const int x = clamped(i % s.pitch - kPad, 0, a.heat.width - 1);
            values[k] = cell_at<Half>(a.heat, map * a.heat.channel + y * a.heat.row + x * a.heat.column);
        }
        for (int k = 0; k < kAtOnce && begun + k * WB_THREADS < cells; ++k) {
            s.cells[begun + k * WB_THREADS] = values[k];
            some = some || fabsf(values[k]) > a.cell_threshold;
        }
    }
    return some;
}

// The cells of a strip with the clamped ones around it; false where no pixel can be above the threshold.
WB_DEVICE bool load(const PeaksArguments &a, const Strip &s, int map, int cell_y) {
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < 3) s.number[thread] = 0;
    for (int i = thread; i < 4 * a.stride; i += WB_THREADS) s.weights[i] = a.taps.weights[i];
    for (int i = thread; i < a.stride; i += WB_THREADS) s.first[i] = a.taps.first[i];
    __syncthreads();
    if (a.heat.half ? load_cells<true>(a, s, map, cell_y) : load_cells<false>(a, s, map, cell_y))
        atomicAdd(s.number + 1, 1);
    __syncthreads();
    return s.number[1] != 0;
}

WB_DEVICE void mark(const Strip &s, int line, int x) {
    atomicOr(s.mask + line * s.words + x / kWord, 1u << x % kWord);
}

// One pixel of the strip's window of cells; y is relative to the strip. Stride 0: any, as the arguments say.
template <int Stride>
WB_DEVICE float pixel(const PeaksArguments &a, const Strip &s, int x, int y) {
    const int stride = Stride ? Stride : a.stride;
    const int across = x / stride, column = x - across * stride;
    const int down = y >= 0 ? y / stride : -((stride - 1 - y) / stride), row = y - down * stride;
    const float *cell = s.cells + (down + s.first[row] - a.top) * s.pitch + across + s.first[column] + kPad;
    const float *w = s.weights + 4 * column;
    float line[4];
    for (int i = 0; i < 4; ++i, cell += s.pitch) line[i] = weighted(cell[0], cell[1], cell[2], cell[3], w);
    return weighted(line[0], line[1], line[2], line[3], s.weights + 4 * row);
}

// Lists the tiles near a cell that can lift a pixel above the threshold.
WB_DEVICE void list_active(const PeaksArguments &a, const Strip &s) {
    for (int x = static_cast<int>(threadIdx.x); x < a.heat.width; x += WB_THREADS) {
        bool near = false;
        for (int row = -kPad; row <= kPad; ++row)
            for (int column = 0; column <= 2 * kPad; ++column)
                near = near || fabsf(s.cells[(row - a.top) * s.pitch + x + column]) > a.cell_threshold;
        if (near) s.active[atomicAdd(s.number, 1)] = x;
    }
    __syncthreads();
}

// Pixels of some tiles and those one pixel around them: columns first, then rows, as the CPU adds.
template <int Stride>
WB_DEVICE void upsample(const PeaksArguments &a, const Strip &s, int cell_y, int begun, int tiles) {
    const int stride = Stride ? Stride : a.stride;
    const int side = stride + 2, thread = static_cast<int>(threadIdx.x);
    for (int i = thread; i < tiles * a.rows * side; i += WB_THREADS) {
        const int tile = i / (a.rows * side), row = i / side % a.rows, cell_x = s.active[begun + tile];
        const int x = clamped(cell_x * stride + i % side - 1, 0, s.columns - 1);
        const float *cell = s.cells + row * s.pitch + x / stride + s.first[x % stride] + kPad;
        s.wide[i] = weighted(cell[0], cell[1], cell[2], cell[3], s.weights + 4 * (x % stride));
    }
    __syncthreads();
    for (int i = thread; i < tiles * side * side; i += WB_THREADS) {
        const int tile = i / (side * side), line = i / side % side - 1, column = i % side;
        const int x = s.active[begun + tile] * stride + column - 1, y = cell_y * stride + line;
        const bool inside = x >= 0 && x < s.columns && y >= 0 && y < a.heat.height * stride;
        const int down = line < 0 ? -1 : line / stride, row = line - down * stride;
        const float *wide = s.wide + (tile * a.rows + down + s.first[row] - a.top) * side + column;
        // Around the map lies the threshold.
        s.patches[i] = inside ? weighted(wide[0], wide[side], wide[2 * side], wide[3 * side], s.weights + 4 * row)
                              : a.threshold;
    }
    __syncthreads();
}

// OpenPose's CPU build takes ties on the ring one pixel from the edge, which runs through to the edge; its CUDA build
// is strict and leaves out the edge itself.
template <int Stride>
WB_DEVICE bool is_peak(const PeaksArguments &a, const float *at, int x, int y) {
    const int stride = Stride ? Stride : a.stride;
    const int side = stride + 2, width = a.heat.width * stride, height = a.heat.height * stride;
    const float value = at[0];
    if (!(value > a.threshold)) return false;
    const float highest = fmaxf(fmaxf(fmaxf(at[-side - 1], at[-side]), fmaxf(at[-side + 1], at[-1])),
                                fmaxf(fmaxf(at[1], at[side - 1]), fmaxf(at[side], at[side + 1])));
    const int margin = a.cuda_border ? 1 : 2;
    const bool counts = x >= margin && x < width - margin && y >= margin && y < height - margin;
    const bool ring = !a.cuda_border && (x == 1 || x == width - 2 || y == 1 || y == height - 2);
    return (counts && value > highest) || (ring && value >= highest);
}

template <int Stride>
WB_DEVICE void mark_pixels(const PeaksArguments &a, const Strip &s, int cell_y) {
    const int stride = Stride ? Stride : a.stride;
    const int side = stride + 2, area = stride * stride;
    list_active(a, s);
    for (int begun = 0; begun < s.number[0]; begun += a.batch) {
        const int tiles = min(a.batch, s.number[0] - begun);
        upsample<Stride>(a, s, cell_y, begun, tiles);
        for (int i = static_cast<int>(threadIdx.x); i < tiles * area; i += WB_THREADS) {
            const int tile = i / area, line = i / stride % stride, column = i % stride;
            const int x = s.active[begun + tile] * stride + column;
            const float *at = s.patches + (tile * side + line + 1) * side + column + 1;
            if (is_peak<Stride>(a, at, x, cell_y * stride + line)) mark(s, line, x);
        }
        __syncthreads();
    }
}

// A cell of the strip's window or, outside the map, minus infinity.
WB_DEVICE float cell(const PeaksArguments &a, const Strip &s, int cell_y, int x, int line) {
    const int y = cell_y + line;
    if (x < 0 || x >= a.heat.width || y < 0 || y >= a.heat.height) return __int_as_float(0xff800000);
    return s.cells[(line - a.top) * s.pitch + x + kPad];
}

// A neighbour that comes earlier in scan order wins a tie.
WB_DEVICE bool is_highest_cell(const PeaksArguments &a, const Strip &s, int cell_y, int x) {
    const float value = cell(a, s, cell_y, x, 0);
    if (!(value > a.threshold)) return false;
    bool wins = value > cell(a, s, cell_y, x - 1, 0) && value >= cell(a, s, cell_y, x + 1, 0);
    for (int beside = -1; beside <= 1; ++beside)
        wins = wins && value > cell(a, s, cell_y, x + beside, -1) && value >= cell(a, s, cell_y, x + beside, 1);
    return wins;
}

// A logarithm by float operations that every machine does alike, to 1e-6.
WB_DEVICE float natural_log(float value) {
    int bits = __float_as_int(value);
    // value = scale * 2^exponent with scale in [sqrt(1/2), sqrt(2)).
    const int exponent = (bits - 0x3f3504f3) >> 23;
    bits -= exponent * (1 << 23);
    const float scale = __int_as_float(bits), t = (scale - 1.0f) / (scale + 1.0f), square = t * t;
    const float series = ((square * static_cast<float>(1.0 / 7) + static_cast<float>(1.0 / 5)) * square +
                          static_cast<float>(1.0 / 3)) * square + 1.0f;
    return static_cast<float>(exponent) * 0.69314718055994531f + t * 2.0f * series;
}

WB_DEVICE float exp_of_little(float x) {
    const float exp = ((x * 0.25f + 1.0f) * x * static_cast<float>(1.0 / 3) + 1.0f) * x * kHalf;
    return (exp + 1.0f) * x + 1.0f;
}

// Where the parabola through three logarithms has its vertex, and in *rise how much higher that is.
WB_DEVICE float vertex(float before, float height, float after, float *rise) {
    *rise = 0.0f;
    if (!(before > kLeast && after > kLeast)) return 0.0f;
    const float left = natural_log(before), right = natural_log(after), bend = (left - height) + (right - height);
    if (!(bend < 0.0f)) return 0.0f;
    const float place = fmaxf(-kHalf, fminf(kHalf, kHalf * (left - right) / bend));
    *rise = 0.25f * (right - left) * place;
    return place;
}

WB_DEVICE void refine_cells(const PeaksArguments &a, const Strip &s, int cell_y, int found, Candidate *out) {
    const float stride = static_cast<float>(a.stride);
    for (int i = static_cast<int>(threadIdx.x); i < found; i += WB_THREADS) {
        const int x = s.active[i];
        const float value = cell(a, s, cell_y, x, 0), height = natural_log(value);
        float rise_x, rise_y;
        const float across = vertex(cell(a, s, cell_y, x - 1, 0), height, cell(a, s, cell_y, x + 1, 0), &rise_x);
        const float down = vertex(cell(a, s, cell_y, x, -1), height, cell(a, s, cell_y, x, 1), &rise_y);
        out[i].x = (static_cast<float>(x) + across + kHalf) * stride;
        out[i].y = (static_cast<float>(cell_y) + down + kHalf) * stride;
        out[i].score = value * exp_of_little(rise_x + rise_y);
    }
}

// The centroid of the positive values, summed in scan order as OpenPose does.
template <int Stride>
WB_DEVICE Candidate centroid(const PeaksArguments &a, const float *window, int x, int y) {
    const int stride = Stride ? Stride : a.stride;
    const int width = a.heat.width * stride, height = a.heat.height * stride;
    float sum_x = 0.0f, sum_y = 0.0f, sum = 0.0f;
    for (int row = max(0, y - kReach); row <= min(height - 1, y + kReach); ++row)
        for (int column = max(0, x - kReach); column <= min(width - 1, x + kReach); ++column) {
            const float value = fmaxf(window[(row - y + kReach) * kWindow + column - x + kReach], 0.0f);
            sum_x += static_cast<float>(column) * value;
            sum_y += static_cast<float>(row) * value;
            sum += value;
        }
    Candidate peak;
    peak.x = sum_x / sum + kHalf;
    peak.y = sum_y / sum + kHalf;
    peak.score = window[kReach * kWindow + kReach];
    return peak;
}

// Two peaks at a time: 49 threads compute a window, one adds it up. `found` pixels are listed in s.active.
template <int Stride>
WB_DEVICE void refine_pixels(const PeaksArguments &a, const Strip &s, int cell_y, int found, Candidate *out) {
    const int stride = Stride ? Stride : a.stride;
    const int group = static_cast<int>(threadIdx.x) / kPerWindow, lane = static_cast<int>(threadIdx.x) % kPerWindow;
    const int groups = WB_THREADS / kPerWindow;
    float *window = s.windows + group * kWindowPitch;
    for (int begun = 0; begun < found; begun += groups) {
        const int i = begun + group, place = i < found ? s.active[i] : 0;
        const int line = place / s.columns, x = place % s.columns, y = cell_y * stride + line;
        const int dx = lane % kWindow - kReach, dy = lane / kWindow - kReach;
        if (i < found && lane < kWindow * kWindow) {
            const bool inside = x + dx >= 0 && x + dx < s.columns && y + dy >= 0 && y + dy < a.heat.height * stride;
            window[lane] = inside ? pixel<Stride>(a, s, x + dx, line + dy) : 0.0f;
        }
        __syncthreads();
        if (i < found && lane == 0) out[i] = centroid<Stride>(a, window, x, y);
        __syncthreads();
    }
}

// Peaks of one strip from its bits, in scan order; at most max_peaks. A few at a time fit into s.active.
template <int Stride>
WB_DEVICE int write_strip(const PeaksArguments &a, const Strip &s, int cell_y, Candidate *out) {
    const int words = s.lines * s.words, each = (words + WB_THREADS - 1) / WB_THREADS;
    const int from = min(words, static_cast<int>(threadIdx.x) * each), to = min(words, from + each);
    int count = 0, total;
    for (int i = from; i < to; ++i) count += __popc(s.mask[i]);
    const int before = sum_before(count, s.scratch, &total);
    const int found = min(total, a.max_peaks);
    for (int begun = 0; begun < found; begun += a.heat.width) {
        const int some = min(a.heat.width, found - begun);
        for (int i = from, place = before - begun; i < to; ++i)
            for (unsigned bits = s.mask[i]; bits != 0; bits &= bits - 1, ++place)
                if (place >= 0 && place < some)
                    s.active[place] = i / s.words * s.columns + i % s.words * kWord + __ffs(static_cast<int>(bits)) - 1;
        __syncthreads();
        if (a.fast)
            refine_cells(a, s, cell_y, some, out + begun);
        else
            refine_pixels<Stride>(a, s, cell_y, some, out + begun);
        __syncthreads();
    }
    return found;
}

template <int Stride>
WB_DEVICE int find_in_strip(const PeaksArguments &a, const Strip &s, int map, int cell_y, Candidate *out) {
    const int thread = static_cast<int>(threadIdx.x);
    if (!load(a, s, map, cell_y)) return 0;
    for (int i = thread; i < s.lines * s.words; i += WB_THREADS) s.mask[i] = 0;
    __syncthreads();
    if (a.fast) {
        for (int x = thread; x < a.heat.width; x += WB_THREADS)
            if (is_highest_cell(a, s, cell_y, x)) mark(s, 0, x);
        __syncthreads();
    } else {
        mark_pixels<Stride>(a, s, cell_y);
    }
    return write_strip<Stride>(a, s, cell_y, out);
}

// All strips of a map, one after the other. Volatile: other blocks wrote them.
WB_DEVICE void join_strips(const PeaksArguments &a, const Strip &s, int map) {
    const int height = a.heat.height, each = (height + WB_THREADS - 1) / WB_THREADS;
    const int from = min(height, static_cast<int>(threadIdx.x) * each), to = min(height, from + each);
    const volatile int *counts = a.strip_counts + static_cast<long long>(map) * height;
    int count = 0, total;
    for (int y = from; y < to; ++y) count += counts[y];
    int place = sum_before(count, s.scratch, &total);
    Candidate *out = a.peaks + static_cast<long long>(map) * a.max_peaks;
    for (int y = from; y < to; ++y) {
        const volatile Candidate *peaks = a.strip_peaks + (static_cast<long long>(map) * height + y) * a.max_peaks;
        for (int i = 0; i < counts[y] && place < a.max_peaks; ++i, ++place) {
            out[place].x = peaks[i].x;
            out[place].y = peaks[i].y;
            out[place].score = peaks[i].score;
        }
    }
    if (threadIdx.x == 0) a.counts[map] = min(total, a.max_peaks);
}

}  // namespace peaks
}  // namespace wholebody

// Grid: (height, maps).
WB_KERNEL(wb_paf_peaks, wholebody::PeaksArguments) {
    using namespace wholebody;
    WB_SHARED(shared);
    const peaks::Strip s = peaks::strip_of(arguments, shared);
    const int cell_y = static_cast<int>(blockIdx.x), map = static_cast<int>(blockIdx.y);
    const int thread = static_cast<int>(threadIdx.x);
    const long long strip = static_cast<long long>(map) * arguments.heat.height + cell_y;
    if (cell_y == 0 && map == 0)
        for (int i = thread; i < arguments.limbs; i += WB_THREADS) arguments.limb_counts[i] = 0;
    Candidate *out = arguments.strip_peaks + strip * arguments.max_peaks;
    // The usual stride as a constant: divisions by it are shifts.
    const int found = arguments.stride == 8 ? peaks::find_in_strip<8>(arguments, s, map, cell_y, out)
                                            : peaks::find_in_strip<0>(arguments, s, map, cell_y, out);
    if (thread == 0) arguments.strip_counts[strip] = found;
    __threadfence();
    __syncthreads();
    if (thread == 0) s.number[2] = atomicAdd(arguments.tickets + map, 1) == arguments.heat.height - 1;
    __syncthreads();
    if (s.number[2] == 0) return;
    __threadfence();
    peaks::join_strips(arguments, s, map);
    if (thread == 0) arguments.tickets[map] = 0;
}
