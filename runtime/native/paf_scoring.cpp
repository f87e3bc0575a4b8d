#include "paf_scoring.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace wholebody {
namespace {

const float kKeypointWeight = 0.1f;
const float kUnsupported = -1;

inline int32_t nearest(float position, int32_t size) {
    return std::max(0, std::min(size - 1, static_cast<int32_t>(position + 0.5f)));
}

}  // namespace

void LimbScorer::prepare(const Grid &grid, const wb_paf_config &config) {
    for (int32_t n = kSamplesMin; n <= kSamplesMax; ++n) {
        int32_t needed = 0;
        while (needed <= n && !(static_cast<float>(needed) / static_cast<float>(n) > config.paf_ratio)) ++needed;
        needed_[n] = needed;
    }
    near_ = std::sqrt(static_cast<double>(grid.width) * grid.height) / 150;
    threshold_ = config.paf_threshold;
    near_score_ = config.near_score;
}

void LimbScorer::score(const Grid &grid, const Plane &field_x, const Plane &field_y, const Peaks &peaks, int32_t limb,
                       Pair ends, std::vector<Connection> &connections) const {
    const Limb view = {grid, field_x, field_y};
    const Peak *a = peaks.of(ends.first), *b = peaks.of(ends.second);
    for (int32_t i = 0; i < peaks.count[ends.first]; ++i) {
        // The first sample of every pair is the candidate itself.
        const int32_t x = nearest(a[i].x, grid.width), y = nearest(a[i].y, grid.height);
        const Vector at_a = {grid.at(field_x, x, y), grid.at(field_y, x, y)};
        for (int32_t k = 0; k < peaks.count[ends.second]; ++k) {
            const float paf = score_pair(view, a[i], b[k], at_a);
            if (!(paf > kEpsilon)) continue;
            const float total = paf + kKeypointWeight * a[i].score + kKeypointWeight * b[k].score;
            connections.push_back({total, paf, limb, i, k});
        }
    }
}

float LimbScorer::score_pair(const Limb &limb, const Peak &a, const Peak &b, Vector at_a) const {
    const float dx = b.x - a.x, dy = b.y - a.y;
    const float distance = std::sqrt(dx * dx + dy * dy);
    if (!(distance > kEpsilon)) return 0;
    const float longest = std::max(std::fabs(dx), std::fabs(dy));
    const int32_t samples = std::max(kSamplesMin, std::min(kSamplesMax,
                                     static_cast<int32_t>(std::sqrt(5.0f * longest) + 0.5f)));
    const float mean = sample(limb, a, {dx, dy}, {dx / distance, dy / distance}, samples, at_a);
    if (mean != kUnsupported) return mean;
    return static_cast<double>(distance) < near_ ? near_score_ : 0;
}

// Mean of the accepted samples; kUnsupported as soon as too many were not.
float LimbScorer::sample(const Limb &limb, const Peak &a, Vector along, Vector unit, int32_t samples,
                         Vector at_a) const {
    const float share = static_cast<float>(samples);
    const float step_x = along.x / share, step_y = along.y / share;
    const auto dot_at = [&](int32_t m) {
        const int32_t x = nearest(a.x + static_cast<float>(m) * step_x, limb.grid.width);
        const int32_t y = nearest(a.y + static_cast<float>(m) * step_y, limb.grid.height);
        return unit.x * limb.grid.at(limb.x, x, y) + unit.y * limb.grid.at(limb.y, x, y);
    };
    const float first = unit.x * at_a.x + unit.y * at_a.y;
    int32_t accepted = 0, spare = samples - needed_[samples];
    // Look first where a wrong pair has nothing: at its start, its middle, its end and between.
    int32_t doubts = spare - !(first > threshold_);
    for (int32_t m : {samples / 2, samples - 1, samples / 4, 3 * samples / 4}) {
        if (doubts < 0) return kUnsupported;
        doubts -= !(dot_at(m) > threshold_);
    }
    if (doubts < 0) return kUnsupported;
    float sum = 0;
    for (int32_t m = 0; m < samples; ++m) {
        const float dot = m == 0 ? first : dot_at(m);
        if (dot > threshold_) {
            sum += dot;
            ++accepted;
        } else if (--spare < 0) {
            return kUnsupported;
        }
    }
    return sum / static_cast<float>(accepted);
}

void sort_connections(std::vector<Connection> &connections) {
    std::sort(connections.begin(), connections.end(), [](const Connection &p, const Connection &q) {
        return std::tie(p.total, p.paf, p.limb, p.a, p.b) > std::tie(q.total, q.paf, q.limb, q.a, q.b);
    });
}

}  // namespace wholebody
