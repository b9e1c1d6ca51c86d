// SPDX-License-Identifier: GPL-3.0-or-later
// The list of splats of every tile, by counting: clear_tiles, (splat counts), scan_tiles, fill_tiles.
//
// Within a list the order is whatever the threads' was; sort.cu brings it into the picture's. A list that does not fit
// is cut off, and `totals` tells the host, which makes room and draws again.

extern "C" __global__ void __launch_bounds__(SPLAT_THREADS) clear_tiles(const Work work) {
    const int entries = LAYERS * work.tiles_x * work.tiles_y, k = blockIdx.x * SPLAT_THREADS + threadIdx.x;
    if (k < entries) work.count[(long long)blockIdx.y * entries + k] = 0;
}

// Where each list starts: sums of all counts before. One block a frame; a thread adds up a stretch of neighbours.
extern "C" __global__ void __launch_bounds__(SCAN_THREADS) scan_tiles(const Work work) {
    __shared__ long long sums[SCAN_THREADS];
    const int entries = LAYERS * work.tiles_x * work.tiles_y, frame = blockIdx.y, thread = threadIdx.x;
    const int stretch = (entries + SCAN_THREADS - 1) / SCAN_THREADS;
    const int *count = work.count + (long long)frame * entries;
    int *start = work.start + (long long)frame * (entries + 1), *cursor = work.cursor + (long long)frame * entries;
    const int first = thread * stretch, last = min(first + stretch, entries);
    long long own = 0;
    for (int k = first; k < last; k++) own += count[k];
    sums[thread] = own;
    for (int step = 1; step < SCAN_THREADS; step *= 2) {
        __syncthreads();
        const long long before = thread >= step ? sums[thread - step] : 0;
        __syncthreads();
        sums[thread] += before;
    }
    long long total = sums[thread] - own;
    for (int k = first; k < last; k++) {
        start[k] = cursor[k] = total < work.capacity ? (int)total : work.capacity;
        total += count[k];
    }
    if (thread == SCAN_THREADS - 1) {
        start[entries] = sums[thread] < work.capacity ? (int)sums[thread] : work.capacity;
        work.totals[frame] = sums[thread];
    }
}

// One thread a Gaussian. Keys order by depth (the bits of a positive float order like it), ties by the avatar's number.
extern "C" __global__ void __launch_bounds__(SPLAT_THREADS) fill_tiles(const Work work) {
    const int gaussians = work.face_count + work.mouth_count, number = blockIdx.x * SPLAT_THREADS + threadIdx.x;
    if (number >= gaussians) return;
    const int frame = blockIdx.y, tiles = work.tiles_x * work.tiles_y;
    const long long row = (long long)frame * gaussians + number;
    const int *box = work.box + row * 4;
    if (box[1] <= box[0]) return;
    const unsigned int depth = __float_as_uint(work.record[row * RECORD + 9]);
    const unsigned long long key = ((unsigned long long)depth << 32) | (unsigned int)number;
    int *cursor = work.cursor + ((long long)frame * LAYERS + (number >= work.face_count)) * tiles;
    unsigned long long *keys = work.keys + (long long)frame * work.capacity;
    for (int y = box[2]; y < box[3]; y++)
        for (int x = box[0]; x < box[1]; x++) {
            const int slot = atomicAdd(&cursor[y * work.tiles_x + x], 1);
            if (slot < work.capacity) keys[slot] = key;
        }
}
