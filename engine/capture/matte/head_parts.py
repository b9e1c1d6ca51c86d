# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's matte divided into face, hair, mouth interior, and neck with torso, without a network.

Landmarks tell where the face ends against the neck: along the jaw, and at the ear lobes. What is hair is told by
colour and place. The person's own colours (hair, skin, neck and clothes) and an atlas of where this person has hair,
which moves with the head, are learned from some frames by expectation and maximisation, from a general notion of where
hair may be. In each frame both together decide, and a guided filter leads the answer along the strands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .background_plate import evenly
from .face_regions import CHIN, FOREHEAD, OVAL, coverage, mouth_outline
from .guided_filter import GuidedFilter, read_off
from .head_frame import SIZE, HeadFrame, atlas_axes, face_side, warp

FACE_HEIGHT = 128
"""Pixels of a face on the picture on which colours are told apart."""
FRAMES = 24
"""Frames that are learned from."""
ROUNDS = 6
BINS = 32
"""Bins of lightness and of the two axes of colour (CIELAB), the latter finer: skin and hair differ little."""
COLOUR = 1.5
"""Weight of a pixel's colour against its place."""
STRONGEST = 4.0
"""Log ratio that no colour's evidence exceeds."""
SHINE = -0.25
"""Height on the head, in face heights below its middle, above which skin must reach down to here to be skin."""
ROOTS = -0.38
"""Height above which hair may begin within the oval."""
OWN_ATLAS = 0.8
"""Weight of the person's own atlas against the general notion."""

