// SPDX-License-Identifier: GPL-3.0-or-later
// EWA projection of one splat: rasterize/projection.py says where the rules come from.
//
// alpha at a pixel = 2^(log_opacity - (p dx + q dy)^2 - (r dy)^2): the conic as its Cholesky factor, taken from the
// covariance, so that nothing cancels; and the determinant from a cross product, so that needles stay exact.

struct Projected {
    float x, y;     // pixels; 0 is the middle of the first one
    float p, q, r;  // factor of the conic, for exponents to base 2
    float z;        // metres along the camera's axis
    int left, right, top, bottom;  // pixels that alpha >= 1/255 may reach, from the first to one past the last
    bool drawn;
};

__device__ __forceinline__ bool finite(float x) { return fabsf(x) <= 3.4028235e38f; }

__device__ __forceinline__ float within(float x, float low, float high) { return fminf(fmaxf(x, low), high); }

__device__ __forceinline__ Projected project(const Posed &splat, const float *camera, int width, int height) {
    const float *view = camera, *shift = camera + 9, *limits = camera + 16;
    const float fx = camera[12], fy = camera[13], *mean = splat.mean;
    Projected seen;
    const float x = view[0] * mean[0] + view[1] * mean[1] + view[2] * mean[2] + shift[0];
    const float y = view[3] * mean[0] + view[4] * mean[1] + view[5] * mean[2] + shift[1];
    const float z = view[6] * mean[0] + view[7] * mean[1] + view[8] * mean[2] + shift[2];

    // The two rows of the Jacobian times the view's rotation, far outside the picture held at its edge.
    const float nearer = 1.0f / z, ja = fx * nearer, jc = fy * nearer;
    const float jb = -ja * within(x * nearer, limits[0], limits[1]), jd = -jc * within(y * nearer, limits[2], limits[3]);
    const float a0 = ja * view[0] + jb * view[6], a1 = ja * view[1] + jb * view[7], a2 = ja * view[2] + jb * view[8];
    const float c0 = jc * view[3] + jd * view[6], c1 = jc * view[4] + jd * view[7], c2 = jc * view[5] + jd * view[8];

    const float *turn = splat.quaternion, *scale = splat.scale;
    const float two = 2.0f / (turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2] + turn[3] * turn[3]);
    const float xx = turn[1] * turn[1] * two, yy = turn[2] * turn[2] * two, zz = turn[3] * turn[3] * two;
    const float xy = turn[1] * turn[2] * two, xz = turn[1] * turn[3] * two, yz = turn[2] * turn[3] * two;
    const float wx = turn[0] * turn[1] * two, wy = turn[0] * turn[2] * two, wz = turn[0] * turn[3] * two;
    const float p0 = (a0 * (1.0f - (yy + zz)) + a1 * (xy + wz) + a2 * (xz - wy)) * scale[0];
    const float p1 = (a0 * (xy - wz) + a1 * (1.0f - (xx + zz)) + a2 * (yz + wx)) * scale[1];
    const float p2 = (a0 * (xz + wy) + a1 * (yz - wx) + a2 * (1.0f - (xx + yy))) * scale[2];
    const float q0 = (c0 * (1.0f - (yy + zz)) + c1 * (xy + wz) + c2 * (xz - wy)) * scale[0];
    const float q1 = (c0 * (xy - wz) + c1 * (1.0f - (xx + zz)) + c2 * (yz + wx)) * scale[1];
    const float q2 = (c0 * (xz + wy) + c1 * (yz - wx) + c2 * (1.0f - (xx + yy))) * scale[2];

    const float n0 = p1 * q2 - p2 * q1, n1 = p2 * q0 - p0 * q2, n2 = p0 * q1 - p1 * q0;
    float sxx = p0 * p0 + p1 * p1 + p2 * p2, syy = q0 * q0 + q1 * q1 + q2 * q2;
    const float sxy = p0 * q0 + p1 * q1 + p2 * q2;
    const float determinant = n0 * n0 + n1 * n1 + n2 * n2 + BLUR * (sxx + syy) + BLUR * BLUR;
    sxx += BLUR;
    syy += BLUR;
    const float half_log2_e = 0.72134752f, two_ln_2 = 1.3862944f;
    seen.x = fx * x / z + camera[14];
    seen.y = fy * y / z + camera[15];
    seen.z = z;
    seen.p = sqrtf(half_log2_e * syy / determinant);
    seen.q = -sxy * sqrtf(half_log2_e / (syy * determinant));
    seen.r = sqrtf(half_log2_e / syy);

    // The exact box of alpha >= 1/255, opened by float32 rounding.
    const float reach = sqrtf(fmaxf(two_ln_2 * (LOG2_255 + splat.log_opacity), 0.0f));
    float half_x = reach * sqrtf(sxx), half_y = reach * sqrtf(syy);
    half_x += 1e-3f + 1e-5f * half_x;
    half_y += 1e-3f + 1e-5f * half_y;
    const float w = (float)width, h = (float)height;
    seen.drawn = z >= NEAR && z <= FAR && splat.log_opacity >= -LOG2_255 && finite(splat.log_opacity);
    seen.drawn = seen.drawn && finite(determinant) && finite(sxx) && finite(syy) && finite(sxy);
    seen.drawn = seen.drawn && finite(seen.x) && finite(seen.y);
    seen.drawn = seen.drawn && finite(splat.color[0]) && finite(splat.color[1]) && finite(splat.color[2]);
    seen.left = seen.drawn ? (int)ceilf(within(seen.x - half_x, 0.0f, w)) : 0;
    seen.right = seen.drawn ? (int)floorf(within(seen.x + half_x + 1.0f, 0.0f, w)) : 0;
    seen.top = seen.drawn ? (int)ceilf(within(seen.y - half_y, 0.0f, h)) : 0;
    seen.bottom = seen.drawn ? (int)floorf(within(seen.y + half_y + 1.0f, 0.0f, h)) : 0;
    seen.drawn = seen.drawn && seen.right > seen.left && seen.bottom > seen.top;
    return seen;
}
