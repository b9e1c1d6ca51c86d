// SPDX-License-Identifier: GPL-3.0-or-later
// From the motion state to splats on the screen in one go: deform, pose, project, count the tiles. One thread a
// Gaussian, one row of blocks (blockIdx.y) a frame.

// Into shared memory, all threads of the block together.
__device__ __forceinline__ void load_shared(float *target, const float *source, int count) {
    for (int k = threadIdx.x; k < count; k += SPLAT_THREADS) target[k] = source[k];
}

// Project the Gaussian at `place` of both layers together and leave what drawing it needs.
__device__ __forceinline__ void place_splat(const Work &work, int layer, int place, const Posed &posed, const float *camera) {
    const Projected seen = project(posed, camera, work.width, work.height);
    const int gaussians = work.face_count + work.mouth_count, frame = blockIdx.y;
    const int number = work.order[place];
    const long long row = (long long)frame * gaussians + number;
    int *box = work.box + row * 4;
    box[0] = box[1] = box[2] = box[3] = 0;
    if (!seen.drawn) return;
    const int left = seen.left / TILE, right = (seen.right + TILE - 1) / TILE;
    const int top = seen.top / TILE, bottom = (seen.bottom + TILE - 1) / TILE;
    box[0] = left, box[1] = right, box[2] = top, box[3] = bottom;
    float *record = work.record + row * RECORD;
    record[0] = seen.x, record[1] = seen.y, record[2] = seen.p, record[3] = seen.q, record[4] = seen.r;
    record[5] = posed.log_opacity;
    record[6] = posed.color[0], record[7] = posed.color[1], record[8] = posed.color[2], record[9] = seen.z;
    int *count = work.count + ((long long)frame * LAYERS + layer) * work.tiles_x * work.tiles_y;
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) atomicAdd(&count[y * work.tiles_x + x], 1);
}

extern "C" __global__ void __launch_bounds__(SPLAT_THREADS) splat_face(const Work work) {
    constexpr int WEIGHTS = FACE_CONDITIONS * FACE_HIDDEN + FACE_HIDDEN * FACE_HIDDEN + FACE_HIDDEN * FACE_OUTPUTS;
    __shared__ __align__(16) float weights[WEIGHTS];
    __shared__ __align__(16) float drive[DRIVE];
    const int place = blockIdx.x * SPLAT_THREADS + threadIdx.x;
    const bool moves = blockIdx.x * SPLAT_THREADS < work.face_moving;  // those that do come first
    if (moves) load_shared(weights, work.face_weights, WEIGHTS);
    load_shared(drive, work.drives + blockIdx.y * DRIVE, DRIVE);
    __syncthreads();
    if (place >= work.face_count) return;
    float offsets[FACE_OUTPUTS] = {};
    const int block = place / BLOCK, lane = place % BLOCK;
    if (place < work.face_moving)
        face_offsets(work.face_constants + block * FACE_CONSTANTS * BLOCK + lane, weights, drive + DRIVE_FACE, offsets);
    const float *rest = work.face_rest + block * (REST_SH + work.face_coefficients) * BLOCK + lane;
    place_splat(work, 0, place, pose(rest, work.face_coefficients, offsets, drive + DRIVE_COMMON), drive + DRIVE_CAMERA);
}

extern "C" __global__ void __launch_bounds__(SPLAT_THREADS) splat_mouth(const Work work) {
    constexpr int WEIGHTS = MOUTH_HIDDEN * MOUTH_HIDDEN + MOUTH_HIDDEN * MOUTH_OUTPUTS;
    __shared__ __align__(16) float weights[WEIGHTS];
    __shared__ __align__(16) float drive[DRIVE];
    const int place = blockIdx.x * SPLAT_THREADS + threadIdx.x;
    load_shared(weights, work.mouth_weights, WEIGHTS);
    load_shared(drive, work.drives + blockIdx.y * DRIVE, DRIVE);
    __syncthreads();
    if (place >= work.mouth_count) return;
    float offsets[FACE_OUTPUTS] = {};  // the mouth's Gaussians move, and neither turn nor grow
    const int block = place / BLOCK, lane = place % BLOCK;
    mouth_offsets(work.mouth_constants + block * MOUTH_HIDDEN * BLOCK + lane, weights, drive + DRIVE_MOUTH, offsets);
    const float *rest = work.mouth_rest + block * (REST_SH + work.mouth_coefficients) * BLOCK + lane;
    const Posed posed = pose(rest, work.mouth_coefficients, offsets, drive + DRIVE_COMMON);
    place_splat(work, 1, work.face_count + place, posed, drive + DRIVE_CAMERA);
}
