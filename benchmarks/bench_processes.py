# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a process of its own can tell: the first frame, and how much memory is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

FIRST_FRAME = """
import json, time; begun = time.perf_counter()
from hmtalker.avatar import load_avatar
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer
imported = time.perf_counter()
from bench_subjects import BUNDLED
renderer = Renderer(load_avatar(BUNDLED))
loaded = time.perf_counter()
renderer.render(MotionState.rest())
print(json.dumps({"seconds": time.perf_counter() - begun, "import": imported - begun, "load": loaded - imported}))
"""
PEAK = """
import resource
def peak():
    try:  # a child's ru_maxrss begins with what its parent had
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""
MEMORY = """
import json
from bench_subjects import avatar_of, performance
from hmtalker.frames.frame_range import render_range
from hmtalker.render import Renderer
avatar = avatar_of(COUNT)
start = peak()
renderer = Renderer(avatar)
for _ in render_range(renderer, performance(FRAMES), avatar.camera.scaled(SIZE, SIZE)): pass
print(json.dumps({"before_mb": start, "peak_mb": peak()}))
"""
ANIMATE = """
import json, time
import numpy as np
from bench_subjects import BUNDLED, SPEECH
from hmtalker.avatar import load_avatar
from hmtalker.performance import animate
from hmtalker.speech.audio_file import load_audio
from hmtalker.speech.encoder import create
avatar = load_avatar(BUNDLED)
speech = load_audio(SPEECH)
samples = np.tile(speech, SECONDS * 16000 // len(speech) + 1)[: SECONDS * 16000]
encoder = create(avatar.header["encoder"]["id"])
told = []
begun, used = time.perf_counter(), time.process_time()
animate(avatar, samples, encoder=encoder, progress=told.append)
wall = time.perf_counter() - begun
print(json.dumps({
    "seconds": wall, "cpu_seconds": time.process_time() - used, "times_real_time": SECONDS / wall, "told": len(told),
    "peak_mb": peak(), "samples_mb": samples.nbytes / 2**20,
}))
"""


def first_frame() -> dict[str, dict[str, float]]:
    """Seconds from the start of Python to the first frame: nothing compiled yet, and everything in Numba's cache."""
    with tempfile.TemporaryDirectory() as cache:
        cold = _run(FIRST_FRAME, cache)
        warm = sorted((_run(FIRST_FRAME, cache) for _ in range(3)), key=lambda told: told["seconds"])[1]
    return {"compiling": cold, "from the cache": warm}


def memory(count: int = 40_000, size: int = 512, frames: int = 50) -> dict[str, float]:
    """Largest size of a process that renders a range, in megabytes."""
    code = MEMORY.replace("COUNT", str(count)).replace("SIZE, SIZE", f"{size}, {size}").replace("FRAMES", str(frames))
    return _run(code)


def animate(seconds: int) -> dict[str, float]:
    """Audio of this length to Action Unit curves."""
    return _run(ANIMATE.replace("SECONDS", str(seconds)))


def _run(code: str, cache: str | None = None) -> Any:
    environment = dict(os.environ)
    if cache is not None:
        environment["NUMBA_CACHE_DIR"] = cache
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(HERE), str(HERE.parent / "tests"), environment.get("PYTHONPATH", "")]
    )
    done = subprocess.run(
        [sys.executable, "-c", "import conftest\n" + PEAK + code],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return json.loads(done.stdout.splitlines()[-1])
