# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill trainings with SIGKILL at random moments, and what started them too: does the next start go on, nothing lost?

    python benchmarks/killed_workers.py --dataset DATASET --kills 100      (Linux)

One training is left alone first. Then trainings of the same options are killed, in turn the worker process and the
program that started it (which stands for Blender), until the count is reached; whenever one comes to its end in
between, its avatar must be the undisturbed one's, bit for bit. After each kill no process may be left and every
checkpoint must be whole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
import conftest  # noqa: F401  (makes hmtalker importable from the working tree)

from hmtalker.avatar import load_avatar
from hmtalker.errors import HMTalkerError
from hmtalker.training import checkpoint
from hmtalker.worker import process
from hmtalker.worker.train_worker import work_folder

GONE_WITHIN = 10.0
"""Seconds after which a worker whose starter was killed counts as an orphan."""
CONSENT = {"person": "Nobody", "statement": "a test", "date": "2026-01-31", "recorded_by": "a test"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--preset", default="smoke")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)  # this script as the program that is killed
    options = parser.parse_args()
    if options.start:
        return start(options.dataset, options.start, options.preset)
    with tempfile.TemporaryDirectory() as folder:
        return kill_many(options, Path(folder))


def start(dataset: Path, output: Path, preset: str) -> int:
    """Let a worker train; says when it has begun to."""
    given = {"dataset": str(dataset), "output": str(output), "preset": preset, "consent": CONSENT, "threads": 1}
    try:
        process.run(Path(sys.executable), "train", given, heard=lambda message: print("heard", flush=True))
    except HMTalkerError as error:
        print(error, flush=True)
        return 3
    return 0


def kill_many(options: argparse.Namespace, folder: Path) -> int:
    left_alone, output = folder / "left_alone.hmt", folder / "killed.hmt"
    began = time.monotonic()
    if launch(options, left_alone).wait() != 0:
        print("The training fails even when it is left alone.")
        return 1
    length = time.monotonic() - began
    expected, chance = arrays_of(left_alone), random.Random(options.seed)
    counts = {
        "worker": 0,
        "starter": 0,
        "finished": 0,
        "orphans": 0,
        "damaged": 0,
        "different": 0,
        "without a sentence": 0,
    }
    while counts["worker"] + counts["starter"] < options.kills:
        from_nothing = not work_folder(output).exists()
        starter, began = launch(options, output), time.monotonic()
        try:
            starter.wait(chance.uniform(0.1, 1.1 * length))
        except subprocess.TimeoutExpired:
            victim = ("worker", "starter")[(counts["worker"] + counts["starter"]) % 2]
            worker = child_of(starter.pid)
            counts["without a sentence"] += not killed(victim, starter, worker)
            counts[victim] += 1
            counts["orphans"] += worker is not None and not gone(worker)
            counts["damaged"] += not all(whole(path) for path in work_folder(output).glob("*.pt"))
        else:
            if from_nothing:  # the machine may have become quieter
                length = min(length, time.monotonic() - began)
            counts["finished"] += 1
            counts["different"] += starter.returncode != 0 or not same(expected, arrays_of(output))
            shutil.rmtree(work_folder(output))
            output.unlink()
        print(json.dumps(counts), file=sys.stderr, flush=True)
    # what was killed last still has to come to its end
    ended = launch(options, output).wait() == 0 and same(expected, arrays_of(output))
    counts["finished"] += 1
    counts["different"] += not ended
    print(f"a training takes {length:.0f} s; {json.dumps(counts)}")
    return int(any(counts[name] for name in ("orphans", "damaged", "different", "without a sentence")))


def launch(options: argparse.Namespace, output: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, "--dataset", options.dataset, "--preset", options.preset, "--start", output]
    return subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)


def killed(victim: str, starter: subprocess.Popen, worker: int | None) -> bool:
    """Kill; whether what remains took it well: a starter whose worker was killed says so in one sentence."""
    if victim == "starter" or worker is None:
        starter.kill()
        starter.wait()
        return True
    try:
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        return starter.wait() == 0  # it had just finished
    said, _ = starter.communicate(timeout=60)
    return starter.returncode in (0, 3) and (starter.returncode == 0 or "what was finished is kept" in said)


def child_of(parent: int) -> int | None:
    """The process that `parent` has started, if it has by now."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(children[0]) if children else None


def gone(number: int) -> bool:
    end = time.monotonic() + GONE_WITHIN
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def whole(path: Path) -> bool:
    try:
        return checkpoint.load(path) is not None
    except Exception as error:  # whatever it is, it is counted
        print(path, error, file=sys.stderr)
        return False


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    avatar = load_avatar(path)
    layers = {"face": avatar.face.arrays(), "mouth": avatar.mouth.arrays(), "motion": avatar.motion}
    return {f"{layer}.{name}": array for layer, arrays in layers.items() for name, array in arrays.items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


if __name__ == "__main__":
    raise SystemExit(main())
