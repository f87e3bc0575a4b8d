// Drives the native arithmetic of top-down networks through its C ABI, for sanitizers.
//
//   topdown_exercise fuzz SECONDS SEED   maps, boxes and matrices that a broken network or caller could hand over
//
// Every array is an allocation of its own and of its very size, so that a step outside is seen.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "random.h"
#include "topdown.h"

namespace {

[[noreturn]] void fail(const char *what) {
    std::fprintf(stderr, "topdown_exercise: %s\n", what);
    std::exit(1);
}

float strange(Random &random, float scale) {
    const float values[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), 1e-40f, -0.0f, 3e38f, -3e38f};
    return random.chance(40) ? values[random.below(7)] : (random.unit() - 0.3f) * scale;
}

std::unique_ptr<float[]> floats(Random &random, size_t count, float scale) {
    std::unique_ptr<float[]> made(new float[count]);
    const int kind = random.below(6);
    for (size_t i = 0; i < count; ++i) {
        made[i] = kind == 0 ? 0.5f : kind == 1 ? random.unit() : strange(random, scale);
    }
    return made;
}

// Each keypoint is within its map, or was not found; DARK and UDP follow a parabola wherever that leads (`anywhere`).
void check_points(const float *found, size_t points, float width, float height, const char *what,
                  bool anywhere = false) {
    for (size_t i = 0; i < points; ++i) {
        const float *point = found + 3 * i;
        const bool inside = point[0] >= -1 && point[0] <= width && point[1] >= -1 && point[1] <= height;
        const bool finite = std::isfinite(point[0]) && std::isfinite(point[1]) && std::isfinite(point[2]);
        if (!finite || !(inside || anywhere)) {
            std::fprintf(stderr, "%s: %g %g %g of %g x %g\n", what, point[0], point[1], point[2], width, height);
            fail("a point outside");
        }
    }
}

void exercise_maps(Random &random) {
    wb_stack stack = {};
    stack.people = random.below(5);
    stack.channels = random.below(6);
    stack.height = random.chance(6) ? random.below(3) : 1 + random.below(24);
    stack.width = random.chance(6) ? random.below(3) : 1 + random.below(24);
    const int gap = random.chance(3) ? random.below(9) : 0;
    stack.channel_stride = static_cast<int64_t>(stack.height) * stack.width + gap;
    stack.person_stride = stack.channel_stride * stack.channels;
    const auto maps = floats(random, static_cast<size_t>(stack.person_stride * stack.people), 3.0f);
    const size_t points = static_cast<size_t>(stack.people) * static_cast<size_t>(stack.channels);
    std::unique_ptr<float[]> found(new float[3 * points]);
    const float width = static_cast<float>(stack.width), height = static_cast<float>(stack.height);
    const int refine = random.below(4);
    if (wb_topdown_peaks(maps.get(), &stack, refine, found.get()) == WB_OK) {
        check_points(found.get(), points, width, height, "peaks", refine >= WB_REFINE_DARK);
    }
    if (wb_topdown_integrals(maps.get(), &stack, found.get()) == WB_OK) {
        check_points(found.get(), points, width, height, "integrals");
    }
    const int factor = random.below(18);
    if (wb_topdown_enlarged_peaks(maps.get(), &stack, factor, random.chance(2) ? -0.5 : -0.75, found.get()) == WB_OK) {
        const float times = static_cast<float>(factor);
        check_points(found.get(), points, width * times, height * times, "enlarged");
    }
    if (wb_topdown_peaks(maps.get(), &stack, 4 + random.below(9), found.get()) == WB_OK) fail("an unknown refinement");
}

void exercise_simcc(Random &random) {
    const int people = random.below(5), points = random.below(9);
    const int across = random.below(60), down = random.below(60);
    const size_t rows = static_cast<size_t>(people * points);
    const auto along_x = floats(random, rows * static_cast<size_t>(across), 1.0f);
    const auto along_y = floats(random, rows * static_cast<size_t>(down), 1.0f);
    std::unique_ptr<float[]> found(new float[3 * rows]);
    if (wb_topdown_simcc(along_x.get(), along_y.get(), people, points, across, down, 2.0f, found.get()) == WB_OK) {
        check_points(found.get(), rows, static_cast<float>(across), static_cast<float>(down), "SimCC");
    }
}

void exercise_crops(Random &random) {
    wb_crop_target target = {};
    target.picture_width = 1 + random.below(40);
    target.picture_height = 1 + random.below(40);
    target.pitch = 3 * target.picture_width + (random.chance(2) ? random.below(9) : 0);
    target.width = 1 + random.below(32);
    target.height = 1 + random.below(32);
    target.bytes = random.chance(3);
    target.channels_last = random.chance(2);
    const bool swapped = random.chance(2);
    for (int c = 0; c < 3; ++c) {
        target.channel[c] = swapped ? 2 - c : c;
        target.gain[c] = random.unit();
        target.bias[c] = random.unit() - 0.5f;
    }
    const int people = random.below(5);
    const size_t last_line = static_cast<size_t>(3 * target.picture_width);
    const size_t bytes = static_cast<size_t>(target.pitch) * static_cast<size_t>(target.picture_height - 1) + last_line;
    std::unique_ptr<uint8_t[]> picture(new uint8_t[bytes]);
    for (size_t i = 0; i < bytes; ++i) picture[i] = static_cast<uint8_t>(random.bits());
    const auto matrices = floats(random, static_cast<size_t>(people) * 6, random.chance(2) ? 4.0f : 1e9f);
    const size_t values = static_cast<size_t>(people * 3 * target.width * target.height);
    std::unique_ptr<uint8_t[]> out(new uint8_t[values * (target.bytes ? 1 : sizeof(float))]);
    target.out = out.get();
    if (wb_topdown_crops(picture.get(), matrices.get(), people, &target) != WB_OK) return;
    for (size_t i = 0; i < values && !target.bytes; ++i) {
        float value;
        std::memcpy(&value, out.get() + i * sizeof(float), sizeof value);
        if (!(value >= -0.5f && value <= 255.5f)) fail("a crop's pixel is no grey level");
    }
}

void exercise_overlaps(Random &random) {
    const int count = random.below(random.chance(20) ? 500 : 20);
    const auto boxes = floats(random, static_cast<size_t>(count) * 4, 100.0f);
    std::unique_ptr<uint8_t[]> keep(new uint8_t[static_cast<size_t>(count)]());
    int32_t kept = -1;
    if (wb_topdown_nms(boxes.get(), count, random.unit(), keep.get(), &kept) != WB_OK) return;
    int told = 0;
    for (int i = 0; i < count; ++i) told += keep[i] == 1;
    if (told != kept) fail("boxes kept and their number differ");
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 4 || std::strcmp(arguments[1], "fuzz") != 0) {
        std::fprintf(stderr, "usage: topdown_exercise fuzz SECONDS SEED\n");
        return 2;
    }
    Random random = seeded(std::atoll(arguments[3]));
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(std::atoi(arguments[2]));
    long rounds = 0;
    for (; std::chrono::steady_clock::now() < end; ++rounds) {
        exercise_maps(random);
        exercise_simcc(random);
        exercise_crops(random);
        exercise_overlaps(random);
    }
    std::printf("%ld rounds of maps, bins, crops and boxes, nothing found\n", rounds);
    return 0;
}
