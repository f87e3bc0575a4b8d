// Runs the kernels: blocks one after the other, the threads of a block as fibers that change at barriers only.
#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <vector>

#include "cuda_shim.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

wb_shim::Index threadIdx, blockIdx, blockDim, gridDim;

namespace wb_shim {
namespace {

enum Status { kOk = 0, kUnknownKernel = 1, kWrongArguments = 2, kBadLaunch = 3, kBarrier = 4 };

const size_t kStack = 128 << 10;
const int kDone = -1, kNew = -2;
Kernel *kernels = nullptr;

struct Fiber {
    ucontext_t context;
    jmp_buf place;  // where it goes on
    std::vector<char> stack;
    Index index;
    int line;  // of the barrier where it waits; kDone, or kNew before it ever ran
};

// The launch that runs.
std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<uint32_t> order;
size_t threads, turn;  // turn: place in `order` of the fiber that runs
jmp_buf home_place;
const void *home_stack;  // and where it lies
size_t home_size;
const Kernel *current;
const void *current_arguments;
char *shared = nullptr;
uint64_t random_state;  // 0: in order

uint32_t random_below(uint64_t limit) {
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<uint32_t>((random_state >> 33) % limit);
}

template <typename Values>
void shuffle(Values &values, size_t count) {
    if (random_state == 0) return;
    for (size_t i = count; i > 1; --i) std::swap(values[i - 1], values[random_below(i)]);
}

Fiber &running() { return *fibers[order[turn]]; }

// AddressSanitizer wants to know which stack is in use.
void leave(void **fake_stack, const void *stack, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(fake_stack, stack, size);
#else
    static_cast<void>(fake_stack), static_cast<void>(stack), static_cast<void>(size);
#endif
}

void arrive(void *fake_stack, const void **from, size_t *from_size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake_stack, from, from_size);
#else
    static_cast<void>(fake_stack), static_cast<void>(from), static_cast<void>(from_size);
#endif
}

// A context is only how a fiber begins: to swap contexts takes a system call, a jump does not.
void go_home(Fiber &fiber) {
    void *fake_stack = nullptr;
    leave(&fake_stack, home_stack, home_size);
    if (_setjmp(fiber.place) == 0) _longjmp(home_place, 1);
    arrive(fake_stack, nullptr, nullptr);
}

void visit(Fiber &fiber) {
    void *fake_stack = nullptr;
    leave(&fake_stack, fiber.stack.data(), kStack);
    if (_setjmp(home_place) == 0) {
        if (fiber.line == kNew) setcontext(&fiber.context);
        _longjmp(fiber.place, 1);
    }
    arrive(fake_stack, nullptr, nullptr);
}

// A fiber is the same thread of one block after the other.
void fiber_main() {
    arrive(nullptr, &home_stack, &home_size);
    for (;;) {
        Fiber &fiber = running();
        current->run(current_arguments);
        fiber.line = kDone;
        go_home(fiber);
    }
}

void start(Fiber &fiber, uint32_t number) {
    fiber.index = {number % blockDim.x, number / blockDim.x % blockDim.y, number / blockDim.x / blockDim.y};
    if (!fiber.stack.empty()) return;
    fiber.stack.resize(kStack);
    fiber.line = kNew;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    // Stacks that begin at different places of a page do not fight for the same lines of the cache.
    fiber.context.uc_stack.ss_size = kStack - number % 32 * 320;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, fiber_main, 0);
}

// Every thread up to its next barrier, or its end; false when they do not all meet.
bool step() {
    shuffle(order, threads);
    for (turn = 0; turn < threads; ++turn) {
        Fiber &fiber = running();
        threadIdx = fiber.index;
        visit(fiber);
    }
    for (size_t i = 1; i < threads; ++i)
        if (fibers[i]->line != fibers[0]->line) {
            std::fprintf(stderr, "cuda_shim: %s: threads of block (%u, %u, %u) part at line %d and line %d (-1: end)\n",
                         current->name, blockIdx.x, blockIdx.y, blockIdx.z, fibers[0]->line, fibers[i]->line);
            return false;
        }
    return true;
}

bool run_block(uint32_t shared_bytes) {
    shared = static_cast<char *>(std::malloc(shared_bytes ? shared_bytes : 1));
    std::memset(shared, 0xA5, shared_bytes);
    bool met = true;
    do {
        met = step();
    } while (met && fibers[0]->line != kDone);
    std::free(shared);
    return met;
}

Status run_blocks(uint32_t shared_bytes) {
    std::vector<uint64_t> blocks(static_cast<uint64_t>(gridDim.x) * gridDim.y * gridDim.z);
    std::iota(blocks.begin(), blocks.end(), 0);
    shuffle(blocks, blocks.size());
    for (uint64_t block : blocks) {
        blockIdx = {static_cast<uint32_t>(block % gridDim.x), static_cast<uint32_t>(block / gridDim.x % gridDim.y),
                    static_cast<uint32_t>(block / gridDim.x / gridDim.y)};
        if (!run_block(shared_bytes)) return kBarrier;
    }
    return kOk;
}

bool valid(const uint32_t *grid, const uint32_t *block, uint32_t shared_bytes) {
    for (int i = 0; i < 3; ++i)
        if (grid[i] == 0 || block[i] == 0 || (i > 0 && grid[i] > 65535)) return false;
    return static_cast<uint64_t>(block[0]) * block[1] * block[2] <= 1024 && shared_bytes <= 48 << 10;
}

}  // namespace

Kernel::Kernel(const char *kernel, uint64_t bytes, Runner runner)
    : name(kernel), argument_bytes(bytes), run(runner), next(kernels) {
    kernels = this;
}

void synchronize(int line) {
    Fiber &fiber = running();
    fiber.line = line;
    go_home(fiber);
}

float *shared_memory() { return reinterpret_cast<float *>(shared); }

}  // namespace wb_shim

extern "C" {

// Blocks and threads run in an order drawn from the seed; 0: as they are numbered.
void wb_shim_seed(uint64_t seed) { wb_shim::random_state = seed; }

// Bytes of a kernel's argument; 0 where there is no such kernel.
uint64_t wb_shim_argument_bytes(const char *name) {
    for (const wb_shim::Kernel *kernel = wb_shim::kernels; kernel; kernel = kernel->next)
        if (std::strcmp(kernel->name, name) == 0) return kernel->argument_bytes;
    return 0;
}

int wb_shim_launch(const char *name, const uint32_t grid[3], const uint32_t block[3], uint32_t shared_bytes,
                   const void *arguments, uint64_t nbytes) {
    using namespace wb_shim;
    const Kernel *kernel = kernels;
    while (kernel && std::strcmp(kernel->name, name) != 0) kernel = kernel->next;
    if (!kernel) return kUnknownKernel;
    if (kernel->argument_bytes != nbytes) return kWrongArguments;
    if (!valid(grid, block, shared_bytes)) return kBadLaunch;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    current = kernel;
    current_arguments = arguments;
    threads = static_cast<size_t>(block[0]) * block[1] * block[2];
    while (fibers.size() < threads) fibers.emplace_back(new Fiber());
    for (uint32_t i = 0; i < threads; ++i) start(*fibers[i], i);
    order.resize(threads);
    std::iota(order.begin(), order.end(), 0);
    const Status status = run_blocks(shared_bytes);
    if (status == kBarrier) fibers.clear();  // some wait for ever
    return status;
}

}  // extern "C"
