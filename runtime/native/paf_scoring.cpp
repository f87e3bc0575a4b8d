#include "paf_scoring.h"

#include <cmath>
#include <limits>
#include <tuple>

namespace wholebody {
namespace {

const float kUnsupported = -1;
// From how many pairs on it pays to copy the field's cells, and how many pairs a value of its upsampled rows costs.
const int64_t kSomePairs = 24;
const double kPairsPerValue = 0.04;
const int32_t kWorthShortening = 4;
const int32_t kLanes = 8;
typedef Lanes<kLanes>::Floats Floats;
typedef Lanes<kLanes>::Bits Bits;

WB_INLINE int32_t nearest(float position, int32_t size) {
    return std::max(0, std::min(size - 1, static_cast<int32_t>(position + 0.5f)));
}

// The same of eight samples, `sample` steps from `start`.
WB_INLINE void nearest_of(float start, const Floats &step, const Floats &sample, int32_t size, Bits &pixel) {
    pixel = __builtin_convertvector((start + sample * step) + 0.5f, Bits);
    pixel = pixel < size - 1 ? pixel : Bits{} + (size - 1);
    pixel = pixel > 0 ? pixel : Bits{};
}

// The field at eight pixels.
template <typename Reader>
WB_INLINE void read_eight(const Reader &reader, const int32_t *xs, const int32_t *ys, Floats &field_x, Floats &field_y) {
    Quad quads[kLanes];
    Lanes<4>::Floats x[kLanes / 4], y[kLanes / 4];
    for (int lane = 0; lane < kLanes; ++lane) reader.at(xs[lane], ys[lane], quads[lane]);
    for (int half = 0; half < kLanes / 4; ++half) sums_of(quads + 4 * half, x[half], y[half]);
    load(field_x, x);
    load(field_y, y);
}

WB_INLINE int32_t samples_of(float longest) {
    return std::max(kSamplesMin, std::min(kSamplesMax, static_cast<int32_t>(std::sqrt(5.0f * longest) + 0.5f)));
}

// Mean of the accepted samples of the pair of `a`; kUnsupported as soon as too many were not.
template <typename Reader>
WB_INLINE float mean_of(const ScoringRules &rules, const Reader &reader, const Peak &a, Vector step, Vector unit,
                        int32_t count) {
    const Floats steps_x = Floats{} + step.x, steps_y = Floats{} + step.y;
    Bits samples = {0, 1, 2, 3, 4, 5, 6, 7};
    float sum = 0;
    int32_t accepted = 0;
    for (int32_t begun = 0; begun < count; begun += kLanes, samples += kLanes) {
        const Floats sample = __builtin_convertvector(samples, Floats);
        Bits x, y;
        nearest_of(a.x, steps_x, sample, reader.width, x);
        nearest_of(a.y, steps_y, sample, reader.height, y);
        int32_t xs[kLanes], ys[kLanes];
        store(xs, x);
        store(ys, y);
        Floats field_x, field_y;
        read_eight(reader, xs, ys, field_x, field_y);
        Floats dots = unit.x * field_x + unit.y * field_y;
        const Bits passes = (dots > rules.threshold) & (samples < count);
        dots = (Floats)((Bits)dots & passes);
        // One by one and in order, as OpenPose adds them.
        for (int lane = 0; lane < kLanes; ++lane) {
            sum += dots[lane];
            accepted -= passes[lane];
        }
        if (std::min(count, begun + kLanes) - accepted > rules.spare[count]) return kUnsupported;
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

WB_INLINE void absolute(const Floats &value, Floats &size) { size = (Floats)((Bits)value & 0x7fffffff); }

WB_INLINE void larger(const Floats &p, const Floats &q, Floats &most) { most = p > q ? p : q; }

template <typename Vector, typename Value>
WB_INLINE void get(Vector &vector, const std::vector<Value> &values, int32_t i) {
    load(vector, values.data() + i);
}

template <typename Vector, typename Value>
WB_INLINE void put(std::vector<Value> &values, int32_t i, const Vector &vector) {
    store(values.data() + i, vector);
}

// Lets go of the ends of which one more sample is sure to fail, rounding included, than can be spared.
WB_INLINE void judge(const ScoringRules &rules, const Floats &field_x, const Floats &field_y, int32_t i, Ends &ends) {
    Floats dx, dy, squared, size_x, size_y;
    Bits spare;
    get(dx, ends.dx, i);
    get(dy, ends.dy, i);
    get(squared, ends.squared, i);
    get(spare, ends.spare, i);
    absolute(field_x, size_x);
    absolute(field_y, size_y);
    const Floats least = rules.threshold * 0.9999f - 1e-6f * (size_x + size_y), along = dx * field_x + dy * field_y;
    const Bits passes = (along > 0.0f) & (along * along > least * least * squared);
    put(ends.spare, i, spare + ((least > 0.0f) & ~passes));
}

// Distance, direction and samples of the pairs of `a` with the ends at x and y.
WB_INLINE void begin(const ScoringRules &rules, const Peak &a, const std::vector<float> &xs,
                     const std::vector<float> &ys, int32_t count, Ends &ends) {
    for (int32_t i = 0; i < count; i += kLanes) {
        Floats x, y, longest, high;
        get(x, xs, i);
        get(y, ys, i);
        const Floats dx = x - a.x, dy = y - a.y, squared = dx * dx + dy * dy;
        absolute(dx, longest);
        absolute(dy, high);
        larger(longest, high, longest);
        // A pair that is close is scored in any case.
        put(ends.spare, i, ((longest > rules.certain) & rules.most_spare) + ((squared < rules.near_squared) & kSamplesMax));
        for (int lane = 0; lane < kLanes; ++lane) longest[lane] = std::sqrt(5.0f * longest[lane]);
        Bits samples = __builtin_convertvector(longest + 0.5f, Bits);
        samples = samples > kSamplesMax ? Bits{} + kSamplesMax : samples;
        samples = samples < kSamplesMin ? Bits{} + kSamplesMin : samples;
        const Floats share = __builtin_convertvector(samples, Floats);
        put(ends.dx, i, dx);
        put(ends.dy, i, dy);
        put(ends.squared, i, squared);
        put(ends.step_x, i, dx / share);
        put(ends.step_y, i, dy / share);
        put(ends.samples, i, samples);
    }
}

// Looks at one sample of every pair, `eighths` of the way.
template <typename Reader>
WB_INLINE void look(const ScoringRules &rules, const Reader &reader, const Peak &a, int eighths, int32_t count,
                    Ends &ends) {
    // Places first and fields second: neither loop waits for the other.
    for (int32_t i = 0; i < count; i += kLanes) {
        Floats step_x, step_y;
        Bits samples, x, y;
        get(step_x, ends.step_x, i);
        get(step_y, ends.step_y, i);
        get(samples, ends.samples, i);
        const Floats sample = __builtin_convertvector(samples * eighths / 8, Floats);
        nearest_of(a.x, step_x, sample, reader.width, x);
        nearest_of(a.y, step_y, sample, reader.height, y);
        put(ends.pixel_x, i, x);
        put(ends.pixel_y, i, y);
    }
    for (int32_t i = 0; i < count; i += kLanes) {
        Floats x, y;
        read_eight(reader, &ends.pixel_x[i], &ends.pixel_y[i], x, y);
        judge(rules, x, y, i, ends);
    }
}

// Lists the ends whose connection with `a` is not ruled out by its first sample and a few more: a wrong pair has
// nothing at its middle or between.
template <typename Reader>
WB_INLINE void list_promising(const ScoringRules &rules, const Reader &reader, const Peak &a, Vector at_a,
                              int32_t count, Ends &ends) {
    begin(rules, a, ends.x, ends.y, count, ends);
    for (int32_t i = 0; i < count; i += kLanes) judge(rules, Floats{} + at_a.x, Floats{} + at_a.y, i, ends);
    look(rules, reader, a, 4, count, ends);
    look(rules, reader, a, 2, count, ends);
    ends.listed = 0;
    for (int32_t i = 0; i < count; ++i) ends.list(i, i);
    if (ends.listed < kWorthShortening) return;
    count = ends.listed;
    std::copy(ends.listed_spare.begin(), ends.listed_spare.begin() + count, ends.spare_left.begin());
    begin(rules, a, ends.listed_x, ends.listed_y, count, ends);
    std::copy(ends.spare_left.begin(), ends.spare_left.begin() + count, ends.spare.begin());
    for (int eighths : {6, 3}) look(rules, reader, a, eighths, count, ends);
    ends.listed = 0;
    for (int32_t i = 0; i < count; ++i) ends.list(i, ends.promising[i]);
}

template <typename Reader>
WB_INLINE void score_limb(const ScoringRules &rules, const Reader &reader, const Peaks &peaks, int32_t limb, Pair pair,
                          Ends &ends, std::vector<Connection> &connections) {
    const Peak *starts = peaks.of(pair.first), *stops = peaks.of(pair.second);
    for (int32_t i = 0; i < peaks.count[pair.first]; ++i) {
        const Peak &a = starts[i];
        // The first sample of every pair is the candidate itself.
        Quad quad;
        reader.at(nearest(a.x, reader.width), nearest(a.y, reader.height), quad);
        const Vector at_a = sum_of(quad);
        list_promising(rules, reader, a, at_a, peaks.count[pair.second], ends);
        for (int32_t k = 0; k < ends.listed; ++k) {
            const Peak &b = stops[ends.promising[k]];
            const float paf = score_pair(rules, reader, a, b);
            if (!(paf > kEpsilon)) continue;
            connections.push_back({total_of(paf, a, b), paf, limb, i, ends.promising[k]});
        }
    }
}

WB_CLONES void score_by_maps(const ScoringRules &rules, const MapReader reader, const Peaks &peaks, int32_t limb,
                             Pair pair, Ends &ends, std::vector<Connection> &connections) {
    score_limb(rules, reader, peaks, limb, pair, ends, connections);
}

WB_CLONES void score_by_cells(const ScoringRules &rules, const CellReader reader, const Peaks &peaks, int32_t limb,
                              Pair pair, Ends &ends, std::vector<Connection> &connections) {
    score_limb(rules, reader, peaks, limb, pair, ends, connections);
}

WB_CLONES void score_by_rows(const ScoringRules &rules, const RowReader reader, const Peaks &peaks, int32_t limb,
                             Pair pair, Ends &ends, std::vector<Connection> &connections) {
    score_limb(rules, reader, peaks, limb, pair, ends, connections);
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

void Ends::set(const Peak *peaks, int32_t count) {
    const size_t size = static_cast<size_t>(count) + kLanes;
    for (std::vector<float> *values : {&x, &y, &dx, &dy, &squared, &step_x, &step_y, &listed_x, &listed_y})
        values->resize(size);
    for (std::vector<int32_t> *values : {&samples, &spare, &pixel_x, &pixel_y, &promising, &listed_spare, &spare_left})
        values->resize(size);
    for (int32_t i = 0; i < count; ++i) {
        x[i] = peaks[i].x;
        y[i] = peaks[i].y;
    }
}

void LimbScorer::score(const Grid &grid, const Field &field, const Peaks &peaks, int32_t limb, Pair ends,
                       std::vector<Connection> &connections) {
    const int32_t count = peaks.count[ends.second];
    ends_.set(peaks.of(ends.second), count);
    const int64_t pairs = peaks.count[ends.first] * static_cast<int64_t>(count);
    if (pairs < kSomePairs && field.plain()) {
        score_by_maps(rules_, MapReader(grid, field), peaks, limb, ends, ends_, connections);
        return;
    }
    cells_.load(field);
    if (static_cast<double>(pairs) < kPairsPerValue * grid.height * cells_.pitch) {
        score_by_cells(rules_, CellReader(grid, cells_), peaks, limb, ends, ends_, connections);
    } else {
        rows_.upsample(grid, cells_);
        score_by_rows(rules_, RowReader(grid, rows_), peaks, limb, ends, ends_, connections);
    }
}

void sort_connections(std::vector<Connection> &connections) {
    std::sort(connections.begin(), connections.end(), [](const Connection &p, const Connection &q) {
        return std::tie(p.total, p.paf, p.limb, p.a, p.b) > std::tie(q.total, q.paf, q.limb, q.a, q.b);
    });
}

}  // namespace wholebody
