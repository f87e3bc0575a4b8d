// Which pairs of candidates the field of a limb does not rule out: each is looked at in a few samples first.
#ifndef WHOLEBODY_PAF_PAIRS_H
#define WHOLEBODY_PAF_PAIRS_H

#include <cmath>

#include "paf_field.h"

namespace wholebody {

constexpr int32_t kSamplesMin = 5, kSamplesMax = 25;
constexpr int32_t kPairLanes = 8;

// What every limb of a frame shares.
struct ScoringRules {
    int32_t spare[kSamplesMax + 1] = {};  // samples of n that need not be accepted; below 0 if all are too few
    int32_t most_spare = 0;
    double near = 0;                      // pixels: closer pairs that fail get near_score
    float near_squared = 0;               // and a little more
    float threshold = 0, near_score = 0;
    float certain = 0;  // pixels: along the longer side, pairs shorter than this can spare no sample

    void prepare(const Grid &grid, const wb_paf_config &config);
};

// Candidates as vectors read them: kPairLanes - 1 more than there are.
struct Points {
    int32_t count = 0;
    std::vector<float> x, y;
    std::vector<float> field_x, field_y;  // there

    void set(const Peak *peaks, int32_t number);
};

// Of a pair's word.
constexpr int32_t kLeftBits = 6, kSampleBits = 5, kPlaceBits = 10, kMostPlaces = 1 << kPlaceBits;
constexpr int32_t kEndShift = kLeftBits + kSampleBits, kStartShift = kEndShift + kPlaceBits;

// Some pairs of one limb, of no more than kMostPlaces starts and as many ends.
struct Pairs {
    int32_t size = 0, room = 0;
    // Of a pair that may connect, as one number: how many samples may still fail (at least as many as really may), how
    // many there are, its end and its start. Negative if it cannot.
    std::vector<int32_t> words;
    std::vector<float> x, y;            // of the start
    std::vector<float> step_x, step_y;  // between samples
    // What the reader found of the sample looked at, and the field there.
    std::vector<int32_t> where, weights;
    std::vector<float> field_x, field_y;

    static int32_t start_of(int32_t word) { return word >> kStartShift; }
    static int32_t end_of(int32_t word) { return word >> kEndShift & (kMostPlaces - 1); }
    void reserve(int32_t starts, int32_t ends);
};

// The candidates that the pairs are of.
struct Sides {
    const float *start_x, *start_y, *end_x, *end_y;
};

typedef Lanes<kPairLanes>::Floats PairFloats;
typedef Lanes<kPairLanes>::Bits PairBits;

// A sample's pixel along one axis.
template <typename Floats, typename Bits>
WB_INLINE void nearest(const Floats &position, int32_t size, Bits &pixel) {
    pixel = __builtin_convertvector(position + 0.5f, Bits);
    pixel = pixel < size - 1 ? pixel : Bits{} + (size - 1);
    pixel = pixel > 0 ? pixel : Bits{};
}

// The field at some pixels that the reader has found, four by four, of which the last may be more than there are.
template <typename Reader>
WB_INLINE void read_all(const Reader &reader, const int32_t *where, const int32_t *weights, int32_t count, float *x,
                        float *y) {
    for (int32_t i = 0; i < count; i += 4) {
        Quad quads[4];
        Lanes<4>::Floats four_x, four_y;
        for (int lane = 0; lane < 4; ++lane) reader.at(where[i + lane], weights[i + lane], quads[lane]);
        sums_of(quads, four_x, four_y);
        store(x + i, four_x);
        store(y + i, four_y);
    }
}

WB_INLINE void absolute(const PairFloats &value, PairFloats &size) {
    size = (PairFloats)((PairBits)value & INT32_MAX);
}

// By which of four lanes are set: an order that has them first, and how many they are.
struct Orders {
    Lanes<4>::Bits order[16];
    int32_t count[16];

