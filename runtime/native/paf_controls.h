// What the control points of eight patches tell: a bicubic patch lies within them, as a Bezier surface does.
#ifndef WHOLEBODY_PAF_CONTROLS_H
#define WHOLEBODY_PAF_CONTROLS_H

#include <cstddef>

#include "paf_simd.h"

namespace wholebody {

const int32_t kPatches = 8;  // side by side
typedef Lanes<kPatches>::Floats PatchFloats;
typedef Lanes<kPatches>::Bits PatchBits;

// What a patch without a peak is known by. Differences are those of neighbouring control points.
struct PatchRules {
    float third = 0;   // the slope at a cell is three times this, times its neighbours' difference
    float least = 0;   // what a peak exceeds
    float steep = 0;   // of all differences: a pixel is sure to be above the one before
    float margin = 0;  // of those at the edge: the first pixel of the next patch is, too
    float corner = 0;  // of the one at the corner: the corner's pixel is below the one across
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

// Which way patches go along one axis.
struct Slopes {
    PatchBits rises, falls;  // between any two pixels in line
    PatchBits after, before;  // the pixels beyond the edge are above the last ones, or the first ones
    PatchBits ends, begins;   // only the last control points, or the first ones, are above the threshold
};

// Along rows; transposed: along columns. A parabola with the control points a, b, c is above 0 where a, c and b + min(a, c)
// are: in the words of Bernstein, (-b)^2 < a * c where b is below 0.
template <bool Transposed>
WB_INLINE void ends_of(const PatchFloats points[4][4], const PatchRules &rules, Slopes &slopes, PatchBits &open) {
    PatchFloats most[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        most[i] = Transposed ? points[i][0] : points[0][i];
        for (int line = 1; line < 4; ++line) raise(most[i], Transposed ? points[i][line] : points[line][i]);
    }
    raise(most[1], most[2]);
    slopes.ends = (most[0] < rules.least) & (most[1] < rules.least);
    slopes.begins = (most[3] < rules.least) & (most[1] < rules.least);
    open &= ~slopes.ends | ~(most[3] < rules.least);
}

template <bool Transposed>
WB_INLINE void slopes_of(const PatchFloats points[4][4], const PatchRules &rules, Slopes &slopes) {
    PatchFloats first_least, first_most, last_least, last_most, least, most;  // of all lines
#pragma GCC unroll 4
    for (int line = 0; line < 4; ++line) {
        PatchFloats steps[3], low, high;
        for (int i = 0; i < 3; ++i)
            steps[i] = Transposed ? points[i + 1][line] - points[i][line] : points[line][i + 1] - points[line][i];
        low = steps[0] < steps[2] ? steps[0] : steps[2];
        high = steps[0] > steps[2] ? steps[0] : steps[2];
        low += steps[1];
        high += steps[1];
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
    const PatchBits turns_up = least > 2 * rules.steep, turns_down = most < -2 * rules.steep;
    slopes.rises = (first_least > rules.steep) & (last_least > rules.steep) & turns_up;
    slopes.falls = (first_most < -rules.steep) & (last_most < -rules.steep) & turns_down;
    slopes.after = last_least > rules.margin;
    slopes.before = first_most < -rules.margin;
}

WB_INLINE void choose(const PatchBits &first, const PatchFloats &a, const PatchFloats &b, PatchFloats &chosen) {
    chosen = (PatchFloats)(((PatchBits)a & first) | ((PatchBits)b & ~first));
}

// Set where patches that go one way along both axes are sure to have no peak in the corner they rise to.
WB_INLINE void leaves_corner(const PatchFloats points[4][4], const PatchRules &rules, const Slopes &across,
                             const Slopes &down, PatchBits &leaves) {
    PatchFloats left, right, upper, lower_, step_across, step_down;
    choose(down.rises, points[3][1] - points[3][0], points[0][1] - points[0][0], left);
    choose(down.rises, points[3][3] - points[3][2], points[0][3] - points[0][2], right);
    choose(across.rises, points[1][3] - points[0][3], points[1][0] - points[0][0], upper);
    choose(across.rises, points[3][3] - points[2][3], points[3][0] - points[2][0], lower_);
    choose(across.rises, right, -left, step_across);
    choose(down.rises, lower_, -upper, step_down);
    raise(step_across, step_down);
    leaves = (across.rises | across.falls) & (down.rises | down.falls) & (step_across > rules.corner);
}

// Which of the patches may have a peak.
WB_INLINE void hopeful(const float *cells, ptrdiff_t pitch, const PatchRules &rules, PatchBits &open, Slopes &across,
                       Slopes &down) {
    PatchFloats points[4][4];
    control_points(cells, pitch, rules.third, points);
    ends_of<false>(points, rules, across, open);
    if (!any<kPatches>(open)) return;
    PatchBits leaves;
    slopes_of<false>(points, rules, across);
    slopes_of<true>(points, rules, down);
    ends_of<true>(points, rules, down, open);
    open &= ~(((across.rises | across.ends) & across.after) | ((across.falls | across.begins) & across.before) |
              ((down.rises | down.ends) & down.after) | ((down.falls | down.begins) & down.before));
    if (!any<kPatches>(open)) return;
    leaves_corner(points, rules, across, down, leaves);
    open &= ~leaves;
}

}  // namespace wholebody
#endif
