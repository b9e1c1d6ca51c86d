# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose Gaussians for one frame: deform, activate, colour by direction, follow the head.

:func:`pose_reference` is the readable statement of the maths in numpy; :class:`Poser` is what frames are made with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..head_pose import HeadPose, quaternion_from_matrix
from ..rasterize import Splats
from . import sh as spherical_harmonics
from .gaussian_set import GaussianSet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import ThreadPoolExecutor

CHUNK = 2048
"""Gaussians that are not worth a thread of their own."""


def pose_reference(
    gaussians: GaussianSet,
    offsets: np.ndarray | None,
    head: HeadPose,
    pivot: np.ndarray,
    camera_position: np.ndarray,
) -> Splats:
    """Posed Gaussians in the world, in float64 inside (arXiv 2508.10566, Eq (1): theta + delta).

    offsets: [N,10] d_mu in metres, d_q, d_s, added before any activation; [N,3] d_mu alone; None: canonical.
    pivot, camera_position: [3] metres. A Gaussian of head weight w goes to (1-w) x + w (R (x - pivot) + pivot + t); its
    quaternion is turned by the normalised lerp of identity and R's; its colour is seen from where the head sees the
    camera.
    """
    arrays = {name: array.astype(np.float64) for name, array in gaussians.arrays().items()}
    means, quaternions, raw_scales = arrays["means"], arrays["quaternions"], arrays["raw_scales"]
    if offsets is not None:
        means = means + offsets[:, :3]
        if offsets.shape[1] == 10:
            quaternions = quaternions + offsets[:, 3:7]
            raw_scales = raw_scales + offsets[:, 7:10]
    weight = arrays["head_weights"][:, None]
    pivot = np.asarray(pivot, np.float64)
    camera = np.asarray(camera_position, np.float64)

    seen_from = (1 - weight) * camera + weight * head.camera_in_head(camera, pivot)
    colors = spherical_harmonics.colors(arrays["sh"], means - seen_from)
    posed = (means - pivot) @ head.matrix().T + pivot + np.array(head.translation)
    lead = (1 - weight) * np.array([1.0, 0, 0, 0]) + weight * head.quaternion()
    turned = _multiply(_normalized(lead), _normalized(quaternions))
    values = {
        "means": (1 - weight) * means + weight * posed,
        "quaternions": turned,
        "scales": np.logaddexp(0.0, raw_scales),
        "opacities": _sigmoid(arrays["raw_opacities"]),
        "colors": colors,
    }
    return Splats(**{name: np.ascontiguousarray(value, dtype=np.float32) for name, value in values.items()})


def common_row(
    rotation: np.ndarray,
    translation: Sequence[float] | np.ndarray,
    pivot: np.ndarray,
    camera_position: np.ndarray,
    shift: np.ndarray | None = None,
) -> np.ndarray:
    """Everything about a frame that is the same for all Gaussians, as the posing kernels read it.

    rotation [3,3], translation [3]: the head's; pivot, camera_position [3]; shift [3]: how far what does not follow the
    head has moved. All in metres.
    """
    rotation, pivot, camera = (np.asarray(x, np.float64) for x in (rotation, pivot, camera_position))
    in_head = rotation.T @ (camera - pivot - np.asarray(translation)) + pivot
    still = np.zeros(3) if shift is None else shift
    parts = (rotation.ravel(), translation, pivot, camera, in_head, quaternion_from_matrix(rotation), still)
    return np.concatenate(parts).astype(np.float32)


class Poser:
    """Poses one Gaussian set, frame after frame; keeps what no motion changes. Calls may overlap."""

    def __init__(self, gaussians: GaussianSet, threads: int = 1, executor: ThreadPoolExecutor | None = None) -> None:
        """threads: how many share the work, the caller among them; more than one needs an executor."""
        self.gaussians = gaussians
        self.threads = max(1, threads) if executor is not None else 1
        self._executor = executor
        self._opacities = opacities(gaussians)
        self._sh = np.ascontiguousarray(gaussians.sh.reshape(gaussians.count, 3 * gaussians.sh.shape[1]))
        self._none = np.zeros((gaussians.count, 3), np.float32)

    def pose(
        self,
        offsets: np.ndarray | None,
        head: HeadPose,
        pivot: np.ndarray,
        camera_position: np.ndarray,
        shift: np.ndarray | None = None,
    ) -> Splats:
        """As :func:`pose_reference`, in float32. shift [3] metres: how far what does not follow the head has moved."""
        from .posing_kernel import pose_rows

        gaussians, count = self.gaussians, self.gaussians.count
        if offsets is None:
            offsets = self._none
        offsets = np.ascontiguousarray(offsets, dtype=np.float32)
        if offsets.shape not in ((count, 3), (count, 10)):
            raise ValueError(f"offsets have shape {offsets.shape} where ({count}, 3 or 10) is expected")
        common = common_row(head.matrix(), head.translation, pivot, camera_position, shift)
        out = [np.empty((count, width), np.float32) for width in (3, 4, 3, 3)]
        inputs = (gaussians.means, gaussians.raw_scales, gaussians.quaternions, self._sh, gaussians.head_weights)

        def run(start: int, stop: int) -> None:
            pose_rows(start, stop, *inputs, offsets, common, *out)

        parts = min(self.threads, max(1, count // CHUNK))
        edges = [count * part // parts for part in range(parts + 1)]
        rest = []
        if self._executor is not None:
            rest = [self._executor.submit(run, edges[part], edges[part + 1]) for part in range(1, parts)]
        run(edges[0], edges[1])
        for future in rest:
            future.result()
        means, quaternions, scales, colors = out
        return Splats(means=means, quaternions=quaternions, scales=scales, opacities=self._opacities, colors=colors)


def opacities(gaussians: GaussianSet) -> np.ndarray:
    """float32 [N] activated."""
    return _sigmoid(gaussians.raw_opacities.astype(np.float64)).astype(np.float32)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -values))


def _normalized(quaternions: np.ndarray) -> np.ndarray:
    return quaternions / np.maximum(np.linalg.norm(quaternions, axis=1, keepdims=True), 1e-12)


def _multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product of quaternions [N,4] wxyz: first b, then a."""
    aw, ax, ay, az = a.T
    bw, bx, by, bz = b.T
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=1,
    )
