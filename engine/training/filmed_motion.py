# SPDX-License-Identifier: GPL-3.0-or-later
"""How a filmed person's face moves, in metres: shapes of the Action Units from tracked landmarks, and what they leave.

Each landmark's way from rest is regressed on the 17 Action Units, pucker and funnel, or on the muscles of a wider set.
A generic face's shapes are the prior, so that units the person never performed still move as faces do. What is left of
the lower face's motion goes into a few principal shapes, whose weights are known for every frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..action_unit_sets import OPENFACE_17, SIDES, ActionUnitSet, base
from .surface import Surface

CHANNELS: tuple[str, ...] = (*OPENFACE_17.codes, "pucker", "funnel")
AS_CHANNEL = {"AU18": "pucker", "AU22": "funnel"}
"""What the generic face calls them."""
DETAILS = 16
"""Principal shapes of what the Action Units do not explain."""
RIGID = (10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 109, 338, 67, 297, 103, 332, 21, 251, 127, 356, 116, 345, 50, 280)
"""Landmarks over bone, by which faces are laid onto each other."""
NOSE_TIP, NOSE_BASE = 4, 2
REST_LIMIT = 0.3
"""Sum of intensities up to which a face rests."""
FEWEST_REST = 20
PRIOR_FRAMES = 40.0
"""The prior counts like so many frames at intensity 1."""
NEAREST = 6
SKIN_REACH = 0.012
"""Metres from the nearest landmark within which skin moves as the landmarks do ..."""
FALL_OFF = 0.02
"""... and over which the motion dies away beyond."""
SIDE_BLEND = 0.008
"""Metres from the middle of the face over which one side's motion dies away on the other."""
OUTER_EYES = {"L": 263, "R": 33}
"""Landmarks of the person's own left and right."""


GENERIC = Path(__file__).with_name("generic_face_shapes.npz")
"""Made by assets/generic_face/make_shapes.py."""


def generic_shapes(channels: Sequence[str] = CHANNELS) -> np.ndarray:
    """float64 [C,478,3] metres per intensity 1 of each channel, of an average face; one-sided ones on both sides."""
    with np.load(GENERIC) as data:
        known = {str(name): shape for name, shape in zip(data["channels"], data["shapes"], strict=True)}
    return np.stack([known[AS_CHANNEL.get(base(channel), base(channel))] for channel in channels]).astype(np.float64)


def channels_of(units: ActionUnitSet) -> tuple[str, ...]:
    """What moves a face whose Action Units are `units`: the 17 go with pucker and funnel, wider sets have those."""
    return CHANNELS if units is OPENFACE_17 else units.muscles


def reach_of(channels: Sequence[str], mesh: np.ndarray) -> np.ndarray:
    """float64 [C,478] how much each landmark of `mesh` [478,3] belongs to the side of a channel; 1 for both sides."""
    outward = mesh[OUTER_EYES["L"]] - mesh[OUTER_EYES["R"]]
    middle = (mesh[OUTER_EYES["L"]] + mesh[OUTER_EYES["R"]]) / 2
    leftward = (mesh - middle) @ outward / np.linalg.norm(outward)
    u = np.clip((leftward / SIDE_BLEND + 1) / 2, 0, 1)
    left = u * u * (3 - 2 * u)
    shares = {"": np.ones(len(mesh)), SIDES[0]: left, SIDES[1]: 1 - left}
    return np.stack([shares[channel.removeprefix(base(channel))] for channel in channels])


@dataclass(frozen=True)
class FaceShapes:
    """Linear shapes of the 478 landmarks."""

    mesh: np.ndarray
    """float64 [478,3] metres at rest."""
    units: np.ndarray
    """float64 [C,478,3] metres per intensity 1 of each of `channels`."""
    details: np.ndarray
    """float64 [D,478,3] metres per weight 1."""
    detail_weights: np.ndarray
    """float32 [T,D]"""
    channels: tuple[str, ...] = CHANNELS


def way_from_mesh(landmarks: np.ndarray, rotations: np.ndarray, mesh: np.ndarray) -> np.ndarray:
    """Landmarks [n,478,3] (pixels, y down, z away) of heads turned by [n,3,3] -> metres from `mesh` [n,478,3].

    Rows without a face are NaN.
    """
    points = np.asarray(landmarks, np.float64) * [1, -1, -1]
    upright = np.einsum("nji,nlj->nli", rotations, points)
    rigid = list(RIGID)
    middle, target = upright[:, rigid].mean(1, keepdims=True), mesh[rigid].mean(0)
    spread, wanted = upright[:, rigid] - middle, mesh[rigid] - target
    # depth is the network's guess, so the size comes from x and y
    scale = (spread[..., :2] * wanted[:, :2]).sum((1, 2)) / (spread[..., :2] ** 2).sum((1, 2))
    return np.asarray((upright - middle) * scale[:, None, None] + target - mesh)


