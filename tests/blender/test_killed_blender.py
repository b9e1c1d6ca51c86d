# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender is killed at random moments: nothing of it stays, no half frame counts, the next one ends with the same bits.

Three kills by default. As a benchmark, a hundred, and a real training too (figures in docs/security.md):

    HMTALKER_KILLS=100 HMTALKER_TRAINING=.venv/test HMTALKER_DATASET=DATASET HMTALKER_ZIP=dist/… \\
        .venv/blender-5.2/bin/python -m pytest -q -s tests/blender/test_killed_blender.py
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import PACKAGE, USER_FOLDER, bpy, speech_like

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

KILLS = int(os.environ.get("HMTALKER_KILLS", 3))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV)
GONE_WITHIN = 10.0
"""Seconds after which a process that a killed Blender has started counts as an orphan."""
MARK = "HMTALKER_KILLED_BLENDER"
START = f"""
import bpy, os, sys, addon_utils
addon_utils.enable({PACKAGE!r}, default_set=True)
"""
BAKE = (
    START
    + f"""
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
from {PACKAGE}.hmtalker_blender import command_line
print("ready", flush=True)
os._exit(command_line.run(["bake"]))
"""
)
TRAIN = (
    START
    + f"""
from {PACKAGE}.hmtalker_blender import train_job
from {PACKAGE}.engine.worker import process
dataset, output, environment = sys.argv[1:]
bpy.context.preferences.addons[{PACKAGE!r}].preferences.training_environment = environment
scene = bpy.context.scene.hmtalker
scene.capture.dataset, scene.training.output, consent = dataset, output, scene.training.consent
consent.person, consent.statement, consent.date, consent.recorded_by = "Nobody", "a test", "2026-01-31", "a test"
consent.given = True
run = process.run
process.run = lambda python, command, options, **more: run(python, command, options | {{"preset": "smoke"}}, **more)
print("ready", flush=True)
try:
    bpy.ops.hmtalker.train()
except RuntimeError as error:
    print(error)
    os._exit(3)
os._exit(0)
"""
)


def start(code: str, *arguments: object) -> tuple[subprocess.Popen, str]:
    """A Blender with the installed extension that has begun its work, and the mark of all that it starts."""
    mark = secrets.token_hex(8)
    blender = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "BLENDER_USER_RESOURCES": USER_FOLDER, MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert blender.stdout is not None
    assert any(line == "ready\n" for line in blender.stdout), "it ended before it began"
    return blender, mark


def left_over(mark: str) -> list[int]:
    """Processes that carry the mark and have not ended after a while."""
    end = time.monotonic() + GONE_WITHIN
    while (found := list(marked(mark))) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def marked(mark: str) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():  # empty for those that only wait
                yield int(folder.name)
        except OSError:
            continue


def kill_many(launch: Callable[[], tuple[subprocess.Popen, str]], finished: Callable[[], bool], seed: int) -> Counter:
    """Kill what `launch` starts, at random moments, by all signals in turn; let the last one come to its end.

    finished: whether what a run that came to its end has left is right; it clears that away.
    """
    chance, counts = random.Random(seed), Counter()
    length = run_to_the_end(launch)
    assert finished()
    length = min(length, run_to_the_end(launch))  # the first one compiled
    assert finished()
    while counts["kills"] < KILLS:
        blender, mark = launch()
        try:
            blender.wait(chance.uniform(0.0, 0.9 * length))
        except subprocess.TimeoutExpired:
            blender.send_signal(SIGNALS[counts["kills"] % len(SIGNALS)])
            blender.wait()
            counts["kills"] += 1
            counts["left over"] += len(left_over(mark))
        else:
            counts["finished in between"] += 1
            counts["wrong"] += blender.returncode != 0 or not finished()
    run_to_the_end(launch)
    counts["wrong"] += not finished()
    print(f"\n{length:.1f} s undisturbed; {dict(counts)}")
    return counts


