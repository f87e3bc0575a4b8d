// Peaks and connections as one small block, laid out as runtime/native/paf.h says: one copy brings all to the host.
#include "paf_maps.h"

namespace wholebody {

struct PackArguments {
    const Limb *limbs;
    const int *counts;         // (keypoints)
    const Candidate *peaks;    // (keypoints, max_peaks)
    const float *scores;       // (limbs, max_peaks x max_peaks)
    const int *limb_counts;    // (limbs)
    int *block;
    long long capacity;        // words of the block; what does not fit is left out
    int keypoints, limb_number, max_peaks;
    int unused;
};

namespace pack {

const int kHeader = 4, kPeakWords = 3, kConnectionWords = 2;

// The sum of `values` up to `index`, and in *total of all. Every thread calls it.
WB_DEVICE int before(const int *values, int number, int index, int *sums, int *total) {
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < 2) sums[thread] = 0;
    __syncthreads();
    for (int i = thread; i < number; i += WB_THREADS) {
        if (i < index) atomicAdd(sums, values[i]);
        atomicAdd(sums + 1, values[i]);
    }
    __syncthreads();
    const int found = sums[0];
    *total = sums[1];
    __syncthreads();
    return found;
}

WB_DEVICE void write_peaks(const PackArguments &a, int keypoint, long long place) {
    const Candidate *peaks = a.peaks + static_cast<long long>(keypoint) * a.max_peaks;
    for (int i = static_cast<int>(threadIdx.x); i < a.counts[keypoint]; i += WB_THREADS) {
        const long long at = place + kPeakWords * i;
        if (at + kPeakWords > a.capacity) return;
        a.block[at] = __float_as_int(peaks[i].x);
        a.block[at + 1] = __float_as_int(peaks[i].y);
        a.block[at + 2] = __float_as_int(peaks[i].score);
    }
}

// The connections of one limb in the order of its pairs: each thread takes a run of them.
WB_DEVICE void write_connections(const PackArguments &a, int number, long long place, int *scratch) {
    const Limb limb = a.limbs[number];
    const int ends = a.counts[limb.to], pairs = a.counts[limb.from] * ends;
    const float *scores = a.scores + static_cast<long long>(number) * a.max_peaks * a.max_peaks;
    const int each = (pairs + WB_THREADS - 1) / WB_THREADS;
    const int from = min(pairs, static_cast<int>(threadIdx.x) * each), to = min(pairs, from + each);
    int count = 0, total;
    for (int i = from; i < to; ++i) count += scores[i] > 0.0f;
    long long at = place + static_cast<long long>(kConnectionWords) * sum_before(count, scratch, &total);
    for (int i = from; i < to; ++i) {
        if (!(scores[i] > 0.0f) || at + kConnectionWords > a.capacity) continue;
        a.block[at] = __float_as_int(scores[i]);
        a.block[at + 1] = i / ends | i % ends << 16;
        at += kConnectionWords;
    }
}

}  // namespace pack
}  // namespace wholebody

// Grid: (keypoints + limbs).
WB_KERNEL(wb_paf_pack, wholebody::PackArguments) {
    using namespace wholebody;
    WB_SHARED(shared);
    int *scratch = reinterpret_cast<int *>(shared);
    const int thread = static_cast<int>(threadIdx.x), index = static_cast<int>(blockIdx.x);
    const int points = arguments.keypoints, limb = index - points;
    const bool is_peaks = index < points;
    int all_peaks, all_connections;
    const int peaks = pack::before(arguments.counts, points, index, scratch, &all_peaks);
    const int connections = pack::before(arguments.limb_counts, arguments.limb_number, limb, scratch, &all_connections);
    const long long first = pack::kHeader + points + arguments.limb_number;
    const long long second = first + static_cast<long long>(pack::kPeakWords) * all_peaks;
    if (index == 0 && thread == 0) {
        arguments.block[0] = points;
        arguments.block[1] = arguments.limb_number;
        arguments.block[2] = all_peaks;
        arguments.block[3] = all_connections;
    }
    if (thread == 0)
        arguments.block[pack::kHeader + index] = is_peaks ? arguments.counts[index] : arguments.limb_counts[limb];
    if (is_peaks)
        pack::write_peaks(arguments, index, first + static_cast<long long>(pack::kPeakWords) * peaks);
    else if (arguments.counts[arguments.limbs[limb].from] * arguments.counts[arguments.limbs[limb].to] > 0)
        pack::write_connections(arguments, limb, second + static_cast<long long>(pack::kConnectionWords) * connections,
                                scratch);
}
