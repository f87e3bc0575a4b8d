#include "paf_scoring.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace wholebody {
namespace {

const float kKeypointWeight = 0.1f;
const float kUnsupported = -1;
const int32_t kLanes = 8;
typedef Lanes<kLanes>::Floats Floats;
typedef Lanes<kLanes>::Bits Bits;

WB_INLINE int32_t nearest(float position, int32_t size) {
    return std::max(0, std::min(size - 1, static_cast<int32_t>(position + 0.5f)));
}

// The samples of one pair, in any order.
struct Samples {
    const Field &field;
    const Peak &a;
    Vector step, unit;

    WB_INLINE float dot(int32_t m) const {
        const int32_t x = nearest(a.x + static_cast<float>(m) * step.x, field.grid->width);
        const int32_t y = nearest(a.y + static_cast<float>(m) * step.y, field.grid->height);
        const Vector at = field_at(field, x, y);
        return unit.x * at.x + unit.y * at.y;
    }
};

// Mean of the accepted samples; kUnsupported as soon as too many were not.
WB_INLINE float mean_of(const Samples &samples, int32_t count, int32_t spare, float first, float threshold) {
    float dots[kSamplesMax];
    dots[0] = first;
    spare -= !(first > threshold);
    if (spare < 0) return kUnsupported;
    // Look first where a wrong pair has nothing: at its middle, its end and between; then at the rest.
    const int32_t doubts[4] = {count / 2, count - 1, count / 4, 3 * count / 4};
    uint32_t seen = 1;
    for (int32_t m : doubts) {
        if (seen >> m & 1) continue;
        seen |= 1u << m;
        dots[m] = samples.dot(m);
        spare -= !(dots[m] > threshold);
        if (spare < 0) return kUnsupported;
    }
    float sum = 0;
    int32_t accepted = 0;
    for (int32_t m = 0; m < count; ++m) {
        if (!(seen >> m & 1)) {
            dots[m] = samples.dot(m);
            spare -= !(dots[m] > threshold);
            if (spare < 0) return kUnsupported;
        }
        if (dots[m] > threshold) {
            sum += dots[m];
            ++accepted;
        }
    }
    return sum / static_cast<float>(accepted);
}

WB_INLINE float score_pair(const LimbScorer &scorer, const Field &field, const Peak &a, const Peak &b, Vector at_a) {
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float distance = std::sqrt(dx * dx + dy * dy);
    if (!(distance > kEpsilon)) return 0;
    const float longest = std::max(std::fabs(dx), std::fabs(dy));
    const int32_t count = std::max(kSamplesMin, std::min(kSamplesMax,
                                   static_cast<int32_t>(std::sqrt(5.0f * longest) + 0.5f)));
    const float share = static_cast<float>(count);
    const Samples samples = {field, a, {dx / share, dy / share}, {dx / distance, dy / distance}};
    const float first = samples.unit.x * at_a.x + samples.unit.y * at_a.y;
    const float mean = mean_of(samples, count, count - scorer.needed[count], first, scorer.threshold);
    if (mean != kUnsupported) return mean;
    return static_cast<double>(distance) < scorer.near ? scorer.near_score : 0;
}

// Of the ends, those whose connection with `a` is not ruled out by its first sample.
WB_INLINE int32_t select(const LimbScorer &scorer, const Peak &a, Vector at_a, const float *xs, const float *ys,
                         int32_t count, int32_t *promising) {
    // The first sample exceeds the threshold only where the field turns this far towards the end, rounding included.
    const float least = scorer.threshold * 0.9999f - 1e-6f * (std::fabs(at_a.x) + std::fabs(at_a.y));
    const float near = static_cast<float>(scorer.near) * 1.0001f, near_squared = near * near;
    int32_t found = 0;
    for (int32_t i = 0; i < count; i += kLanes) {
        Floats x, y;
        load(x, xs + i);
        load(y, ys + i);
        const Floats dx = x - a.x, dy = y - a.y, squared = dx * dx + dy * dy, turned = dx * at_a.x + dy * at_a.y;
        const Floats wide = (Floats)((Bits)dx & 0x7fffffff), high = (Floats)((Bits)dy & 0x7fffffff);
        const Bits keep = ((turned > 0.0f) & (turned * turned > least * least * squared)) | (squared < near_squared) |
                          (wide > scorer.certain) | (high > scorer.certain);
        if (least > 0 && !any<kLanes>(keep)) continue;
        for (int32_t lane = 0; lane < std::min(kLanes, count - i); ++lane)
            if (keep[lane] || !(least > 0)) promising[found++] = i + lane;
    }
    return found;
}

WB_CLONES void score_limb(const LimbScorer &scorer, const Field &field, const Peaks &peaks, int32_t limb, Pair ends,
                          const float *xs, const float *ys, int32_t *promising, std::vector<Connection> &connections) {
    const Peak *starts = peaks.of(ends.first), *stops = peaks.of(ends.second);
    for (int32_t i = 0; i < peaks.count[ends.first]; ++i) {
        const Peak &a = starts[i];
        // The first sample of every pair is the candidate itself.
        const Vector at_a = field_at(field, nearest(a.x, field.grid->width), nearest(a.y, field.grid->height));
        const int32_t count = select(scorer, a, at_a, xs, ys, peaks.count[ends.second], promising);
        for (int32_t k = 0; k < count; ++k) {
            const Peak &b = stops[promising[k]];
            const float paf = score_pair(scorer, field, a, b, at_a);
            if (!(paf > kEpsilon)) continue;
            const float total = paf + kKeypointWeight * a.score + kKeypointWeight * b.score;
            connections.push_back({total, paf, limb, i, promising[k]});
        }
    }
}

}  // namespace

void LimbScorer::prepare(const Grid &grid, const wb_paf_config &config) {
    certain = 0;
    bool all = true;
    for (int32_t n = kSamplesMin; n <= kSamplesMax; ++n) {
        int32_t accepted = 0;
        while (accepted <= n && !(static_cast<float>(accepted) / static_cast<float>(n) > config.paf_ratio)) ++accepted;
        needed[n] = accepted;
        all = all && accepted >= n;
        if (all) certain = n == kSamplesMax ? std::numeric_limits<float>::infinity() : (n + 0.49f) * (n + 0.49f) / 5;
    }
    near = std::sqrt(static_cast<double>(grid.width) * grid.height) / 150;
    threshold = config.paf_threshold;
    near_score = config.near_score;
}

void LimbScorer::score(const Field &field, const Peaks &peaks, int32_t limb, Pair ends,
                       std::vector<Connection> &connections) {
    const int32_t count = peaks.count[ends.second];
    xs_.resize(static_cast<size_t>(count) + kLanes);
    ys_.resize(xs_.size());
    promising_.resize(count);
    for (int32_t i = 0; i < count; ++i) {
        xs_[i] = peaks.of(ends.second)[i].x;
        ys_[i] = peaks.of(ends.second)[i].y;
    }
    score_limb(*this, field, peaks, limb, ends, xs_.data(), ys_.data(), promising_.data(), connections);
}

void sort_connections(std::vector<Connection> &connections) {
    std::sort(connections.begin(), connections.end(), [](const Connection &p, const Connection &q) {
        return std::tie(p.total, p.paf, p.limb, p.a, p.b) > std::tie(q.total, q.paf, q.limb, q.a, q.b);
    });
}

}  // namespace wholebody