def run_to_the_end(launch: Callable[[], tuple[subprocess.Popen, str]]) -> float:
    """Seconds that it took."""
    blender, _ = launch()
    began = time.monotonic()
    said, _ = blender.communicate(timeout=600)
    assert blender.returncode == 0, said
    return time.monotonic() - began


def test_a_bake_that_is_killed_leaves_whole_frames_and_goes_on(avatar, add_sound, tmp_path):
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    add_sound(speech_like(4.0), "voice", start=1)
    bpy.context.scene.hmtalker.resolution_percentage = 200
    bpy.context.scene.frame_end = 100
    assert bpy.ops.hmtalker.animate_from_strip() == {"FINISHED"}
    assert bpy.ops.hmtalker.render_to_sequencer() == {"FINISHED"}
    bpy.ops.wm.save_mainfile()
    folder = tmp_path / "hmtalker" / avatar.name

    def frames() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.glob("*.png") if not path.name.startswith(".")}

    def clear() -> None:
        for path in folder.iterdir():
            path.unlink()

    expected, damaged, partly = frames(), Counter(), Counter()
    assert len(expected) == 100
    clear()

    def finished() -> bool:
        whole = frames() == expected
        clear()
        return whole

    def launch() -> tuple[subprocess.Popen, str]:
        there = frames()  # what the one that was killed before has left
        damaged.update(name for name, data in there.items() if data != expected[name])
        partly["runs"] += 0 < len(there) < len(expected)
        return start(BAKE, tmp_path / "shot.blend")

    counts = kill_many(launch, finished, seed=1)
    # few kills may all have come before the first frame; this one does not
    blender, mark = launch()
    while len(frames()) < 3 and blender.poll() is None:
        time.sleep(0.002)
    blender.kill()
    blender.wait()
    assert not left_over(mark)
    run_to_the_end(launch)
    assert finished()
    print(f"killed in mid-range: {partly['runs']}, damaged frames: {damaged.total()}")
    assert counts["left over"] == counts["wrong"] == damaged.total() == 0
    assert partly["runs"]


def test_a_training_that_is_killed_with_its_blender_leaves_no_worker_and_goes_on(part, tmp_path):
    if not {"HMTALKER_TRAINING", "HMTALKER_DATASET"} <= os.environ.keys():
        pytest.skip("a real training takes minutes: HMTALKER_TRAINING and HMTALKER_DATASET name what it needs")
    output, first = tmp_path / "killed.hmt", []
    known, lost, resumed = {}, Counter(), Counter()
    work = part("engine.worker.train_worker").work_folder(output)
    load_avatar = part("engine.avatar").load_avatar

    def look() -> None:
        """A stage that was finished once stays, and is not trained again."""
        there = {path.name: path.stat().st_mtime_ns for path in work.glob("stage_?.pt")}
        lost.update(name for name, when in known.items() if there.get(name) != when)
        known.clear()
        known.update(there)

    def launch() -> tuple[subprocess.Popen, str]:
        look()
        resumed[len(known)] += 1
        return start(TRAIN, *given)

    def finished() -> bool:
        look()
        known.clear()
        avatar = load_avatar(output)
        layers = avatar.face.arrays() | {f"mouth.{k}": v for k, v in avatar.mouth.arrays().items()} | avatar.motion
        first.append({name: array.tobytes() for name, array in layers.items()})
        shutil.rmtree(work)
        output.unlink()
        return first.pop() == first[0] if len(first) > 1 else True

    given = (os.environ["HMTALKER_DATASET"], output, Path(os.environ["HMTALKER_TRAINING"]).absolute())
    counts = kill_many(launch, finished, seed=2)
    print(f"starts by finished stages: {dict(sorted(resumed.items()))}, stages lost: {lost.total()}")
    assert counts["left over"] == counts["wrong"] == lost.total() == 0
    assert resumed.total() > resumed[0]
