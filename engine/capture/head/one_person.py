# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose face it is: stretches of a capture whose face has another shape than most have.

Each frame's landmarks are turned to the front by an affine map; what they then differ from the canonical face is told
by the person, and less by pose and expression, of which the mean over some seconds is taken.
"""

from __future__ import annotations

import numpy as np

from .canonical_face import SOFT_LANDMARKS, SOLVED_LANDMARKS, canonical_face

STRETCH = 125
"""Frames over which a face is described."""
SHORTEST = 5
"""A shorter stretch is too little to tell."""
APART = 0.0008
"""Metres, root mean square over the landmarks, by which two people differ at least (measured: 0.9 to 1.6 mm; the
stretches of one person 0.2 to 0.5 mm) ..."""
DISTINCT = 5.0
"""... and by how many times the spread of each one's stretches along the line between them ..."""
LEAST_SPREAD = 0.00016
"""... which is taken to be at least this, in metres, since few stretches show too little of it."""
SHARED = 0.3
"""Where so much of one group shows the other's skin points, both are one person."""

_CHOSEN = np.array([i for i, number in enumerate(SOLVED_LANDMARKS) if number not in SOFT_LANDMARKS])


def other_people(landmarks: np.ndarray, clips: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """bool [T]: frames with a face that is not the one seen longest. landmarks: [T,80,2] SOLVED_LANDMARKS, NaN without
    a face; clips, tracks: [T]; a stretch lies within one of each."""
    result = np.zeros(len(clips), bool)
    stretches = [frames for frames in _stretches(landmarks, clips, tracks) if len(frames) >= SHORTEST]
    left = list(range(len(stretches)))
    if len(left) < 2:
        return result
    forms = np.stack([_form(landmarks[frames]) for frames in stretches])
    shown = [{int(number) for number in np.unique(tracks[frames]) if number >= 0} for frames in stretches]
    lengths = np.array([len(frames) for frames in stretches], float)
    # Each turn parts one group from the rest, and goes on with the larger.
    while len(left) >= 2:
        second = _second_group(forms[left], lengths[left])
        if second is None:
            break
        first = [index for index, other in zip(left, second, strict=True) if not other]
        rest = [index for index, other in zip(left, second, strict=True) if other]
        if lengths[rest].sum() > lengths[first].sum():
            first, rest = rest, first
        skins = set().union(*(shown[index] for index in first))
        if lengths[[index for index in rest if shown[index] & skins]].sum() > SHARED * lengths[rest].sum():
            break
        for index in rest:
            result[stretches[index]] = True
        left = first
    return result


def _stretches(landmarks: np.ndarray, clips: np.ndarray, tracks: np.ndarray) -> list[np.ndarray]:
    """Frame numbers of each stretch: one clip, one set of skin points (frames without one go with the frame before)."""
    seen = np.flatnonzero(np.isfinite(landmarks[:, _CHOSEN]).all((1, 2)))
    if not len(seen):
        return []
    known = np.where(tracks[seen] >= 0, np.arange(len(seen)), -1)
    sets = tracks[seen][np.maximum(np.maximum.accumulate(known), 0)]
    breaks = np.flatnonzero((np.diff(clips[seen]) != 0) | (np.diff(sets) != 0)) + 1
    found = []
    for part in np.split(seen, breaks):
        found += np.array_split(part, max(1, round(len(part) / STRETCH)))
    return found


def _form(landmarks: np.ndarray) -> np.ndarray:
    """[2 n] metres: how the landmarks lie on the frontal face, apart from the canonical one; the frames' median."""
    face = canonical_face()[np.array(SOLVED_LANDMARKS)[_CHOSEN]]
    design = np.concatenate([face, np.ones((len(face), 1))], axis=1)
    pixels = np.asarray(landmarks[:, _CHOSEN], np.float64)
    affine = np.linalg.pinv(design) @ pixels
    off = pixels - design @ affine
    plane = affine[:, :2].transpose(0, 2, 1)
    sound = np.abs(np.linalg.det(plane)) > 1e-6
    if not sound.any():
        return np.zeros(2 * len(face))
    turned = np.linalg.solve(plane[sound], off[sound].transpose(0, 2, 1))
    return np.median(turned, axis=0).reshape(-1)


def _second_group(forms: np.ndarray, lengths: np.ndarray) -> np.ndarray | None:
    """bool [n]: stretches of a second face among these, or None where all are one person's."""
    apart = np.sqrt(((forms[:, None] - forms[None]) ** 2).mean(-1) * 2)
    one, two = np.unravel_index(int(np.argmax(apart)), apart.shape)
    second = apart[two] < apart[one]
    for _ in range(20):
        middles = [np.average(forms[group], axis=0, weights=lengths[group]) for group in (~second, second)]
        distance = [((forms - middle) ** 2).sum(1) for middle in middles]
        new = distance[1] < distance[0]
        if (new == second).all() or not new.any() or new.all():
            break
        second = new
    line = middles[1] - middles[0]
    length = float(np.linalg.norm(line))
    if length / np.sqrt(len(line) / 2) < APART:
        return None
    along = forms @ (line / length)
    groups = [(along[group], lengths[group]) for group in (~second, second)]
    spread = [np.sqrt(np.average((v - np.average(v, weights=w)) ** 2, weights=w)) for v, w in groups]
    least = LEAST_SPREAD * np.sqrt(len(line) / 2)
    return second if length > DISTINCT * max(*spread, least) else None
