// SPDX-License-Identifier: GPL-3.0-or-later
// CUDA's words for a C++ compiler: the kernels' own text runs on a processor, one thread block after the other. The
// threads of a block are fibres that give way at each barrier, so shared memory and barriers mean what they mean on a
// card; running them backwards shows whether a picture hangs on their order. A barrier that not all threads reach,
// which would hang a card or worse, is an error.
#include <cmath>
#include <cstring>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(n)
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))

struct Index {
    unsigned int x, y, z;
};
static Index blockIdx, threadIdx;

namespace fibres {
constexpr int MOST = 1024, STACK = 64 * 1024;
static ucontext_t home, contexts[MOST];
static bool ended[MOST];
static int barriers[MOST], current, tally[3];
static std::vector<char> stacks;
}  // namespace fibres

static void __syncthreads() {
    using namespace fibres;
    tally[(barriers[current] + 1) % 3] = 0;  // nobody counts there before all have passed here
    barriers[current]++;
    swapcontext(&contexts[current], &home);
}

static int __syncthreads_count(int predicate) {
    using namespace fibres;
    const int slot = barriers[current] % 3;
    tally[slot] += predicate != 0;
    __syncthreads();
    return tally[slot];
}

static int atomicAdd(int *place, int value) {
    const int before = *place;
    *place += value;
    return before;
}

static unsigned int __float_as_uint(float value) {
    unsigned int bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static int min(int a, int b) { return a < b ? a : b; }

struct Work;
typedef void (*Kernel)(Work);
int run_block(Kernel kernel, const Work *work, int threads, bool backwards);

// Returns 0, or 1 where threads of a block did not all meet at the same barriers.
extern "C" int run_grid(Kernel kernel, const Work *work, int x, int y, int z, int threads, bool backwards) {
    for (blockIdx.z = 0; blockIdx.z < (unsigned)z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < (unsigned)y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < (unsigned)x; blockIdx.x++)
                if (run_block(kernel, work, threads, backwards)) return 1;
    return 0;
}