_CODES = np.arange(256)
_COLOUR_BINS = np.clip((_CODES - 128) // 3 + BINS // 2, 0, BINS - 1)
_BIN_OF = (_CODES * BINS // 256 * BINS**2, _COLOUR_BINS * BINS, _COLOUR_BINS)
"""For each of the three 8-bit codes, what it adds to the number of the bin."""


@dataclass(frozen=True)
class Parts:
    """float32 [H,W] each, 0..1. Their sum is the alpha that was divided."""

    mouth: np.ndarray
    hair: np.ndarray
    face: np.ndarray
    body: np.ndarray


class HeadParts:
    """Callable: frame uint8 [H,W,3], alpha float32 [H,W], landmarks [478, 2 or 3] -> :class:`Parts`. Can be pickled."""

    def __init__(self, head: HeadFrame, prior: np.ndarray, by_face: np.ndarray, by_body: np.ndarray) -> None:
        """prior: float32 [SIZE,SIZE], log odds of hair. by_face, by_body: what a colour adds to them, [BINS ** 3]."""
        self._head, self._prior, self._by_face, self._by_body = head, prior, by_face, by_body
        # ears and face, which a shine on hair does not reach; and where hair grows from, which brows do not reach
        y = atlas_axes()[1]
        self._bare = (y > SHINE).astype(np.float32)
        self._grows = np.where(y > ROOTS, 1 - head.oval(), 1).astype(np.float32)

    @classmethod
    def fit(
        cls, frames: Sequence[np.ndarray], alphas: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]
    ) -> HeadParts | None:
        """Learn a person. Frames whose landmarks are not finite are left out; None if there is no other."""
        usable = [i for i, points in enumerate(landmarks) if is_face(points)]
        if not usable:
            return None
        usable = [usable[i] for i in evenly(len(usable), FRAMES)]
        head = HeadFrame.fit([landmarks[i] for i in usable])
        views = [_View.of(frames[i], landmarks[i], head, alphas[i]) for i in usable]
        general = general_prior(head)
        prior = general
        by_face = by_body = np.zeros(BINS**3, np.float32)
        for round_ in range(ROUNDS):
            hair, skin, body = np.zeros((3, BINS**3))
            where = np.zeros((SIZE, SIZE), np.float32)
            seen = np.full((SIZE, SIZE), 1e-3, np.float32)
            for view in views:
                place = warp(prior, view.to_atlas, (view.alpha.shape[1], view.alpha.shape[0]), inverse=True)
                chance = view.chance(place, by_face, by_body)
                if round_ == 0:  # only places about which there is little doubt
                    chance = np.where(chance > 0.85, 1, np.where(chance < 0.03, 0, np.nan)).astype(np.float32)
                weight = np.where(np.isnan(chance), 0, view.alpha)
                chance = np.nan_to_num(chance)
                hair += view.histogram(weight * chance)
                skin += view.histogram(weight * (1 - chance) * view.face_side)
                body += view.histogram(weight * (1 - chance) * (1 - view.face_side))
                where += warp(weight * chance, view.to_atlas, (SIZE, SIZE))
                seen += warp(weight, view.to_atlas, (SIZE, SIZE))
            hair, skin, body = (_density(count) for count in (hair, skin, body))
            by_face, by_body = (COLOUR * np.clip(np.log(hair / o), -STRONGEST, STRONGEST) for o in (skin, body))
            by_face, by_body = by_face.astype(np.float32), by_body.astype(np.float32)
            if round_:
                share = cv2.GaussianBlur(where, (0, 0), 1.5) / cv2.GaussianBlur(seen, (0, 0), 1.5)
                share = np.clip(share, 0.02, 0.98)
                # nothing is to be learned where there is no doubt
                trust = OWN_ATLAS * np.clip(seen / (0.2 * len(views)), 0, 1) * np.clip(5 + general, 0, 1)
                prior = (1 - trust) * general + trust * np.log(share / (1 - share))
        return cls(head, prior.astype(np.float32), by_face, by_body)

    def __call__(self, frame: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray) -> Parts:
        """The parts; all body where the landmarks are not finite."""
        shape = alpha.shape[0], alpha.shape[1]
        if not is_face(landmarks):
            nothing = np.zeros(shape, np.float32)
            return Parts(nothing, nothing.copy(), nothing.copy(), alpha.copy())
        view = _View.of(frame, landmarks, self._head, alpha)
        place = warp(self._prior, view.to_atlas, (view.alpha.shape[1], view.alpha.shape[0]), inverse=True)
        chance = view.chance(place, self._by_face, self._by_body)
        size = view.alpha.shape[1], view.alpha.shape[0]
        bare, grows = (warp(x, view.to_atlas, size, inverse=True) > 0.5 for x in (self._bare, self._grows))
        chance = _one_head_of_hair(chance, bare, grows, view)
        linear = GuidedFilter(view.image, 3, 1e-3).linear(chance)
        full = frame.astype(np.float32) / 255
        hair = np.clip((np.clip(read_off(linear, full), 0, 1) - 0.1) / 0.8, 0, 1)
        return divided(alpha, hair, landmarks)


def _one_head_of_hair(chance: np.ndarray, bare: np.ndarray, grows: np.ndarray, view: _View) -> np.ndarray:
    """`chance` without what only has the colour of hair or skin.

    Dark pieces that hang together with none above the jaw where hair `grows` [h,w] are brows or clothes; light pieces
    that do not reach the height of eyes and ears, `bare` [h,w], are a shine on hair.
    """
    person = view.alpha > 0.3
    dark = _pieces(person & (chance > 0.5), grows & (view.face_side > 0.5))
    light = _pieces(person & (chance <= 0.5) & (view.face_side > 0.5), bare)
    kept = np.where(dark, 0, chance)
    return np.asarray(np.where(light, 1, kept), np.float32)


def _pieces(where: np.ndarray, home: np.ndarray) -> np.ndarray:
    """bool [h,w]: the pieces of `where`, and two pixels around them, of which hardly anything lies in `home`."""
    count, labels = cv2.connectedComponents(where.astype(np.uint8), connectivity=8)
    at_home = np.bincount(labels.ravel(), home.ravel(), count)
    apart = at_home < np.maximum(0.05 * np.bincount(labels.ravel(), minlength=count), 4)
    apart[0] = False
    near = cv2.dilate(apart[labels].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return near & ((labels == 0) | apart[labels])


def divided(alpha: np.ndarray, hair: np.ndarray, landmarks: np.ndarray) -> Parts:
    """`alpha` divided by the share of `hair` (both [H,W]) and by landmarks."""
    shape = alpha.shape[0], alpha.shape[1]
    mouth = coverage(mouth_outline(landmarks), shape)
    side = face_side(landmarks, shape)
    rest = alpha * (1 - mouth)
    bare = rest * (1 - hair)
    return Parts(alpha * mouth, rest * hair, bare * side, bare * (1 - side))


def is_face(landmarks: np.ndarray | None) -> bool:
    """Whether these are the landmarks of a face of a size that can be worked on."""
    if landmarks is None or not np.isfinite(landmarks[:, :2]).all():
        return False
    return bool(4 < np.hypot(*(landmarks[CHIN, :2] - landmarks[FOREHEAD, :2])) < 1e5)


def general_prior(head: HeadFrame) -> np.ndarray:
    """float32 [SIZE,SIZE]: log odds of hair at each cell of the atlas, for anybody."""
    x, y = atlas_axes()
    oval = head.oval() > 0.5
    depth = cv2.distanceTransform(oval.astype(np.uint8), cv2.DIST_L2, 5) / (SIZE / 3.2)
    # Outside: sure above and beside the face, ears being told by their colour; open on the shoulders.
    outside = np.interp(y, [-0.6, -0.45, -0.2, 0.4, 0.8, 1.4], [3, 2.5, 2, 1.5, -2, -3.5])
    # Below: the jaw and the neck under it, which shadows make as dark as hair.
    neck = np.clip((0.46 - np.abs(x)) / 0.08, 0, 1) * np.clip((y - 0.2) / 0.15, 0, 1)
    outside -= neck * (2.5 + 3.5 * np.clip((0.38 - np.abs(x)) / 0.1, 0, 1) * np.clip((y - 0.4) / 0.1, 0, 1))
    # Inside: a fringe may hang over the forehead; a beard belongs to the face.
    inside = np.interp(y, [-0.5, -0.25, -0.12], [0, -3, -6]) - 10 * depth
    return np.where(oval, inside, outside).astype(np.float32)


@dataclass(frozen=True)
class _View:
    """One frame on the small picture: image float32 [h,w,3], index of each colour's bin, alpha, face_side [h,w]."""

    image: np.ndarray
    colours: np.ndarray
    alpha: np.ndarray
    face_side: np.ndarray
    never: np.ndarray
    to_atlas: np.ndarray

    @classmethod
    def of(cls, frame: np.ndarray, landmarks: np.ndarray, head: HeadFrame, alpha: np.ndarray) -> _View:
        points = landmarks[:, :2]
        scale = min(1.0, FACE_HEIGHT / float(np.hypot(*(points[CHIN] - points[FOREHEAD]))))
        size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
        ratio = np.array([size[0] / frame.shape[1], size[1] / frame.shape[0]])
        small = frame if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        cover = alpha if scale == 1 else cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        points = (points + 0.5) * ratio - 0.5
        lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 0.8), cv2.COLOR_RGB2LAB)
        colours = _BIN_OF[0][lab[..., 0]] + _BIN_OF[1][lab[..., 1]] + _BIN_OF[2][lab[..., 2]]
        side = face_side(points, (size[1], size[0]))
        middle = points[list(OVAL)].mean(0)
        # eyes, brows and lips may have the colour of hair
        never = coverage(middle + 0.85 * (points[list(OVAL[5:-4])] - middle), (size[1], size[0]))
        return cls(small.astype(np.float32) / 255, colours, cover, side, never, head.to_atlas(points))

    def chance(self, place: np.ndarray, by_face: np.ndarray, by_body: np.ndarray) -> np.ndarray:
        """float32 [h,w]: how likely each pixel is hair, if it is the person's; place: [h,w], log odds of the place."""
        by_colour = self.face_side * by_face[self.colours] + (1 - self.face_side) * by_body[self.colours]
        out: np.ndarray = (1 - self.never) / (1 + np.exp(-place - by_colour))
        return out

    def histogram(self, weight: np.ndarray) -> np.ndarray:
        return np.bincount(self.colours.ravel(), weight.ravel(), BINS**3)


def _density(count: np.ndarray) -> np.ndarray:
    """Chances of colours from how often they were seen; never 0."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(count.reshape(BINS, BINS, BINS), 2.0, mode="nearest").ravel()
    return smooth / max(smooth.sum(), 1e-9) + 1e-6
