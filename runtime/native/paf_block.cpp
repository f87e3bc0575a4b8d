#include "paf_block.h"

#include <cmath>
#include <cstring>

#include "paf_scoring.h"

namespace wholebody {
namespace {

const int64_t kHeader = 4, kPeakWords = 3, kConnectionWords = 2;

// The sum of some counts, or -1 where one is out of range.
int64_t sum_of_counts(const int32_t *counts, int32_t number, int64_t limit) {
    int64_t sum = 0;
    for (int32_t i = 0; i < number; ++i) {
        if (counts[i] < 0 || counts[i] > limit) return -1;
        sum += counts[i];
    }
    return sum;
}

bool read_peaks(const int32_t *words, Peak *out, int32_t count) {
    std::memcpy(out, words, sizeof(Peak) * static_cast<size_t>(count));
    for (int32_t i = 0; i < count; ++i)
        if (!std::isfinite(out[i].x) || !std::isfinite(out[i].y) || !std::isfinite(out[i].score)) return false;
    return true;
}

bool read_connection(const int32_t *words, int32_t limb, Pair ends, const Peaks &peaks, Connection &out) {
    float paf;
    std::memcpy(&paf, words, sizeof(paf));
    const int32_t a = words[1] & 0xffff, b = static_cast<int32_t>(static_cast<uint32_t>(words[1]) >> 16);
    if (!(paf > kEpsilon) || !std::isfinite(paf) || a >= peaks.count[ends.first] || b >= peaks.count[ends.second])
        return false;
    out = {total_of(paf, peaks.of(ends.first)[a], peaks.of(ends.second)[b]), paf, limb, a, b};
    return true;
}

}  // namespace

bool read_block(const Model &model, const int32_t *block, int64_t words, Peaks &peaks,
                std::vector<Connection> &connections) {
    const wb_paf_config &config = model.config;
    const int64_t counts = kHeader + config.keypoints + config.limbs;
    if (words < counts || block[0] != config.keypoints || block[1] != config.limbs) return false;
    const int32_t *peak_counts = block + kHeader, *limb_counts = peak_counts + config.keypoints;
    const int64_t all_peaks = sum_of_counts(peak_counts, config.keypoints, config.max_peaks);
    const int64_t pairs = static_cast<int64_t>(config.max_peaks) * config.max_peaks;
    const int64_t all_connections = sum_of_counts(limb_counts, config.limbs, pairs);
    if (all_peaks != block[2] || all_connections != block[3]) return false;
    if (words < counts + kPeakWords * all_peaks + kConnectionWords * all_connections) return false;

    peaks.reset(config.keypoints, config.max_peaks);
    const int32_t *word = block + counts;
    for (int32_t k = 0; k < config.keypoints; ++k) {
        peaks.count[k] = peak_counts[k];
        if (!read_peaks(word, peaks.of(k), peak_counts[k])) return false;
        word += kPeakWords * peak_counts[k];
    }
    connections.resize(static_cast<size_t>(all_connections));
    Connection *connection = connections.data();
    for (int32_t limb = 0; limb < config.limbs; ++limb)
        for (int32_t i = 0; i < limb_counts[limb]; ++i, word += kConnectionWords)
            if (!read_connection(word, limb, model.pairs[limb], peaks, *connection++)) return false;
    return true;
}

}  // namespace wholebody
