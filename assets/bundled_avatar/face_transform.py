# SPDX-License-Identifier: GPL-3.0-or-later
"""How a head is turned in one frame: the canonical face fitted to the landmarks.

MediaPipe's face geometry (geometry_pipeline.cc): a weighted similarity in two passes of scale, under a camera with a
vertical field of view of 63 degrees. Frame by frame and for an upright face it is enough; capture's own solver finds
the pose of a filmed person far better, but over all frames at once.
"""

from __future__ import annotations

import numpy as np

from hmtalker.capture.head.canonical_mesh import canonical_points

CENTIMETRES = 100.0
_VERTICAL_FIELD_OF_VIEW = np.radians(63.0)

_MIDDLE_WEIGHTS = {4: 0.0709099, 6: 0.0321001, 10: 0.0084466}
_SIDE_WEIGHTS = {
    # right and left of the person -> weight, from the metadata of face_landmarker.task (Apache-2.0)
    (33, 263): 0.0587242, (54, 284): 0.0076671, (67, 297): 0.0090781, (117, 346): 0.0097919, (119, 348): 0.0145654,
    (121, 350): 0.0185914, (127, 356): 0.0051980, (129, 358): 0.1206252, (132, 361): 0.0055600, (133, 362): 0.0532862,
    (136, 365): 0.0668905, (143, 372): 0.0148165, (147, 376): 0.0142628, (198, 420): 0.0254622, (205, 425): 0.0472523,
}  # fmt: skip


def _weights(count: int) -> np.ndarray:
    weights = np.zeros(count)
    for index, weight in _MIDDLE_WEIGHTS.items():
        weights[index] = weight
    for pair, weight in _SIDE_WEIGHTS.items():
        weights[list(pair)] = weight
    return weights / weights.sum()


_FACE = canonical_points() * CENTIMETRES
_WEIGHTS = _weights(len(_FACE))


def face_transform(landmarks: np.ndarray, width: int, height: int) -> np.ndarray:
    """float64 [4, 4]: canonical face (x right in the image, y up, z toward the camera, centimetres) to camera.

    landmarks: [468 or more, 3] pixels of a picture of width x height, depth in the same unit, away is positive.
    """
    near_height = 2 * np.tan(_VERTICAL_FIELD_OF_VIEW / 2)
    near_width = width * near_height / height
    points = landmarks[: len(_FACE)] / [width, height, width]
    screen = np.stack(
        [(points[:, 0] - 0.5) * near_width, (0.5 - points[:, 1]) * near_height, points[:, 2] * near_width], 1
    )

    def unproject(scale: float) -> np.ndarray:
        depth = (screen[:, 2] - screen[:, 2].mean() + 1) / scale
        return np.stack([screen[:, 0] * depth, screen[:, 1] * depth, -depth], 1)

    first = _similarity(_FACE, screen * [1, 1, -1])[1]
    second = _similarity(_FACE, unproject(first))[1]
    rotation, scale, translation = _similarity(_FACE, unproject(first * second))
    transform = np.eye(4)
    transform[:3, :3] = rotation * scale
    transform[:3, 3] = translation
    return transform


def _similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Rotation, scale and translation that take source [468, 3] to target with the least weighted squares."""
    source_centre, target_centre = _WEIGHTS @ source, _WEIGHTS @ target
    a, b = source - source_centre, target - target_centre
    u, singular, vt = np.linalg.svd((b * _WEIGHTS[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / (_WEIGHTS @ (a * a).sum(1)))
    return rotation, scale, target_centre - scale * rotation @ source_centre