    Orders() {
        for (int set = 0; set < 16; ++set) {
            count[set] = 0;
            order[set] = Lanes<4>::Bits{};
            for (int lane = 0; lane < 4; ++lane)
                if (set >> lane & 1) order[set][count[set]++] = lane;
        }
    }
};
extern const Orders kOrders;

// Moves four values of `from` to `to`, those chosen first.
WB_INLINE void move_four(const Lanes<4>::Bits &order, const void *from, void *to) {
    Lanes<4>::Bits values;
    load(values, from);
    WB_PERMUTE(values, order);
    store(to, values);
}

// Finds the pixels at x, y.
template <typename Reader>
WB_INLINE void find(const Reader &reader, const PairFloats &x, const PairFloats &y, int32_t *where, int32_t *weights) {
    PairBits pixel_x, pixel_y, found, found_weights;
    nearest(x, reader.width, pixel_x);
    nearest(y, reader.height, pixel_y);
    reader.find(pixel_x, pixel_y, found, found_weights);
    store(where, found);
    store(weights, found_weights);
}

// Set where a sample in direction dx, dy is sure to fail, rounding included (that of dx and dy too).
WB_INLINE void judge(const ScoringRules &rules, const PairFloats &field_x, const PairFloats &field_y,
                     const PairFloats &dx, const PairFloats &dy, PairBits &fails) {
    PairFloats size_x, size_y;
    absolute(field_x, size_x);
    absolute(field_y, size_y);
    const PairFloats least = rules.threshold * 0.9999f - 1e-6f * (size_x + size_y), along = dx * field_x + dy * field_y;
    fails = (least > 0.0f) & ~((along > 0.0f) & (along * along > least * least * (dx * dx + dy * dy)));
}

// Appends the pairs of one start with some ends, their first sample judged, which is the start itself, and their
// middle one found.
template <typename Reader>
WB_INLINE void add_start(const ScoringRules &rules, const Reader &reader, const Sides &sides, int32_t start,
                         Vector field, int32_t ends, Pairs &pairs) {
    const PairBits lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    const PairFloats from_x = PairFloats{} + sides.start_x[start], from_y = PairFloats{} + sides.start_y[start];
    const PairFloats field_x = PairFloats{} + field.x, field_y = PairFloats{} + field.y;
    PairBits place = (lanes << kEndShift) | (start << kStartShift);
    const int32_t size = pairs.size;
    int32_t *words = &pairs.words[size], *where = &pairs.where[size], *weights = &pairs.weights[size];
    float *all_x = &pairs.x[size], *all_y = &pairs.y[size];
    float *steps_x = &pairs.step_x[size], *steps_y = &pairs.step_y[size];
    for (int32_t i = 0; i < ends; i += kPairLanes, place += kPairLanes << kEndShift) {
        PairFloats x, y, longest, high;
        PairBits fails;
        load(x, sides.end_x + i);
        load(y, sides.end_y + i);
        const PairFloats dx = x - from_x, dy = y - from_y, squared = dx * dx + dy * dy;
        absolute(dx, longest);
        absolute(dy, high);
        longest = longest > high ? longest : high;
        // A pair that is close is scored in any case.
        const PairBits spare =
            ((longest > rules.certain) & rules.most_spare) + ((squared < rules.near_squared) & kSamplesMax);
        judge(rules, field_x, field_y, dx, dy, fails);
        for (int lane = 0; lane < kPairLanes; ++lane) longest[lane] = std::sqrt(5.0f * longest[lane]);
        PairBits samples = __builtin_convertvector(longest + 0.5f, PairBits);
        samples = samples > kSamplesMax ? PairBits{} + kSamplesMax : samples;
        samples = samples < kSamplesMin ? PairBits{} + kSamplesMin : samples;
        const PairFloats share = __builtin_convertvector(samples, PairFloats), step_x = dx / share, step_y = dy / share;
        const PairFloats middle = __builtin_convertvector(samples >> 1, PairFloats);
        store(words + i, (spare + fails) | samples << kLeftBits | place);
        store(all_x + i, from_x);
        store(all_y + i, from_y);
        store(steps_x + i, step_x);
        store(steps_y + i, step_y);
        find(reader, from_x + middle * step_x, from_y + middle * step_y, where + i, weights + i);
    }
    pairs.size += ends;
}

// Keeps the pairs whose words are not negative, without a branch, which nobody could predict. In a loop of its own: one
// that also judged would wait for what it had just written.
WB_INLINE void pack(Pairs &pairs) {
    int32_t *words = pairs.words.data(), kept = 0;
    float *x = pairs.x.data(), *y = pairs.y.data(), *step_x = pairs.step_x.data(), *step_y = pairs.step_y.data();
    const int32_t size = pairs.size;
    for (int32_t i = 0; i < size; i += 4) {
        Lanes<4>::Bits word;
        load(word, words + i);
        const uint32_t set = lanes_of<4>(word >= 0);
        const Lanes<4>::Bits order = kOrders.order[set];
        move_four(order, words + i, words + kept);
        move_four(order, x + i, x + kept);
        move_four(order, y + i, y + kept);
        move_four(order, step_x + i, step_x + kept);
        move_four(order, step_y + i, step_y + kept);
        kept += kOrders.count[set];
    }
    pairs.size = kept;
}

// Reads the samples found, judges them and keeps the pairs that have hope left.
template <typename Reader>
WB_INLINE void keep_promising(const ScoringRules &rules, const Reader &reader, Pairs &pairs) {
    const PairBits lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    int32_t *words = pairs.words.data(), *where = pairs.where.data(), *weights = pairs.weights.data();
    const float *steps_x = pairs.step_x.data(), *steps_y = pairs.step_y.data();
    float *field_x = pairs.field_x.data(), *field_y = pairs.field_y.data();
    const int32_t size = pairs.size;
    store(where + size, PairBits{});
    store(weights + size, PairBits{});
    read_all(reader, where, weights, size, field_x, field_y);
    for (int32_t i = 0; i < size; i += kPairLanes) {
        PairFloats x, y, step_x, step_y;
        PairBits fails, word;
        load(x, field_x + i);
        load(y, field_y + i);
        load(step_x, steps_x + i);
        load(step_y, steps_y + i);
        load(word, words + i);
        judge(rules, x, y, step_x, step_y, fails);
        store(words + i, (word + fails) | ((word & ((1 << kLeftBits) - 1)) + fails) | (lanes >= size - i));
    }
    pack(pairs);
}

// Finds one more sample of each pair, `eighths` of the way.
template <typename Reader>
WB_INLINE void find_again(const Reader &reader, int eighths, Pairs &pairs) {
    int32_t *where = pairs.where.data(), *weights = pairs.weights.data();
    const int32_t *words = pairs.words.data(), size = pairs.size;
    const float *all_x = pairs.x.data(), *all_y = pairs.y.data();
    const float *steps_x = pairs.step_x.data(), *steps_y = pairs.step_y.data();
    for (int32_t i = 0; i < size; i += kPairLanes) {
        PairFloats x, y, step_x, step_y;
        PairBits word;
        load(x, all_x + i);
        load(y, all_y + i);
        load(step_x, steps_x + i);
        load(step_y, steps_y + i);
        load(word, words + i);
        const PairBits samples = word >> kLeftBits & ((1 << kSampleBits) - 1);
        const PairFloats sample = __builtin_convertvector(samples * eighths >> 3, PairFloats);
        find(reader, x + sample * step_x, y + sample * step_y, where + i, weights + i);
    }
}

// Drops the pairs that their first sample rules out, or one of a few more: a wrong pair has nothing at its middle or
// between.
template <typename Reader>
WB_INLINE void keep_hopeful(const ScoringRules &rules, const Reader &reader, Pairs &pairs) {
    const int32_t few = 4;
    if (pairs.size < few) {
        const auto words = pairs.words.begin();
        pairs.size = static_cast<int32_t>(
            std::remove_if(words, words + pairs.size, [](int32_t word) { return word < 0; }) - words);
        return;
    }
    keep_promising(rules, reader, pairs);
    for (int eighths : {2, 6, 3, 5, 1, 7}) {
        const int32_t before = pairs.size;
        if (before < few) return;
        find_again(reader, eighths, pairs);
        keep_promising(rules, reader, pairs);
        if (8 * (before - pairs.size) < before) return;  // what is left is scored sooner
    }
}

// The field at the starts.
template <typename Reader>
WB_INLINE void read_starts(const Reader &reader, Points &starts, Pairs &pairs) {
    for (int32_t i = 0; i < starts.count; i += kPairLanes) {
        PairFloats x, y;
        load(x, &starts.x[i]);
        load(y, &starts.y[i]);
        find(reader, x, y, &pairs.where[i], &pairs.weights[i]);
    }
    read_all(reader, pairs.where.data(), pairs.weights.data(), starts.count, starts.field_x.data(),
             starts.field_y.data());
}

}  // namespace wholebody
#endif
