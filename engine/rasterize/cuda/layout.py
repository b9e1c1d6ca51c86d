# SPDX-License-Identifier: GPL-3.0-or-later
"""What Python and the kernels must agree on, said once: sizes, and the one argument that every kernel takes."""

from __future__ import annotations

import ctypes

from ...colour import ALPHA_MINIMUM
from ...gaussians import posing_kernel as posing
from ...gaussians import sh
from ...motion import portable_fields as fields
from ...motion.config import CONDITION
from .. import projection
from ..blending_ir import TRANSMITTANCE_STOP
from ..cpu import ALPHA_MAX

TILE = 16
"""Side of a tile in pixels; a thread block draws one."""
PIXELS = TILE * TILE
"""Threads that draw a tile."""
BLOCK = posing.BLOCK
"""Gaussians that lie together in memory, feature by feature; a warp reads them without gaps."""
SPLAT_THREADS = 128
SCAN_THREADS = 1024
SORTED = 2048
"""Splats of one tile and layer that are sorted in shared memory; longer lists are sorted where they lie."""
RECORD = 12
"""Floats of a projected splat: x, y, p, q, r, log2 opacity, red, green, blue, z, two unused."""
LAYERS = 2
"""Face and mouth."""

DRIVE_FACE = 0
"""Where a frame's drive row holds c_u and c_l of the face (2 x 32),"""
DRIVE_MOUTH = DRIVE_FACE + 2 * CONDITION
"""the bias of the mouth's first layer (32),"""
DRIVE_COMMON = DRIVE_MOUTH + fields.MOUTH_HIDDEN
"""the head as posing.common_row has it (28),"""
DRIVE_CAMERA = DRIVE_COMMON + posing.COMMON
"""and the camera as projection.camera_vector has it (20)."""
DRIVE = DRIVE_CAMERA + 20

WHOLE = {
    "TILE": TILE,
    "PIXELS": PIXELS,
    "BLOCK": BLOCK,
    "SPLAT_THREADS": SPLAT_THREADS,
    "SCAN_THREADS": SCAN_THREADS,
    "SORTED": SORTED,
    "RECORD": RECORD,
    "LAYERS": LAYERS,
    "DRIVE_FACE": DRIVE_FACE,
    "DRIVE_MOUTH": DRIVE_MOUTH,
    "DRIVE_COMMON": DRIVE_COMMON,
    "DRIVE_CAMERA": DRIVE_CAMERA,
    "DRIVE": DRIVE,
    "FACE_CONDITIONS": 2 * CONDITION,
    "FACE_HIDDEN": fields.FACE_HIDDEN,
    "FACE_CONSTANTS": fields.FACE_CONSTANTS,
    "FACE_OUTPUTS": fields.FACE_OUTPUTS,
    "MOUTH_HIDDEN": fields.MOUTH_HIDDEN,
    "MOUTH_OUTPUTS": fields.MOUTH_OUTPUTS,
    "REST_MEAN": posing.REST_MEAN,
    "REST_QUATERNION": posing.REST_QUATERNION,
    "REST_SCALE": posing.REST_SCALE,
    "REST_WEIGHT": posing.REST_WEIGHT,
    "REST_LOG_OPACITY": posing.REST_LOG_OPACITY,
    "REST_SH": posing.REST_SH,
}
"""Whole numbers that the kernels are compiled with."""

REAL = {
    "NEAR": float(projection.NEAR),
    "FAR": float(projection.FAR),
    "BLUR": float(projection.BLUR),
    "LOG2_255": float(projection.LOG2_255),
    "STOP": TRANSMITTANCE_STOP,
    "ALPHA_MINIMUM": float(ALPHA_MINIMUM),
    "ALPHA_MAX": ALPHA_MAX,
    "TINY": float(posing.TINY),
    "C0": sh.C0,
    "C1": sh.C1,
    "C20": sh.C2[0],
    "C21": sh.C2[1],
    "C22": sh.C2[2],
    "C23": sh.C2[3],
}
"""Numbers that the kernels are compiled with: the image contract's and the spherical harmonics'."""

POINTERS = {
    "drives": "const float",  # [frames, DRIVE]
    "face_weights": "const float",  # see renderer.face_weights
    "mouth_weights": "const float",
    "face_constants": "const float",  # blocks of FACE_CONSTANTS rows, as motion.folded_field has them
    "mouth_constants": "const float",  # blocks of MOUTH_HIDDEN rows
    "face_rest": "const float",  # blocks of REST_SH + face_coefficients rows
    "mouth_rest": "const float",
    "order": "const int",  # [gaussians] the avatar's number of each place, the mouth's after the face's
    "record": "float",  # [frames, gaussians, RECORD] by the avatar's number
    "box": "int",  # [frames, gaussians, 4] first and one past the last tile: x, x, y, y
    "count": "int",  # [frames, LAYERS * tiles] splats of every tile
    "start": "int",  # [frames, LAYERS * tiles + 1] where the list of each tile starts
    "cursor": "int",  # [frames, LAYERS * tiles] where its next splat goes
    "keys": "unsigned long long",  # [frames, capacity] depth and number of each pair
    "totals": "long long",  # [frames] pairs that a frame has, whether they fit or not
    "rgba": "float",  # [frames, height, width, 4]
    "depth": "float",  # [frames, height, width]
    "srgb8": "unsigned int",  # [frames, height, width] bytes red, green, blue, alpha
}
"""Memory on the card that kernels read and write."""
COUNTS = (
    "face_count",
    "face_moving",
    "mouth_count",
    "face_coefficients",
    "mouth_coefficients",
    "width",
    "height",
    "tiles_x",
    "tiles_y",
    "capacity",
)
"""Sizes of one call, int32."""


class Work(ctypes.Structure):
    """The argument of every kernel: :data:`POINTERS`, then :data:`COUNTS`."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in POINTERS),
        *((name, ctypes.c_int32) for name in COUNTS),
    ]


def declarations() -> str:
    """The same for the kernels, in C++."""
    lines = [f"constexpr int {name} = {value};" for name, value in WHOLE.items()]
    lines += [f"constexpr float {name} = {value!r}f;" for name, value in REAL.items()]
    members = [f"    {kind} *{name};" for name, kind in POINTERS.items()] + [f"    int {name};" for name in COUNTS]
    return "\n".join([*lines, "struct Work {", *members, "};", ""])
