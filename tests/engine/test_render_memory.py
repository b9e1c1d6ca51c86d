# SPDX-License-Identifier: GPL-3.0-or-later
"""A long render needs no more memory than a short one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SCRIPT = """
import sys, tempfile
sys.path[:0] = [{tests!r}, {tests!r} + "/engine"]
import conftest
import numpy as np
from pathlib import Path
from tiny_avatar import make_tiny_avatar
from hmtalker.evaluation.peak_memory import peak_megabytes
from hmtalker.png_file import write_png
from hmtalker.render import Renderer
from hmtalker.take import Take

frames = int(sys.argv[1])
rng = np.random.default_rng(0)
units, implicit = rng.random((frames, 17)), rng.standard_normal((frames, 32))
take = Take(25.0, units, implicit, np.zeros((frames, 6)))
renderer = Renderer(make_tiny_avatar("hmtalker", size=24), threads=1)
with tempfile.TemporaryDirectory() as folder:
    for frame in range(frames):
        write_png(Path(folder) / "frame.png", renderer.render_srgb8(take.state(frame)), {{"Software": "test"}})
print(peak_megabytes())
"""


def peak(frames: int) -> float:
    """Megabytes at most while so many frames are rendered and written."""
    script = SCRIPT.format(tests=str(TESTS))
    done = subprocess.run([sys.executable, "-c", script, str(frames)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def test_eight_thousand_frames_need_no_more_memory_than_two_hundred():
    peak(1)  # compiles kernels, which takes memory of its own, where that was not done before
    assert peak(8000) < 1.1 * peak(200)
