#include "paf_faces.h"

#include <algorithm>
#include <limits>

namespace wholebody {
namespace {

const double kMarginLonely = 0.2, kMarginFace = 0.1;
const double kMinOverlap = 0.3, kMinOverlapFew = 0.01;
const size_t kFewFaces = 3;

// OpenPose's margin is a share of the coordinate, not of the size: a slip kept for parity.
Box face_box(const int32_t *members, const Peaks &peaks, const std::vector<int32_t> &face, double margin) {
    const double infinity = std::numeric_limits<double>::infinity();
    double x0 = infinity, y0 = infinity, x1 = -infinity, y1 = -infinity;
    for (int32_t k : face) {
        if (members[k] == kAbsent) continue;
        const Peak &point = peaks.of(k)[members[k]];
        x0 = std::min(x0, static_cast<double>(point.x));
        x1 = std::max(x1, static_cast<double>(point.x));
        y0 = std::min(y0, static_cast<double>(point.y));
        y1 = std::max(y1, static_cast<double>(point.y));
    }
    return {x0 - margin * x1, y0 - margin * y1, x1 * (1 + 2 * margin) + 1, y1 * (1 + 2 * margin) + 1};
}

double overlap(const Box &a, const Box &b) {
    const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
    const double height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
    if (width <= 0 || height <= 0) return 0;
    const double shared = width * height;
    return shared / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - shared);
}

// The owner gets the points it lacks or has with a lower score; its count stays.
void take_over(People &people, int32_t owner, int32_t lonely, const Peaks &peaks, const std::vector<int32_t> &face) {
    int32_t *mine = people.row(owner);
    const int32_t *theirs = people.row(lonely);
    for (int32_t k : face) {
        if (theirs[k] == kAbsent) continue;
        const float offered = peaks.of(k)[theirs[k]].score;
        const float old = mine[k] == kAbsent ? 0.0f : peaks.of(k)[mine[k]].score;
        if (mine[k] != kAbsent && !(old < offered)) continue;
        people.scores[owner] += offered - old;
        mine[k] = theirs[k];
    }
}

}  // namespace

void FaceMerger::merge(People &people, const Peaks &peaks, const std::vector<int32_t> &face,
                       const std::vector<int32_t> &owners, const std::vector<int32_t> &lonely) {
    if (owners.empty()) return;
    boxes_.clear();
    for (int32_t owner : owners) boxes_.push_back(face_box(people.row(owner), peaks, face, kMarginFace));
    const double enough = owners.size() >= kFewFaces ? kMinOverlap : kMinOverlapFew;
    for (int32_t alone : lonely) {
        const Box box = face_box(people.row(alone), peaks, face, kMarginLonely);
        size_t best = 0;
        for (size_t i = 1; i < boxes_.size(); ++i)
            if (overlap(box, boxes_[i]) > overlap(box, boxes_[best])) best = i;
        if (!(overlap(box, boxes_[best]) > enough)) continue;
        take_over(people, owners[best], alone, peaks, face);
        boxes_[best] = face_box(people.row(owners[best]), peaks, face, kMarginFace);
    }
}

}  // namespace wholebody
