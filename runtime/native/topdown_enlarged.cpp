// The highest pixel of maps enlarged by a whole factor, without enlarging them.
//
// A pixel is a mean of 16 cells whose weights add up to 1, some of them negative. Above the least of the cells that a
// block of pixels reads it is at most the range of these cells times the sum of the positive weights. Blocks whose
// bound is below the best pixel so far are left out: all but a few around the peak.
#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "paf_upsample.h"
#include "topdown.h"

using namespace wholebody;

namespace {

const int kMostFactor = 16;
const int kSeen = 5;  // cells that the pixels of one cell read along an axis

struct Best {
    float value;
    int64_t at;  // in reading order of the enlarged map
};

class Enlarged {
public:
    Enlarged(int32_t height, int32_t width, int32_t factor, double kernel)
        : height_(height), width_(width), factor_(factor), pitch_(width + 2 * kPad) {
        grid_.prepare(height, width, factor, kernel);
        cells_.resize(static_cast<size_t>(height + 2 * kPad) * pitch_);
        bounds_.resize(static_cast<size_t>(height) * width);
        low_.resize(cells_.size());
        high_.resize(cells_.size());
        float positive = 0.0f;
        for (int32_t phase = 0; phase < factor; ++phase) {
            float sum = 0.0f;
            for (const std::vector<float> &tap : grid_.phases) sum += std::max(tap[phase], 0.0f);
            positive = std::max(positive, sum);
        }
        const float negative = positive - 1.0f;
        share_ = positive * positive + negative * negative;
    }

    Best highest(const float *map) {
        load(map);
        bound();
        Best best = {0.0f, -1};
        const size_t first = std::max_element(bounds_.begin(), bounds_.end()) - bounds_.begin();
        if (!(bounds_[first] > 0.0f)) return best;
        look(static_cast<int32_t>(first), best);
        for (int32_t cell = 0; cell < height_ * width_; ++cell)
            if (bounds_[cell] >= best.value && cell != static_cast<int32_t>(first)) look(cell, best);
        return best;
    }

private:
    void load(const float *map) {
        for (int32_t y = 0; y < height_ + 2 * kPad; ++y) {
            const float *from = map + static_cast<int64_t>(std::min(std::max(y - kPad, 0), height_ - 1)) * width_;
            float *to = &cells_[static_cast<size_t>(y) * pitch_];
            for (int32_t x = 0; x < width_; ++x) {
                const float v = from[x];
                to[kPad + x] = std::fabs(v) < kLargestCell ? v : 0.0f;  // NaN is not below
            }
            for (int32_t x = 0; x < kPad; ++x) {
                to[x] = to[kPad];
                to[kPad + width_ + x] = to[kPad + width_ - 1];
            }
        }
    }

    // Extremes of the 5x5 cells around each, along lines and then across them.
    void bound() {
        for (int32_t y = 0; y < height_ + 2 * kPad; ++y) {
            const float *row = &cells_[static_cast<size_t>(y) * pitch_];
            float *low = &low_[static_cast<size_t>(y) * pitch_], *high = &high_[static_cast<size_t>(y) * pitch_];
            for (int32_t x = 0; x < width_; ++x) {
                float least = row[x], most = row[x];
                for (int i = 1; i < kSeen; ++i) {
                    least = row[x + i] < least ? row[x + i] : least;
                    most = row[x + i] > most ? row[x + i] : most;
                }
                low[x] = least, high[x] = most;
            }
        }
        for (int32_t y = 0; y < height_; ++y)
            for (int32_t x = 0; x < width_; ++x) {
                size_t at = static_cast<size_t>(y) * pitch_ + x;
                float least = low_[at], most = high_[at];
                for (int i = 1; i < kSeen; ++i) {
                    at += pitch_;
                    least = low_[at] < least ? low_[at] : least;
                    most = high_[at] > most ? high_[at] : most;
                }
                // Rounding of sixteen products and of the bound itself.
                const float slack = 1e-5f * (std::fabs(least) + std::fabs(most));
                bounds_[static_cast<size_t>(y) * width_ + x] = least + share_ * (most - least) + slack;
            }
    }

    // The pixels of one cell: lines first, then columns, in the order of the NumPy twin.
    void look(int32_t cell, Best &best) const {
        const int32_t cy = cell / width_, cx = cell % width_;
        float lines[kSeen][kMostFactor];
        for (int i = 0; i < kSeen; ++i) {
            const float *row = &cells_[static_cast<size_t>(cy + i) * pitch_];
            for (int32_t p = 0; p < factor_; ++p) {
                const Tap &tap = grid_.columns[cx * factor_ + p];
                lines[i][p] = weighted(row[tap.first], row[tap.first + 1], row[tap.first + 2], row[tap.first + 3],
                                       tap.weight);
            }
        }
        for (int32_t q = 0; q < factor_; ++q) {
            const Tap &tap = grid_.rows[cy * factor_ + q];
            const int first = tap.first - cy;
            const int64_t line = static_cast<int64_t>(cy * factor_ + q) * width_ * factor_ + cx * factor_;
            for (int32_t p = 0; p < factor_; ++p) {
                const float v = weighted(lines[first][p], lines[first + 1][p], lines[first + 2][p],
                                         lines[first + 3][p], tap.weight);
                if (v > best.value || (v == best.value && line + p < best.at)) best = {v, line + p};
            }
        }
    }

    int32_t height_, width_, factor_, pitch_;
    Grid grid_;
    float share_;
    std::vector<float> cells_, low_, high_, bounds_;
};

}  // namespace

extern "C" int32_t wb_topdown_enlarged_peaks(const float *maps, const wb_stack *stack, int32_t factor, double kernel,
                                             float *found) {
    if (!stack || !found || stack->people < 0 || stack->channels < 1 || stack->height < 1 || stack->width < 1 ||
        (stack->people && !maps) || stack->height > 4096 || stack->width > 4096 || factor < 1 ||
        factor > kMostFactor || !(kernel >= -1.0 && kernel <= 0.0))
        return WB_BAD_ARGUMENT;
    try {
        Enlarged enlarged(stack->height, stack->width, factor, kernel);
        const int64_t line = static_cast<int64_t>(stack->width) * factor;
        for (int32_t n = 0; n < stack->people; ++n)
            for (int32_t k = 0; k < stack->channels; ++k, found += 3) {
                const Best best = enlarged.highest(maps + n * stack->person_stride + k * stack->channel_stride);
                found[0] = best.at < 0 ? 0.0f : static_cast<float>(best.at % line);
                found[1] = best.at < 0 ? 0.0f : static_cast<float>(best.at / line);
                found[2] = best.at < 0 ? 0.0f : best.value;
            }
    } catch (const std::bad_alloc &) {
        return WB_OUT_OF_MEMORY;
    }
    return WB_OK;
}
