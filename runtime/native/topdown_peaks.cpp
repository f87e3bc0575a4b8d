// Maps to points: the highest cell, finer than by cells, and the mean of a sigmoid.
#include <cmath>
#include <cstring>

#include "paf_simd.h"
#include "topdown.h"

using namespace wholebody;

namespace {

const int kBlur = 5;        // cells that the blur reaches each way: a kernel of 11
const int kNear = 2;        // cells around the peak that are looked at
const int kPatch = 2 * kNear + 1;

struct Blur {
    float weight[2 * kBlur + 1];
    Blur() {
        double sum = 0.0, raw[2 * kBlur + 1];
        for (int i = -kBlur; i <= kBlur; ++i) sum += raw[i + kBlur] = std::exp(-i * i / 8.0);  // sigma 2
        for (int i = 0; i <= 2 * kBlur; ++i) weight[i] = static_cast<float>(raw[i] / sum);
    }
};

struct Map {
    const float *cells;
    int height, width;
    // NaN fails both comparisons.
    static float finite(float v) { return v > -3e38f && v < 3e38f ? v : 0.0f; }
    float at(int y, int x) const {
        return y < 0 || x < 0 || y >= height || x >= width ? 0.0f : finite(cells[static_cast<int64_t>(y) * width + x]);
    }
};

// Sixteen maxima side by side are what a compiler turns into vectors; the first of equal ones is found afterwards.
int64_t highest(const float *cells, int64_t count, float *value) {
    const int kSide = 16;
    float lanes[kSide], best = 0.0f;
    for (int j = 0; j < kSide; ++j) lanes[j] = 0.0f;
    int64_t i = 0;
    for (; i + kSide <= count; i += kSide)
        for (int j = 0; j < kSide; ++j) {
            const float v = cells[i + j] < 3e38f ? cells[i + j] : 0.0f;
            lanes[j] = v > lanes[j] ? v : lanes[j];
        }
    for (int j = 0; j < kSide; ++j) best = lanes[j] > best ? lanes[j] : best;
    for (; i < count; ++i) {
        const float v = cells[i] < 3e38f ? cells[i] : 0.0f;
        best = v > best ? v : best;
    }
    *value = best;
    if (!(best > 0.0f)) return -1;
    for (i = 0; i < count; ++i)
        if (cells[i] == best) return i;
    return -1;
}

float quarter(float difference) { return difference > 0.0f ? 0.25f : difference < 0.0f ? -0.25f : 0.0f; }

// The logarithm of the blurred map around a peak, patch[dy + 2][dx + 2].
void log_around(const Map &map, const Blur &blur, int px, int py, float least, float most, bool repeat_edge,
                double patch[kPatch][kPatch]) {
    float lines[kPatch + 2 * kBlur][kPatch];
    int xs[kPatch], ys[kPatch];
    for (int i = 0; i < kPatch; ++i) {
        xs[i] = px + i - kNear, ys[i] = py + i - kNear;
        if (repeat_edge) {
            xs[i] = xs[i] < 0 ? 0 : xs[i] >= map.width ? map.width - 1 : xs[i];
            ys[i] = ys[i] < 0 ? 0 : ys[i] >= map.height ? map.height - 1 : ys[i];
        }
    }
    for (int line = 0; line < kPatch + 2 * kBlur; ++line)
        for (int i = 0; i < kPatch; ++i) {
            float sum = 0.0f;
            for (int k = -kBlur; k <= kBlur; ++k)
                sum += map.at(py - kNear - kBlur + line, xs[i] + k) * blur.weight[k + kBlur];
            lines[line][i] = sum;
        }
    for (int j = 0; j < kPatch; ++j)
        for (int i = 0; i < kPatch; ++i) {
            float sum = 0.0f;
            for (int k = 0; k <= 2 * kBlur; ++k) sum += lines[ys[j] - (py - kNear) + k][i] * blur.weight[k];
            sum = sum < least ? least : sum > most ? most : sum;
            patch[j][i] = std::log(static_cast<double>(sum));
        }
}

// One step of Newton's to the top of the parabola.
void to_the_top(double dx, double dy, double dxx, double dxy, double dyy, float *x, float *y) {
    const double det = dxx * dyy - dxy * dxy;
    if (det == 0.0) return;
    const double step_x = -(dyy * dx - dxy * dy) / det, step_y = -(dxx * dy - dxy * dx) / det;
    if (!(std::fabs(step_x) < 1e6 && std::fabs(step_y) < 1e6)) return;
    *x += static_cast<float>(step_x);
    *y += static_cast<float>(step_y);
}

void dark(const Map &map, const Blur &blur, int px, int py, float *x, float *y) {
    if (!(1 < px && px < map.width - 2 && 1 < py && py < map.height - 2)) return;
    double l[kPatch][kPatch];
    log_around(map, blur, px, py, 1e-10f, 3e38f, false, l);
    to_the_top(0.5 * (l[2][3] - l[2][1]), 0.5 * (l[3][2] - l[1][2]), 0.25 * (l[2][4] - 2.0 * l[2][2] + l[2][0]),
               0.25 * (l[3][3] - l[1][3] - l[3][1] + l[1][1]), 0.25 * (l[4][2] - 2.0 * l[2][2] + l[0][2]), x, y);
}

void udp(const Map &map, const Blur &blur, int px, int py, float *x, float *y) {
    const double tiny = 1.1920929e-07;
    double l[kPatch][kPatch];
    log_around(map, blur, px, py, 1e-3f, 50.0f, true, l);
    const double dxy = 0.5 * (l[3][3] - l[2][3] - l[3][2] + 2.0 * l[2][2] - l[2][1] - l[1][2] + l[1][1]);
    to_the_top(0.5 * (l[2][3] - l[2][1]), 0.5 * (l[3][2] - l[1][2]), l[2][3] - 2.0 * l[2][2] + l[2][1] + tiny, dxy,
               l[3][2] - 2.0 * l[2][2] + l[1][2] + tiny, x, y);
}

void refined(const Map &map, const Blur &blur, int refine, int px, int py, float *x, float *y) {
    if (refine == WB_REFINE_QUARTER && 1 < px && px < map.width - 1 && 1 < py && py < map.height - 1) {
        *x += quarter(map.at(py, px + 1) - map.at(py, px - 1));
        *y += quarter(map.at(py + 1, px) - map.at(py - 1, px));
    } else if (refine == WB_REFINE_DARK) {
        dark(map, blur, px, py, x, y);
    } else if (refine == WB_REFINE_UDP) {
        udp(map, blur, px, py, x, y);
    }
}

const int kLanes = 4;  // of a vector that every machine returns from a function
typedef Lanes<kLanes>::Floats Floats;
typedef Lanes<kLanes>::Bits Bits;

template <typename To, typename From>
WB_INLINE To as(const From &from) {
    return reinterpret_cast<To>(from);
}

// Everywhere the float whose bits these are.
WB_INLINE Bits chosen(const Bits &mask, const Bits &yes, const Bits &no) { return (mask & yes) | (~mask & no); }

// e^x for |x| <= 87 to 2e-7 of its value (Cephes' polynomial).
WB_INLINE Floats exponential(const Floats &x) {
    const float shift = 12582912.0f;  // 1.5 * 2^23: adding it rounds, and leaves the whole number in the lowest bits
    const Floats moved = x * 1.44269504f + shift, n = moved - shift;
    const Floats r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return p * as<Floats>((as<Bits>(moved) - 0x4b400000 + 127) << 23);
}

// The sigmoid of four cells, 0 for what is not finite.
WB_INLINE Floats sigmoid(const Floats &cells) {
    const Bits known = (as<Bits>(cells) & 0x7f800000) != 0x7f800000;
    const Floats most = Floats{} + 87.0f;
    Floats x = as<Floats>(as<Bits>(cells) & known);
    x = as<Floats>(chosen(x < most, as<Bits>(x), as<Bits>(most)));
    x = as<Floats>(chosen(x > -most, as<Bits>(x), as<Bits>(-most)));
    return as<Floats>(as<Bits>(1.0f / (1.0f + exponential(-x))) & known);
}

// Where the weight of a map lies: the sums of all, by column and by line, and the highest.
struct Weight {
    double all, across, down;
    float top;
};

WB_CLONES void weigh(const float *cells, int height, int width, Weight *weight) {
    const Floats places = {0, 1, 2, 3};
    Floats tops = {};
    *weight = {0.0, 0.0, 0.0, 0.0f};
    for (int y = 0; y < height; ++y, cells += width) {
        Floats sums = {}, columns = {};
        for (int x = 0; x < width; x += kLanes) {
            Floats some;
            float rest[kLanes] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
            if (x + kLanes <= width) {
                load(some, cells + x);
            } else {
                for (int i = 0; x + i < width; ++i) rest[i] = cells[x + i];
                load(some, rest);
            }
            const Floats p = sigmoid(some);
            sums += p;
            columns += p * (places + static_cast<float>(x));
            tops = as<Floats>(chosen(p > tops, as<Bits>(p), as<Bits>(tops)));
        }
        double line = 0.0;
        for (int i = 0; i < kLanes; ++i) {
            line += sums[i];
            weight->across += columns[i];
        }
        weight->all += line;
        weight->down += line * y;
    }
    for (int i = 0; i < kLanes; ++i) weight->top = tops[i] > weight->top ? tops[i] : weight->top;
}

bool valid(const float *maps, const wb_stack *s, const float *found) {
    return s && found && (maps || !s->people) && s->people >= 0 && s->channels >= 1 && s->height >= 1 &&
           s->width >= 1 &&
           static_cast<int64_t>(s->height) * s->width <= (1 << 28);
}

}  // namespace

