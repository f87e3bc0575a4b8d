#include "paf_assembly.h"

#include <algorithm>

namespace wholebody {
namespace {

// Closes the gaps that merged people left; the order of the others stays.
void compact(People &people) {
    int32_t kept = 0;
    for (int32_t person = 0; person < people.size(); ++person) {
        if (people.counts[person] == 0) continue;
        if (kept != person) {
            std::copy(people.row(person), people.row(person) + people.keypoints, people.row(kept));
            people.counts[kept] = people.counts[person];
            people.scores[kept] = people.scores[person];
        }
        ++kept;
    }
    people.members.resize(static_cast<size_t>(kept) * people.keypoints);
    people.counts.resize(kept);
    people.scores.resize(kept);
}

}  // namespace

void Assembler::begin(const Connection &connection, Pair ends, const Peaks &peaks, People &people) {
    const int32_t person = people.size();
    people.members.resize(people.members.size() + people.keypoints, kAbsent);
    people.row(person)[ends.first] = connection.a;
    people.row(person)[ends.second] = connection.b;
    people.counts.push_back(2);
    people.scores.push_back(peaks.of(ends.first)[connection.a].score + peaks.of(ends.second)[connection.b].score +
                            connection.paf);
    owner(ends.first, connection.a) = person;
    owner(ends.second, connection.b) = person;
}

void Assembler::add(int32_t person, int32_t keypoint, int32_t candidate, float paf, const Peaks &peaks,
                    People &people) {
    int32_t &member = people.row(person)[keypoint];
    if (member != kAbsent) return;
    member = candidate;
    ++people.counts[person];
    people.scores[person] += peaks.of(keypoint)[candidate].score + paf;
    owner(keypoint, candidate) = person;
}

void Assembler::merge(int32_t keep, int32_t gone, float paf, People &people) {
    int32_t *kept = people.row(keep), *other = people.row(gone);
    for (int32_t k = 0; k < people.keypoints; ++k)
        if (kept[k] != kAbsent && other[k] != kAbsent) return;
    for (int32_t k = 0; k < people.keypoints; ++k) {
        if (other[k] == kAbsent) continue;
        kept[k] = other[k];
        owner(k, other[k]) = keep;
    }
    people.counts[keep] += people.counts[gone];
    people.scores[keep] += people.scores[gone] + paf;
    people.counts[gone] = 0;
}

void Assembler::assemble(const std::vector<Connection> &connections, const Peaks &peaks,
                         const std::vector<Pair> &pairs, People &people) {
    const int32_t keypoints = static_cast<int32_t>(peaks.count.size());
    people.clear(keypoints);
    capacity_ = peaks.capacity;
    assigned_.assign(static_cast<size_t>(keypoints) * capacity_, kAbsent);
    for (const Connection &connection : connections) {
        const Pair ends = pairs[connection.limb];
        const int32_t first = owner(ends.first, connection.a), second = owner(ends.second, connection.b);
        if (first == kAbsent && second == kAbsent)
            begin(connection, ends, peaks, people);
        else if (second == kAbsent)
            add(first, ends.second, connection.b, connection.paf, peaks, people);
        else if (first == kAbsent)
            add(second, ends.first, connection.a, connection.paf, peaks, people);
        else if (first == second)
            people.scores[first] += connection.paf;
        else
            merge(std::min(first, second), std::max(first, second), connection.paf, people);
    }
    compact(people);
}

}  // namespace wholebody
