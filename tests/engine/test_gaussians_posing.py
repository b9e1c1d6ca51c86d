# SPDX-License-Identifier: GPL-3.0-or-later
"""Posing: three implementations, one result; and what that result must be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hmtalker.camera import Camera
from hmtalker.gaussians import sh
from hmtalker.gaussians.gaussian_set import GaussianSet
from hmtalker.gaussians.posing import Poser, pose_reference
from hmtalker.head_pose import HeadPose

FIELDS = ("means", "quaternions", "scales", "opacities", "colors")
PIVOT = np.array([0.0, -0.1, -0.05])
CAMERA = Camera.in_front().position
STILL = HeadPose()
TURNED = HeadPose((0.2, -0.6, 0.3), (0.01, -0.02, 0.03))


def random_set(count: int, degree: int = 2, seed: int = 0) -> GaussianSet:
    rng = np.random.default_rng(seed)
    weights = rng.random(count)
    weights[: count // 3] = 1
    weights[count // 3 : count // 2] = 0
    return GaussianSet.validate(
        means=rng.normal(0, 0.08, (count, 3)),
        raw_scales=rng.normal(-5, 2, (count, 3)),
        quaternions=rng.normal(0, 1, (count, 4)),
        raw_opacities=rng.normal(0, 3, count),
        sh=rng.normal(0, 0.4, (count, (degree + 1) ** 2, 3)),
        head_weights=weights,
    )


def random_offsets(count: int, columns: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.05, (count, columns)).astype(np.float32)


def assert_same(one, other, tolerance=2e-6):
    for name in FIELDS:
        found, expected = np.asarray(getattr(one, name)), getattr(other, name)
        assert found.dtype == np.float32, name
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.parametrize("columns", [None, 3, 10])
@pytest.mark.parametrize("head", [STILL, TURNED], ids=["still", "turned"])
def test_kernel_agrees_with_the_reference(degree, columns, head):
    gaussians = random_set(500, degree)
    offsets = None if columns is None else random_offsets(500, columns)
    expected = pose_reference(gaussians, offsets, head, PIVOT, CAMERA)
    assert_same(Poser(gaussians).pose(offsets, head, PIVOT, CAMERA), expected)


@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.parametrize("columns", [None, 3, 10])
def test_torch_agrees_with_the_reference(degree, columns):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from hmtalker.gaussians.posing_torch import pose_torch

    gaussians = random_set(300, degree)
    offsets = None if columns is None else random_offsets(300, columns)
    tensors = {name: torch.from_numpy(array).double() for name, array in gaussians.arrays().items()}
    result = pose_torch(
        tensors["means"],
        tensors["raw_scales"],
        tensors["quaternions"],
        tensors["raw_opacities"],
        tensors["sh"],
        tensors["head_weights"],
        None if offsets is None else torch.from_numpy(offsets).double(),
        torch.from_numpy(TURNED.matrix()),
        torch.tensor(TURNED.translation).double(),
        torch.from_numpy(PIVOT),
        torch.from_numpy(CAMERA),
    )
    expected = pose_reference(gaussians, offsets, TURNED, PIVOT, CAMERA)
    for name, value in zip(FIELDS, result, strict=True):
        np.testing.assert_allclose(value.numpy(), getattr(expected, name), rtol=1e-5, atol=1e-6, err_msg=name)


def test_torch_has_gradients_everywhere():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from hmtalker.gaussians.posing_torch import pose_torch

    gaussians = random_set(2)
    inputs = [torch.from_numpy(array).double().requires_grad_() for array in gaussians.arrays().values()]
    inputs.append(torch.from_numpy(random_offsets(2, 10)).double().requires_grad_())
    fixed = [
        torch.from_numpy(np.asarray(value, np.float64))
        for value in (TURNED.matrix(), TURNED.translation, PIVOT, CAMERA)
    ]
    assert torch.autograd.gradcheck(lambda *values: pose_torch(*values, *fixed), inputs, atol=1e-4)


@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.parametrize("columns", [None, 3, 10])
def test_fused_gradients_are_those_of_torch(degree, columns):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from hmtalker.gaussians.posing_torch import pose_torch, pose_torch_plain

    gaussians = random_set(200, degree)
    arrays = list(gaussians.arrays().values())
    fixed = (TURNED.matrix(), TURNED.translation, PIVOT, CAMERA)
    outputs, gradients = [], []
    for function, dtype in ((pose_torch, torch.float32), (pose_torch_plain, torch.float64)):
        inputs = [torch.from_numpy(array).to(dtype).requires_grad_() for array in arrays[:-1]]
        weights = torch.from_numpy(arrays[-1]).to(dtype)
        offsets = None
        if columns is not None:
            offsets = torch.from_numpy(random_offsets(200, columns)).to(dtype).requires_grad_()
        result = function(*inputs, weights, offsets, *(torch.as_tensor(np.array(value)).to(dtype) for value in fixed))
        rng = np.random.default_rng(5)
        sum((value * torch.from_numpy(rng.normal(size=value.shape)).to(dtype)).sum() for value in result).backward()
        outputs.append(result)
        gradients.append([tensor.grad for tensor in (*inputs, *([] if offsets is None else [offsets]))])
    assert type(outputs[0][0].grad_fn).__name__ == "_FusedPoseBackward"
    for pair in (outputs, gradients):
        for found, expected in zip(*pair, strict=True):
            np.testing.assert_allclose(found.detach(), expected.detach(), rtol=2e-4, atol=2e-5)


def test_fused_gradients_reach_only_what_asks_for_them():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from hmtalker.gaussians.posing_torch import pose_torch

    arrays = [torch.from_numpy(array) for array in random_set(9000).arrays().values()]
    offsets = torch.zeros(9000, 10, requires_grad=True)
    fixed = [torch.from_numpy(np.asarray(value, np.float32)) for value in (np.eye(3), np.zeros(3), PIVOT, CAMERA)]
    means, *_ = pose_torch(*arrays, offsets, *fixed)
    means[:, 1].sum().backward()
    np.testing.assert_allclose(offsets.grad[:, 1], 1.0, atol=1e-6)
    assert offsets.grad[:, 3:].abs().max() == 0
    assert arrays[0].grad is None


def test_threads_change_nothing():
    gaussians = random_set(9001)
    offsets = random_offsets(9001, 10)
    alone = Poser(gaussians).pose(offsets, TURNED, PIVOT, CAMERA)
    with ThreadPoolExecutor(3) as pool:
        together = Poser(gaussians, 3, pool).pose(offsets, TURNED, PIVOT, CAMERA)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(alone, name), getattr(together, name))


def test_threads_change_nothing_of_gradients():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from hmtalker.gaussians.posing_torch import pose_torch
    from hmtalker.rasterize.workers import Workers

    fixed = [torch.as_tensor(np.array(value)).float() for value in (TURNED.matrix(), TURNED.translation, PIVOT, CAMERA)]
    found = []
    for workers in (None, Workers(3)):
        *inputs, weights = (torch.from_numpy(array) for array in random_set(1003).arrays().values())
        inputs = [tensor.clone().requires_grad_() for tensor in inputs]
        offsets = torch.from_numpy(random_offsets(1003, 10)).requires_grad_()
        result = pose_torch(*inputs, weights, offsets, *fixed, workers)
        sum(value.square().sum() for value in result).backward()
        found.append([*result, *(tensor.grad for tensor in (*inputs, offsets))])
    for alone, together in zip(*found, strict=True):
        assert alone.detach().abs().max() > 0
        assert torch.equal(alone, together)


def test_neutral_pose_leaves_positions_alone():
    gaussians = random_set(100)
    posed = Poser(gaussians).pose(None, STILL, PIVOT, CAMERA)
    np.testing.assert_allclose(posed.means, gaussians.means, atol=1e-7)
    np.testing.assert_allclose(posed.scales, np.log1p(np.exp(gaussians.raw_scales)), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(posed.quaternions, axis=1), 1, atol=1e-6)


def test_torso_stays_and_head_goes():
    gaussians = random_set(100)
    posed = pose_reference(gaussians, None, TURNED, PIVOT, CAMERA)
    torso, head = gaussians.head_weights == 0, gaussians.head_weights == 1
    np.testing.assert_allclose(posed.means[torso], gaussians.means[torso], atol=1e-7)
    expected = (gaussians.means[head] - PIVOT) @ TURNED.matrix().T + PIVOT + TURNED.translation
    np.testing.assert_allclose(posed.means[head], expected, atol=1e-6)


def test_turning_head_and_camera_together_keeps_the_colours_of_the_head():
    """A head that turns with the camera looks the same: colours belong to the head, not to the room."""
    gaussians = random_set(60).select(np.arange(20))
    assert (gaussians.head_weights == 1).all()
    still = pose_reference(gaussians, None, STILL, PIVOT, CAMERA)
    followed = TURNED.matrix() @ (CAMERA - PIVOT) + PIVOT + TURNED.translation
    turned = pose_reference(gaussians, None, TURNED, PIVOT, followed)
    np.testing.assert_allclose(turned.colors, still.colors, atol=1e-6)


def test_colours_are_never_negative():
    gaussians = random_set(200)
    assert Poser(gaussians).pose(None, STILL, PIVOT, CAMERA).colors.min() == 0


def test_wrong_offsets_are_refused():
    with pytest.raises(ValueError, match="offsets"):
        Poser(random_set(5)).pose(np.zeros((4, 10), np.float32), STILL, PIVOT, CAMERA)


def test_empty_set_is_posed_to_nothing():
    nothing = random_set(5).select(np.zeros(0, int))
    assert Poser(nothing).pose(np.zeros((0, 3), np.float32), TURNED, PIVOT, CAMERA).count == 0


def test_sh_is_that_of_the_contract():
    """Values written out by hand for one direction, from the real spherical harmonics with gsplat's signs."""
    x, y, z = direction = np.array([2.0, -3.0, 6.0]) / 7
    expected = [
        0.28209479,
        -0.48860251 * y,
        0.48860251 * z,
        -0.48860251 * x,
        1.09254843 * x * y,
        -1.09254843 * y * z,
        0.31539157 * (3 * z * z - 1),
        -1.09254843 * x * z,
        0.54627422 * (x * x - y * y),
    ]
    np.testing.assert_allclose([float(value) for value in sh.basis(*direction, 2)], expected, rtol=1e-6)
    for index, value in enumerate(expected):
        coefficients = np.zeros((1, 9, 3))
        coefficients[0, index, 1] = 0.3
        np.testing.assert_allclose(sh.colors(coefficients, 5 * direction[None]), [[0.5, 0.5 + 0.3 * value, 0.5]])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("means", np.zeros((3, 2))),
        ("sh", np.zeros((4, 5, 3))),
        ("head_weights", [0, 1, 2, 0]),
        ("raw_opacities", [np.nan] * 4),
    ],
)
def test_inconsistent_arrays_are_refused(field, value):
    arrays = random_set(4).arrays() | {field: value}
    with pytest.raises(ValueError):
        GaussianSet.validate(**arrays)
