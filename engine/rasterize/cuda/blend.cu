// SPDX-License-Identifier: GPL-3.0-or-later
// One pixel's splats of one layer, front to back; a thread a pixel, the block fetches the tile's splats together.
// Rules: rasterize/blending.py (alpha below 1/255 is left out; a splat that would leave T <= 1e-4 is not added).

struct Pixel {
    float red, green, blue;  // sRGB-encoded, premultiplied
    float depth;             // sum of weight times z, metres
    float alpha;
};

// x, y: the pixel. inside: whether it belongs to the picture; all threads of the block must call.
__device__ __forceinline__ Pixel blend(const unsigned long long *keys, int count, const float *records, float *batch, int x, int y, bool inside) {
    Pixel pixel = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    float through = 1.0f;
    bool done = !inside;
    for (int begin = 0; begin < count; begin += PIXELS) {
        if (__syncthreads_count(done) == PIXELS) break;
        const int own = begin + threadIdx.x;
        if (own < count) {
            const float *record = records + (long long)(unsigned int)keys[own] * RECORD;
            for (int k = 0; k < 10; k++) batch[threadIdx.x * RECORD + k] = record[k];
        }
        __syncthreads();
        const int fetched = min(PIXELS, count - begin);
        for (int k = 0; k < fetched && !done; k++) {
            const float *splat = batch + k * RECORD;
            const float dx = (float)x - splat[0], dy = (float)y - splat[1];
            const float u = splat[2] * dx + splat[3] * dy, v = splat[4] * dy;
            const float exponent = splat[5] - u * u - v * v;
            if (!(exponent >= -LOG2_255)) continue;
            const float alpha = fminf(exp2f(exponent), ALPHA_MAX), after = through * (1.0f - alpha);
            if (after <= STOP) {
                done = true;
                break;
            }
            const float weight = alpha * through;
            pixel.red += weight * splat[6];
            pixel.green += weight * splat[7];
            pixel.blue += weight * splat[8];
            pixel.depth += weight * splat[9];
            through = after;
        }
    }
    pixel.alpha = 1.0f - through;
    return pixel;
}
