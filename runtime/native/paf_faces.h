// Faces assembled apart from their body (BODY_135): each goes to the face it overlaps most.
#ifndef WHOLEBODY_PAF_FACES_H
#define WHOLEBODY_PAF_FACES_H

#include "paf_types.h"

namespace wholebody {

struct Box {
    double x0, y0, x1, y1;
};

class FaceMerger {
public:
    void merge(People &people, const Peaks &peaks, const std::vector<int32_t> &face,
               const std::vector<int32_t> &owners, const std::vector<int32_t> &lonely);

private:
    std::vector<Box> boxes_;  // of the owners
};

}  // namespace wholebody
#endif
