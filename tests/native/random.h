// Numbers for exercises of the native code.
#ifndef WHOLEBODY_TESTS_RANDOM_H
#define WHOLEBODY_TESTS_RANDOM_H

#include <cstdint>

// xorshift64*: the same numbers on every machine.
struct Random {
    uint64_t state;
    uint32_t bits() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return static_cast<uint32_t>((state * 2685821657736338717ull) >> 32);
    }
    int below(int n) { return static_cast<int>(bits() % static_cast<uint32_t>(n)); }
    bool chance(int in) { return below(in) == 0; }
    float unit() { return static_cast<float>(bits() >> 8) * (1.0f / 16777216); }
};

inline Random seeded(long long seed) { return {0x9e3779b97f4a7c15ull + static_cast<uint64_t>(seed) * 2 + 1}; }

#endif
