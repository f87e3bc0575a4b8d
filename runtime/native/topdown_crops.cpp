// Crops of a picture, straight into the network's input, and the best of overlapping boxes.
#include <cmath>
#include <new>
#include <vector>

#include "topdown.h"

namespace {

// Where a pixel of the crop reads along one axis: two pixels (a clamped index each) and their weights; 0 outside.
struct Tap {
    int first, second;
    float weights[2];
};

Tap bilinear(float position, int size) {
    Tap tap = {0, 0, {0.0f, 0.0f}};
    if (!(position > -1.0f && position < static_cast<float>(size))) return tap;
    const float base = std::floor(position), t = position - base;
    const int first = static_cast<int>(base);
    if (first >= 0) tap.weights[0] = 1.0f - t;
    if (first + 1 < size) tap.weights[1] = t;
    tap.first = first < 0 ? 0 : first;
    tap.second = first + 1 < size ? first + 1 : size - 1;
    return tap;
}

// To a whole number, ties to even, for 0 <= v <= 255: what rint does, in two additions.
inline float whole(float v) {
    const float shift = 8388608.0f;
    return (v + shift) - shift;
}

class Writer {
public:
    Writer(const wb_crop_target &target, int32_t person) : t_(target) {
        area_ = static_cast<int64_t>(t_.height) * t_.width;
        first_ = 3 * area_ * person;
        step_ = t_.channels_last ? 3 : 1;
    }
    // One line of grey levels (width, 3), B G R.
    void line(int y, const float *levels) const {
        for (int c = 0; c < 3; ++c) {
            const int64_t channel = t_.channel[c], row = static_cast<int64_t>(y) * t_.width;
            const int64_t at = first_ + (t_.channels_last ? 3 * row + channel : channel * area_ + row);
            if (t_.bytes) {
                uint8_t *out = static_cast<uint8_t *>(t_.out) + at;
                for (int x = 0; x < t_.width; ++x) out[x * step_] = static_cast<uint8_t>(levels[3 * x + c]);
            } else {
                float *out = static_cast<float *>(t_.out) + at;
                const float gain = t_.gain[c], bias = t_.bias[c];
                for (int x = 0; x < t_.width; ++x) out[x * step_] = levels[3 * x + c] * gain + bias;
            }
        }
    }

private:
    const wb_crop_target &t_;
    int64_t area_, first_;
    int step_;
};

inline void blend(const uint8_t *above, const uint8_t *below, const float *down, const Tap &column, float *out) {
    const uint8_t *corners[4] = {above + 3 * column.first, below + 3 * column.first, above + 3 * column.second,
                                 below + 3 * column.second};
    for (int c = 0; c < 3; ++c) {
        const float left = corners[0][c] * down[0] + corners[1][c] * down[1];
        const float right = corners[2][c] * down[0] + corners[3][c] * down[1];
        out[c] = whole(left * column.weights[0] + right * column.weights[1]);
    }
}

// A matrix without rotation reads whole lines: their taps are found once.
void upright(const uint8_t *picture, const float *m, const wb_crop_target &t, const Writer &writer,
             std::vector<Tap> &columns, std::vector<float> &line) {
    for (int x = 0; x < t.width; ++x)
        columns[x] = bilinear(m[0] * static_cast<float>(x) + m[2], t.picture_width);
    for (int y = 0; y < t.height; ++y) {
        const Tap row = bilinear(m[4] * static_cast<float>(y) + m[5], t.picture_height);
        const uint8_t *above = picture + row.first * t.pitch, *below = picture + row.second * t.pitch;
        for (int x = 0; x < t.width; ++x) blend(above, below, row.weights, columns[x], &line[3 * x]);
        writer.line(y, line.data());
    }
}

void turned(const uint8_t *picture, const float *m, const wb_crop_target &t, const Writer &writer,
            std::vector<float> &line) {
    for (int y = 0; y < t.height; ++y) {
        for (int x = 0; x < t.width; ++x) {
            const float across = static_cast<float>(x), down = static_cast<float>(y);
            const Tap column = bilinear(m[0] * across + m[1] * down + m[2], t.picture_width);
            const Tap row = bilinear(m[3] * across + m[4] * down + m[5], t.picture_height);
            blend(picture + row.first * t.pitch, picture + row.second * t.pitch, row.weights, column, &line[3 * x]);
        }
        writer.line(y, line.data());
    }
}

float overlap(const float *a, const float *b) {
    const float width = (a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    const float height = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    if (!(width > 0.0f && height > 0.0f)) return 0.0f;
    const float both = width * height;
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

}  // namespace

extern "C" {

int32_t wb_topdown_crops(const uint8_t *picture, const float *matrices, int32_t people, const wb_crop_target *target) {
    if (!target || people < 0 || (people && !(picture && matrices && target->out)) || target->width < 1 ||
        target->height < 1 || target->picture_width < 1 || target->picture_height < 1)
        return WB_BAD_ARGUMENT;
    for (int c = 0; c < 3; ++c)
        if (target->channel[c] < 0 || target->channel[c] > 2) return WB_BAD_ARGUMENT;
    try {
        std::vector<Tap> columns(target->width);
        std::vector<float> line(3 * static_cast<size_t>(target->width));
        for (int32_t n = 0; n < people; ++n) {
            const float *m = matrices + 6 * n;
            const Writer writer(*target, n);
            if (m[1] == 0.0f && m[3] == 0.0f)
                upright(picture, m, *target, writer, columns, line);
            else
                turned(picture, m, *target, writer, line);
        }
    } catch (const std::bad_alloc &) {
        return WB_OUT_OF_MEMORY;
    }
    return WB_OK;
}

int32_t wb_topdown_nms(const float *boxes, int32_t count, float most, uint8_t *keep, int32_t *kept) {
    if (count < 0 || !kept || (count && !(boxes && keep))) return WB_BAD_ARGUMENT;
    *kept = 0;
    for (int32_t i = 0; i < count; ++i) {
        keep[i] = 1;
        for (int32_t j = 0; j < i && keep[i]; ++j)
            if (keep[j] && overlap(boxes + 4 * j, boxes + 4 * i) > most) keep[i] = 0;
        *kept += keep[i];
    }
    return WB_OK;
}

}  // extern "C"
