# SPDX-License-Identifier: GPL-3.0-or-later
"""The fused SSIM against the plain formula, values and gradients."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="SSIM is part of training, which needs torch")
pytest.importorskip("numba", reason="the fused SSIM is compiled by numba")

from hmtalker.training import ssim as fused


def plain_ssim(a, b):
    """float64 SSIM with one 11x11 convolution, written independently."""
    x = torch.arange(11, dtype=torch.float64) - 5
    line = torch.exp(-(x**2) / (2 * 1.5**2))
    line = line / line.sum()
    window = torch.outer(line, line)[None, None]
    a, b = a.permute(2, 0, 1)[:, None], b.permute(2, 0, 1)[:, None]

    def blur(t):
        return torch.nn.functional.conv2d(t, window, padding=5)

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    cov = blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    value = (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return value.mean()


def images(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0, 1, width)[None, :, None] * torch.tensor([1.0, 0.5, 0.2])
    target = (ramp + 0.2 * torch.rand(height, width, 3, generator=generator)).clamp(0, 1)
    image = (target + 0.1 * torch.randn(height, width, 3, generator=generator)).clamp(0, 1)
    return image, target


@pytest.mark.parametrize("size", [(64, 48), (33, 21), (7, 5), (1, 1)])
def test_value_and_gradient_match_the_plain_formula(size):
    image, target = images(*size)
    theirs = image.double().requires_grad_()
    value, _, gradient = fused.ssim_and_gradient(image.numpy(), target.numpy(), 3.0)
    expected = plain_ssim(theirs, target.double())
    (3 * expected).backward()
    assert value == pytest.approx(expected.item(), abs=2e-6)
    error = (torch.from_numpy(gradient) - theirs.grad).abs().max() / theirs.grad.abs().max()
    assert error < 1e-4


def test_identical_images_are_fully_similar():
    image, _ = images(40, 40)
    assert fused.ssim_and_gradient(image.numpy(), image.numpy())[0] == pytest.approx(1.0, abs=1e-6)
    assert [value.item() for value in fused.photometric(image, image, 0.2)] == pytest.approx([0, 0, 1], abs=1e-6)


def test_the_photometric_loss_is_l1_and_ssim():
    image, target = images(30, 50, seed=3)
    ours = image.clone().requires_grad_()
    theirs = image.double().requires_grad_()
    loss, l1, ssim = fused.photometric(ours, target, ssim_weight=0.3)
    difference, similarity = (theirs - target).abs().mean(), plain_ssim(theirs, target.double())
    expected = difference + 0.3 * (1 - similarity)
    loss.backward()
    expected.backward()
    assert [value.item() for value in (loss, l1, ssim)] == pytest.approx(
        [value.item() for value in (expected, difference, similarity)], abs=2e-6
    )
    assert (ours.grad - theirs.grad).abs().max() < 1e-4 * theirs.grad.abs().max()
    assert not l1.requires_grad
    assert not ssim.requires_grad


def test_images_of_different_size_are_refused():
    with pytest.raises(ValueError, match="one size"):
        fused.photometric(torch.zeros(4, 4, 3), torch.zeros(4, 5, 3), 0.2)
