// Keypoint candidates of one heat map.
#ifndef WHOLEBODY_PAF_PEAKS_H
#define WHOLEBODY_PAF_PEAKS_H

#include "paf_patches.h"

namespace wholebody {

// Finds the peaks of one plane at full resolution, of which only the pixels are computed that may be one.
class PeakFinder {
public:
    void prepare(const Grid &grid, const wb_paf_config &config);
    // Writes at most `capacity` peaks in scan order and returns how many.
    int32_t find(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity);

private:
    // Pixels of the map, those before its edges and beyond cut off.
    struct Window {
        int32_t x0 = 0, y0 = 0, x1 = -1, y1 = -1;
        float values[kWindow * kWindowPitch];

        bool holds(int32_t left, int32_t top, int32_t right, int32_t bottom) const {
            return x0 <= left && y0 <= top && right <= x1 && bottom <= y1;
        }
        float at(int32_t x, int32_t y) const { return values[(y - y0) * kWindowPitch + x - x0]; }
    };

    void read(const Grid &grid, const Plane &plane, int32_t x, int32_t y, Window &window) const;
    bool is_peak(const Grid &grid, const Window &window, int32_t x, int32_t y) const;
    bool stands_out(const Grid &grid, float value, float highest, int32_t x, int32_t y) const;
    void find_in_patches(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity);
    void find_anywhere(const Grid &grid, const Plane &plane, Peak *peaks, int32_t capacity);
    void add(int32_t x, int32_t y, Peak *peaks);
    void refine(Peak *peaks);

    static const int32_t kBatch = 4;  // peaks refined at once

    PatchSearch search_;
    bool fast_ = false;  // the search can do this stride and kernel
    float threshold_ = 0;
    bool cuda_border_ = false;
    int32_t height_ = 0, width_ = 0, stride_ = 0;
    int32_t count_ = 0, waiting_ = 0;
    Window windows_[kBatch];    // of the peaks that wait, and of the pixel looked at
    Window seen_;               // of the last pixel that was none
    std::vector<float> lines_;  // three rows of pixels
};

}  // namespace wholebody
#endif
