// Drives the native PAF decoder through its C ABI with random maps, for sanitizers and for other machines.
//
//   paf_exercise fuzz SECONDS SEED   every kind of map that a broken network or a broken caller could hand over
//   paf_exercise print CASES SEED    people of drawn crowds, one line a person, to compare machines
//   paf_exercise memory CASES SEED   the same crowds; what a decoder holds, and that a second frame allocates nothing
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "paf.h"
#include "random.h"

namespace {

long allocations = 0;
size_t held = 0;  // bytes

}  // namespace

__attribute__((noinline)) void *operator new(size_t size) {
    size_t *block = static_cast<size_t *>(std::malloc(size + 16));
    if (block == nullptr) throw std::bad_alloc();
    *block = size;
    ++allocations;
    held += size;
    return block + 2;
}

__attribute__((noinline)) void operator delete(void *memory) noexcept {
    if (memory == nullptr) return;
    size_t *block = static_cast<size_t *>(memory) - 2;
    held -= *block;
    std::free(block);
}

__attribute__((noinline)) void operator delete(void *memory, size_t) noexcept { operator delete(memory); }

namespace {

struct Setting {
    wb_paf_config config;
    std::vector<int32_t> pairs, channels;
    std::vector<uint8_t> parts;
};

Setting random_setting(Random &random) {
    Setting s;
    s.config = wb_paf_config{};
    wb_paf_config &c = s.config;
    const int strides[] = {8, 8, 8, 4, 4, 1, 2, 3, 16};
    c.abi = WB_PAF_ABI;
    c.keypoints = 1 + random.below(random.chance(12) ? 135 : 18);
    c.limbs = 1 + random.below(c.keypoints + 2);
    c.stride = strides[random.below(9)];
    c.max_peaks = random.chance(4) ? 1 + random.below(5) : 127;
    c.min_keypoints = 1 + random.below(3);
    c.maximize_positives = random.chance(3);
    c.number_people_max = random.chance(3) ? 1 + random.below(4) : -1;
    c.cuda_border = random.chance(2);
    c.fast = random.chance(3);
    c.kernel_a = random.chance(2) ? -0.75f : -0.5f;
    c.nms_threshold = random.chance(5) ? 0.0f : 0.05f;
    c.near_score = c.nms_threshold + 1e-6f;
    c.paf_threshold = random.chance(5) ? 0.0f : 0.05f;
    c.paf_ratio = random.chance(3) ? random.unit() * 0.99f : 0.95f;
    c.min_score = random.chance(3) ? -1.0f : 0.2f;
    for (int i = 0; i < c.limbs; ++i) {
        s.pairs.push_back(random.below(c.keypoints));
        s.pairs.push_back(random.below(c.keypoints));
    }
    for (int i = 0; i < 2 * c.limbs; ++i) s.channels.push_back(random.below(2 * c.limbs));
    for (int i = 0; i < c.keypoints; ++i) s.parts.push_back(static_cast<uint8_t>(random.below(16)));
    return s;
}

float strange(Random &random) {
    const float values[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::denorm_min(),
                            -0.0f, 1e30f, -1e30f, 9.99e8f, -9.99e8f, std::numeric_limits<float>::max()};
    return values[random.below(10)];
}

// Maps in a block of exactly their size, read with strides of any sign and order.
struct Maps {
    std::vector<char> bytes;
    wb_layout layout;
    const void *first;
};

void set(Maps &maps, int64_t offset, float value) {
    if (maps.layout.type == WB_FLOAT32) {
        std::memcpy(maps.bytes.data() + offset, &value, 4);
    } else {  // any half will do
        uint32_t bits;
        std::memcpy(&bits, &value, 4);
        const uint16_t half = static_cast<uint16_t>((bits >> 16 & 0x8000) | ((bits >> 13) - (112u << 10)) % 0x8000);
        std::memcpy(maps.bytes.data() + offset, &half, 2);
    }
}

Maps random_maps(Random &random, int channels, int height, int width, int kind) {
    Maps maps;
    wb_layout &l = maps.layout;
    l = wb_layout{};
    l.channels = channels;
    l.height = height;
    l.width = width;
    l.type = random.chance(4) ? WB_FLOAT16 : WB_FLOAT32;
    const int64_t size = l.type == WB_FLOAT32 ? 4 : 2;
    const bool turned = random.chance(4);
    l.stride_column = turned ? size * height : size;
    l.stride_row = turned ? size : size * width;
    l.stride_channel = size * height * width;
    maps.bytes.assign(static_cast<size_t>(l.stride_channel * channels), 0);
    int64_t start = 0;
    if (random.chance(4) && width > 0) {
        start += (width - 1) * l.stride_column;
        l.stride_column = -l.stride_column;
    }
    if (random.chance(4) && height > 0) {
        start += (height - 1) * l.stride_row;
        l.stride_row = -l.stride_row;
    }
    maps.first = maps.bytes.data() + start;
    const float level = kind == 1 ? 0.5f : random.unit();
    for (int64_t i = 0; i < static_cast<int64_t>(maps.bytes.size()); i += size) {
        float value = level;                                             // 1: a plateau
        if (kind == 0) value = random.unit() - 0.3f;                     // noise: every cell may be a peak
        if (kind == 2) value = random.chance(9) ? random.unit() : 0.0f;  // scattered points
        if (kind == 3) value = random.chance(5) ? strange(random) : random.unit();
        if (kind == 4) value = (i / size) % 2 ? 0.6f : 0.1f;             // the most peaks there can be
        set(maps, i, value);
    }
    return maps;
}

void check(bool condition, const char *what) {
    if (condition) return;
    std::fprintf(stderr, "paf_exercise: %s\n", what);
    std::abort();
}

struct People {
    int32_t number = 0;
    std::vector<float> keypoints, scores, person_scores, boxes;
};

struct Decoder {
    wb_paf *handle = nullptr;
    int32_t points;
    explicit Decoder(const Setting &s) : points(s.config.keypoints) {
        check(wb_paf_create(&s.config, s.pairs.data(), s.channels.data(), s.parts.data(), &handle) == WB_OK, "create");
    }
    Decoder(const Decoder &) = delete;
    Decoder &operator=(const Decoder &) = delete;
    ~Decoder() { wb_paf_destroy(handle); }

