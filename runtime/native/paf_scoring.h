// How well a limb's part-affinity field supports pairs of candidates.
#ifndef WHOLEBODY_PAF_SCORING_H
#define WHOLEBODY_PAF_SCORING_H

#include "paf_field.h"

namespace wholebody {

constexpr int32_t kSamplesMin = 5, kSamplesMax = 25;

// What connections are sorted by.
inline float total_of(float paf, const Peak &a, const Peak &b) { return paf + 0.1f * a.score + 0.1f * b.score; }

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

// The ends of a limb and their pairs with one start, as vectors read them.
struct Ends {
    std::vector<float> x, y;
    std::vector<float> dx, dy, squared;     // from the start
    std::vector<float> step_x, step_y;      // between samples
    std::vector<int32_t> samples, spare;    // how many, and how many may still fail (at least as many as really may)
    std::vector<int32_t> pixel_x, pixel_y;  // of the sample looked at
    // Those that may connect.
    int32_t listed = 0;
    std::vector<int32_t> promising, listed_spare, spare_left;
    std::vector<float> listed_x, listed_y;

    void set(const Peak *peaks, int32_t count);
    // Lists end `end`, whose pair is in place `i`, if it may connect.
    void list(int32_t i, int32_t end) {
        promising[listed] = end;
        listed_spare[listed] = spare[i];
        listed_x[listed] = x[end];
        listed_y[listed] = y[end];
        listed += spare[i] >= 0;
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
    FieldCells cells_;
    FieldRows rows_;
};

// Descending by total, paf, limb, a, b.
void sort_connections(std::vector<Connection> &connections);

}  // namespace wholebody
#endif
