// SPDX-License-Identifier: GPL-3.0-or-later
// One tile's keys in ascending order, by its own thread block: a bitonic network in which every comparison is
// ascending, so that it needs no padding (what lies past the end would be larger than everything and never move).

__device__ __forceinline__ void compare(unsigned long long *keys, int low, int high, int count) {
    if (high >= count || keys[low] <= keys[high]) return;
    const unsigned long long larger = keys[low];
    keys[low] = keys[high];
    keys[high] = larger;
}

__device__ __forceinline__ void sort_keys(unsigned long long *keys, int count) {
    for (int size = 2; size < 2 * count; size *= 2) {
        // Two sorted halves: the k-th from the left meets the k-th from the right, then halves of halves their twins.
        for (int step = size / 2; step > 0; step /= 2) {
            __syncthreads();
            for (int pair = threadIdx.x; 2 * (pair / step) * step < count; pair += PIXELS) {
                const int within = pair % step, first = 2 * (pair / step) * step;
                const int other = step == size / 2 ? first + size - 1 - within : first + step + within;
                compare(keys, first + within, other, count);
            }
        }
    }
    __syncthreads();
}

// The sorted keys of a list: in `shared` where they fit, else where they are.
__device__ __forceinline__ const unsigned long long *sorted_keys(unsigned long long *list, int count, unsigned long long *shared) {
    __syncthreads();  // whoever still reads the list before
    if (count > SORTED) {
        sort_keys(list, count);
        return list;
    }
    for (int k = threadIdx.x; k < count; k += PIXELS) shared[k] = list[k];
    sort_keys(shared, count);
    return shared;
}