    People decode(const Maps &heat, const Maps &pafs) {
        People people;
        check(wb_paf_decode(handle, heat.first, &heat.layout, pafs.first, &pafs.layout, &people.number) == WB_OK,
              "decode");
        return result(people);
    }

    People result(People people) {
        const size_t n = static_cast<size_t>(people.number);
        if (n == 0) return people;
        people.keypoints.resize(n * points * 2);
        people.scores.resize(n * points);
        people.person_scores.resize(n);
        people.boxes.resize(n * 4);
        check(wb_paf_result(handle, people.keypoints.data(), people.scores.data(), people.person_scores.data(),
                            people.boxes.data()) == WB_OK, "result");
        return people;
    }
};

bool same(const std::vector<float> &p, const std::vector<float> &q) {
    return p.size() == q.size() && (p.empty() || std::memcmp(p.data(), q.data(), p.size() * sizeof(float)) == 0);
}

// What a GPU would hand over, in a block of exactly its size.
std::vector<int32_t> random_block(Random &random, const Setting &s) {
    const wb_paf_config &c = s.config;
    std::vector<int32_t> block = {c.keypoints, c.limbs, 0, 0};
    for (int32_t k = 0; k < c.keypoints; ++k) block.push_back(random.below(std::min(c.max_peaks, 6) + 1));
    for (int32_t i = 0; i < c.limbs; ++i) {
        const int pairs = block[4 + s.pairs[2 * i]] * block[4 + s.pairs[2 * i + 1]];
        block.push_back(random.below(std::min(pairs, 7) + 1));
    }
    const auto add = [&block](float value) {
        int32_t bits;
        std::memcpy(&bits, &value, 4);
        block.push_back(bits);
    };
    for (int32_t k = 0; k < c.keypoints; ++k)
        for (int32_t i = 0; i < block[4 + k]; ++i, ++block[2])
            for (int word = 0; word < 3; ++word) add(random.unit() * 100);
    for (int32_t limb = 0; limb < c.limbs; ++limb)
        for (int32_t i = 0; i < block[4 + c.keypoints + limb]; ++i, ++block[3]) {
            add(0.01f + random.unit());
            block.push_back(random.below(block[4 + s.pairs[2 * limb]]) |
                            random.below(block[4 + s.pairs[2 * limb + 1]]) << 16);
        }
    return block;
}

void fuzz_blocks(Random &random, const Setting &s, Decoder &decoder, Decoder &other) {
    std::vector<int32_t> block = random_block(random, s);
    const int64_t words = static_cast<int64_t>(block.size());
    People people, again;
    check(wb_paf_assemble(decoder.handle, block.data(), words, &people.number) == WB_OK, "assemble");
    check(wb_paf_assemble(other.handle, block.data(), words, &again.number) == WB_OK, "assemble again");
    people = decoder.result(people);
    check(same(people.keypoints, other.result(again).keypoints), "two assemblies, two answers");
    check(wb_paf_assemble(decoder.handle, block.data(), random.below(static_cast<int>(words)), &people.number) ==
              WB_BAD_ARGUMENT, "half a block was taken");
    for (int damage = 1 + random.below(4); damage > 0; --damage)
        block[random.below(static_cast<int>(words))] = random.chance(2) ? random.below(300) - 20
                                                                        : static_cast<int32_t>(random.bits());
    if (wb_paf_assemble(decoder.handle, block.data(), words, &people.number) == WB_OK) decoder.result(people);
}

void fuzz_once(Random &random) {
    const Setting s = random_setting(random);
    Decoder decoder(s), other(s);
    for (int frame = 0; frame < 3; ++frame) {
        const int height = random.below(random.chance(3) ? 4 : 16), width = random.below(random.chance(3) ? 4 : 80);
        const Maps heat = random_maps(random, s.config.keypoints + random.below(2), height, width, random.below(5));
        const Maps pafs = random_maps(random, 2 * s.config.limbs, height, width, random.below(4));
        const People people = decoder.decode(heat, pafs), again = other.decode(heat, pafs);
        check(same(people.keypoints, again.keypoints) && same(people.scores, again.scores) &&
                  same(people.person_scores, again.person_scores) && same(people.boxes, again.boxes),
              "two decoders, two answers");
        for (float value : people.keypoints) check(std::isfinite(value), "a keypoint that is not finite");
        Maps fewer = heat;
        fewer.layout.channels = s.config.keypoints - 1;
        int32_t number = 0;
        check(wb_paf_decode(decoder.handle, fewer.first, &fewer.layout, pafs.first, &pafs.layout, &number) ==
                  WB_BAD_ARGUMENT, "too few channels were taken");
        fuzz_blocks(random, s, decoder, other);
    }
}

// Gaussian heads and straight limbs, so that people are found.
void show_case(Random &random, int number, bool memory) {
    Setting s = random_setting(random);
    s.config.keypoints = 4 + random.below(15);
    s.config.limbs = s.config.keypoints - 1;
    s.config.stride = number % 3 == 0 ? 4 : 8;
    s.config.paf_ratio = 0.95f;
    s.config.maximize_positives = 0;
    s.config.number_people_max = -1;
    s.parts.assign(s.config.keypoints, 0);
    s.pairs.clear();
    s.channels.clear();
    for (int i = 0; i < s.config.limbs; ++i) {
        s.pairs.push_back(i);
        s.pairs.push_back(i + 1);
        s.channels.push_back(2 * i);
        s.channels.push_back(2 * i + 1);
    }
    const int height = 30 + random.below(20), width = 40 + random.below(40), people = 1 + random.below(30);
    Maps heat = random_maps(random, s.config.keypoints, height, width, 1), pafs = heat;
    heat.layout = wb_layout{4 * height * width, 4 * width, 4, s.config.keypoints, height, width, WB_FLOAT32};
    pafs.layout = heat.layout;
    pafs.layout.channels = 2 * s.config.limbs;
    std::vector<float> h(static_cast<size_t>(s.config.keypoints) * height * width), f(2 * h.size());
    for (float &value : h) value = 0.02f * random.unit();
    for (int person = 0; person < people; ++person) {
        float x = random.unit() * width, y = random.unit() * height;
        for (int k = 0; k < s.config.keypoints; ++k) {
            const float to_x = x + 8 * (random.unit() - 0.5f), to_y = y + 8 * (random.unit() - 0.5f);
            for (int cy = 0; cy < height; ++cy)
                for (int cx = 0; cx < width; ++cx) {
                    const size_t cell = static_cast<size_t>(cy) * width + cx;
                    const float d = (cx - x) * (cx - x) + (cy - y) * (cy - y);
                    if (d > 16) continue;
                    const float bump = 1 / (1 + d * (1 + d * 0.5f));  // no exp: it differs between C libraries
                    float &value = h[static_cast<size_t>(k) * height * width + cell];
                    value = value > bump ? value : bump;
                    if (k == s.config.limbs) continue;
                    f[(2 * static_cast<size_t>(k)) * height * width + cell] = (to_x - x) * 0.2f;
                    f[(2 * static_cast<size_t>(k) + 1) * height * width + cell] = (to_y - y) * 0.2f;
                }
            x = to_x;
            y = to_y;
        }
    }
    heat.first = h.data();
    pafs.first = f.data();
    const size_t before = held;
    Decoder decoder(s);
    if (memory) {
        int32_t found = 0;
        long most = 0;
        for (int frame = 0; frame < 3; ++frame) {
            const long start = allocations;
            check(wb_paf_decode(decoder.handle, heat.first, &heat.layout, pafs.first, &pafs.layout, &found) == WB_OK,
                  "decode");
            if (frame > 0 && allocations - start > most) most = allocations - start;
        }
        std::printf("case %d: %d people, %ld allocations, %zu bytes\n", number, found, most, held - before);
        return;
    }
    const People found = decoder.decode(heat, pafs);
    std::printf("case %d: %d people\n", number, found.number);
    for (int32_t person = 0; person < found.number; ++person) {
        for (int k = 0; k < s.config.keypoints; ++k) {
            const size_t i = static_cast<size_t>(person) * s.config.keypoints + k;
            std::printf("%.9g %.9g %.9g ", found.keypoints[2 * i], found.keypoints[2 * i + 1], found.scores[i]);
        }
        std::printf("%.9g\n", found.person_scores[person]);
    }
}

}  // namespace

int main(int count, char **arguments) {
    if (count != 4) {
        std::fprintf(stderr, "usage: paf_exercise fuzz SECONDS SEED | print|memory CASES SEED\n");
        return 2;
    }
    const int amount = std::atoi(arguments[2]);
    Random random = seeded(std::atoll(arguments[3]));
    if (std::strcmp(arguments[1], "fuzz") != 0) {
        for (int i = 0; i < amount; ++i) show_case(random, i, std::strcmp(arguments[1], "memory") == 0);
        return 0;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(amount);
    long rounds = 0;
    for (; std::chrono::steady_clock::now() < end; ++rounds) fuzz_once(random);
    std::printf("%ld settings of three frames each, nothing found\n", rounds);
    return 0;
}
