# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the virtual environments that the demo and the tests run in, under ``.venv/``.

    python3 .ci/distribution/environments.py build blender-4.5 test         # side by side
    python3 .ci/distribution/environments.py test --optional blender-5.2    # left out where there is no Python 3.13

Each has only what its job needs: ``build`` converts the speech encoder, ``blender-*`` holds bpy and pytest and nothing
of the engine's, so that a wheel missing from the extension zip is noticed, ``test`` has the engine with torch.
An environment whose inputs did not change is left as it is. Standard library only, Python 3.11 or newer.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv"
CONSTRAINTS = ROOT / ".ci/distribution/constraints.txt"

ENVIRONMENTS: dict[str, tuple[str, list[str]]] = {
    "build": ("3.11", ["onnx", "scipy", "soundfile"]),
    "docs": ("3.11", ["sphinx", "myst-parser", "furo"]),
    "blender-4.5": ("3.11", ["bpy", "pytest"]),
    "blender-5.2": ("3.13", ["bpy", "pytest"]),
    "test": ("3.11", ["--editable", ".[audio,train,phones,voices,test,dev]"]),
}

# Libraries that bpy links and a bare Debian lacks (ldd bpy/__init__.so), and Mesa for what draws through EGL.
DEBIAN_LIBRARIES = [
    *("libgl1", "libegl1", "libegl-mesa0", "libgl1-mesa-dri", "libsm6", "libice6", "libx11-6", "libxext6", "libxi6"),
    *("libxfixes3", "libxrender1", "libxkbcommon0", "libxxf86vm1"),
]


class CannotMake(Exception):
    """Why an environment cannot be made, in one sentence."""


class NoInterpreter(CannotMake):
    """There is no Python of the version that an environment needs."""


def find_python(version: str) -> str:
    """A working interpreter of ``version``: this one, one on PATH, or the newest of pyenv's."""
    named = f"python{version}"
    candidates = [sys.executable, shutil.which(named), shutil.which("python3"), f"/usr/bin/{named}"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(p / "bin/python") for p in sorted(pyenv.glob(f"{version}.*"), key=_release, reverse=True)]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            question = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            asked = subprocess.run(question, capture_output=True, text=True)
            if asked.stdout.strip() == version:
                return candidate
    raise NoInterpreter(f"no Python {version} was found on PATH or in pyenv")


def make(name: str, log: Path) -> None:
    """Create or refresh one environment; its pip output goes to ``log``. Raises :class:`CannotMake`."""
    version, requirements = ENVIRONMENTS[name]
    folder = HOME / name
    python, stamp = folder / "bin/python", folder / "made-from.txt"
    place = f"{folder} {find_python(version)}"
    inputs = CONSTRAINTS.read_bytes() + repr(requirements).encode()
    if "--editable" in requirements:
        inputs += (ROOT / "pyproject.toml").read_bytes()
    digest = hashlib.sha256(inputs).hexdigest()
    before = stamp.read_text("utf-8").splitlines() if stamp.exists() else []
    if before == [place, digest]:
        return
    with log.open("w") as output:
        if before[:1] != [place]:
            _new_environment(find_python(version), folder, output)
        stamp.unlink(missing_ok=True)
        pip = [str(python), "-m", "pip", "install", "-qq", "--constraint", str(CONSTRAINTS)]
        if _run([*pip, *requirements], output):
            raise CannotMake(f"pip could not install {' '.join(requirements)} into {folder} (see {log})")
    if name.startswith("blender"):
        _check_bpy(python)
    stamp.write_text(f"{place}\n{digest}\n", "utf-8")


def _new_environment(python: str, folder: Path, output: IO[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if _run([python, "-m", "venv", str(folder)], output) == 0:
        return
    _apt(["python3-venv"], f"{python} cannot make a virtual environment")
    shutil.rmtree(folder, ignore_errors=True)
    if _run([python, "-m", "venv", str(folder)], output):
        raise CannotMake(f"{python} cannot make a virtual environment (see {output.name})")


def _check_bpy(python: Path) -> None:
    probe = [str(python), "-c", "import bpy, os, sys; print(bpy.app.version_string); sys.stdout.flush(); os._exit(0)"]
    first = subprocess.run(probe, capture_output=True, text=True)
    if first.returncode == 0:
        return
    missing = re.findall(r"(lib[\w+.-]+\.so[\w.]*): cannot open shared object file", first.stderr)
    if not missing:
        raise CannotMake(f"bpy does not start: {first.stderr.strip().splitlines()[-1]}")
    _apt(DEBIAN_LIBRARIES, f"bpy needs {', '.join(missing)}")
    second = subprocess.run(probe, capture_output=True, text=True)
    if second.returncode:
        raise CannotMake(f"bpy does not start: {second.stderr.strip().splitlines()[-1]}")


def _apt(packages: list[str], reason: str) -> None:
    """Install Debian packages when that is ours to do; otherwise say what to install."""
    with _APT_LOCK:
        may = shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0
        if may:
            quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
            subprocess.run(["apt-get", "update", "-qq"], **quiet)
            install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
            may = subprocess.run(install, **quiet).returncode == 0
    if not may:
        raise CannotMake(f"{reason}; install it, on Debian by: apt-get install {' '.join(packages)}")


_APT_LOCK = threading.Lock()


def _run(command: list[str], output: IO[str]) -> int:
    return subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT).returncode


def _release(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", path.name))


def main() -> int:
    """Command line; exit status 0, or 1 where an environment that is not optional cannot be made."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("names", nargs="+", choices=list(ENVIRONMENTS))
    parser.add_argument("--optional", nargs="+", default=[], choices=list(ENVIRONMENTS), help="where there is a Python")
    options = parser.parse_args()
    HOME.mkdir(exist_ok=True)
    failed: list[str] = []

    def one(name: str) -> None:
        began = time.monotonic()
        try:
            make(name, HOME / f"{name}.log")
            print(f"environment {name}: ready in {time.monotonic() - began:.0f} s", flush=True)
        except NoInterpreter as error:
            print(f"environment {name}: {'left out, ' if name in options.optional else ''}{error}", flush=True)
            failed.append(name)
        except Exception as error:
            print(f"environment {name}: {error}", file=sys.stderr)
            failed.extend([name, "for another reason than a missing interpreter"])

    threads = [threading.Thread(target=one, args=(name,)) for name in [*options.names, *options.optional]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 0 if set(failed) <= set(options.optional) else 1


if __name__ == "__main__":
    sys.exit(main())
