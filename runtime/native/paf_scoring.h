// How well a limb's part-affinity field supports pairs of candidates.
#ifndef WHOLEBODY_PAF_SCORING_H
#define WHOLEBODY_PAF_SCORING_H

#include "paf_pairs.h"

namespace wholebody {

// What connections are sorted by.
inline float total_of(float paf, const Peak &a, const Peak &b) { return paf + 0.1f * a.score + 0.1f * b.score; }

// Scratch of one limb.
struct Candidates {
    Points starts, ends;
    Pairs pairs;
    Ahead ahead;
};

struct Limb {
    int32_t number;
    Pair ends;
    Field field;
};

class LimbScorer {
public:
    void prepare(const Grid &grid, const wb_paf_config &config) { rules_.prepare(grid, config); }
    // Appends the accepted connections of one limb. `next`: what is scored after it, or null.
    void score(const Grid &grid, const Peaks &peaks, const Limb &limb, const Limb *next,
               std::vector<Connection> &connections);

private:
    // Brings what a limb reads nearer, or begins to.
    void foresee(const Grid &grid, const Peaks &peaks, const Limb &limb, int32_t steps);

    ScoringRules rules_;
    Candidates candidates_;
    FieldCells cells_;
    FieldRows rows_;
};

// Sorts descending by total, paf, limb, a, b.
class ConnectionSorter {
public:
    void sort(std::vector<Connection> &connections);

private:
    struct Key {
        uint32_t rank, place;
    };
    static const size_t kFew = 200;  // are sorted the usual way
    static const int kPasses = 4, kBits = 8, kBuckets = 1 << kBits;
    std::vector<Key> keys_, other_;
    std::vector<Connection> sorted_;
};

}  // namespace wholebody
#endif
