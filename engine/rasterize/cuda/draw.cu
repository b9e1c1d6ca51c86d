// SPDX-License-Identifier: GPL-3.0-or-later
// A tile from its lists to finished pixels: sort, blend and composite in one block. blockIdx: tile x, tile y, frame.

__device__ __forceinline__ Pixel draw_layer(const Work &work, int layer, int x, int y, bool inside, unsigned long long *shared, float *batch) {
    const int tiles = work.tiles_x * work.tiles_y, frame = blockIdx.z;
    const int *start = work.start + (long long)frame * (LAYERS * tiles + 1);
    const int entry = layer * tiles + blockIdx.y * work.tiles_x + blockIdx.x, first = start[entry];
    const int count = start[entry + 1] - first;
    unsigned long long *list = work.keys + (long long)frame * work.capacity + first;
    const unsigned long long *keys = sorted_keys(list, count, shared);
    const float *records = work.record + (long long)frame * (work.face_count + work.mouth_count) * RECORD;
    return blend(keys, count, records, batch, x, y, inside);
}

template <bool LINEAR> __device__ __forceinline__ void draw(const Work &work) {
    __shared__ unsigned long long shared[SORTED];
    __shared__ __align__(16) float batch[PIXELS * RECORD];
    const int x = blockIdx.x * TILE + threadIdx.x % TILE, y = blockIdx.y * TILE + threadIdx.x / TILE;
    const bool inside = x < work.width && y < work.height;
    const Pixel face = draw_layer(work, 0, x, y, inside, shared, batch);
    const Pixel mouth = draw_layer(work, 1, x, y, inside, shared, batch);
    if (!inside) return;
    const long long at = ((long long)blockIdx.z * work.height + y) * work.width + x;
    const Pixel pixel = over(face, mouth);
    if (LINEAR)
        store_linear(pixel, work.rgba + 4 * at, work.depth + at);
    else
        work.srgb8[at] = srgb8(pixel);
}

extern "C" __global__ void __launch_bounds__(PIXELS) draw_linear(const Work work) { draw<true>(work); }

extern "C" __global__ void __launch_bounds__(PIXELS) draw_srgb8(const Work work) { draw<false>(work); }
