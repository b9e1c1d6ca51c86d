# SPDX-License-Identifier: GPL-3.0-or-later
"""The visible mark is in its corner, of its size, and the same in a piece of the picture as in the whole."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker.visible_mark import CORNERS, SMALLEST, VisibleMark, lay_over

WIDTH, HEIGHT = 320, 200


def marked(mark: VisibleMark, grey: float = 0.0, alpha: float = 0.0) -> np.ndarray:
    rgba = np.full((HEIGHT, WIDTH, 4), grey * alpha, np.float32)
    rgba[..., 3] = alpha
    lay_over(rgba, mark)
    return rgba


@pytest.mark.parametrize("corner", CORNERS)
def test_it_is_in_its_corner_and_of_its_size(corner):
    rows, columns = np.nonzero(marked(VisibleMark(corner, 0.2, 1.0))[..., 3])
    assert rows.max() - rows.min() + 1 == pytest.approx(40, abs=2)
    assert columns.max() - columns.min() + 1 == pytest.approx(60, abs=2)
    assert (rows.mean() < HEIGHT / 2) == corner.startswith("TOP")
    assert (columns.mean() < WIDTH / 2) == corner.endswith("LEFT")
    gap = min(rows.min(), HEIGHT - 1 - rows.max()), min(columns.min(), WIDTH - 1 - columns.max())
    assert gap == pytest.approx((20, 20), abs=1)


@pytest.mark.parametrize("ground", [0.0, 1.0])
def test_letters_and_plate_are_seen_on_black_and_on_white(ground):
    rgba = marked(VisibleMark(size=0.2, opacity=0.8), ground, 1.0)
    part = rgba[140:180, 240:300, :3]
    assert part.max() > 0.79
    assert part.min() < 0.21
    assert np.allclose(rgba[..., 3], 1.0)
    assert np.allclose(rgba[:100, :, :3], ground)


def test_a_transparent_picture_gets_its_alpha():
    rgba = marked(VisibleMark(size=0.2, opacity=0.5))
    assert rgba[..., 3].max() == pytest.approx(0.5)
    assert (rgba[..., :3] <= rgba[..., 3:] + 1e-6).all()


def test_a_piece_of_the_picture_has_its_piece_of_the_mark():
    mark = VisibleMark("BOTTOM_LEFT", 0.2)
    whole = marked(mark)
    piece = np.zeros((60, 50, 4), np.float32)
    lay_over(piece, mark, (WIDTH, HEIGHT), (30, 130))
    assert piece[..., 3].any()
    assert np.array_equal(piece, whole[130:190, 30:80])
    outside = np.zeros((10, 10, 4), np.float32)
    lay_over(outside, mark, (WIDTH, HEIGHT), (300, 0))
    assert not outside.any()


def test_in_a_small_picture_it_can_still_be_read():
    rgba = np.zeros((40, 60, 4), np.float32)
    lay_over(rgba, VisibleMark(size=0.02))
    rows = np.nonzero(rgba[..., 3].any(1))[0]
    assert len(rows) >= SMALLEST
