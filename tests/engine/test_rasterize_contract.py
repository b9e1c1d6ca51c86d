# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPU rasterizer against the float64 reference: images and gradients on scenes that each stress one rule."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the reference rasterizer is written in torch")
pytest.importorskip("numba", reason="the CPU rasterizer is compiled by numba")

from hmtalker.camera import Camera
from hmtalker.rasterize import Splats, autograd, reference
from hmtalker.rasterize.cpu import CpuRasterizer

BACKGROUND = (0.2, 0.4, 0.6)
NAMES = ("means", "quaternions", "scales", "opacities", "colors")


def camera(width=61, height=43, focal=56.0):
    view = np.eye(4)
    angle = 0.3
    view[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    view[:3, 3] = [0.05, -0.02, 3.0]
    k = np.array([[focal, 0, width / 2 + 3.3], [0, focal * 1.1, height / 2 - 2.1], [0, 0, 1]])
    return Camera(width, height, k, view)


def ordinary(count=250, seed=0, size=0.05):
    rng = np.random.default_rng(seed)
    return Splats(
        rng.uniform(-1.2, 1.2, (count, 3)),
        rng.normal(size=(count, 4)),
        size * np.exp(rng.normal(0, 0.6, (count, 3))),
        rng.uniform(0.02, 0.98, count),
        rng.uniform(0, 1.5, (count, 3)),
    ).contiguous()


def needles():
    splats = ordinary(seed=1)
    splats.scales[:] = [0.6, 0.002, 0.002]
    return splats


def beyond_the_edge():
    splats = ordinary(seed=2, size=0.2)
    splats.means[:, :2] *= 6  # most centres are off screen, many beyond the Jacobian's clamp
    return splats


def around_the_camera():
    splats = ordinary(seed=3, size=0.1)
    splats.means *= 4  # in front of, next to and behind the camera
    return splats


def opaque():
    splats = ordinary(seed=4, size=0.15)
    splats.opacities[:] = 1
    return splats


def faint():
    splats = ordinary(seed=5, size=0.2)
    splats.opacities[:] = np.linspace(0.0, 0.02, splats.count)  # on both sides of 1/255
    return splats


def stack():
    """1,000 splats behind each other: pixels stop at T <= 1e-4 or carry hundreds of faint layers."""
    splats = ordinary(1000, seed=6, size=0.3)
    splats.means[:, :2] *= 0.1
    splats.opacities[:] = np.random.default_rng(6).uniform(0.005, 0.06, 1000)
    return splats


def ties():
    """Splats in pairs at the same place, different in colour: the lower index is in front."""
    splats = ordinary(seed=7)
    splats.means[1::2] = splats.means[::2]
    return splats


SCENES = [ordinary, needles, beyond_the_edge, around_the_camera, opaque, faint, stack, ties]


def both(splats, view, seed=0):
    """Outputs and gradients of a random linear loss, of the CPU rasterizer and of the reference."""
    rng = np.random.default_rng(seed)
    d_rgb = torch.from_numpy(rng.normal(size=(view.height, view.width, 3)).astype(np.float32))
    d_alpha = torch.from_numpy(rng.normal(size=(view.height, view.width)).astype(np.float32))
    arrays = [getattr(splats, name) for name in NAMES]
    ours = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
    rgb, alpha, screen = autograd.rasterize(*ours, view, BACKGROUND, CpuRasterizer(threads=2))
    ((rgb * d_rgb).sum() + (alpha * d_alpha).sum()).backward()
    theirs = [torch.from_numpy(a.copy()).double().requires_grad_() for a in arrays]
    expected_rgb, expected_alpha, depth, radii = reference.rasterize(*theirs, view, BACKGROUND)
    ((expected_rgb * d_rgb).sum() + (expected_alpha * d_alpha).sum()).backward()
    return (rgb, alpha, screen, ours), (expected_rgb, expected_alpha, radii, theirs, depth)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_image_and_gradients_match_the_reference(scene):
    view = camera()
    (rgb, alpha, screen, ours), (expected_rgb, expected_alpha, radii, theirs, _) = both(scene(), view)
    error = torch.maximum((rgb - expected_rgb).abs().amax(-1), (alpha - expected_alpha).abs())
    # A splat at the 1/255 cut or at the stop may fall on either side in float32; everywhere else rounding is all.
    flips = int((error > 2e-4).sum())
    assert flips <= 0.002 * error.numel()
    assert error.max() < 2e-2
    assert error.median() < 1e-5
    assert int((screen.radii != radii).sum()) <= 2  # a ceil() may flip too
    for name, mine, exact in zip(NAMES, ours, theirs, strict=True):
        scale = exact.grad.norm()
        assert (mine.grad - exact.grad).norm() <= 5e-3 * scale + 1e-6, name
        typical = (mine.grad - exact.grad).abs().median()
        assert typical <= 1e-4 * exact.grad.abs().max() + 1e-9, name


@pytest.mark.parametrize("size", [(333, 217), (1, 1), (32, 32), (31, 65)])
def test_odd_picture_sizes(size):
    view = camera(*size)
    splats = ordinary(60, seed=8, size=0.1)
    layer = CpuRasterizer(threads=2).render(splats, view, BACKGROUND)
    expected = reference.ReferenceRasterizer().render(splats, view, BACKGROUND)
    assert layer.rgb.shape == (size[1], size[0], 3)
    for ours, exact, tolerance in (
        (layer.rgb, expected.rgb, 2e-4),
        (layer.alpha, expected.alpha, 2e-4),
        (layer.depth, expected.depth, 2e-2),
    ):
        off = np.abs(ours - exact) > tolerance
        assert off.mean() <= 0.002


def test_depth_is_the_expected_camera_z_and_zero_where_empty():
    view = Camera(64, 64, np.array([[64.0, 0, 32], [0, 64, 32], [0, 0, 1]]), np.eye(4))
    splats = Splats(
        np.array([[0, 0, 2.0]]), np.array([[1.0, 0, 0, 0]]), np.full((1, 3), 0.1), np.array([0.8]), np.ones((1, 3))
    )
    depth = CpuRasterizer(threads=1).render(splats, view).depth
    assert depth[32, 32] == pytest.approx(2.0, rel=1e-5)
    assert depth[0, 0] == 0


def test_gradient_of_the_screen_position_moves_the_mean():
    """d/d(mean x) is, for a splat straight ahead, f / z times the screen gradient: what densification relies on."""
    view = Camera(64, 64, np.array([[64.0, 0, 32], [0, 64, 32], [0, 0, 1]]), np.eye(4))
    arrays = ([[0, 0, 2.0]], [[1.0, 0, 0, 0]], [[0.1] * 3], [0.8], [[1.0] * 3])
    tensors = [torch.tensor(a).requires_grad_() for a in arrays]
    rgb, _, screen = autograd.rasterize(*tensors, view)
    assert screen.means2d_grad is None
    rgb[:, 40:].sum().backward()
    assert screen.means2d_grad.shape == (1, 2)
    assert screen.means2d_grad[0, 0] > 0
    assert tensors[0].grad[0, 0].item() == pytest.approx(32 * screen.means2d_grad[0, 0].item(), rel=1e-3)


def test_two_pictures_share_one_backward():
    """Two layers of one rasterizer, differentiated together, do not disturb each other."""
    view = camera()
    rasterizer = CpuRasterizer(threads=2)

    def gradients(*indices):
        total, leaves = 0.0, []
        for k in indices:
            splats = ordinary(100, seed=20 + k)
            leaf = torch.from_numpy(splats.means).requires_grad_()
            leaves.append(leaf)
            rest = (torch.from_numpy(getattr(splats, name)) for name in NAMES[1:])
            rgb, _, _ = autograd.rasterize(leaf, *rest, view, rasterizer=rasterizer)
            total = total + (rgb**2).sum()
        total.backward()
        return [leaf.grad for leaf in leaves]

    together = gradients(0, 1)
    assert torch.equal(together[0], gradients(0)[0])
    assert torch.equal(together[1], gradients(1)[0])
