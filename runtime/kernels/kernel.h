// What every kernel file uses. nvcc and NVRTC compile these files without any header of CUDA's; on a machine without
// a GPU g++ does, with tests/support/cuda_shim defining the macros. Build with -fmad=false: the arithmetic is that of
// the CPU path, operation by operation, so that both give the same bytes.
#ifndef WHOLEBODY_KERNEL_H
#define WHOLEBODY_KERNEL_H

#ifndef WB_KERNEL
// A kernel takes one struct by value, called `arguments`. Blocks of every kernel have at most WB_THREADS threads.
#define WB_KERNEL(name, Arguments) \
    extern "C" __global__ void __launch_bounds__(WB_THREADS) name(const Arguments arguments)
// All shared memory is dynamic, in words of four bytes.
#define WB_SHARED(name) extern __shared__ float name[]
#endif

#define WB_THREADS 128
#define WB_DEVICE static __device__ __forceinline__

namespace wholebody {

WB_DEVICE int clamped(int value, int low, int high) { return max(low, min(high, value)); }

// An IEEE half as a float; infinity and NaN become 0.
WB_DEVICE float widened(unsigned short half) {
    if ((half & 0x7c00) == 0x7c00) return 0.0f;
    // 2^112: the difference of the exponents' biases.
    const float value = __int_as_float((half & 0x7fff) << 13) * 5.192296858534828e33f;
    return half & 0x8000 ? -value : value;
}

// The sum of `value` over the threads before this one; *total: over all. Every thread of the block calls it;
// `scratch` has WB_THREADS words, free again when it returns.
WB_DEVICE int sum_before(int value, int *scratch, int *total) {
    const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
    scratch[thread] = value;
    __syncthreads();
    for (int reach = 1; reach < threads; reach *= 2) {
        const int more = thread >= reach ? scratch[thread - reach] : 0;
        __syncthreads();
        scratch[thread] += more;
        __syncthreads();
    }
    const int through = scratch[thread];
    *total = scratch[threads - 1];
    __syncthreads();
    return through - value;
}

}  // namespace wholebody
#endif
