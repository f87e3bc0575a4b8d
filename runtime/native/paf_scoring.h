// How well a limb's part-affinity field supports pairs of candidates.
#ifndef WHOLEBODY_PAF_SCORING_H
#define WHOLEBODY_PAF_SCORING_H

#include "paf_upsample.h"

namespace wholebody {

constexpr int32_t kSamplesMin = 5, kSamplesMax = 25;

class LimbScorer {
public:
    void prepare(const Grid &grid, const wb_paf_config &config);
    // Appends the accepted connections of one limb; `field_x` and `field_y` are its planes.
    void score(const Grid &grid, const Plane &field_x, const Plane &field_y, const Peaks &peaks, int32_t limb,
               Pair ends, std::vector<Connection> &connections) const;

private:
    struct Limb {
        const Grid &grid;
        const Plane &x, &y;
    };
    struct Vector {
        float x, y;
    };
    float score_pair(const Limb &limb, const Peak &a, const Peak &b, Vector at_a) const;
    float sample(const Limb &limb, const Peak &a, Vector along, Vector unit, int32_t samples, Vector at_a) const;

    int32_t needed_[kSamplesMax + 1] = {};  // accepted samples needed out of n; more than n if never enough
    double near_ = 0;                       // pixels
    float threshold_ = 0, near_score_ = 0;
};

// Descending by total, paf, limb, a, b.
void sort_connections(std::vector<Connection> &connections);

}  // namespace wholebody
#endif
