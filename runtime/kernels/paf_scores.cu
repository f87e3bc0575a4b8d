// How well the part-affinity fields support every pair of candidates of every limb.
//
// A block takes 128 pairs of one limb at a time. Each thread first looks at a few samples of one pair: a wrong pair has
// nothing at its middle, and is done. What is left gets 32 threads a pair, one a sample. All scores go into one table
// (limbs, max_peaks x max_peaks), so that no order of threads shows.
#include "paf_maps.h"

namespace wholebody {

struct ScoresArguments {
    MapView pafs;
    TapTable taps;
    const Limb *limbs;
    const int *counts;        // (keypoints)
    const Candidate *peaks;   // (keypoints, max_peaks)
    float *scores;            // (limbs, max_peaks x max_peaks); nA x nB of each are written, 0 = no connection
    int *limb_counts;         // (limbs): how many are not 0
    int stride, max_peaks;
    float threshold;          // a sample is above it
    float ratio;              // of the samples, strictly
    float near;               // pixels: closer pairs that fail get near_score
    float near_score;
};

namespace scores {

const float kEpsilon = 1e-6f;
const int kSamplesMin = 5, kSamplesMax = 25;
const int kPerPair = 32;  // threads
const int kFew = 2 * WB_THREADS / kPerPair;  // pairs that are not worth a first look

struct Pair {
    float x, y;            // of the first candidate
    float step_x, step_y;  // between samples
    float unit_x, unit_y;
    float distance;
    int samples;           // 0: the candidates coincide
};

WB_DEVICE Pair pair_of(const Candidate &a, const Candidate &b) {
    Pair p;
    const float dx = b.x - a.x, dy = b.y - a.y;
    p.x = a.x;
    p.y = a.y;
    p.distance = sqrtf(dx * dx + dy * dy);
    p.samples = 0;
    if (!(p.distance > kEpsilon)) return p;
    const float longest = fmaxf(fabsf(dx), fabsf(dy));
    p.samples = clamped(static_cast<int>(sqrtf(5.0f * longest) + 0.5f), kSamplesMin, kSamplesMax);
    const float share = static_cast<float>(p.samples);
    p.step_x = dx / share;
    p.step_y = dy / share;
    p.unit_x = dx / p.distance;
    p.unit_y = dy / p.distance;
    return p;
}

// The pair of a limb by its number, of which there are `ends` to a start.
WB_DEVICE Pair pair_at(const ScoresArguments &a, const Limb &limb, int index, int ends) {
    return pair_of(a.peaks[limb.from * a.max_peaks + index / ends], a.peaks[limb.to * a.max_peaks + index % ends]);
}

// One upsampled pixel of a field: rows first, then columns 0 + 2 and 1 + 3, as the CPU adds.
template <bool Half>
WB_DEVICE float field_at(const ScoresArguments &a, int channel, int x, int y) {
    const int cell_x = x / a.stride, across = x - cell_x * a.stride;
    const int cell_y = y / a.stride, down = y - cell_y * a.stride;
    const int left = cell_x + a.taps.first[across], top = cell_y + a.taps.first[down];
    const float *wx = a.taps.weights + 4 * across, *wy = a.taps.weights + 4 * down;
    long long rows[4];
    for (int i = 0; i < 4; ++i)
        rows[i] = channel * a.pafs.channel + clamped(top + i, 0, a.pafs.height - 1) * a.pafs.row;
    float columns[4];
    for (int i = 0; i < 4; ++i) {
        const long long at = clamped(left + i, 0, a.pafs.width - 1) * a.pafs.column;
        float cells[4];
        for (int row = 0; row < 4; ++row) cells[row] = cell_at<Half>(a.pafs, rows[row] + at);
        columns[i] = weighted(cells[0], cells[1], cells[2], cells[3], wy) * wx[i];
    }
    return (columns[0] + columns[2]) + (columns[1] + columns[3]);
}

// The sample's field along the pair, or 0 where that is not above the threshold.
template <bool Half>
WB_DEVICE float sample_of(const ScoresArguments &a, const Limb &limb, const Pair &p, int sample) {
    const float step = static_cast<float>(sample);
    const int x = clamped(static_cast<int>(p.x + step * p.step_x + 0.5f), 0, a.pafs.width * a.stride - 1);
    const int y = clamped(static_cast<int>(p.y + step * p.step_y + 0.5f), 0, a.pafs.height * a.stride - 1);
    const float along_x = field_at<Half>(a, limb.along_x, x, y), along_y = field_at<Half>(a, limb.along_y, x, y);
    const float dot = p.unit_x * along_x + p.unit_y * along_y;
    return dot > a.threshold ? dot : 0.0f;
}

WB_DEVICE bool enough(const ScoresArguments &a, int accepted, int samples) {
    return static_cast<float>(accepted) / static_cast<float>(samples) > a.ratio;
}

WB_DEVICE float unsupported(const ScoresArguments &a, const Pair &p) {
    return p.samples != 0 && p.distance < a.near ? a.near_score : 0.0f;
}

// Whether the pair may still be supported after a look at its middle, and between.
template <bool Half>
WB_DEVICE bool promising(const ScoresArguments &a, const Limb &limb, const Pair &p) {
    if (p.samples == 0) return false;
    int spent = 0;
    for (int look = 0; look < 3; ++look) {
        const int quarters = look == 0 ? 2 : look == 1 ? 1 : 3;
        if (sample_of<Half>(a, limb, p, p.samples * quarters / 4) == 0.0f) ++spent;
        if (!enough(a, p.samples - spent, p.samples)) return false;
    }
    return true;
}

// The mean of the accepted samples, added one by one and in order, as OpenPose does.
WB_DEVICE float score_of(const ScoresArguments &a, const Pair &p, const float *samples) {
    float sum = 0.0f;
    int accepted = 0;
    for (int i = 0; i < p.samples; ++i) {
        sum += samples[i];
        accepted += samples[i] > 0.0f;
    }
    return p.samples != 0 && enough(a, accepted, p.samples) ? sum / static_cast<float>(accepted) : unsupported(a, p);
}

// Lists the pairs to score of those from `begun` on; the others are done.
template <bool Half>
WB_DEVICE void choose(const ScoresArguments &a, const Limb &limb, int begun, int pairs, float *scores, int *number,
                      int *chosen) {
    const int thread = static_cast<int>(threadIdx.x), index = begun + thread, ends = a.counts[limb.to];
    if (thread == 0) *number = 0;
    __syncthreads();
    if (index < pairs) {
        const Pair p = pair_at(a, limb, index, ends);
        if (pairs - begun <= kFew || promising<Half>(a, limb, p)) {
            chosen[atomicAdd(number, 1)] = index;
        } else {
            const float score = unsupported(a, p);
            scores[index] = score > kEpsilon ? score : 0.0f;
            if (score > kEpsilon) atomicAdd(a.limb_counts + blockIdx.y, 1);
        }
    }
    __syncthreads();
}

template <bool Half>
WB_DEVICE void score(const ScoresArguments &a, const Limb &limb, const int *chosen, int number, float *scores,
                     float *samples) {
    const int group = static_cast<int>(threadIdx.x) / kPerPair, lane = static_cast<int>(threadIdx.x) % kPerPair;
    const int ends = a.counts[limb.to];
    samples += group * kPerPair;
    for (int i = group; i - group < number; i += WB_THREADS / kPerPair) {
        const int index = i < number ? chosen[i] : chosen[0];
        const Pair p = pair_at(a, limb, index, ends);
        if (i < number && lane < p.samples) samples[lane] = sample_of<Half>(a, limb, p, lane);
        __syncthreads();
        if (i < number && lane == 0) {
            const float result = score_of(a, p, samples);
            scores[index] = result > kEpsilon ? result : 0.0f;
            if (result > kEpsilon) atomicAdd(a.limb_counts + blockIdx.y, 1);
        }
        __syncthreads();
    }
}

template <bool Half>
WB_DEVICE void score_limb(const ScoresArguments &a, float *shared) {
    int *number = reinterpret_cast<int *>(shared), *chosen = number + 1;
    float *samples = shared + 1 + WB_THREADS;
    const Limb limb = a.limbs[blockIdx.y];
    const int pairs = a.counts[limb.from] * a.counts[limb.to];
    float *scores = a.scores + static_cast<long long>(blockIdx.y) * a.max_peaks * a.max_peaks;
    for (int begun = static_cast<int>(blockIdx.x) * WB_THREADS; begun < pairs;
         begun += static_cast<int>(gridDim.x) * WB_THREADS) {
        choose<Half>(a, limb, begun, pairs, scores, number, chosen);
        score<Half>(a, limb, chosen, *number, scores, samples);
        __syncthreads();  // everybody has read the number
    }
}

}  // namespace scores
}  // namespace wholebody

// Grid: (any number of blocks, limbs).
WB_KERNEL(wb_paf_scores, wholebody::ScoresArguments) {
    WB_SHARED(shared);
    if (arguments.pafs.half)
        wholebody::scores::score_limb<true>(arguments, shared);
    else
        wholebody::scores::score_limb<false>(arguments, shared);
}