def fit_shapes(
    way: np.ndarray,
    channels: np.ndarray,
    usable: np.ndarray,
    mesh: np.ndarray,
    prior: np.ndarray,
    names: tuple[str, ...] = CHANNELS,
) -> FaceShapes:
    """way: [T,478,3] of :func:`way_from_mesh`. channels: [T,C] intensities. usable: bool [T], what to learn from.
    prior: [C,478,3] metres per intensity 1, of faces in general. names: [C] of the channels; a one-sided one moves its
    own side alone."""
    usable = usable & np.isfinite(way).all((1, 2))
    rest = usable & (channels.sum(1) < max(REST_LIMIT, np.percentile(channels[usable].sum(1), 3)))
    if rest.sum() < FEWEST_REST:
        rest = usable & (channels.sum(1) <= np.sort(channels[usable].sum(1))[: 3 * FEWEST_REST].max())
    at_rest = np.median(way[rest], axis=0)
    moved = np.where(usable[:, None, None], way - at_rest, 0)
    given = channels[usable].astype(np.float64)
    reach = reach_of(names, mesh)
    prior = prior * reach[..., None]
    left = moved[usable] - np.tensordot(given, prior, 1)
    normal = given.T @ given + PRIOR_FRAMES * np.eye(given.shape[1])
    wanted = (given.T @ left.reshape(len(left), -1)).reshape(prior.shape)
    if reach.all(0).all():
        units = prior + np.linalg.solve(normal, wanted.reshape(len(prior), -1)).reshape(prior.shape)
    else:
        units = prior + _within_reach(normal - PRIOR_FRAMES * np.eye(len(prior)), wanted, reach)
    residual = (moved - np.tensordot(channels.astype(np.float64), units, 1)) * lower_face(mesh)[:, None]
    residual[~usable] = 0
    flat = residual[usable].reshape(int(usable.sum()), -1)
    axes = np.linalg.eigh(flat.T @ flat)[1][:, ::-1][:, :DETAILS]
    weights = residual.reshape(len(residual), -1) @ axes
    size = np.maximum(weights[usable].std(0), 1e-9)
    return FaceShapes(
        mesh + at_rest, units, (axes * size).T.reshape(-1, *mesh.shape), (weights / size).astype(np.float32), names
    )


def _within_reach(gram: np.ndarray, wanted: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """The ridge solution [C,478,3] of each landmark by itself, whose channels count as much as they reach it.

    gram: [C,C]. wanted: [C,478,3]. reach: [C,478].
    """
    share = reach.T[:, :, None]
    normal = share * gram * share.transpose(0, 2, 1) + PRIOR_FRAMES * np.eye(len(gram))
    return np.asarray((share * np.linalg.solve(normal, share * wanted.transpose(1, 0, 2))).transpose(1, 0, 2))


def lower_face(mesh: np.ndarray) -> np.ndarray:
    """[478] 0 above the nose's tip, 1 below its base."""
    tip, base = mesh[NOSE_TIP, 1], mesh[NOSE_BASE, 1]
    return np.clip((tip - mesh[:, 1]) / max(tip - base, 1e-6), 0, 1)


def spread_over(positions: np.ndarray, mesh: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Shapes [S,478,3] of the landmarks at `positions` [P,3]: float16 [S,P,3]."""
    from scipy.spatial import cKDTree

    distance, near = cKDTree(mesh).query(positions, k=NEAREST)
    share = 1 / (distance + 1e-4) ** 2
    share /= share.sum(1, keepdims=True)
    share *= np.exp(-((np.maximum(distance[:, :1] - SKIN_REACH, 0) / FALL_OFF) ** 2))
    result = np.zeros((len(shapes), len(positions), 3), np.float16)
    for index, shape in enumerate(shapes):
        result[index] = np.einsum("pk,pkc->pc", share, shape[near])
    return result


def with_motion(
    positions: np.ndarray,
    normals: np.ndarray,
    areas: np.ndarray,
    regions: np.ndarray,
    head_weights: np.ndarray,
    colors: np.ndarray,
    shapes: FaceShapes,
) -> Surface:
    """A surface whose shapes are those of the channels, per intensity 1, and then the details."""
    stacked = np.concatenate([shapes.units, shapes.details])
    names = [*shapes.channels, *(f"detail{index}" for index in range(len(shapes.details)))]
    deltas = spread_over(positions, shapes.mesh, stacked)
    return Surface(positions, normals, areas, regions, head_weights, colors, deltas, names)
