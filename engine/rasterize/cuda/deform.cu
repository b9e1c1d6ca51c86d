// SPDX-License-Identifier: GPL-3.0-or-later
// How the motion state moves one Gaussian: the three dense layers of motion/fields.py, one thread a Gaussian.
//
// What depends on the canonical position alone (tri-plane and region attention) is folded into constants, as in
// motion/folded_field.py. Weights lie in shared memory, where all threads of a warp read the same word; the first
// layer's 64 units stay in registers, so every loop over them is unrolled. The second layer's are never stored: each is
// rectified and passed on to the outputs at once.

template <int HIDDEN, int OUTPUTS>
__device__ __forceinline__ void last_layers(const float *second, const float *third, const float *first, float *offsets) {
#pragma unroll
    for (int k = 0; k < OUTPUTS; k++) offsets[k] = 0.0f;
#pragma unroll 1
    for (int unit = 0; unit < HIDDEN; unit++) {
        float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};  // four, so that no addition waits for the one before
#pragma unroll
        for (int k = 0; k < HIDDEN; k++) sums[k & 3] += second[unit * HIDDEN + k] * first[k];
        const float value = fmaxf((sums[0] + sums[1]) + (sums[2] + sums[3]), 0.0f);
#pragma unroll
        for (int k = 0; k < OUTPUTS; k++) offsets[k] += third[unit * OUTPUTS + k] * value;
    }
}

// `constants`: the Gaussian's own column of its block. weights: first layer [condition][unit], second [unit][input],
// third [unit][output]. conditions: c_u, then c_l. offsets: d_mu 3 in metres, d_q 4, d_s 3.
__device__ __forceinline__ void face_offsets(const float *constants, const float *weights, const float *conditions, float *offsets) {
    float first[FACE_HIDDEN];
#pragma unroll
    for (int k = 0; k < FACE_HIDDEN; k++) first[k] = constants[k * BLOCK];
    const float *attention = constants + FACE_HIDDEN * BLOCK;
#pragma unroll 1
    for (int k = 0; k < FACE_CONDITIONS; k++) {
        const float heard = attention[k * BLOCK] * conditions[k];
#pragma unroll
        for (int unit = 0; unit < FACE_HIDDEN; unit++) first[unit] += weights[k * FACE_HIDDEN + unit] * heard;
    }
#pragma unroll
    for (int k = 0; k < FACE_HIDDEN; k++) first[k] = fmaxf(first[k], 0.0f);
    const float *second = weights + FACE_CONDITIONS * FACE_HIDDEN;
    last_layers<FACE_HIDDEN, FACE_OUTPUTS>(second, second + FACE_HIDDEN * FACE_HIDDEN, first, offsets);
}

// The same for the inside of the mouth, which has no attention: the condition is a bias of the first layer.
__device__ __forceinline__ void mouth_offsets(const float *constants, const float *weights, const float *bias, float *offsets) {
    float first[MOUTH_HIDDEN];
#pragma unroll
    for (int k = 0; k < MOUTH_HIDDEN; k++) first[k] = fmaxf(constants[k * BLOCK] + bias[k], 0.0f);
    last_layers<MOUTH_HIDDEN, MOUTH_OUTPUTS>(weights, weights + MOUTH_HIDDEN * MOUTH_HIDDEN, first, offsets);
}
