# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheels inside the extension zip: unmodified from the Python package index, by the hashes in ``wheels.toml``."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

LOCK = Path(__file__).with_name("wheels.toml")

# For each of Blender's platform names, the platform tags of wheels that run there, newest first. The first ones are the
# oldest systems that the locked wheels still support (glibc 2.28, macOS 14).
PLATFORMS: dict[str, tuple[str, ...]] = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64", "macosx_12_0_arm64", "macosx_10_9_universal2"),
}
PYTHONS = ("3.11", "3.13")  # Blender 4.5, Blender 5.2


class WheelError(Exception):
    """What is wrong, in one sentence."""


def lock() -> dict[str, dict[str, str]]:
    """``{"versions": {distribution: version}, "sha256": {wheel file name: hash}}``."""
    return tomllib.loads(LOCK.read_text("utf-8"))


def chosen(platform: str, pythons: tuple[str, ...]) -> list[str]:
    """File names of the locked wheels that run on one platform under any of the Python versions."""
    tags = {python_tag(version) for version in pythons}
    names = []
    for name in sorted(lock()["sha256"]):
        interpreter, abi, system = name.removesuffix(".whl").split("-")[-3:]
        fits_python = interpreter in tags or abi == "abi3" or "py3" in interpreter.split(".")
        if fits_python and any(part == "any" or part in PLATFORMS[platform] for part in system.split(".")):
            names.append(name)
    return names


def python_tag(version: str) -> str:
    """``3.11`` -> ``cp311``."""
    return "cp" + version.replace(".", "")


def fetch(platform: str, pythons: tuple[str, ...], folder: Path) -> list[Path]:
    """Have the wheels of one platform in ``folder``, each with its locked hash; what is there is not fetched again.

    Raises :class:`WheelError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hashes = lock()["sha256"]
    for version in pythons:
        missing = [name for name in chosen(platform, (version,)) if sha256(folder / name) != hashes[name]]
        if missing:
            print(f"fetching {len(missing)} wheels for {platform}, Python {version}", flush=True)
            _download(missing, platform, version, folder)
    names = chosen(platform, pythons)
    for name in names:
        if sha256(folder / name) != hashes[name]:
            raise WheelError(f"{folder / name} is not the file that {LOCK.name} names; delete it and build again.")
    return [folder / name for name in names]


def _download(names: list[str], platform: str, version: str, folder: Path) -> None:
    versions = lock()["versions"]
    command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", version, "--dest", str(folder)]
    for tag in PLATFORMS[platform]:
        command += ["--platform", tag]
    command += [f"{name.split('-')[0]}=={versions[name.split('-')[0]]}" for name in names]
    if subprocess.run(command).returncode:
        raise WheelError(f"pip could not fetch the wheels for {platform}, Python {version}; is the index reachable?")


def sha256(path: Path) -> str:
    """Hash of a file, or an empty string where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
