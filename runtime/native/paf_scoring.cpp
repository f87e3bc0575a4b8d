#include "paf_scoring.h"

#include <cmath>
#include <limits>
#include <tuple>

#include "paf_linear.h"

namespace wholebody {
namespace {

const float kUnsupported = -1;
// From how many pairs on it pays to copy the field's cells, and how many pairs a value of its upsampled rows costs.
const int64_t kSomePairs = 40;
const double kPairsPerValue = 0.07;
const int32_t kPairsAtOnce = 512;  // whose numbers stay in the nearest cache

WB_INLINE int32_t samples_of(float longest) {
    return std::max(kSamplesMin, std::min(kSamplesMax, static_cast<int32_t>(std::sqrt(5.0f * longest) + 0.5f)));
}

// Mean of the accepted samples of the pair of `a`; kUnsupported as soon as too many were not.
template <typename Reader>
WB_INLINE float mean_of(const ScoringRules &rules, const Reader &reader, const Peak &a, Vector step, Vector unit,
                        int32_t count) {
    typedef Lanes<4>::Bits Bits;
    typedef Lanes<4>::Floats Floats;
    Bits samples = {0, 1, 2, 3};
    float sum = 0;
    int32_t accepted = 0;
    for (int32_t begun = 0; begun < count; begun += 4, samples += 4) {
        const Floats sample = __builtin_convertvector(samples, Floats);
        Bits x, y, where, weights;
        nearest(a.x + sample * step.x, reader.width, x);
        nearest(a.y + sample * step.y, reader.height, y);
        reader.find(x, y, where, weights);
        Quad quads[4];
        Floats field_x, field_y;
        for (int lane = 0; lane < 4; ++lane) reader.at(where[lane], weights[lane], quads[lane]);
        sums_of(quads, field_x, field_y);
        Floats dots = unit.x * field_x + unit.y * field_y;
        const Bits passes = (dots > rules.threshold) & (samples < count);
        dots = (Floats)((Bits)dots & passes);
        // One by one and in order, as OpenPose adds them.
        for (int lane = 0; lane < 4; ++lane) {
            sum += dots[lane];
            accepted -= passes[lane];
        }
        if (std::min(count, begun + 4) - accepted > rules.spare[count]) return kUnsupported;
    }
    return sum / static_cast<float>(accepted);
}

template <typename Reader>
WB_INLINE float score_pair(const ScoringRules &rules, const Reader &reader, const Peak &a, const Peak &b) {
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float distance = std::sqrt(dx * dx + dy * dy);
    if (!(distance > kEpsilon)) return 0;
    const int32_t count = samples_of(std::max(std::fabs(dx), std::fabs(dy)));
    const float share = static_cast<float>(count);
    const float mean = mean_of(rules, reader, a, {dx / share, dy / share}, {dx / distance, dy / distance}, count);
    if (mean != kUnsupported) return mean;
    return static_cast<double>(distance) < rules.near ? rules.near_score : 0;
}

template <typename Reader>
WB_INLINE void score_limb(const ScoringRules &rules, const Reader &reader, const Peak *starts, const Peak *stops,
                          int32_t limb, Candidates &candidates, std::vector<Connection> &connections) {
    Pairs &pairs = candidates.pairs;
    const int32_t number = candidates.starts.count, ends = candidates.ends.count;
    read_starts(reader, candidates.starts, pairs);
    for (int32_t start = 0, earliest = 0; start < number; ++start) {
        add_start(rules, reader, candidates.starts, candidates.ends, start, pairs);
        if (start + 1 < number && pairs.size + ends <= pairs.room) continue;
        list_promising(rules, reader, pairs);
        for (int32_t i = 0; i < pairs.listed; ++i) {
            const int32_t first = earliest + pairs.places[i] / ends, second = pairs.places[i] % ends;
            const Peak &a = starts[first], &b = stops[second];
            const float paf = score_pair(rules, reader, a, b);
            if (paf > kEpsilon) connections.push_back({total_of(paf, a, b), paf, limb, first, second});
        }
        pairs.size = 0;
        earliest = start + 1;
    }
}

WB_CLONES void score_by_maps(const ScoringRules &rules, const MapReader reader, const Peak *starts, const Peak *stops,
                             int32_t limb, Candidates &candidates, std::vector<Connection> &connections) {
    score_limb(rules, reader, starts, stops, limb, candidates, connections);
}

WB_CLONES void score_by_cells(const ScoringRules &rules, const CellReader reader, const Peak *starts, const Peak *stops,
                              int32_t limb, Candidates &candidates, std::vector<Connection> &connections) {
    score_limb(rules, reader, starts, stops, limb, candidates, connections);
}

WB_CLONES void score_by_rows(const ScoringRules &rules, const RowReader reader, const Peak *starts, const Peak *stops,
                             int32_t limb, Candidates &candidates, std::vector<Connection> &connections) {
    score_limb(rules, reader, starts, stops, limb, candidates, connections);
}

WB_CLONES void score_linear_by_maps(const ScoringRules &rules, const LinearMapReader reader, const Peak *starts,
                                    const Peak *stops, int32_t limb, Candidates &candidates,
                                    std::vector<Connection> &connections) {
    score_limb(rules, reader, starts, stops, limb, candidates, connections);
}

WB_CLONES void score_linear_by_cells(const ScoringRules &rules, const LinearReader reader, const Peak *starts,
                                     const Peak *stops, int32_t limb, Candidates &candidates,
                                     std::vector<Connection> &connections) {
    score_limb(rules, reader, starts, stops, limb, candidates, connections);
}

}  // namespace

void ScoringRules::prepare(const Grid &grid, const wb_paf_config &config) {
    certain = 0;
    bool none = true;
    for (int32_t n = kSamplesMin; n <= kSamplesMax; ++n) {
        int32_t needed = 0;
        while (needed <= n && !(static_cast<float>(needed) / static_cast<float>(n) > config.paf_ratio)) ++needed;
        spare[n] = n - needed;
        none = none && spare[n] <= 0;
        if (none) certain = n == kSamplesMax ? std::numeric_limits<float>::infinity() : (n + 0.49f) * (n + 0.49f) / 5;
    }
    most_spare = *std::max_element(spare + kSamplesMin, spare + kSamplesMax + 1);
    near = std::sqrt(static_cast<double>(grid.width) * grid.height) / 150;
    near_squared = static_cast<float>(near * near * 1.001);
    threshold = config.paf_threshold;
    near_score = config.near_score;
}

void Points::set(const Peak *peaks, int32_t number) {
    const size_t size = static_cast<size_t>(number) + kPairLanes;
    for (std::vector<float> *values : {&x, &y, &field_x, &field_y}) values->resize(size);
    for (int32_t i = 0; i < number; ++i) {
        x[i] = peaks[i].x;
        y[i] = peaks[i].y;
    }
    count = number;
}

void Pairs::reserve(int32_t starts, int32_t ends) {
    size = 0;
    room = std::max(kPairsAtOnce, std::max(starts, ends));
    const size_t most = static_cast<size_t>(room) + 2 * kPairLanes;
    for (std::vector<float> *values : {&x, &y, &step_x, &step_y, &listed_step_x, &listed_step_y, &field_x, &field_y})
        values->resize(most);
    for (std::vector<int32_t> *values : {&samples, &places, &left, &where, &weights})
        values->resize(most);
}

void LimbScorer::score(const Grid &grid, const Field &field, const Peaks &peaks, int32_t limb, Pair ends,
                       std::vector<Connection> &connections) {
    const Peak *starts = peaks.of(ends.first), *stops = peaks.of(ends.second);
    candidates_.starts.set(starts, peaks.count[ends.first]);
    candidates_.ends.set(stops, peaks.count[ends.second]);
    candidates_.pairs.reserve(peaks.count[ends.first], peaks.count[ends.second]);
    const int64_t pairs = peaks.count[ends.first] * static_cast<int64_t>(peaks.count[ends.second]);
    if (pairs < kSomePairs && field.plain()) {
        if (grid.linear)
            score_linear_by_maps(rules_, LinearMapReader(grid, field), starts, stops, limb, candidates_, connections);
        else
            score_by_maps(rules_, MapReader(grid, field), starts, stops, limb, candidates_, connections);
        return;
    }
    cells_.load(field);
    if (grid.linear && grid.stride <= CellReader::kLargestStride) {
        score_linear_by_cells(rules_, LinearReader(grid, cells_), starts, stops, limb, candidates_, connections);
        return;
    }
    const bool few = static_cast<double>(pairs) < kPairsPerValue * grid.height * cells_.pitch;
    if (few && grid.stride <= CellReader::kLargestStride) {
        score_by_cells(rules_, CellReader(grid, cells_), starts, stops, limb, candidates_, connections);
    } else {
        rows_.upsample(grid, cells_);
        score_by_rows(rules_, RowReader(grid, rows_), starts, stops, limb, candidates_, connections);
    }
}

namespace {

// A number of the same order as a float's, above that of every smaller one; both zeros are alike.
uint32_t rank_of(float value) {
    uint32_t bits;
    value += 0.0f;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

}  // namespace

void ConnectionSorter::sort(std::vector<Connection> &connections) {
    const size_t count = connections.size();
    const auto before = [](const Connection &p, const Connection &q) {
        return std::tie(p.total, p.paf, p.limb, p.a, p.b) > std::tie(q.total, q.paf, q.limb, q.a, q.b);
    };
    if (count < kFew) {
        std::sort(connections.begin(), connections.end(), before);
        return;
    }
    // By the totals alone first, as whole numbers, a few bits at a time.
    keys_.resize(count);
    other_.resize(count);
    uint32_t counts[kPasses][kBuckets] = {};
    for (size_t i = 0; i < count; ++i) {
        const uint32_t rank = ~rank_of(connections[i].total);
        keys_[i] = {rank, static_cast<uint32_t>(i)};
        for (int pass = 0; pass < kPasses; ++pass) ++counts[pass][rank >> (pass * kBits) & (kBuckets - 1)];
    }
    for (int pass = 0; pass < kPasses; ++pass) {
        uint32_t begin = 0;
        for (uint32_t &number : counts[pass]) {
            const uint32_t in_bucket = number;
            number = begin;
            begin += in_bucket;
        }
        for (const Key &key : keys_) other_[counts[pass][key.rank >> (pass * kBits) & (kBuckets - 1)]++] = key;
        keys_.swap(other_);
    }
    sorted_.resize(count);
    for (size_t i = 0; i < count; ++i) sorted_[i] = connections[keys_[i].place];
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && keys_[end].rank == keys_[i].rank;) ++end;
        if (end - i > 1) std::sort(sorted_.begin() + i, sorted_.begin() + end, before);
    }
    connections.swap(sorted_);
}

}  // namespace wholebody
