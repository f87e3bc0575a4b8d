// CUDA's words for g++: the kernel sources compile unchanged, and their threads run as fibers of one CPU thread.
//
// Stricter than a GPU: all threads of a block meet at the same __syncthreads or none does, blocks and threads may run
// in any order (by seed), shared memory holds garbage at first and has exactly the size asked for. It shows no data
// races within one stretch between barriers (but an order that shows), no warps and no timing.
#ifndef WHOLEBODY_CUDA_SHIM_H
#define WHOLEBODY_CUDA_SHIM_H

#include <cmath>
#include <cstdint>
#include <cstring>

#define __device__
#define __forceinline__ inline
#define __syncthreads() wb_shim::synchronize(__LINE__)
#define __threadfence() (static_cast<void>(0))

namespace wb_shim {

struct Index {
    uint32_t x, y, z;
};

typedef void (*Runner)(const void *arguments);

// What a kernel says of itself before main.
struct Kernel {
    const char *name;
    uint64_t argument_bytes;
    Runner run;
    Kernel *next;

    Kernel(const char *kernel, uint64_t bytes, Runner runner);
};

void synchronize(int line);
float *shared_memory();

template <typename Arguments, void (*function)(const Arguments)>
void run(const void *arguments) {
    Arguments copy;
    std::memcpy(static_cast<void *>(&copy), arguments, sizeof(copy));
    function(copy);
}

}  // namespace wb_shim

extern wb_shim::Index threadIdx, blockIdx, blockDim, gridDim;

#define WB_KERNEL(name, Arguments)                                                                      \
    static void name(const Arguments);                                                                  \
    static wb_shim::Kernel kernel_##name(#name, sizeof(Arguments), &wb_shim::run<Arguments, name>);     \
    static void name(const Arguments arguments)
#define WB_SHARED(name) float *name = wb_shim::shared_memory()

template <typename Value>
inline Value __ldg(const Value *from) {
    return *from;
}

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

inline float __int_as_float(int bits) {
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
}

inline int __float_as_int(float value) {
    int bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }

inline int atomicAdd(int *at, int value) {
    const int before = *at;
    *at += value;
    return before;
}

inline unsigned atomicOr(unsigned *at, unsigned value) {
    const unsigned before = *at;
    *at |= value;
    return before;
}

#endif
