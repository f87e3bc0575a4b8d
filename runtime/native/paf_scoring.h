// How well a limb's part-affinity field supports pairs of candidates.
#ifndef WHOLEBODY_PAF_SCORING_H
#define WHOLEBODY_PAF_SCORING_H

#include "paf_field.h"

namespace wholebody {

constexpr int32_t kSamplesMin = 5, kSamplesMax = 25;

class LimbScorer {
public:
    void prepare(const Grid &grid, const wb_paf_config &config);
    // Appends the accepted connections of one limb.
    void score(const Field &field, const Peaks &peaks, int32_t limb, Pair ends, std::vector<Connection> &connections);

    // What follows is for the loops themselves.
    int32_t needed[kSamplesMax + 1] = {};  // accepted samples needed out of n; more than n if never enough
    double near = 0;                       // pixels
    float threshold = 0, near_score = 0;
    float certain = 0;  // pixels: along the longer side, pairs shorter than this need every sample

private:
    std::vector<float> xs_, ys_;       // of the limb's ends, in vectors
    std::vector<int32_t> promising_;   // of them, for one start
};

// Descending by total, paf, limb, a, b.
void sort_connections(std::vector<Connection> &connections);

}  // namespace wholebody
#endif
