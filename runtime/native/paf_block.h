// What the CUDA kernels found, as one block of words.
#ifndef WHOLEBODY_PAF_BLOCK_H
#define WHOLEBODY_PAF_BLOCK_H

#include "paf_types.h"

namespace wholebody {

// Takes a block (paf.h says what is in it) apart; false where it is damaged or not this model's.
bool read_block(const Model &model, const int32_t *block, int64_t words, Peaks &peaks,
                std::vector<Connection> &connections);

}  // namespace wholebody
#endif
