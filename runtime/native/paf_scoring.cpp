#include "paf_scoring.h"

#include <cmath>
#include <limits>
#include <tuple>

namespace wholebody {
namespace {

// From how many pairs on it pays to copy the field's cells, and how many pairs a value of its upsampled rows costs.
const int64_t kSomePairs = 40;
const double kPairsPerValue = 0.07;
const int32_t kPairsAtOnce = 512;  // whose numbers stay in the nearest cache

WB_INLINE int32_t samples_of(float longest) {
    return std::max(kSamplesMin, std::min(kSamplesMax, static_cast<int32_t>(std::sqrt(5.0f * longest) + 0.5f)));
}

typedef Lanes<4>::Floats Floats;
typedef Lanes<4>::Bits Bits;

// A pair's candidates by number, and how it is sampled.
struct Line {
    int32_t first, second, samples;
    float distance;
    Vector from, step, unit;

    void set(const Peak &a, const Peak &b) {
        const float dx = b.x - a.x, dy = b.y - a.y;
        distance = std::sqrt(dx * dx + dy * dy);
        samples = samples_of(std::max(std::fabs(dx), std::fabs(dy)));
        const float share = static_cast<float>(samples);
        from = {a.x, a.y};
        step = {dx / share, dy / share};
        unit = {dx / distance, dy / distance};
    }
};

// The accepted samples of a line, added one by one and in order, as OpenPose adds them; and how many they are.
struct Support {
    float sum;
    int32_t accepted;
};

template <typename Reader>
WB_INLINE void read_samples(const Reader &reader, const Floats &x, const Floats &y, Floats &field_x, Floats &field_y) {
    Bits pixel_x, pixel_y, found, found_weights;
    nearest(x, reader.width, pixel_x);
    nearest(y, reader.height, pixel_y);
    reader.find(pixel_x, pixel_y, found, found_weights);
    int32_t where[4], weights[4];
    store(where, found);
    store(weights, found_weights);
    read_four(reader, where, weights, field_x, field_y);
}

// Gives up as soon as too many were not accepted.
template <typename Reader>
WB_INLINE Support support_of(const ScoringRules &rules, const Reader &reader, const Line &line) {
    Bits samples = {0, 1, 2, 3};
    Support support = {0, 0};
    const int32_t count = line.samples;
    for (int32_t begun = 0; begun < count; begun += 4, samples += 4) {
        const Floats sample = __builtin_convertvector(samples, Floats);
        Floats field_x, field_y;
        read_samples(reader, line.from.x + sample * line.step.x, line.from.y + sample * line.step.y, field_x, field_y);
        Floats dots = line.unit.x * field_x + line.unit.y * field_y;
        const Bits passes = (dots > rules.threshold) & (samples < count);
        dots = (Floats)((Bits)dots & passes);
        for (int lane = 0; lane < 4; ++lane) {
            support.sum += dots[lane];
            support.accepted -= passes[lane];
        }
        if (std::min(count, begun + 4) - support.accepted > rules.spare[count]) break;
    }
    return support;
}

// Four lines side by side.
template <typename Reader>
WB_INLINE void support_of(const ScoringRules &rules, const Reader &reader, const Line *lines, Support *supports) {
    const Line &a = lines[0], &b = lines[1], &c = lines[2], &d = lines[3];
    const Floats from_x = {a.from.x, b.from.x, c.from.x, d.from.x}, from_y = {a.from.y, b.from.y, c.from.y, d.from.y};
    const Floats step_x = {a.step.x, b.step.x, c.step.x, d.step.x}, step_y = {a.step.y, b.step.y, c.step.y, d.step.y};
    const Floats unit_x = {a.unit.x, b.unit.x, c.unit.x, d.unit.x}, unit_y = {a.unit.y, b.unit.y, c.unit.y, d.unit.y};
    const Bits counts = {a.samples, b.samples, c.samples, d.samples};
    const int32_t most = std::max(std::max(a.samples, b.samples), std::max(c.samples, d.samples));
    Floats sums = {}, number = {};
    Bits accepted = {};
    for (int32_t sample = 0; sample < most; ++sample, number += 1.0f) {
        Floats field_x, field_y;
        read_samples(reader, from_x + number * step_x, from_y + number * step_y, field_x, field_y);
        const Floats dots = unit_x * field_x + unit_y * field_y;
        const Bits passes = (dots > rules.threshold) & (counts > sample);
        sums += (Floats)((Bits)dots & passes);
        accepted -= passes;
    }
    for (int lane = 0; lane < 4; ++lane) supports[lane] = {sums[lane], accepted[lane]};
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

template <typename Reader>
WB_INLINE void score_pairs(const ScoringRules &rules, const Reader &reader, const Peak *starts, const Peak *stops,
                           int32_t limb, First first, const Candidates &candidates,
                           std::vector<Connection> &connections) {
    const int32_t size = candidates.pairs.size;
    for (int32_t i = 0, number; i < size; i += number) {
        Line lines[4];
        Support supports[4];
        number = size - i < 4 ? 1 : 4;
        for (int k = 0; k < number; ++k) {
            const int32_t word = candidates.pairs.words[i + k];
            lines[k].first = first.start + Pairs::start_of(word);
            lines[k].second = first.end + Pairs::end_of(word);
            lines[k].set(starts[lines[k].first], stops[lines[k].second]);
        }
        if (number == 4)
            support_of(rules, reader, lines, supports);
        else
            supports[0] = support_of(rules, reader, lines[0]);
        for (int k = 0; k < number; ++k) {
            const Line &line = lines[k];
            const float paf = score_of(rules, line, supports[k]);
            if (paf > kEpsilon)
                connections.push_back({total_of(paf, starts[line.first], stops[line.second]), paf, limb, line.first,
                                       line.second});
        }
    }
}

template <typename Reader>
WB_INLINE void score_limb(const ScoringRules &rules, const Reader &reader, const Peak *starts, const Peak *stops,
                          int32_t limb, Candidates &candidates, std::vector<Connection> &connections) {
    Pairs &pairs = candidates.pairs;
    const Points &from = candidates.starts, &to = candidates.ends;
    read_starts(reader, candidates.starts, pairs);
    for (First first = {0, 0}; first.end < to.count; first = {0, first.end + Pairs::kMostPlaces}) {
        const int32_t ends = std::min(to.count - first.end, +Pairs::kMostPlaces);
        for (int32_t start = 0; start < from.count; ++start) {
            const Sides sides = {&from.x[first.start], &from.y[first.start], &to.x[first.end], &to.y[first.end]};
            candidates.ahead.step();
            add_start(rules, reader, sides, start - first.start, {from.field_x[start], from.field_y[start]}, ends, pairs);
            if (start + 1 < from.count && pairs.size + ends <= pairs.room &&
                start + 1 - first.start < Pairs::kMostPlaces)
                continue;
            keep_hopeful(rules, reader, pairs);
            score_pairs(rules, reader, starts, stops, limb, first, candidates, connections);
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
            reader.fetch(0.5f * (a->x + b->x), 0.5f * (a->y + b->y));
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
        score_by_maps(rules_, MapReader(grid, limb.field), starts, stops, limb.number, candidates_, connections);
        return;
    }
    cells_.load(limb.field);
    const bool few = static_cast<double>(pairs_of(peaks, limb)) < kPairsPerValue * grid.height * cells_.pitch;
    if (few && grid.stride <= CellReader::kLargestStride) {
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
