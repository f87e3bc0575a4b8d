// What the stages of PAF decoding hand each other; each mirrors the file of the same name in runtime/paf.
#ifndef WHOLEBODY_PAF_TYPES_H
#define WHOLEBODY_PAF_TYPES_H

#include <cstddef>
#include <cstdint>
#include <vector>

#include "paf.h"

namespace wholebody {

constexpr int kPad = 2;  // cells that the four bicubic taps reach beyond the map
constexpr float kEpsilon = 1e-6f;
constexpr int32_t kAbsent = -1;

// True where a map is plain rows of floats.
inline bool plain_rows(const wb_layout &layout) {
    return layout.type == WB_FLOAT32 && layout.stride_column == static_cast<int64_t>(sizeof(float));
}

struct Pair {
    int32_t first, second;
};

// One keypoint set and its options.
struct Model {
    wb_paf_config config;
    std::vector<Pair> pairs, channels;  // per limb
    std::vector<uint8_t> parts;         // per keypoint
    std::vector<int32_t> face;          // keypoints of the face
};

// Keypoint candidates, K x max_peaks.
struct Peak {
    float x, y, score;
};
struct Peaks {
    int32_t capacity = 0;  // per keypoint
    std::vector<Peak> all;
    std::vector<int32_t> count;

    void reset(int32_t keypoints, int32_t max_peaks) {
        capacity = max_peaks;
        all.resize(static_cast<size_t>(keypoints) * max_peaks);
        count.assign(keypoints, 0);
    }
    Peak *of(int32_t keypoint) { return all.data() + static_cast<size_t>(keypoint) * capacity; }
    const Peak *of(int32_t keypoint) const { return all.data() + static_cast<size_t>(keypoint) * capacity; }
};

struct Connection {
    float total, paf;
    int32_t limb, a, b;
};

// People as flat rows of K candidate indices (kAbsent where missing); a row with count 0 was merged away.
struct People {
    int32_t keypoints = 0;
    std::vector<int32_t> members;
    std::vector<int32_t> counts;
    std::vector<float> scores;

    int32_t size() const { return static_cast<int32_t>(counts.size()); }
    int32_t *row(int32_t person) { return members.data() + static_cast<size_t>(person) * keypoints; }
    const int32_t *row(int32_t person) const { return members.data() + static_cast<size_t>(person) * keypoints; }
    void clear(int32_t points) {
        keypoints = points;
        members.clear();
        counts.clear();
        scores.clear();
    }
};

}  // namespace wholebody
#endif
