// Which assembled people are kept, and what the caller gets of them.
#ifndef WHOLEBODY_PAF_FILTERS_H
#define WHOLEBODY_PAF_FILTERS_H

#include "paf_faces.h"

namespace wholebody {

// Flat rows, one per person kept.
struct Result {
    std::vector<float> keypoints, scores, person_scores, boxes;  // (N, K, 2), (N, K), (N), (N, 4)
};

class PeopleFilter {
public:
    // Applies OpenPose's rules for feet, hands, faces and counts; `people` is changed by the face rule.
    void apply(const Model &model, const Peaks &peaks, People &people, Result &result);

private:
    void select(const Model &model, const People &people, bool foot_rule);
    void keep_best(const Model &model, const Peaks &peaks, const People &people);
    void write(const Model &model, const Peaks &peaks, const People &people, Result &result) const;

    std::vector<int32_t> kept_, faces_, lonely_;
    struct Rank {
        double value;
        int32_t person;
    };
    std::vector<Rank> ranks_;
    FaceMerger merger_;
};

}  // namespace wholebody
#endif
