#include "paf_scoring.h"

#include <cmath>
#include <limits>
#include <tuple>

namespace wholebody {
namespace {

const float kKeypointWeight = 0.1f;
const float kUnsupported = -1;
const int32_t kManyPairs = 600;  // from here on it pays to upsample the field's rows first
const int32_t kWorthShortening = 4;
const int32_t kLanes = 8;
typedef Lanes<kLanes>::Floats Floats;
typedef Lanes<kLanes>::Bits Bits;

WB_INLINE int32_t nearest(float position, int32_t size) {
    return std::max(0, std::min(size - 1, static_cast<int32_t>(position + 0.5f)));
}

WB_INLINE int32_t samples_of(float longest) {
    return std::max(kSamplesMin, std::min(kSamplesMax, static_cast<int32_t>(std::sqrt(5.0f * longest) + 0.5f)));
}

// The samples of one pair, in any order.
template <typename Reader>
struct Samples {
    const Reader &reader;
    const Peak &a;
    Vector step, unit;

    WB_INLINE float dot(int32_t m) const {
        Columns columns;
        reader.at(nearest(a.x + static_cast<float>(m) * step.x, reader.width),
                  nearest(a.y + static_cast<float>(m) * step.y, reader.height), columns);
        const Vector at = columns.sum();
        return unit.x * at.x + unit.y * at.y;
    }
};

// Mean of the accepted samples; kUnsupported as soon as too many were not.
template <typename Reader>
WB_INLINE float mean_of(const Samples<Reader> &samples, int32_t count, int32_t spare, float first, float threshold) {
    float sum = 0;
    int32_t accepted = 0;
    for (int32_t m = 0; m < count; ++m) {
        const float dot = m == 0 ? first : samples.dot(m);
        if (dot > threshold) {
            sum += dot;
            ++accepted;
        } else if (--spare < 0) {
            return kUnsupported;
        }
    }
    return sum / static_cast<float>(accepted);
}

template <typename Reader>
WB_INLINE float score_pair(const ScoringRules &rules, const Reader &reader, const Peak &a, const Peak &b,
                           Vector at_a) {
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float distance = std::sqrt(dx * dx + dy * dy);
    if (!(distance > kEpsilon)) return 0;
    const int32_t count = samples_of(std::max(std::fabs(dx), std::fabs(dy)));
    const float share = static_cast<float>(count);
    const Samples<Reader> samples = {reader, a, {dx / share, dy / share}, {dx / distance, dy / distance}};
    const float first = samples.unit.x * at_a.x + samples.unit.y * at_a.y;
    const float mean = mean_of(samples, count, rules.spare[count], first, rules.threshold);
    if (mean != kUnsupported) return mean;
    return static_cast<double>(distance) < rules.near ? rules.near_score : 0;
}

WB_INLINE void absolute(const Floats &value, Floats &size) { size = (Floats)((Bits)value & 0x7fffffff); }

WB_INLINE void larger(const Floats &p, const Floats &q, Floats &most) { most = p > q ? p : q; }

// One start of a limb and eight of its ends, of which `keep` may still be connected.
struct Block {
    Floats dx, dy, squared;  // from the start to the ends
    Floats step_x, step_y;   // between samples
    Bits count, spare;       // samples, and how many of them may fail (at least as many as really may)
    Bits close, keep;
};

// Lets go of the ends of which one more sample is sure to fail, rounding included, than can be spared.
WB_INLINE void judge(const ScoringRules &rules, const Floats &field_x, const Floats &field_y, Block &block) {
    Floats size_x, size_y;
    absolute(field_x, size_x);
    absolute(field_y, size_y);
    const Floats least = rules.threshold * 0.9999f - 1e-6f * (size_x + size_y);
    const Floats along = block.dx * field_x + block.dy * field_y;
    const Bits passes = (along > 0.0f) & (along * along > least * least * block.squared);
    block.spare += (least > 0.0f) & ~passes;
    block.keep &= block.close | (block.spare >= 0);
}

WB_INLINE void begin(const ScoringRules &rules, const Peak &a, const float *xs, const float *ys, Block &block) {
    Floats x, y, longest, high;
    load(x, xs);
    load(y, ys);
    block.dx = x - a.x;
    block.dy = y - a.y;
    block.squared = block.dx * block.dx + block.dy * block.dy;
    block.close = block.squared < rules.near_squared;
    absolute(block.dx, longest);
    absolute(block.dy, high);
    larger(longest, high, longest);
    block.spare = (longest > rules.certain) & rules.most_spare;
    block.keep = Bits{} - 1;
    for (int i = 0; i < kLanes; ++i) longest[i] = std::sqrt(5.0f * longest[i]);
    block.count = __builtin_convertvector(longest + 0.5f, Bits);
    block.count = block.count > kSamplesMax ? Bits{} + kSamplesMax : block.count;
    block.count = block.count < kSamplesMin ? Bits{} + kSamplesMin : block.count;
    const Floats share = __builtin_convertvector(block.count, Floats);
    block.step_x = block.dx / share;
    block.step_y = block.dy / share;
}

WB_INLINE void pixels_at(float start, const Floats &step, const Floats &sample, int32_t size, int32_t *pixels) {
    Bits pixel = __builtin_convertvector((start + sample * step) + 0.5f, Bits);
    pixel = pixel < size - 1 ? pixel : Bits{} + (size - 1);
    pixel = pixel > 0 ? pixel : Bits{};
    store(pixels, pixel);
}

// Looks at one sample of every pair.
template <typename Reader>
WB_INLINE void look(const ScoringRules &rules, const Reader &reader, const Peak &a, const Bits &sample, Block &block) {
    int32_t x[kLanes], y[kLanes];
    Columns columns[kLanes];
    Lanes<4>::Floats field_x[kLanes / 4], field_y[kLanes / 4];
    const Floats m = __builtin_convertvector(sample, Floats);
    pixels_at(a.x, block.step_x, m, reader.width, x);
    pixels_at(a.y, block.step_y, m, reader.height, y);
    for (int i = 0; i < kLanes; ++i) reader.at(x[i], y[i], columns[i]);
    for (int i = 0; i < kLanes; i += 4) {
        const Columns *c = columns + i;
        sum_of_four(c[0].x, c[1].x, c[2].x, c[3].x, field_x[i / 4]);
        sum_of_four(c[0].y, c[1].y, c[2].y, c[3].y, field_y[i / 4]);
    }
    Floats fx, fy;
    load(fx, field_x);
    load(fy, field_y);
    judge(rules, fx, fy, block);
}

// Lists the ends whose connection with `a` is not ruled out by its first sample and two more: a wrong pair has nothing
// at its middle or between.
template <typename Reader>
WB_INLINE void list_promising(const ScoringRules &rules, const Reader &reader, const Peak &a, Vector at_a, Ends &ends,
                              int32_t count) {
    ends.listed = 0;
    for (int32_t i = 0; i < count; i += kLanes) {
        Block block;
        begin(rules, a, &ends.x[i], &ends.y[i], block);
        judge(rules, Floats{} + at_a.x, Floats{} + at_a.y, block);
        if (!any<kLanes>(block.keep)) continue;
        look(rules, reader, a, block.count / 2, block);
        if (!any<kLanes>(block.keep)) continue;
        look(rules, reader, a, block.count / 4, block);
        if (!any<kLanes>(block.keep)) continue;
        for (int32_t lane = 0; lane < std::min(kLanes, count - i); ++lane)
            if (block.keep[lane]) ends.list(i + lane, block.spare[lane]);
    }
}

// Looks at more samples of the pairs listed, again eight at once, and shortens the list.
template <typename Reader>
WB_INLINE void shorten_list(const ScoringRules &rules, const Reader &reader, const Peak &a, Ends &ends) {
    const int32_t count = ends.listed;
    ends.listed = 0;
    for (int32_t i = 0; i < count; i += kLanes) {
        Block block;
        begin(rules, a, &ends.listed_x[i], &ends.listed_y[i], block);
        load(block.spare, &ends.spare[i]);
        for (int eighth : {6, 5, 3, 7}) {
            look(rules, reader, a, block.count * eighth / 8, block);
            if (!any<kLanes>(block.keep)) break;
        }
        for (int32_t lane = 0; lane < std::min(kLanes, count - i); ++lane)
            if (block.keep[lane]) ends.list(ends.promising[i + lane], 0);
    }
}

template <typename Reader>
WB_INLINE void score_limb(const ScoringRules &rules, const Reader &reader, const Peaks &peaks, int32_t limb, Pair pair,
                          Ends &ends, std::vector<Connection> &connections) {
    const Peak *starts = peaks.of(pair.first), *stops = peaks.of(pair.second);
    for (int32_t i = 0; i < peaks.count[pair.first]; ++i) {
        const Peak &a = starts[i];
        // The first sample of every pair is the candidate itself.
        Columns columns;
        reader.at(nearest(a.x, reader.width), nearest(a.y, reader.height), columns);
        const Vector at_a = columns.sum();
        list_promising(rules, reader, a, at_a, ends, peaks.count[pair.second]);
        if (ends.listed >= kWorthShortening) shorten_list(rules, reader, a, ends);
        for (int32_t k = 0; k < ends.listed; ++k) {
            const Peak &b = stops[ends.promising[k]];
            const float paf = score_pair(rules, reader, a, b, at_a);
            if (!(paf > kEpsilon)) continue;
            const float total = paf + kKeypointWeight * a.score + kKeypointWeight * b.score;
            connections.push_back({total, paf, limb, i, ends.promising[k]});
        }
    }
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
    for (std::vector<float> *values : {&x, &y, &listed_x, &listed_y}) values->resize(size);
    for (std::vector<int32_t> *values : {&promising, &spare}) values->resize(size);
    for (int32_t i = 0; i < count; ++i) {
        x[i] = peaks[i].x;
        y[i] = peaks[i].y;
    }
}

void LimbScorer::score(const Grid &grid, const Field &field, const Peaks &peaks, int32_t limb, Pair ends,
                       std::vector<Connection> &connections) {
    const int32_t count = peaks.count[ends.second];
    ends_.set(peaks.of(ends.second), count);
    if (peaks.count[ends.first] * static_cast<int64_t>(count) < kManyPairs) {
        score_by_cells(rules_, CellReader(grid, field), peaks, limb, ends, ends_, connections);
    } else {
        rows_.prepare(grid, field);
        score_by_rows(rules_, RowReader(grid, rows_), peaks, limb, ends, ends_, connections);
    }
}

void sort_connections(std::vector<Connection> &connections) {
    std::sort(connections.begin(), connections.end(), [](const Connection &p, const Connection &q) {
        return std::tie(p.total, p.paf, p.limb, p.a, p.b) > std::tie(q.total, q.paf, q.limb, q.a, q.b);
    });
}

}  // namespace wholebody
