// Keypoint candidates in the `fast` mode: maxima among the cells, refined by a parabola through their logarithms.
#ifndef WHOLEBODY_PAF_FAST_PEAKS_H
#define WHOLEBODY_PAF_FAST_PEAKS_H

#include "paf_plane.h"

namespace wholebody {

class FastPeakFinder {
public:
    // Writes the peaks of a map, at most config.max_peaks of them, in scan order; returns how many.
    int32_t find(const char *map, const wb_layout &layout, const wb_paf_config &config, Peak *peaks);

private:
    static const int32_t kLines = 3;

    void prepare(int32_t height, int32_t width);
    // A row's cells, cleaned; those of the three rows asked for last stay.
    const float *line(const char *map, int64_t pitch, int32_t y);

    Plane plane_;  // of a map that is not plain rows of floats
    int32_t height_ = 0, width_ = 0;
    std::vector<int32_t> rows_, cells_;
    std::vector<float> lines_;
    size_t pitch_ = 0;
    int32_t held_[kLines];  // which row each line holds
};

}  // namespace wholebody
#endif
