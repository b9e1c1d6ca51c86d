# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of the skin where bone lies close below, followed by optical flow through the whole capture.

Landmarks come from a network, whose errors follow pose and expression and last for many frames; flow sees the skin
itself. Each frame is compared with the keyframes seen most alike, not with the frame before, so that errors do not add
up: keyframes are frames of some viewing directions, kept over cuts, and a new one inherits its points from the others.
A point is chosen once, in the first view that shows its place well: a head that comes in turned away hides half of it.
Where two keyframes disagree on a point, the newer one is corrected little by little. Comparison is Lucas-Kanade's, on
both faces turned to the front (``frontal_view``), forward and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from .canonical_face import flow_places, outward
from .frontal_view import CELL, FrontalView, cells_of, frontal_view

POINTS = 56
WINDOW = 25
"""Cells; the patch that is compared."""
LEVELS = 2
SNAP = 5
"""Cells a point may move from its landmark to better texture, in the first keyframe."""
SPACING = 8.0
"""Degrees between the viewing directions of keyframes."""
FEWEST = 14
"""Points that must be found for two frames to show the same face."""
CLOSED = 0.35
"""Cells between a point and where it comes out after going forward and back."""
FARTHEST = 9.0
"""Cells that landmarks may be off."""
ALIKE = 0.6
"""Correlation of the two patches."""
PATIENCE = 10
"""Frames in a row without a match, after which the face counts as another one, or as the same in other light."""
MOST_SETS, MOST_KEYFRAMES = 4, 16
NEIGHBOURS = 3
"""Keyframes with which a frame is compared."""
FAR_APART = 3.0
"""Cells; two keyframes that disagree more see different things."""
FACING = 0.45
"""Cosine of the angle at which a place must be seen for a point to be chosen there ..."""
WAIT = 150
"""... and the number of frames after which the best view so far must do ..."""
HIDDEN = 0.05
"""... unless the place is turned away altogether."""
CAUTION = 4.0
"""The first gap between two keyframes corrects the newer one by a fifth of it, the n-th by 1 / (n + 4)."""

