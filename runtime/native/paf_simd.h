// Vectors of the compiler's own kind, and hot loops in one body for every instruction set.
#ifndef WHOLEBODY_PAF_SIMD_H
#define WHOLEBODY_PAF_SIMD_H

#include <cstdint>
#include <cstring>

// The loader picks the widest clone that the machine has; aarch64 has NEON everywhere. No clone has fused
// multiply-add (-ffp-contract=off), so that all give the same bytes.
#if defined(WB_CLONES)  // said by the build
#elif defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WB_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define WB_CLONES
#endif
#define WB_INLINE inline __attribute__((always_inline))
// Four lanes chosen among those of a (0 to 3) and b (4 to 7).
// WB_SHUFFLE_8: eight lanes among those of a.
// WB_PERMUTE: the lanes of a in another order, which is known only now.
#if defined(__clang__)
#define WB_PERMUTE(a, order) a = decltype(a){a[(order)[0]], a[(order)[1]], a[(order)[2]], a[(order)[3]]}
#define WB_SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#define WB_SHUFFLE_8(a, ...) __builtin_shufflevector(a, a, __VA_ARGS__)
#else
#define WB_PERMUTE(a, order) a = __builtin_shuffle(a, order)
#define WB_SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (Lanes<4>::Bits{i, j, k, l}))
#define WB_SHUFFLE_8(a, ...) __builtin_shuffle(a, (Lanes<8>::Bits{__VA_ARGS__}))
#endif

namespace wholebody {

template <int Count>
struct Lanes {
    typedef float Floats __attribute__((vector_size(Count * 4)));
    typedef int32_t Bits __attribute__((vector_size(Count * 4)));
};

// Not memcpy: the compiler would go through memory for the elements of local arrays of vectors.
template <typename Vector>
WB_INLINE void load(Vector &vector, const void *from) {
    typedef Vector Unaligned __attribute__((aligned(1), may_alias));
    vector = *static_cast<const Unaligned *>(from);
}

template <typename Vector>
WB_INLINE void store(void *to, const Vector &vector) {
    typedef Vector Unaligned __attribute__((aligned(1), may_alias));
    *static_cast<Unaligned *>(to) = vector;
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

// Which bits are set in some lane.
template <int Count>
WB_INLINE uint32_t either(const typename Lanes<Count>::Bits &bits) {
    uint64_t words[Count / 2], found = 0;
    store(words, bits);
    for (uint64_t word : words) found |= word;
    return static_cast<uint32_t>(found | found >> 32);
}

template <int Count>
WB_INLINE uint32_t lanes_of(const typename Lanes<Count>::Bits &set);

template <>
WB_INLINE uint32_t lanes_of<8>(const Lanes<8>::Bits &set) {
    return either<8>(set & Lanes<8>::Bits{1, 2, 4, 8, 16, 32, 64, 128});
}

template <>
WB_INLINE uint32_t lanes_of<4>(const Lanes<4>::Bits &set) {
#if defined(__SSE__)
    return static_cast<uint32_t>(__builtin_ia32_movmskps((Lanes<4>::Floats)set));
#else
    return either<4>(set & Lanes<4>::Bits{1, 2, 4, 8});
#endif
}

}  // namespace wholebody
#endif
