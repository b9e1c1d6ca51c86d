# SPDX-License-Identifier: GPL-3.0-or-later
"""Polynomials instead of the C library's functions: how far off they are, over their whole range."""

from __future__ import annotations

import numpy as np
import pytest

numba = pytest.importorskip("numba", reason="the kernels are compiled by numba")

from hmtalker.colour import srgb_to_linear
from hmtalker.gaussians.spatial_order import spatial_order
from hmtalker.rasterize.vector_math import softplus, srgb_decoded


@numba.njit(fastmath={"contract", "nsz", "arcp"}, error_model="numpy")  # as the kernels are compiled
def _all_softplus(x, y):
    for i in range(len(x)):
        y[i] = softplus(x[i])


@numba.njit(fastmath={"contract", "nsz", "arcp"}, error_model="numpy")  # as the kernels are compiled
def _all_decoded(x, y):
    for i in range(len(x)):
        y[i] = srgb_decoded(x[i])


def test_softplus_is_nearly_exact_to_float32():
    for x, error in ((np.linspace(-16, 80, 200_001), 1e-6), (np.linspace(-80, -16, 200_001), 4e-6)):
        x = x.astype(np.float32)
        y = np.empty_like(x)
        _all_softplus(x, y)
        np.testing.assert_allclose(y, np.logaddexp(0.0, x.astype(np.float64)), rtol=error)
    far = np.array([-1e4, 1e4, -np.inf, np.inf, np.nan], np.float32)
    y = np.empty_like(far)
    _all_softplus(far, y)
    assert 0 <= y[0] < 1e-30
    assert y[1] == 1e4
    assert y[2] < 1e-30
    assert not np.isfinite(y[3:]).any()


def test_srgb_decoding_is_that_of_the_standard():
    x = np.linspace(0, 1, 100_001).astype(np.float32)
    y = np.empty_like(x)
    _all_decoded(x, y)
    assert np.abs(y - srgb_to_linear(x.astype(np.float64))).max() < 6e-7
    assert y[0] == 0


def test_the_spatial_order_keeps_neighbours_together():
    rng = np.random.default_rng(0)
    means = rng.uniform(-1, 1, (5000, 3)).astype(np.float32)
    order = spatial_order(means)
    assert sorted(order.tolist()) == list(range(5000))
    steps = np.linalg.norm(np.diff(means[order, :2], axis=0), axis=1)
    assert np.median(steps) < 0.1 * np.median(np.linalg.norm(np.diff(means[:, :2], axis=0), axis=1))
    assert len(spatial_order(means[:0])) == 0
    np.testing.assert_array_equal(spatial_order(np.zeros((4, 3))), np.arange(4))
