# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's own parts: its avatars, its table, its plots. Nothing here is timed."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("numba", reason="the kernels are compiled by numba")

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import bench
import bench_clock
import bench_subjects

from hmtalker.avatar import load_avatar
from hmtalker.render import Renderer


@pytest.mark.parametrize("count", [5000, 36_000, 50_000])
def test_an_avatar_of_any_number_of_gaussians_still_looks_like_the_bundled_one(count):
    avatar = bench_subjects.avatar_of(count)
    assert avatar.face.count == count
    whole = load_avatar(bench_subjects.BUNDLED)
    assert avatar.mouth.count == pytest.approx(count * whole.mouth.count / whole.face.count, abs=1)
    camera, state = avatar.camera.scaled(96, 96), bench_subjects.performance(3)[1]
    picture = Renderer(avatar, threads=1).render(state, camera).rgba
    bundled = Renderer(whole, threads=1).render(state, camera).rgba
    assert np.abs(picture - bundled).mean() < 0.03
    assert (picture[..., 3] > 0.5).mean() == pytest.approx((bundled[..., 3] > 0.5).mean(), abs=0.02)


def test_a_clock_counts_every_call_and_warms_up_first():
    calls = []
    told = bench_clock.clock(lambda: calls.append(1), rounds=5, warm=2)
    assert len(calls) == 7
    assert 0 <= told["ms_min"] <= told["ms"] <= told["ms_p95"]


def test_table_and_plot_show_what_was_measured():
    row = {"ms": 3.0, "ms_min": 2.0, "ms_p95": 4.0, "cpu_ms": 5.0}
    rate = {"fps": 123.4, "fps_slowest": 100.0, "fps_fastest": 150.0, "fps_of_the_cores": 160.0, "cpu_ms": 12.5}
    told = {
        "machine": "an abacus",
        "stages_ms": {"everything": row},
        "rates": {n: {s: rate | {"cpu_ms": int(n) * int(s) / 1e6} for s in ("256", "512")} for n in ("10000", "40000")},
        "slider_latency_ms": row,
        "peers_ms": {"a friend": row | {"times_ours": 7.0, "largest_difference": 1e-3}},
        "first_frame_seconds": {"compiling": {"seconds": 9.0}, "from the cache": {"seconds": 0.5}},
        "memory_mb": {"peak_mb": 200.0, "before_mb": 50.0},
        "animate": {
            "10": {"seconds": 0.3, "times_real_time": 33.0, "peak_mb": 200.0, "samples_mb": 1.0},
            "60": {"seconds": 0.9, "times_real_time": 67.0, "peak_mb": 250.0, "samples_mb": 4.0},
        },
    }
    text = "\n".join(bench.table(told))
    for part in ("an abacus", "123.4", "a friend", "33 x real time", "9.0 s the first time"):
        assert part in text
    drawn = ElementTree.fromstring(bench.plot(told))
    lines = [element for element in drawn.iter() if element.tag.endswith("polyline")]
    assert len(lines) == 2 + 2 + 1
    assert all("nan" not in line.get("points") for line in lines)
