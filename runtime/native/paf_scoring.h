// How well a limb's part-affinity field supports pairs of candidates.
#ifndef WHOLEBODY_PAF_SCORING_H
#define WHOLEBODY_PAF_SCORING_H

#include "paf_field.h"

namespace wholebody {

constexpr int32_t kSamplesMin = 5, kSamplesMax = 25;

// What every limb of a frame shares.
struct ScoringRules {
    int32_t spare[kSamplesMax + 1] = {};  // samples of n that need not be accepted; below 0 if all are too few
    int32_t most_spare = 0;
    double near = 0;                      // pixels: closer pairs that fail get near_score
    float near_squared = 0;               // and a little more
    float threshold = 0, near_score = 0;
    float certain = 0;  // pixels: along the longer side, pairs shorter than this can spare no sample

    void prepare(const Grid &grid, const wb_paf_config &config);
};

// The ends of a limb as vectors read them, and those worth a closer look from one start.
struct Ends {
    std::vector<float> x, y;
    int32_t listed = 0;
    std::vector<int32_t> promising, spare;   // which ends, and how many more samples may fail
    std::vector<float> listed_x, listed_y;

    void set(const Peak *peaks, int32_t count);
    void list(int32_t end, int32_t may_fail) {
        promising[listed] = end;
        spare[listed] = may_fail;
        listed_x[listed] = x[end];
        listed_y[listed] = y[end];
        ++listed;
    }
};

class LimbScorer {
public:
    void prepare(const Grid &grid, const wb_paf_config &config) { rules_.prepare(grid, config); }
    // Appends the accepted connections of one limb.
    void score(const Grid &grid, const Field &field, const Peaks &peaks, int32_t limb, Pair ends,
               std::vector<Connection> &connections);

private:
    ScoringRules rules_;
    Ends ends_;
    FieldRows rows_;
};

// Descending by total, paf, limb, a, b.
void sort_connections(std::vector<Connection> &connections);

}  // namespace wholebody
#endif
