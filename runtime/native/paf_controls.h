// What the control points of eight patches tell: a bicubic patch lies within them, as a Bezier surface does.
#ifndef WHOLEBODY_PAF_CONTROLS_H
#define WHOLEBODY_PAF_CONTROLS_H

#include <cstddef>

#include "paf_simd.h"

namespace wholebody {

constexpr int32_t kPatches = 8;  // side by side
typedef Lanes<kPatches>::Floats PatchFloats;
typedef Lanes<kPatches>::Bits PatchBits;

// What a patch without a peak is known by, rounding included. Differences are those of neighbouring control points.
struct PatchRules {
    float third = 0;   // the slope at a cell is three times this, times its neighbours' difference
    float slack = 0;   // more than the rounding of a pixel
    float least = 0;   // what a peak exceeds
    float low = 0;     // so much less that what rises from there to a peak is as steep as this:
    float steep = 0;   // a pixel is sure to be above the one before
    // Of the differences at an edge: the first pixel of the next patch is, too. `outer` times how much the outermost
    // two of the five cells differ that pixels on both sides are sums of comes on top.
    float margin = 0, outer = 0;
};

WB_INLINE void lower(PatchFloats &least, const PatchFloats &value) { least = least < value ? least : value; }
WB_INLINE void raise(PatchFloats &most, const PatchFloats &value) { most = most > value ? most : value; }

// Of four cells in a row, the patch being between the inner two.
WB_INLINE void control_line(const PatchFloats &a, const PatchFloats &b, const PatchFloats &c, const PatchFloats &d,
                            float third, PatchFloats line[4]) {
    line[0] = b;
    line[1] = b + (c - a) * third;
    line[2] = c - (d - b) * third;
    line[3] = c;
}

// `cells`: the upper left of the sixteen that the first patch is sums of.
WB_INLINE void control_points(const float *cells, ptrdiff_t pitch, float third, PatchFloats points[4][4]) {
    PatchFloats lines[4][4];
#pragma GCC unroll 4
    for (int row = 0; row < 4; ++row) {
        PatchFloats a, b, c, d;
        load(a, cells + row * pitch);
        load(b, cells + row * pitch + 1);
        load(c, cells + row * pitch + 2);
        load(d, cells + row * pitch + 3);
        control_line(a, b, c, d, third, lines[row]);
    }
#pragma GCC unroll 4
    for (int column = 0; column < 4; ++column) {
        PatchFloats line[4];
        control_line(lines[0][column], lines[1][column], lines[2][column], lines[3][column], third, line);
        for (int row = 0; row < 4; ++row) points[row][column] = line[row];
    }
}

// What is sure of patches along one axis.
struct Slopes {
    PatchBits ends, begins;   // only the last control points are above the threshold, or only the first
    PatchBits rises, falls;   // from pixel to pixel
    PatchBits after, before;  // the pixels beyond the last edge are above those at it; beyond the first edge
};

// Along rows; transposed: along columns. `low`: no control point is above the threshold.
template <bool Transposed>
WB_INLINE void ends_of(const PatchFloats points[4][4], float threshold, Slopes &slopes, PatchBits &low) {
    PatchFloats most[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        most[i] = Transposed ? points[i][0] : points[0][i];
        for (int line = 1; line < 4; ++line) raise(most[i], Transposed ? points[i][line] : points[line][i]);
    }
    raise(most[1], most[2]);
    const PatchBits inner = most[1] < threshold, first = most[0] < threshold, last = most[3] < threshold;
    slopes.ends = first & inner;
    slopes.begins = last & inner;
    low = first & inner & last;
}

// The largest difference between four cells and four others.
WB_INLINE void gap_of(const float *cells, const float *others, ptrdiff_t apart, PatchFloats &gap) {
    gap = PatchFloats{};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        PatchFloats cell, other;
        load(cell, cells + i * apart);
        load(other, others + i * apart);
        raise(gap, (PatchFloats)((PatchBits)(cell - other) & INT32_MAX));
    }
}

// A parabola, as a slope is, with the control points a, b, c is above 0 where a, c and b + min(a, c) are.
template <bool Transposed>
WB_INLINE void slopes_of(const PatchFloats points[4][4], const float *cells, ptrdiff_t pitch, const PatchRules &rules,
                         Slopes &slopes) {
    PatchFloats first_least, first_most, last_least, last_most, least, most;  // of all lines
#pragma GCC unroll 4
    for (int line = 0; line < 4; ++line) {
        PatchFloats steps[3], low, high;
        for (int i = 0; i < 3; ++i)
            steps[i] = Transposed ? points[i + 1][line] - points[i][line] : points[line][i + 1] - points[line][i];
        low = (steps[0] < steps[2] ? steps[0] : steps[2]) + steps[1];
        high = (steps[0] > steps[2] ? steps[0] : steps[2]) + steps[1];
        if (line == 0) {
            first_least = first_most = steps[0];
            last_least = last_most = steps[2];
            least = low;
            most = high;
        } else {
            lower(first_least, steps[0]);
            raise(first_most, steps[0]);
            lower(last_least, steps[2]);
            raise(last_most, steps[2]);
            lower(least, low);
            raise(most, high);
        }
    }
    slopes.rises = (first_least > rules.steep) & (last_least > rules.steep) & (least > 2 * rules.steep);
    slopes.falls = (first_most < -rules.steep) & (last_most < -rules.steep) & (most < -2 * rules.steep);
    const ptrdiff_t along = Transposed ? pitch : 1, beside = Transposed ? 1 : pitch;
    PatchFloats gap;
    gap_of(cells + 4 * along, cells, beside, gap);
    slopes.after = last_least > rules.margin + rules.outer * gap;
    gap_of(cells - along, cells + 3 * along, beside, gap);
    slopes.before = first_most < -rules.margin - rules.outer * gap;
}

// The patches that have something above the threshold, a bit each.
WB_INLINE uint32_t reaching(const PatchFloats points[4][4], const PatchRules &rules, Slopes &across) {
    PatchBits low;
    ends_of<false>(points, rules.low, across, low);
    return lanes_of<kPatches>(~low);
}

// The patches of these that may have a peak. Where only the last control points are above the threshold, what is above
// it rises: a line between them passes any height no more often than they do (Bernstein).
WB_INLINE uint32_t hopeful(const PatchFloats points[4][4], const float *cells, ptrdiff_t pitch, const PatchRules &rules,
                           Slopes &across, Slopes &down) {
    PatchBits low;
    slopes_of<false>(points, cells, pitch, rules, across);
    slopes_of<true>(points, cells, pitch, rules, down);
    ends_of<true>(points, rules.low, down, low);
    return lanes_of<kPatches>(
        ~(((across.rises | across.ends) & across.after) | ((across.falls | across.begins) & across.before) |
          ((down.rises | down.ends) & down.after) | ((down.falls | down.begins) & down.before)));
}

}  // namespace wholebody
#endif
