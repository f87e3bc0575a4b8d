// Vectors of the compiler's own kind, and hot loops in one body for every instruction set.
#ifndef WHOLEBODY_PAF_SIMD_H
#define WHOLEBODY_PAF_SIMD_H

#include <cstdint>
#include <cstring>

// The loader picks the widest clone that the machine has; aarch64 has NEON everywhere. No clone has fused
// multiply-add (-ffp-contract=off), so that all give the same bytes.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WB_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define WB_CLONES
#endif
#define WB_INLINE inline __attribute__((always_inline))

namespace wholebody {

template <int Count>
struct Lanes {
    typedef float Floats __attribute__((vector_size(Count * 4)));
    typedef int32_t Bits __attribute__((vector_size(Count * 4)));
};

template <typename Vector>
WB_INLINE void load(Vector &vector, const void *from) {
    std::memcpy(&vector, from, sizeof(vector));
}

template <typename Vector>
WB_INLINE void store(void *to, const Vector &vector) {
    std::memcpy(to, &vector, sizeof(vector));
}

template <int Count>
WB_INLINE bool any(const typename Lanes<Count>::Bits &bits) {
    uint64_t words[Count / 2], found = 0;
    std::memcpy(words, &bits, sizeof(words));
    for (uint64_t word : words) found |= word;
    return found != 0;
}

template <int Count>
WB_INLINE bool all(const typename Lanes<Count>::Bits &bits) {
    return !any<Count>(~bits);
}

}  // namespace wholebody
#endif