_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.005)
_EYES_AND_BROWS = (
    *(33, 163, 145, 153, 133, 157, 159, 161, 263, 390, 374, 380, 362, 384, 386, 388),
    *(70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
)


@dataclass
class _Keyframe:
    grey: np.ndarray
    direction: np.ndarray
    points: np.ndarray
    """float32 [POINTS,2] cells, NaN where lost."""
    patches: np.ndarray
    choices: np.ndarray
    """float32 [POINTS,2] cells that can be followed well, one near each place."""
    compared: np.ndarray = field(default_factory=lambda: np.zeros(POINTS))
    """[POINTS] how often each point was compared with an older keyframe's."""

    @property
    def facing(self) -> np.ndarray:
        """[POINTS] cosines of the angles at which the places are seen."""
        return np.asarray(outward(flow_places()) @ self.direction)


@dataclass
class _Skin:
    """One set of skin points, in all the keyframes that show it."""

    number: int
    keyframes: list[_Keyframe] = field(default_factory=list)
    chosen: np.ndarray = field(default_factory=lambda: np.zeros(POINTS, bool))
    """[POINTS] where a point was chosen."""
    frames: int = 0
    """How many were seen."""
    settled: bool = False
    """No more points are chosen."""

    def follow(self, view: FrontalView) -> tuple[np.ndarray, float]:
        """float32 [POINTS,2] cells: the points in another frame, NaN where lost, as the nearest keyframes see them
        together; and the angle to the nearest in degrees."""
        cosines = [float(keyframe.direction @ view.direction) for keyframe in self.keyframes]
        order = np.argsort(cosines)[::-1][:NEIGHBOURS].tolist()
        angles = np.degrees(np.arccos(np.clip([cosines[index] for index in order], -1, 1)))
        seen = [_follow(self.keyframes[index], view.grey) for index in order]
        if np.isfinite(seen[0][:, 0]).sum() < FEWEST:
            return seen[0], float(angles[0])
        self._agree(order, seen)
        weights = np.exp(-((angles / (0.75 * SPACING)) ** 2))[:, None] * np.isfinite(np.stack(seen)[..., 0]) + 1e-9
        mean = (weights[..., None] * np.nan_to_num(np.stack(seen))).sum(0) / weights.sum(0)[:, None]
        return np.where(np.isfinite(np.stack(seen)[..., :1]).any(0), mean, np.nan).astype(np.float32), float(angles[0])

    def _agree(self, order: list[int], seen: list[np.ndarray]) -> None:
        """Move the points of newer keyframes to where older ones see them."""
        for place, index in enumerate(order):
            older = [seen[other] - seen[place] for other in range(len(order)) if order[other] < index]
            keyframe = self.keyframes[index]
            for gap in older:
                both = np.isfinite(gap[:, 0]) & (np.linalg.norm(gap, axis=1) < FAR_APART)
                keyframe.compared[both] += 1
                # What the keyframe says is out by the gap, wherever in the frame it is looked for.
                keyframe.points[both] += gap[both] / (len(older) * (CAUTION + keyframe.compared[both, None]))
            if older:
                keyframe.patches = _patches(keyframe.grey, keyframe.points)

    def add(self, view: FrontalView, landmarks: np.ndarray) -> None:
        """One more keyframe; what the nearest have lost may be found from others, and what it is the first to see
        well is new."""
        points = np.full((POINTS, 2), np.nan, np.float32)
        for keyframe in sorted(self.keyframes, key=lambda keyframe: -float(keyframe.direction @ view.direction)):
            lost = np.isnan(points[:, 0])
            if not lost.any():
                break
            points[lost] = _follow(keyframe, view.grey, lost)[lost]
        new = _Keyframe(view.grey, view.direction, points, _patches(view.grey, points), _textured(view, landmarks))
        self.keyframes.append(new)
        if not self.settled:
            self._choose(new, ~self.chosen & (new.facing > FACING))

    def wait(self) -> None:
        """One more frame was seen."""
        self.frames += 1
        if self.frames >= WAIT:
            self.settle()

    def settle(self) -> None:
        """Choose the points that no view showed well in the best of the views so far."""
        if self.settled:
            return
        facing = np.stack([keyframe.facing for keyframe in self.keyframes])
        for index, keyframe in enumerate(self.keyframes):
            self._choose(keyframe, ~self.chosen & (facing.argmax(0) == index) & (facing[index] > HIDDEN))
        self.settled = True

    def _choose(self, keyframe: _Keyframe, places: np.ndarray) -> None:
        """New points, at `places` bool [POINTS] as the keyframe shows them; the other keyframes look for them."""
        if not places.any():
            return
        self.chosen |= places
        keyframe.points[places] = keyframe.choices[places]
        keyframe.patches = _patches(keyframe.grey, keyframe.points)
        for other in self.keyframes:
            if other is not keyframe:
                other.points[places] = _follow(keyframe, other.grey, places)[places]
                other.patches = _patches(other.grey, other.points)


class RigidFlow:
    """Follows POINTS points of the skin through a capture, frame by frame; memory does not grow with its length."""

    def __init__(self) -> None:
        self.track = -1
        """Which set of skin points the latest row belongs to: frames with the same number show the same points;
        -1: none were found."""
        self._skins: list[_Skin] = []
        self._current = 0
        self._lost = 0

    def reset(self) -> None:
        """A cut: the next frame does not follow the last one. Keyframes are kept, so that points are found again."""
        self._lost = 0

    def settle(self) -> None:
        """Choose no more points on the skins seen so far, so that copies of this follow the same points."""
        for skin in self._skins:
            skin.settle()

    def step(self, image: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
        """float32 [POINTS,2]: where the points are in this frame, in pixels (0, 0 is the middle of the first pixel),
        NaN where lost. image: uint8 [H,W,3] RGB; landmarks: [478, 2 or 3] pixels, or None where there is no face."""
        row = np.full((POINTS, 2), np.nan, np.float32)
        self.track = -1
        view = None
        if landmarks is not None and np.isfinite(landmarks[:, :2]).all():
            view = frontal_view(image, landmarks)
        if view is None or landmarks is None:
            return row
        for index in sorted(range(len(self._skins)), key=lambda index: index != self._current):
            skin = self._skins[index]
            points, angle = skin.follow(view)
            if np.isfinite(points[:, 0]).sum() >= FEWEST:
                self._current, self._lost = index, 0
                if angle > SPACING and len(skin.keyframes) < MOST_KEYFRAMES:
                    skin.add(view, landmarks)
                skin.wait()
                break
        else:
            self._lost += 1
            full = len(self._skins) >= MOST_SETS
            if full or (self._skins and self._lost < PATIENCE):
                return row
            skin = _Skin(len(self._skins))
            skin.add(view, landmarks)
            if skin.chosen.sum() < 2 * FEWEST:
                skin.settle()  # too little is seen well to be picky
            self._skins.append(skin)
            points = skin.keyframes[0].points
            self._current, self._lost = len(self._skins) - 1, 0
        self.track = self._skins[self._current].number
        found = np.isfinite(points[:, 0])
        row[found] = view.to_picture(points[found].astype(np.float64))
        return row


def _follow(keyframe: _Keyframe, grey: np.ndarray, places: np.ndarray | None = None) -> np.ndarray:
    """float32 [POINTS,2] cells: the keyframe's points, or those at some `places` (bool [POINTS]), in another frame; NaN
    where they are not found."""
    wanted = np.isfinite(keyframe.points[:, 0])
    if places is not None:
        wanted &= places
    known = np.flatnonzero(wanted)
    result = np.full((POINTS, 2), np.nan, np.float32)
    start = np.ascontiguousarray(keyframe.points[known])
    if not len(start):
        return result
    there, there_ok = _flow(keyframe.grey, grey, start, start)
    back, back_ok = _flow(grey, keyframe.grey, there, start)
    patches = _patches(grey, there)
    alike = (patches * keyframe.patches[known]).sum(1)
    good = there_ok & back_ok & (alike > ALIKE)
    good &= np.linalg.norm(back - start, axis=1) < CLOSED
    good &= np.linalg.norm(there - start, axis=1) < FARTHEST
    result[known[good]] = there[good]
    return result


def _flow(
    before: np.ndarray, after: np.ndarray, points: np.ndarray, guess: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        points,
        guess.copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS,
        criteria=_STOP,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=1e-3,
    )
    return moved, (found[:, 0] > 0) & np.isfinite(moved).all(1)


def _patches(grey: np.ndarray, points: np.ndarray) -> np.ndarray:
    """float32 [n, WINDOW**2]: the patches around the points, of mean 0 and length 1."""
    patches = np.zeros((len(points), WINDOW * WINDOW), np.float32)
    for index, (x, y) in enumerate(points.tolist()):
        if np.isfinite(x) and np.isfinite(y):
            patch = cv2.getRectSubPix(grey, (WINDOW, WINDOW), (x, y), patchType=cv2.CV_32F)
            patches[index] = patch.ravel()
    patches -= patches.mean(1, keepdims=True)
    patches /= np.linalg.norm(patches, axis=1, keepdims=True) + 1e-6
    return patches


def _textured(view: FrontalView, landmarks: np.ndarray) -> np.ndarray:
    """float32 [POINTS,2] cells: for each place one near it that can be followed well, not on eyes or brows."""
    rows, columns = view.grey.shape
    texture = cv2.cornerMinEigenVal(view.grey, 9)
    numbers = np.array(_EYES_AND_BROWS)
    across, down = np.meshgrid(np.arange(columns), np.arange(rows))
    for u, v in view.to_cells(landmarks[numbers, :2].astype(np.float64), numbers).tolist():
        texture[(across - u) ** 2 + (down - v) ** 2 < (0.008 / CELL) ** 2] *= 0.02
    result = np.empty((POINTS, 2), np.float32)
    steps = np.arange(-SNAP, SNAP + 1)
    nearness = np.exp(-(steps[:, None] ** 2 + steps**2) / (2 * (SNAP / 1.5) ** 2))
    for index, (u, v) in enumerate(np.round(cells_of(flow_places())).astype(int).tolist()):
        us, vs = np.clip(u + steps, 0, columns - 1), np.clip(v + steps, 0, rows - 1)
        best = int(np.argmax(texture[np.ix_(vs, us)] * nearness + 1e-12 * nearness))
        result[index] = us[best % len(steps)], vs[best // len(steps)]
    return result
