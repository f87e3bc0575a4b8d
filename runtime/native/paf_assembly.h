// People from sorted connections.
#ifndef WHOLEBODY_PAF_ASSEMBLY_H
#define WHOLEBODY_PAF_ASSEMBLY_H

#include "paf_types.h"

namespace wholebody {

class Assembler {
public:
    // Walks the connections from the best down; people merge only where they share no keypoint.
    void assemble(const std::vector<Connection> &connections, const Peaks &peaks, const std::vector<Pair> &pairs,
                  People &people);

private:
    int32_t &owner(int32_t keypoint, int32_t candidate) {
        return assigned_[static_cast<size_t>(keypoint) * capacity_ + candidate];
    }
    void begin(const Connection &connection, Pair ends, const Peaks &peaks, People &people);
    void add(int32_t person, int32_t keypoint, int32_t candidate, float paf, const Peaks &peaks, People &people);
    void merge(int32_t keep, int32_t gone, float paf, People &people);

    int32_t capacity_ = 0;
    std::vector<int32_t> assigned_;  // person of each candidate, or kAbsent
};

}  // namespace wholebody
#endif
