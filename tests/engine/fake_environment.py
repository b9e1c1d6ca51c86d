# SPDX-License-Identifier: GPL-3.0-or-later
"""A training environment without its gigabytes: a real venv with packages in name only, and a pipeline, a trainer and
a dubber of a few lines.

Everything else is real: the interpreter, the bootstrap, the worker, its protocol and its lifeline.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PIPELINE = '''
import json, os, signal, sys, time

class Progress:
    def __init__(self, stage, index, share, left, text):
        self.stage, self.index, self.count, self.share = stage, index, 2, share
        self.seconds_left, self.text = left, text

class Result:
    def __init__(self, output, summary):
        self.output, self.report, self.summary = output, output / "report.html", summary

def capture(options, progress, cancelled):
    """What it does, the name of the first video says."""
    from hmtalker.capture.errors import CaptureError
    from hmtalker.errors import CancelledError
    what, folder = options.videos[0].stem, options.output
    if what == "silent":
        raise CaptureError("'silent.mp4' has no audio track: film with sound.")
    folder.mkdir(parents=True, exist_ok=True)
    progress(Progress("Reading", 0, 0.0, None, "starting"))
    print("a library prints this")
    os.write(1, b"another prints " * 1000)
    if what == "noisy":
        sys.stderr.write("x" * 1_000_000)
    if what == "broken":
        raise ZeroDivisionError("division by zero")
    if what == "pool":
        import multiprocessing
        from hmtalker.worker.install_command import shell
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            (folder / "pool.txt").write_text(*pool.map(shell, ["win32"]))
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "process.txt").write_text(str(os.getpid()))
    (folder / "kept.txt").write_text("clip 1")
    progress(Progress("Reading", 0, 0.5, 12.0, what + ".mp4"))
    while what == "slow":
        time.sleep(0.01)
        if cancelled():
            raise CancelledError("Capture was cancelled; what was finished is kept.")
    progress(Progress("Head pose", 1, float("nan") if what == "odd" else 1.0, float("nan"), ""))
    summary = json.loads((folder / "summary.json").read_text()) if (folder / "summary.json").exists() else {}
    (folder / "report.html").write_text("<html>")
    (folder / "report.json").write_text(json.dumps(summary))
    (folder / "options.json").write_text(json.dumps(vars(options), default=str))
    return Result(folder, summary)
'''

TRAINING = '''
import json, os, signal, time
from pathlib import Path

class TrainOptions:
    def __init__(self, **given):
        self.__dict__.update(given)

class TrainResult:
    def __init__(self, output, seconds):
        self.output, self.seconds = output, seconds

def train(options, report, cancelled):
    """What it does, the name of the avatar says."""
    from hmtalker.errors import CancelledError, HMTalkerError
    what, work = options.name, options.work
    if what == "empty":
        raise HMTalkerError("The training set holds no frame that can be used; film again.")
    work.mkdir(parents=True, exist_ok=True)
    tables = [(options.dataset / name).stat().st_size for name in ("performance.npz", "frames.npz", "camera.json")]
    inputs = {"name": options.preset, "dataset": str(options.dataset.resolve()), "tables": tables}
    (work / "run.json").write_text(json.dumps({"inputs": inputs, "seconds": 0}))
    if (options.dataset / "picture.png").exists():
        (work / "preview.png").write_bytes((options.dataset / "picture.png").read_bytes())
    kept = work / "kept.txt"
    started = 21 if kept.exists() else 1
    (work / "steps.txt").open("a").write(f"{started} ")
    (work / "process.txt").write_text(str(os.getpid()))
    for stage in "ASFMJ":
        for step in range(started if stage == "F" else 1, 51):
            report(stage, step, 50, {"l1": 0.0125, "odd": float("nan")})
            if stage == "F" and step == 21 and what in ("slow", "killed"):
                kept.write_text("21")
                if what == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                while not cancelled():
                    time.sleep(0.01)
                raise CancelledError("Training was cancelled; start it again to go on where it stopped.")
    if (options.dataset / "avatar.hmt").exists():
        options.output.write_bytes((options.dataset / "avatar.hmt").read_bytes())
    else:
        options.output.write_text("an avatar")
    (work / "options.json").write_text(json.dumps({**vars(options), "consent": vars(options.consent)}, default=str))
    return TrainResult(options.output, 3725.0)
'''

DUBBING = '''
import json, shutil, time

class AnimateSettings:
    def __init__(self, **given):
        self.__dict__.update(given)

class DubOptions:
    def __init__(self, avatar, footage, voice, output, **given):
        self.__dict__.update(given, avatar=avatar, footage=footage, voice=voice, output=output)

class Dubbed:
    pictures, untouched, warnings = 12, 2, ("The voice is quiet.",)

class Progress:
    stage, index, count, share, seconds_left, text = "Draw", 1, 2, 0.5, None, ""

def dub(options, progress, cancelled):
    """What it does, the name of the film says."""
    from hmtalker.errors import CancelledError, HMTalkerError
    progress(Progress)
    if "stranger" in options.footage.name:
        raise HMTalkerError("The avatar does not look like the person in this footage.")
    while "slow" in options.footage.name:
        time.sleep(0.01)
        if cancelled():
            raise CancelledError("Dubbing was cancelled; no film was written.")
    shutil.copy(options.footage, options.output)
    shutil.copy(options.voice, options.output.with_name("heard.wav"))
    told = {**vars(options), "settings": vars(options.settings)}
    options.output.with_name("options.json").write_text(json.dumps(told, default=str))
    return Dubbed
'''

PACKAGES = {
    "numpy": ("numpy", "1.26.4"),
    "numba": ("numba", "0.68.1"),
    "onnxruntime": ("onnxruntime", "1.32.0"),
    "torch": ("torch", "2.13.0+cpu"),
    "scipy": ("scipy", "1.17.1"),
    "soundfile": ("soundfile", "0.14.0"),
    "av": ("av", "18.1.0"),
    "opencv-python-headless": ("cv2", "4.11.0.86"),
}
BODIES = {"torch": "class cuda:\n    is_available = staticmethod(lambda: False)\n"}


def make(folder: Path, python: str = sys.executable) -> Path:
    """A complete environment in `folder`; returns its interpreter."""
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = site_packages(folder)
    (site / "fake_pipeline.py").write_text(PIPELINE, "utf-8")
    (site / "fake_training.py").write_text(TRAINING, "utf-8")
    (site / "fake_dubbing.py").write_text(DUBBING, "utf-8")
    hook = (
        "import sys, fake_pipeline, fake_training, fake_dubbing; "
        "sys.modules['hmtalker.capture.pipeline'] = fake_pipeline; "
        "sys.modules['hmtalker.training.train'] = fake_training; sys.modules['hmtalker.dub.dub'] = fake_dubbing\n"
    )
    (site / "fake_pipeline.pth").write_text(hook, "utf-8")
    for name in PACKAGES:
        install(folder, name)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(folder: Path, name: str, version: str = "", body: str = "") -> None:
    """Put a package in name only, or another version of it, into an environment."""
    module, usual = PACKAGES[name]
    remove(folder, name)
    site = site_packages(folder)
    (site / f"{module}.py").write_text(body or BODIES.get(name, ""), "utf-8")
    information = site / f"{name.replace('-', '_')}-{version or usual}.dist-info"
    information.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version or usual}\n"
    (information / "METADATA").write_text(metadata, "utf-8")


def remove(folder: Path, name: str) -> None:
    """Take a package out of an environment."""
    for information in site_packages(folder).glob(f"{name.replace('-', '_')}-*.dist-info"):
        (information / "METADATA").unlink()
        information.rmdir()


def site_packages(folder: Path) -> Path:
    return next(path for pattern in ("lib/python*/site-packages", "Lib/site-packages") for path in folder.glob(pattern))
