#include "paf_filters.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace wholebody {
namespace {

const int32_t kFewBesidesFeet = 4;    // somebody with feet and no more than this is a leg
const float kAreaThreshold = 0.05f;  // keypoint score from which a point counts for the size of a person

// The least box around the points above a score; false when there are none.
bool box_around(const Peaks &peaks, const int32_t *members, int32_t keypoints, float threshold, float *box) {
    const float infinity = std::numeric_limits<float>::infinity();
    box[0] = box[1] = infinity;
    box[2] = box[3] = -infinity;
    for (int32_t k = 0; k < keypoints; ++k) {
        if (members[k] == kAbsent) continue;
        const Peak &point = peaks.of(k)[members[k]];
        if (!(point.score > threshold)) continue;
        box[0] = std::min(box[0], point.x);
        box[1] = std::min(box[1], point.y);
        box[2] = std::max(box[2], point.x);
        box[3] = std::max(box[3], point.y);
    }
    return box[2] >= box[0];
}

float pose_score(const Model &model, float score) {
    return score / static_cast<float>(model.config.keypoints + model.config.limbs);
}

struct PartCounts {
    int32_t foot = 0, left_hand = 0, right_hand = 0, face = 0;
};

PartCounts count_parts(const Model &model, const int32_t *members) {
    PartCounts number;
    for (int32_t k = 0; k < model.config.keypoints; ++k) {
        const uint8_t part = model.parts[k];
        if (members[k] == kAbsent || part == 0) continue;
        number.foot += (part & WB_PART_FOOT) != 0;
        number.left_hand += (part & WB_PART_LEFT_HAND) != 0;
        number.right_hand += (part & WB_PART_RIGHT_HAND) != 0;
        number.face += (part & WB_PART_FACE) != 0;
    }
    return number;
}

}  // namespace

// A face and a hand count as one keypoint each, feet as none; then it takes enough points and score.
void PeopleFilter::select(const Model &model, const People &people, bool foot_rule) {
    kept_.clear();
    faces_.clear();
    lonely_.clear();
    for (int32_t person = 0; person < people.size(); ++person) {
        const PartCounts number = count_parts(model, people.row(person));
        int32_t count = people.counts[person] - std::max(0, number.face - 1);
        if (number.face > 1) {
            (count == 1 ? lonely_ : faces_).push_back(person);
            if (count == 1) continue;
        }
        count -= std::max(0, number.right_hand - 1) + std::max(0, number.left_hand - 1);
        if (foot_rule) {
            count -= number.foot;
            if (number.foot > 0 && count <= kFewBesidesFeet) continue;
        }
        if (count < model.config.min_keypoints) continue;
        const float mean = people.scores[person] / static_cast<float>(std::max(count, 1));
        if (mean >= model.config.min_score) kept_.push_back(person);
    }
}

void PeopleFilter::apply(const Model &model, const Peaks &peaks, People &people, Result &result) {
    const bool maximize = model.config.maximize_positives != 0;
    select(model, people, !maximize);
    // OpenPose tries once more as if maximize_positives were set, but keeps its counts and scores.
    if (kept_.empty() && !maximize) select(model, people, false);
    if (!kept_.empty() && !lonely_.empty()) merger_.merge(people, peaks, model.face, faces_, lonely_);
    keep_best(model, peaks, people);
    write(model, peaks, people, result);
}

// The largest pose score x sqrt(area) stay, in their order; the earlier wins a tie.
void PeopleFilter::keep_best(const Model &model, const Peaks &peaks, const People &people) {
    const int32_t most = model.config.number_people_max;
    if (most < 0 || static_cast<int32_t>(kept_.size()) <= most) return;
    ranks_.clear();
    for (int32_t person : kept_) {
        float box[4];
        double area = 0;
        if (box_around(peaks, people.row(person), people.keypoints, kAreaThreshold, box))
            area = (static_cast<double>(box[2]) - box[0]) * (static_cast<double>(box[3]) - box[1]);
        ranks_.push_back({static_cast<double>(pose_score(model, people.scores[person])) * std::sqrt(area), person});
    }
    std::sort(ranks_.begin(), ranks_.end(), [](const Rank &p, const Rank &q) {
        return p.value != q.value ? p.value > q.value : p.person < q.person;
    });
    kept_.clear();
    for (int32_t i = 0; i < most; ++i) kept_.push_back(ranks_[i].person);
    std::sort(kept_.begin(), kept_.end());
}

void PeopleFilter::write(const Model &model, const Peaks &peaks, const People &people, Result &result) const {
    const size_t points = model.config.keypoints, number = kept_.size();
    result.keypoints.assign(number * points * 2, 0.0f);
    result.scores.assign(number * points, 0.0f);
    result.person_scores.resize(number);
    result.boxes.resize(number * 4);
    for (size_t i = 0; i < number; ++i) {
        const int32_t *members = people.row(kept_[i]);
        for (size_t k = 0; k < points; ++k) {
            if (members[k] == kAbsent) continue;
            const Peak &point = peaks.of(static_cast<int32_t>(k))[members[k]];
            result.keypoints[(i * points + k) * 2] = point.x;
            result.keypoints[(i * points + k) * 2 + 1] = point.y;
            result.scores[i * points + k] = point.score;
        }
        result.person_scores[i] = pose_score(model, people.scores[kept_[i]]);
        box_around(peaks, members, people.keypoints, 0.0f, result.boxes.data() + i * 4);
    }
}

}  // namespace wholebody