extern "C" {

int32_t wb_topdown_peaks(const float *maps, const wb_stack *stack, int32_t refine, float *found) {
    if (!valid(maps, stack, found) || refine < WB_REFINE_NONE || refine > WB_REFINE_UDP) return WB_BAD_ARGUMENT;
    const Blur blur;
    for (int32_t n = 0; n < stack->people; ++n)
        for (int32_t k = 0; k < stack->channels; ++k, found += 3) {
            const Map map = {maps + n * stack->person_stride + k * stack->channel_stride, stack->height, stack->width};
            const int64_t at = highest(map.cells, static_cast<int64_t>(map.height) * map.width, found + 2);
            found[0] = found[1] = 0.0f;
            if (at < 0) continue;
            const int px = static_cast<int>(at % map.width), py = static_cast<int>(at / map.width);
            found[0] = static_cast<float>(px), found[1] = static_cast<float>(py);
            refined(map, blur, refine, px, py, found, found + 1);
        }
    return WB_OK;
}

int32_t wb_topdown_integrals(const float *maps, const wb_stack *stack, float *found) {
    if (!valid(maps, stack, found)) return WB_BAD_ARGUMENT;
    for (int32_t n = 0; n < stack->people; ++n)
        for (int32_t k = 0; k < stack->channels; ++k, found += 3) {
            const float *cells = maps + n * stack->person_stride + k * stack->channel_stride;
            Weight w;
            weigh(cells, stack->height, stack->width, &w);
            found[0] = w.all > 0.0 ? static_cast<float>(w.across / w.all) : 0.0f;
            found[1] = w.all > 0.0 ? static_cast<float>(w.down / w.all) : 0.0f;
            found[2] = w.top;
        }
    return WB_OK;
}

int32_t wb_topdown_simcc(const float *along_x, const float *along_y, int32_t people, int32_t points, int32_t bins_x,
                         int32_t bins_y, float split, float *found) {
    if (people < 0 || points < 1 || bins_x < 1 || bins_y < 1 || !(split > 0.0f) || !found ||
        (people && !(along_x && along_y)))
        return WB_BAD_ARGUMENT;
    for (int64_t i = 0; i < static_cast<int64_t>(people) * points; ++i, found += 3) {
        float top_x, top_y;
        const int64_t x = highest(along_x + i * bins_x, bins_x, &top_x);
        const int64_t y = highest(along_y + i * bins_y, bins_y, &top_y);
        const bool seen = x >= 0 && y >= 0;
        found[0] = seen ? static_cast<float>(x) / split : 0.0f;
        found[1] = seen ? static_cast<float>(y) / split : 0.0f;
        found[2] = !seen ? 0.0f : top_x < top_y ? top_x : top_y;
    }
    return WB_OK;
}

}  // extern "C"
