#include "paf_scoring.h"

#include <cmath>
#include <limits>
#include <tuple>

#include "paf_linear.h"

namespace wholebody {
namespace {

// From how many pairs on it pays to copy the field's cells, and how many pairs a value of its upsampled rows costs.
const int64_t kSomePairs = 40;
const double kPairsPerValue = 0.07;
const int32_t kPairsAtOnce = 512;  // whose numbers stay in the nearest cache
const int32_t kLinesAtOnce = kPairsAtOnce / kSamplesMax;

WB_INLINE int32_t samples_of(float longest) {
    return std::max(kSamplesMin, std::min(kSamplesMax, static_cast<int32_t>(std::sqrt(5.0f * longest) + 0.5f)));
}

// A pair's candidates by number, and how it is sampled.
struct Line {
    int32_t first, second, samples;
    float distance;
    Vector unit;
};

// The accepted samples of a line, added one by one and in order, as OpenPose adds them; and how many they are.
struct Support {
    float sum;
    int32_t accepted;
};

// Finds the samples of the line from a to b.
template <typename Reader>
WB_INLINE void draw(const Reader &reader, const Peak &a, const Peak &b, Line &line, int32_t *where, int32_t *weights) {
    const float dx = b.x - a.x, dy = b.y - a.y;
    line.distance = std::sqrt(dx * dx + dy * dy);
    line.unit = {dx / line.distance, dy / line.distance};
    line.samples = samples_of(std::max(std::fabs(dx), std::fabs(dy)));
    const float share = static_cast<float>(line.samples), step_x = dx / share, step_y = dy / share;
    PairFloats sample = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int32_t i = 0; i < line.samples; i += kPairLanes, sample += static_cast<float>(kPairLanes))
        find(reader, a.x + sample * step_x, a.y + sample * step_y, where + i, weights + i);
}

WB_INLINE Support support_of(const ScoringRules &rules, const Line &line, const float *field_x, const float *field_y) {
    PairBits samples = {0, 1, 2, 3, 4, 5, 6, 7}, accepted = {};
    Support support = {0, 0};
    for (int32_t i = 0; i < line.samples; i += kPairLanes, samples += kPairLanes) {
        PairFloats x, y;
        load(x, field_x + i);
        load(y, field_y + i);
        const PairFloats dots = line.unit.x * x + line.unit.y * y;
        const PairBits passes = (dots > rules.threshold) & (samples < line.samples);
        float kept[kPairLanes];
        store(kept, (PairBits)dots & passes);
        for (float dot : kept) support.sum += dot;
        accepted -= passes;
    }
    for (int lane = 0; lane < kPairLanes; ++lane) support.accepted += accepted[lane];
    return support;
}

WB_INLINE float score_of(const ScoringRules &rules, const Line &line, const Support &support) {
    if (!(line.distance > kEpsilon)) return 0;
    if (line.samples - support.accepted <= rules.spare[line.samples])
        return support.sum / static_cast<float>(support.accepted);
    return static_cast<double>(line.distance) < rules.near ? rules.near_score : 0;
}

// The candidates that the pairs count theirs from.
struct First {
    int32_t start, end;
};

// Scores some pairs from `next` on and says which is the next. All their samples are found first, then read, then added
// up: so none waits for another.
template <typename Reader>
WB_INLINE int32_t score_some(const ScoringRules &rules, const Reader &reader, const Peak *starts, const Peak *stops,
                             int32_t limb, First first, int32_t next, Pairs &pairs,
                             std::vector<Connection> &connections) {
    Line lines[kLinesAtOnce];
    int32_t *where = pairs.where.data(), *weights = pairs.weights.data();
    float *field_x = pairs.field_x.data(), *field_y = pairs.field_y.data();
    const int32_t number = std::min(kLinesAtOnce, pairs.size - next);
    int32_t samples = 0;
    for (int k = 0; k < number; ++k) {
        Line &line = lines[k];
        line.first = first.start + Pairs::start_of(pairs.words[next + k]);
        line.second = first.end + Pairs::end_of(pairs.words[next + k]);
        draw(reader, starts[line.first], stops[line.second], line, where + samples, weights + samples);
        samples += line.samples;
    }
    store(where + samples, PairBits{});
    store(weights + samples, PairBits{});
    read_all(reader, where, weights, samples, field_x, field_y);
    for (int k = 0; k < number; ++k) {
        const Line &line = lines[k];
        const float paf = score_of(rules, line, support_of(rules, line, field_x, field_y));
        field_x += line.samples;
        field_y += line.samples;
        if (paf > kEpsilon)
            connections.push_back({total_of(paf, starts[line.first], stops[line.second]), paf, limb, line.first,
                                   line.second});
    }
    return next + number;
}

template <typename Reader>
WB_INLINE void score_limb(const ScoringRules &rules, const Reader &reader, const Peak *starts, const Peak *stops,
                          int32_t limb, Candidates &candidates, std::vector<Connection> &connections) {
    Pairs &pairs = candidates.pairs;
    const Points &from = candidates.starts, &to = candidates.ends;
    read_starts(reader, candidates.starts, pairs);
    for (First first = {0, 0}; first.end < to.count; first = {0, first.end + kMostPlaces}) {
        const int32_t ends = std::min(to.count - first.end, kMostPlaces);
        for (int32_t start = 0; start < from.count; ++start) {
            const Sides sides = {&from.x[first.start], &from.y[first.start], &to.x[first.end], &to.y[first.end]};
            candidates.ahead.step();
            const Vector field = {from.field_x[start], from.field_y[start]};
            add_start(rules, reader, sides, start - first.start, field, ends, pairs);
            const bool full = pairs.size + ends > pairs.room || start + 1 - first.start == kMostPlaces;
            if (start + 1 < from.count && !full) continue;
            keep_hopeful(rules, reader, pairs);
            for (int32_t next = 0; next < pairs.size;)
                next = score_some(rules, reader, starts, stops, limb, first, next, pairs, connections);
            pairs.size = 0;
            first.start = start + 1;
        }
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

int64_t pairs_of(const Peaks &peaks, const Limb &limb) {
    return peaks.count[limb.ends.first] * static_cast<int64_t>(peaks.count[limb.ends.second]);
}

// Whether a limb's maps are read where they lie.
bool in_place(const Peaks &peaks, const Limb &limb) {
    return pairs_of(peaks, limb) < kSomePairs && limb.field.plain();
}

}  // namespace

const Orders kOrders;

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
    room = std::max(kPairsAtOnce, std::max(starts, std::min(ends, +kMostPlaces)));
    const size_t most = static_cast<size_t>(room) + 2 * kPairLanes;
    for (std::vector<float> *values : {&x, &y, &step_x, &step_y, &field_x, &field_y}) values->resize(most);
    for (std::vector<int32_t> *values : {&words, &where, &weights}) values->resize(most);
}

void LimbScorer::foresee(const Grid &grid, const Peaks &peaks, const Limb &limb, int32_t steps) {
    const Pair ends = limb.ends;
    if (!in_place(peaks, limb)) {
        candidates_.ahead.set(limb.field, steps);
        return;
    }
    const MapReader reader(grid, limb.field);
    const Peak *starts = peaks.of(ends.first), *stops = peaks.of(ends.second);
    for (const Peak *a = starts; a < starts + peaks.count[ends.first]; ++a) {
        reader.fetch(a->x, a->y);
        for (const Peak *b = stops; b < stops + peaks.count[ends.second]; ++b)
            for (float share : {0.5f, 0.25f})
                reader.fetch(a->x + share * (b->x - a->x), a->y + share * (b->y - a->y));
    }
}

void LimbScorer::score(const Grid &grid, const Peaks &peaks, const Limb &limb, const Limb *next,
                       std::vector<Connection> &connections) {
    const Pair ends = limb.ends;
    const Peak *starts = peaks.of(ends.first), *stops = peaks.of(ends.second);
    candidates_.starts.set(starts, peaks.count[ends.first]);
    candidates_.ends.set(stops, peaks.count[ends.second]);
    candidates_.pairs.reserve(peaks.count[ends.first], peaks.count[ends.second]);
    candidates_.ahead.nothing();
    if (next) foresee(grid, peaks, *next, peaks.count[ends.first]);
    if (in_place(peaks, limb)) {
        if (grid.linear)
            score_linear_by_maps(rules_, LinearMapReader(grid, limb.field), starts, stops, limb.number, candidates_,
                                 connections);
        else
            score_by_maps(rules_, MapReader(grid, limb.field), starts, stops, limb.number, candidates_, connections);
        return;
    }
    cells_.load(limb.field);
    const bool short_strides = grid.stride <= CellFinder::kLargestStride;
    if (grid.linear && short_strides) {
        score_linear_by_cells(rules_, LinearReader(grid, cells_), starts, stops, limb.number, candidates_, connections);
        return;
    }
    const bool few = static_cast<double>(pairs_of(peaks, limb)) < kPairsPerValue * grid.height * cells_.pitch;
    if (few && short_strides) {
        score_by_cells(rules_, CellReader(grid, cells_), starts, stops, limb.number, candidates_, connections);
    } else {
        rows_.upsample(grid, cells_);
        score_by_rows(rules_, RowReader(grid, rows_), starts, stops, limb.number, candidates_, connections);
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
