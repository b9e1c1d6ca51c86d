# SPDX-License-Identifier: GPL-3.0-or-later
"""The adaptor of gsplat hands over what gsplat expects; a stand-in for gsplat draws with the reference."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="gsplat is driven through torch")

from hmtalker.camera import Camera
from hmtalker.errors import RenderError
from hmtalker.rasterize import Splats, backend, reference
from hmtalker.rasterize.gsplat_adaptor import GsplatRasterizer


def rasterization(means, quats, scales, opacities, colors, viewmats, Ks, width, height, packed, render_mode):
    """As gsplat 1.5.3's: cameras along the first axis, depth as the last channel, no background."""
    assert not packed
    assert {tensor.dtype for tensor in (means, quats, scales, opacities, colors, viewmats, Ks)} == {torch.float32}
    camera = Camera(width, height, Ks[0].numpy(), viewmats[0].numpy())
    rgb, alpha, depth, _ = reference.rasterize(means, quats, scales, opacities, colors, camera)
    picture = torch.cat([rgb, depth[..., None]], -1) if render_mode == "RGB+ED" else rgb
    return picture[None].float(), alpha[None, ..., None].float(), {}


@pytest.fixture
def gsplat(monkeypatch):
    module = types.ModuleType("gsplat")
    module.__version__, module.rasterization = "1.5.3", rasterization
    monkeypatch.setitem(sys.modules, "gsplat", module)
    return module


def scene(count=40):
    rng = np.random.default_rng(3)
    return Splats(
        means=rng.uniform(-0.1, 0.1, (count, 3)).astype(np.float32),
        quaternions=rng.normal(size=(count, 4)).astype(np.float32),
        scales=rng.uniform(0.005, 0.02, (count, 3)).astype(np.float32),
        opacities=rng.uniform(0.2, 1, count).astype(np.float32),
        colors=rng.uniform(0, 1, (count, 3)).astype(np.float32),
    )


@pytest.mark.parametrize("depth", [True, False])
def test_the_layer_is_that_of_the_reference(gsplat, depth):
    camera, background = Camera.in_front(33, 21), (0.2, 0.4, 0.6)
    layer = GsplatRasterizer("cpu").render(scene(), camera, background, depth)
    expected = reference.ReferenceRasterizer().render(scene(), camera, background, depth)
    np.testing.assert_allclose(layer.rgb, expected.rgb, atol=1e-6)
    np.testing.assert_allclose(layer.alpha, expected.alpha, atol=1e-6)
    if depth:
        np.testing.assert_allclose(layer.depth, expected.depth, atol=1e-6)
    else:
        assert layer.depth is None


def test_splats_that_are_not_finite_are_left_out(gsplat):
    splats, camera = scene(), Camera.in_front(33, 21)
    splats.means[0, 0], splats.colors[1, 2], splats.quaternions[2] = np.nan, np.inf, 0
    expected = reference.ReferenceRasterizer().render(splats, camera)
    np.testing.assert_allclose(GsplatRasterizer("cpu").render(splats, camera).rgb, expected.rgb, atol=1e-6)
    splats.means[:] = np.nan
    assert not GsplatRasterizer("cpu").render(splats, camera).rgb.any()


def test_another_version_or_no_card_is_one_sentence(gsplat, monkeypatch):
    gsplat.__version__ = "1.6.0"
    with pytest.raises(RenderError, match=r"another picture than 1\.5\.x; install gsplat 1\.5\.3"):
        GsplatRasterizer("cpu")
    gsplat.__version__ = "1.5.3"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RenderError, match="torch sees no NVIDIA card"):
        GsplatRasterizer()
    assert "torch sees no NVIDIA card" in backend.gsplat_backend().says


def test_without_gsplat_the_message_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "gsplat", None)
    with pytest.raises(RenderError, match="The package gsplat cannot be loaded"):
        GsplatRasterizer("cpu")
    assert not backend.gsplat_backend().usable
