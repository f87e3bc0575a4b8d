// Keypoint candidates of one heat map in the `fast` mode.
#ifndef WHOLEBODY_PAF_FAST_PEAKS_H
#define WHOLEBODY_PAF_FAST_PEAKS_H

#include "paf_plane.h"

namespace wholebody {

// Writes at most config.max_peaks maxima among the cells, refined by a parabola through their logarithms, in scan order
// and returns how many.
int32_t find_fast_peaks(const Plane &plane, const wb_paf_config &config, Peak *peaks);

}  // namespace wholebody
#endif
