# SPDX-License-Identifier: GPL-3.0-or-later
"""What is launched and how much memory it takes, for ordinary and for extreme batches."""

from __future__ import annotations

import pytest

pytest.importorskip("numba", reason="the sizes of the kernels are those of the portable engine")

from hmtalker.errors import RenderError
from hmtalker.rasterize.cuda import launch, layout
from hmtalker.rasterize.cuda.program import KERNELS


def sizes(face=40_000, mouth=4_930, width=512, height=512, frames=1):
    return launch.first_sizes(face, mouth, width, height, frames)


def test_every_gaussian_and_every_pixel_has_a_thread():
    for face, mouth, width, height, frames in ((40_000, 4_930, 512, 512, 8), (1, 1, 1, 1, 1), (129, 128, 513, 17, 3)):
        batch = sizes(face, mouth, width, height, frames)
        found = {one.kernel: one for one in launch.launches(batch, linear=True)}
        for kernel, count in (("splat_face", face), ("splat_mouth", mouth), ("fill_tiles", face + mouth)):
            blocks, rows, _ = found[kernel].grid
            assert (blocks - 1) * found[kernel].threads < count <= blocks * found[kernel].threads
            assert rows == frames
        columns, rows, pages = found["draw_linear"].grid
        assert (columns - 1) * layout.TILE < width <= columns * layout.TILE
        assert (rows - 1) * layout.TILE < height <= rows * layout.TILE
        assert pages == frames
        assert found["draw_linear"].threads == layout.TILE**2
        assert found["clear_tiles"].grid[0] * found["clear_tiles"].threads >= batch.entries


def test_kernels_run_in_order_and_all_of_them_are_used():
    names = [[one.kernel for one in launch.launches(sizes(), linear)] for linear in (True, False)]
    assert names[0][:-1] == names[1][:-1]
    assert names[0][:5] == ["clear_tiles", "splat_face", "splat_mouth", "scan_tiles", "fill_tiles"]
    assert set(names[0]) | set(names[1]) == set(KERNELS)


def test_an_empty_layer_has_no_launch():
    found = {one.kernel for one in launch.launches(sizes(face=0, mouth=0), True)}
    assert found == {"clear_tiles", "scan_tiles", "draw_linear"}
    assert all(size >= 1 for size in launch.batch_bytes(sizes(face=0, mouth=0)).values())


def test_buffers_grow_with_what_they_hold():
    one, eight = launch.batch_bytes(sizes()), launch.batch_bytes(sizes(frames=8))
    assert all(eight[name] == 8 * size for name, size in one.items())
    assert one["rgba"] == 512 * 512 * 16
    assert one["keys"] == 8 * sizes().capacity
    assert one["start"] == one["count"] + 4
    assert set(one) < set(layout.POINTERS)


def test_room_grows_past_what_was_needed_and_not_past_what_can_be_numbered():
    batch = launch.grown(sizes(), 1_000_000)
    assert batch.capacity == 1_250_000
    assert (batch.width, batch.frames) == (512, 1)
    assert launch.grown(sizes(), launch.MOST_PAIRS).capacity == launch.MOST_PAIRS
    with pytest.raises(RenderError, match="choose a smaller size"):
        launch.grown(sizes(), launch.MOST_PAIRS + 1)


@pytest.mark.parametrize("frames", [0, launch.MOST_IN_A_GRID + 1])
def test_a_batch_that_no_grid_holds_is_refused(frames):
    with pytest.raises(RenderError, match="draw fewer at once"):
        sizes(frames=frames)


def test_shared_memory_stays_below_what_every_card_has():
    draw = 8 * layout.SORTED + 4 * layout.PIXELS * layout.RECORD
    weights = 4 * (2 * layout.WHOLE["FACE_HIDDEN"] ** 2 + layout.WHOLE["FACE_HIDDEN"] * layout.WHOLE["FACE_OUTPUTS"])
    assert max(draw, weights + 4 * layout.DRIVE, 8 * layout.SCAN_THREADS) <= 48 * 1024
