# SPDX-License-Identifier: GPL-3.0-or-later
"""A film's own torso and background behind a head that is drawn, as the paper does it (METHOD 2.7).

A frame is divided into the head, which is modelled, and what lies behind it, which is taken from the frame itself: neck
and clothes, the neck stretched upward under the head so that no gap opens at the jaw, over the empty background.
"""

from __future__ import annotations

import cv2
import numpy as np

AVATAR, SOURCE = "avatar", "source"
"""Whose the torso is: a part of the avatar, or the film's."""
STRETCH = 53 / 512
"""Of the frame's height: how far the neck goes on under the head (parent: 48 + 5 of 512 rows)."""
DARKER = 0.98
"""Times the colour of the row below."""
NECK_EDGE = 3
"""Rows below the jaw that are mixed with it; the neck's colour is taken beneath them."""
GREY = 0.5


def head_alpha(rgba: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """uint8 [H,W]: what of a frame's alpha is head. rgba uint8 [H,W,4]; masks uint8 [H,W,3] of mouth, hair, face."""
    covered = masks[..., 0].astype(np.uint16)
    covered += masks[..., 1]
    covered += masks[..., 2]
    return np.minimum(covered, rgba[..., 3]).astype(np.uint8)


def behind_the_head(rgba: np.ndarray, masks: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """float32 [H,W,3] 0..1: the frame's torso, and its neck as far as it may be seen, over the background [H,W,3].

    background: None for middle grey.
    """
    colours = rgba[..., :3].astype(np.float32) / 255
    whole = rgba[..., 3].astype(np.float32) / 255
    head = head_alpha(rgba, masks).astype(np.float32) / 255
    torso = np.clip(whole - head, 0, 1)
    alpha, layer = torso.copy(), colours.copy()
    place, neck, covered = _stretched(colours, torso, head, max(1, round(STRETCH * len(torso))))
    shown = torso[place]
    alpha[place] = np.maximum(shown, np.minimum(covered, whole[place]))
    share = (shown / np.maximum(alpha[place], 1e-6))[..., None]
    share = np.where(covered[..., None] > 0, share**4, share)  # what is mixed with the jaw gives way to the neck
    layer[place] = share * colours[place] + (1 - share) * neck
    under = np.float32(GREY) if background is None else background
    return np.asarray(alpha[..., None] * layer + (1 - alpha[..., None]) * under, np.float32)


def _stretched(
    colours: np.ndarray, torso: np.ndarray, head: np.ndarray, reach: int
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Where the neck goes on upward by `reach` rows because the head hides it: the rows and columns that it lies in,
    and their colours [h,w,3] and cover [h,w]."""
    height, width = torso.shape
    row = np.arange(height)[:, None]
    # of each column: the first row below the head's last one that is torso alone
    last = np.where(head > 0.5, row, -1).max(0)
    top = np.where((torso > 0.9) & (row > last), row, height).min(0)
    joined = (last >= 0) & (top - last <= 2 * NECK_EDGE) & (top < height)
    if not joined.any():
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0, 3), np.float32), np.zeros((0, 0), np.float32)
    start = np.minimum(top + NECK_EDGE, height - 1)
    columns = np.flatnonzero(joined)
    place = (
        slice(max(0, int(start[joined].min()) - reach - NECK_EDGE), int(start[joined].max()) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )
    above = start[None, place[1]] - row[place[0]]
    inside = joined[place[1]] & (above > 0) & (above <= reach + NECK_EDGE)
    seed = cv2.blur(colours, (5, 1))[start, np.arange(width)][place[1]]
    shade = (DARKER ** np.arange(height + 1)).astype(np.float32)[np.clip(above, 0, None)]
    neck = np.where(inside[..., None], seed[None] * shade[..., None], 0).astype(np.float32)
    # columns are smoothed together, so that no strokes are seen; nothing lies beside them
    weight, smooth = (
        cv2.blur(values, (5, 5), borderType=cv2.BORDER_CONSTANT) for values in (inside.astype(np.float32), neck)
    )
    return place, smooth / np.maximum(weight, 1e-6)[..., None], inside.astype(np.float32)
