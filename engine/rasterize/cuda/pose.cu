// SPDX-License-Identifier: GPL-3.0-or-later
// One Gaussian as the head turns: offsets added, activated, coloured for the camera, led by the head.
// The maths is that of gaussians/posing.py (pose_reference); `common` is posing.common_row.

struct Posed {
    float mean[3];        // metres, in the world
    float quaternion[4];  // unit length, w x y z
    float scale[3];       // standard deviations, metres
    float color[3];       // sRGB-encoded, >= 0
    float log_opacity;    // log2
};

__device__ __forceinline__ float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }

// Colour channel k seen along (x, y, z), of `coefficients` / 3 harmonics; sh: the Gaussian's own column.
__device__ __forceinline__ float sh_color(const float *sh, int coefficients, int k, float x, float y, float z) {
    float value = 0.5f + C0 * sh[k * BLOCK];
    if (coefficients >= 12) value += C1 * (z * sh[(6 + k) * BLOCK] - y * sh[(3 + k) * BLOCK] - x * sh[(9 + k) * BLOCK]);
    if (coefficients >= 27) {
        value += C23 * (2.0f * x * y) * sh[(12 + k) * BLOCK] - C20 * (y * z) * sh[(15 + k) * BLOCK];
        value += (C21 * (z * z) - C22) * sh[(18 + k) * BLOCK] - C20 * (x * z) * sh[(21 + k) * BLOCK];
        value += C23 * (x * x - y * y) * sh[(24 + k) * BLOCK];
    }
    return fmaxf(value, 0.0f);
}

// rest: the Gaussian's own column of a block. offsets: 10.
__device__ __forceinline__ Posed pose(const float *rest, int coefficients, const float *offsets, const float *common) {
    const float *turn = common, *shift_head = common + 9, *pivot = common + 12, *camera = common + 15;
    const float *camera_in_head = common + 18, *lead = common + 21, *shift_body = common + 25;
    const float w = rest[REST_WEIGHT * BLOCK], v = 1.0f - w;
    Posed posed;
    float at[3], seen[3], arm[3];
#pragma unroll
    for (int k = 0; k < 3; k++) {
        at[k] = rest[(REST_MEAN + k) * BLOCK] + (offsets[k] + v * shift_body[k]);
        seen[k] = at[k] - (v * camera[k] + w * camera_in_head[k]);
        arm[k] = at[k] - pivot[k];
    }
#pragma unroll
    for (int k = 0; k < 3; k++) {
        const float turned = turn[3 * k] * arm[0] + turn[3 * k + 1] * arm[1] + turn[3 * k + 2] * arm[2];
        posed.mean[k] = v * at[k] + w * (turned + (pivot[k] + shift_head[k]));
        posed.scale[k] = softplus(rest[(REST_SCALE + k) * BLOCK] + offsets[7 + k]);
    }
    // Normalised lerp between no turn and the head's, times the Gaussian's own rotation.
    const float aw = v + w * lead[0], ax = w * lead[1], ay = w * lead[2], az = w * lead[3];
    const float bw = rest[REST_QUATERNION * BLOCK] + offsets[3], bx = rest[(REST_QUATERNION + 1) * BLOCK] + offsets[4];
    const float by = rest[(REST_QUATERNION + 2) * BLOCK] + offsets[5], bz = rest[(REST_QUATERNION + 3) * BLOCK] + offsets[6];
    const float squares = (aw * aw + ax * ax + ay * ay + az * az) * (bw * bw + bx * bx + by * by + bz * bz);
    const float length = 1.0f / sqrtf(fmaxf(squares, TINY));
    posed.quaternion[0] = length * (aw * bw - ax * bx - ay * by - az * bz);
    posed.quaternion[1] = length * (aw * bx + ax * bw + ay * bz - az * by);
    posed.quaternion[2] = length * (aw * by - ax * bz + ay * bw + az * bx);
    posed.quaternion[3] = length * (aw * bz + ax * by - ay * bx + az * bw);
    const float nearer = 1.0f / sqrtf(fmaxf(seen[0] * seen[0] + seen[1] * seen[1] + seen[2] * seen[2], TINY));
#pragma unroll
    for (int k = 0; k < 3; k++)
        posed.color[k] = sh_color(rest + REST_SH * BLOCK, coefficients, k, seen[0] * nearer, seen[1] * nearer, seen[2] * nearer);
    posed.log_opacity = rest[REST_LOG_OPACITY * BLOCK];
    return posed;
}
