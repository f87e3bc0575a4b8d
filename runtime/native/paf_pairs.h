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

// Some pairs of one limb.
struct Pairs {
    int32_t size = 0, room = 0;
    std::vector<float> x, y;            // of the start
    std::vector<float> step_x, step_y;  // between samples
    std::vector<int32_t> samples;       // how many
    // Those that may connect: their places among the pairs, how many samples may still fail (at least as many as really
    // may), steps, and of the sample looked at what its reader found and the field.
    int32_t listed = 0;
    std::vector<int32_t> places, left, where, weights;
    std::vector<float> listed_step_x, listed_step_y, field_x, field_y;

    void reserve(int32_t starts, int32_t ends);
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

// The field at some pixels that the reader has found, four by four.
template <typename Reader>
WB_INLINE void read_all(const Reader &reader, int32_t count, Pairs &pairs) {
    const int32_t *where = pairs.where.data(), *weights = pairs.weights.data();
    float *field_x = pairs.field_x.data(), *field_y = pairs.field_y.data();
    for (int32_t i = 0; i < count; i += 4) {
        Quad quads[4];
        Lanes<4>::Floats x, y;
        for (int lane = 0; lane < 4; ++lane) reader.at(where[i + lane], weights[i + lane], quads[lane]);
        sums_of(quads, x, y);
        store(field_x + i, x);
        store(field_y + i, y);
    }
}

WB_INLINE void absolute(const PairFloats &value, PairFloats &size) {
    size = (PairFloats)((PairBits)value & INT32_MAX);
}

template <typename Vector, typename Value>
WB_INLINE void get(Vector &vector, const std::vector<Value> &values, int32_t i) {
    load(vector, values.data() + i);
}

template <typename Vector, typename Value>
WB_INLINE void put(std::vector<Value> &values, int32_t i, const Vector &vector) {
    store(values.data() + i, vector);
}

template <typename Vector, typename Value>
WB_INLINE void gather(Vector &vector, const std::vector<Value> &values, const int32_t *places) {
    const Value *from = values.data();
    vector = Vector{from[places[0]], from[places[1]], from[places[2]], from[places[3]],
                    from[places[4]], from[places[5]], from[places[6]], from[places[7]]};
}

// Finds the samples at x, y.
template <typename Reader>
WB_INLINE void find(const Reader &reader, const PairFloats &x, const PairFloats &y, int32_t i, Pairs &pairs) {
    PairBits pixel_x, pixel_y, where, weights;
    nearest(x, reader.width, pixel_x);
    nearest(y, reader.height, pixel_y);
    reader.find(pixel_x, pixel_y, where, weights);
    put(pairs.where, i, where);
    put(pairs.weights, i, weights);
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

// Appends the pairs of one start with all ends, their first sample judged: it is the start itself.
template <typename Reader>
WB_INLINE void add_start(const ScoringRules &rules, const Reader &reader, const Points &starts, const Points &ends,
                         int32_t start, Pairs &pairs) {
    const PairFloats from_x = PairFloats{} + starts.x[start], from_y = PairFloats{} + starts.y[start];
    const PairFloats field_x = PairFloats{} + starts.field_x[start], field_y = PairFloats{} + starts.field_y[start];
    for (int32_t i = 0, out = pairs.size; i < ends.count; i += kPairLanes, out += kPairLanes) {
        PairFloats x, y, longest, high;
        PairBits fails;
        get(x, ends.x, i);
        get(y, ends.y, i);
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
        put(pairs.x, out, from_x);
        put(pairs.y, out, from_y);
        put(pairs.step_x, out, step_x);
        put(pairs.step_y, out, step_y);
        put(pairs.samples, out, samples);
        put(pairs.left, out, spare + fails);
        find(reader, from_x + middle * step_x, from_y + middle * step_y, out, pairs);
    }
    pairs.size += ends.count;
}

// Judges the samples read of the listed pairs, whose steps are given, and keeps those that leave hope.
template <bool All>
WB_INLINE void keep_promising(const ScoringRules &rules, const std::vector<float> &steps_x,
                              const std::vector<float> &steps_y, Pairs &pairs) {
    const PairBits lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    int32_t kept = 0, *places = pairs.places.data(), *left = pairs.left.data();
    for (int32_t i = 0; i < pairs.listed; i += kPairLanes) {
        PairFloats field_x, field_y, step_x, step_y;
        PairBits fails, spare, place = lanes + i;
        get(field_x, pairs.field_x, i);
        get(field_y, pairs.field_y, i);
        get(step_x, steps_x, i);
        get(step_y, steps_y, i);
        get(spare, pairs.left, i);
        if (!All) get(place, pairs.places, i);
        judge(rules, field_x, field_y, step_x, step_y, fails);
        int32_t of[kPairLanes], still[kPairLanes];
        store(of, place);
        store(still, (spare + fails) | (lanes >= pairs.listed - i));
        // Without a branch, which nobody could predict.
        for (int lane = 0; lane < kPairLanes; ++lane) {
            places[kept] = of[lane];
            left[kept] = still[lane];
            kept += static_cast<int32_t>(~static_cast<uint32_t>(still[lane]) >> 31);
        }
    }
    pairs.listed = kept;
}

// Lists the pairs of which the middle sample leaves hope.
template <typename Reader>
WB_INLINE void look_at_middles(const ScoringRules &rules, const Reader &reader, Pairs &pairs) {
    pairs.listed = pairs.size;
    put(pairs.where, pairs.size, PairBits{});
    put(pairs.weights, pairs.size, PairBits{});
    read_all(reader, pairs.size, pairs);
    keep_promising<true>(rules, pairs.step_x, pairs.step_y, pairs);
}

// Keeps of the listed pairs those of which one more sample, `eighths` of the way, leaves hope.
template <typename Reader>
WB_INLINE void look_again(const ScoringRules &rules, const Reader &reader, int eighths, Pairs &pairs) {
    put(pairs.places, pairs.listed, PairBits{});
    for (int32_t i = 0; i < pairs.listed; i += kPairLanes) {
        PairFloats x, y, step_x, step_y;
        PairBits samples;
        const int32_t *of = &pairs.places[i];
        gather(x, pairs.x, of);
        gather(y, pairs.y, of);
        gather(step_x, pairs.step_x, of);
        gather(step_y, pairs.step_y, of);
        gather(samples, pairs.samples, of);
        const PairFloats sample = __builtin_convertvector(samples * eighths >> 3, PairFloats);
        find(reader, x + sample * step_x, y + sample * step_y, i, pairs);
        put(pairs.listed_step_x, i, step_x);
        put(pairs.listed_step_y, i, step_y);
    }
    read_all(reader, pairs.listed, pairs);
    keep_promising<false>(rules, pairs.listed_step_x, pairs.listed_step_y, pairs);
}

// Lists the pairs that are not ruled out by their first sample and a few more: a wrong pair has nothing at its middle
// or between.
template <typename Reader>
WB_INLINE void list_promising(const ScoringRules &rules, const Reader &reader, Pairs &pairs) {
    const int32_t few = 4;
    if (pairs.size < few) {
        pairs.listed = pairs.size;
        put(pairs.places, 0, PairBits{0, 1, 2, 3, 4, 5, 6, 7});
        return;
    }
    look_at_middles(rules, reader, pairs);
    for (int eighths : {2, 6, 3, 5, 1, 7}) {
        const int32_t before = pairs.listed;
        if (before < few) return;
        look_again(rules, reader, eighths, pairs);
        if (before - pairs.listed < before / 4) return;  // what is left is scored sooner
    }
}

// The field at the starts.
template <typename Reader>
WB_INLINE void read_starts(const Reader &reader, Points &starts, Pairs &pairs) {
    for (int32_t i = 0; i < starts.count; i += kPairLanes) {
        PairFloats x, y;
        get(x, starts.x, i);
        get(y, starts.y, i);
        find(reader, x, y, i, pairs);
    }
    read_all(reader, starts.count, pairs);
    std::copy(pairs.field_x.begin(), pairs.field_x.begin() + starts.count, starts.field_x.begin());
    std::copy(pairs.field_y.begin(), pairs.field_y.begin() + starts.count, starts.field_y.begin());
}

}  // namespace wholebody
#endif
