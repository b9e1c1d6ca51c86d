// SPDX-License-Identifier: GPL-3.0-or-later
// Face over mouth, and out into the colours of a frame: composite.py and colour.py.

__device__ __forceinline__ Pixel over(const Pixel &face, const Pixel &mouth) {
    const float through = 1.0f - face.alpha;
    Pixel both;
    both.red = face.red + through * mouth.red;
    both.green = face.green + through * mouth.green;
    both.blue = face.blue + through * mouth.blue;
    both.depth = face.depth + through * mouth.depth;
    both.alpha = face.alpha + through * mouth.alpha;
    return both;
}

// IEC 61966-2-1 decoding of 0..1.
__device__ __forceinline__ float srgb_decoded(float value) {
    value = fminf(fmaxf(value, 0.0f), 1.0f);
    return value <= 0.04045f ? value / 12.92f : powf((value + 0.055f) / 1.055f, 2.4f);
}

// Premultiplied linear red, green, blue, alpha, and depth in metres; all 0 where there is nothing.
__device__ __forceinline__ void store_linear(const Pixel &pixel, float *rgba, float *depth) {
    const bool there = pixel.alpha >= ALPHA_MINIMUM;
    const float scale = there ? 1.0f / pixel.alpha : 0.0f, alpha = there ? fminf(pixel.alpha, 1.0f) : 0.0f;
    rgba[0] = alpha * srgb_decoded(pixel.red * scale);
    rgba[1] = alpha * srgb_decoded(pixel.green * scale);
    rgba[2] = alpha * srgb_decoded(pixel.blue * scale);
    rgba[3] = alpha;
    *depth = pixel.depth * scale;
}

__device__ __forceinline__ unsigned int byte(float value) { return (unsigned int)(fminf(fmaxf(value, 0.0f), 255.0f) + 0.5f); }

// Straight alpha, sRGB-encoded, a byte each, red first.
__device__ __forceinline__ unsigned int srgb8(const Pixel &pixel) {
    if (!(pixel.alpha >= ALPHA_MINIMUM)) return 0;
    const float scale = 255.0f / pixel.alpha;
    const unsigned int alpha = byte(fminf(pixel.alpha, 1.0f) * 255.0f);
    return byte(pixel.red * scale) | byte(pixel.green * scale) << 8 | byte(pixel.blue * scale) << 16 | alpha << 24;
}
