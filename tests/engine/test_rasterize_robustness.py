# SPDX-License-Identifier: GPL-3.0-or-later
"""What the CPU rasterizer does with nothing to draw, with broken numbers, and with any number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("numba", reason="the CPU rasterizer is compiled by numba")

from hmtalker.camera import Camera
from hmtalker.errors import RenderError
from hmtalker.rasterize import Splats, create
from hmtalker.rasterize.cpu import CpuRasterizer

GRADIENTS = ("means", "quaternions", "scales", "opacities", "colors", "means2d")


def camera(width=101, height=67):
    view = np.eye(4)
    view[2, 3] = 3
    return Camera(width, height, np.array([[90.0, 0, width / 2], [0, 90, height / 2], [0, 0, 1]]), view)


def scene(count=500, seed=0):
    rng = np.random.default_rng(seed)
    return Splats(
        rng.uniform(-1, 1, (count, 3)),
        rng.normal(size=(count, 4)),
        0.06 * np.exp(rng.normal(0, 0.6, (count, 3))),
        rng.uniform(0.02, 1, count),
        rng.uniform(0, 1, (count, 3)),
    ).contiguous()


def subset(splats, keep):
    return Splats(*(array[keep] for array in vars(splats).values())).contiguous()


def test_any_number_of_threads_gives_the_same_bits():
    splats, view = scene(), camera()
    seed_gradient = np.random.default_rng(1).normal(size=(67, 101, 3)).astype(np.float32)
    results = []
    for threads in (1, 2, 3):
        rasterizer = CpuRasterizer(threads)
        done = rasterizer.forward(splats, view, (0.1, 0.2, 0.3), depth=True)
        gradients = rasterizer.backward(done, seed_gradient)
        results.append([done.rgb, done.alpha, done.depth, *(getattr(gradients, name) for name in GRADIENTS)])
    for other in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_one_rasterizer_serves_several_threads_at_once():
    rasterizer, view = CpuRasterizer(2), camera()
    scenes = [scene(300, seed) for seed in range(6)]
    expected = [CpuRasterizer(1).render(s, view).rgb for s in scenes]
    with ThreadPoolExecutor(3) as pool:
        pictures = list(pool.map(lambda s: rasterizer.render(s, view).rgb, scenes))
    assert all(np.array_equal(a, b) for a, b in zip(pictures, expected, strict=True))


@pytest.mark.parametrize("case", ["empty", "behind", "transparent"])
def test_nothing_to_draw_leaves_the_background(case):
    splats = scene(0 if case == "empty" else 20)
    if case == "behind":
        splats.means[:, 2] -= 10
    elif case == "transparent":
        splats.opacities[:] = 0.003
    rasterizer = CpuRasterizer(2)
    done = rasterizer.forward(splats, camera(), (0.25, 0.5, 1.0), depth=True)
    assert np.array_equal(done.rgb, np.broadcast_to(np.float32([0.25, 0.5, 1]), done.rgb.shape))
    assert not done.alpha.any()
    assert not done.depth.any()
    assert not done.radii.any()
    gradients = rasterizer.backward(done, np.ones_like(done.rgb), np.ones_like(done.alpha))
    assert not any(getattr(gradients, name).any() for name in GRADIENTS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("name", ["means", "quaternions", "scales", "opacities", "colors"])
def test_broken_splats_are_left_out(name, value):
    splats, view = scene(60), camera()
    broken = Splats(*(array.copy() for array in vars(splats).values()))
    getattr(broken, name)[::3] = value
    rasterizer = CpuRasterizer(2)
    done = rasterizer.forward(broken, view)
    gradients = rasterizer.backward(done, np.ones_like(done.rgb))
    if not np.isfinite(value):
        keep = np.arange(60) % 3 != 0
        assert np.array_equal(done.rgb, rasterizer.render(subset(splats, keep), view).rgb)
        assert not done.radii[~keep].any()
        assert all(np.isfinite(getattr(gradients, g)).all() for g in GRADIENTS)


def test_a_zero_quaternion_is_left_out():
    splats = scene(2)
    splats.quaternions[0] = 0
    expected = CpuRasterizer(1).render(subset(splats, [1]), camera())
    assert np.array_equal(CpuRasterizer(1).render(splats, camera()).rgb, expected.rgb)


def test_read_only_and_float64_input_is_taken():
    splats, view = scene(50), camera()
    expected = CpuRasterizer(1).render(splats, view).rgb
    other = Splats(*(array.astype(np.float64) for array in vars(splats).values()))
    other.means = splats.means.copy()
    other.means.flags.writeable = False
    assert np.array_equal(CpuRasterizer(1).render(other, view).rgb, expected)


def test_scratch_is_reused_for_smaller_and_larger_scenes():
    rasterizer, view = CpuRasterizer(2), camera()
    for count in (300, 10, 0, 600, 299):
        splats = scene(count, seed=count)
        assert np.array_equal(rasterizer.render(splats, view).rgb, CpuRasterizer(1).render(splats, view).rgb)


def test_arrays_that_do_not_belong_together_are_refused():
    splats = scene(5)
    splats.scales = splats.scales[:4]
    with pytest.raises(RenderError, match="scales"):
        CpuRasterizer(1).render(splats, camera())


def test_an_impossible_picture_size_is_refused():
    with pytest.raises(RenderError, match="0 x 10"):
        CpuRasterizer(1).render(scene(5), camera(0, 10))


def test_unknown_rasterizers_are_refused_by_name():
    assert create("cpu", threads=1).name == "cpu"
    with pytest.raises(RenderError, match="'cuda9'"):
        create("cuda9")
