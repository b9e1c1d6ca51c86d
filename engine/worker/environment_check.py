# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training environment must hold, what this one holds, and what is wrong with it in one sentence."""

from __future__ import annotations

import importlib
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from typing import Any


@dataclass(frozen=True)
class Package:
    """One package that capture or training imports."""

    name: str
    """As it is called by pip."""
    module: str
    """As it is imported."""
    oldest: str
    also: tuple[str, ...] = ()
    """Other packages that bring the same module."""


# Agrees with pyproject.toml (`dependencies` and the extra `train`), as a test sees to.
PACKAGES = (
    Package("numpy", "numpy", "1.26"),
    Package("numba", "numba", "0.61"),
    Package("onnxruntime", "onnxruntime", "1.20", ("onnxruntime-gpu",)),
    Package("torch", "torch", "2.5"),
    Package("scipy", "scipy", "1.12"),
    Package("soundfile", "soundfile", "0.12"),
    Package("av", "av", "14"),
    Package("opencv-python-headless", "cv2", "4.9", ("opencv-python", "opencv-contrib-python")),
)
RUN_AGAIN = "run the command of the training environment again"
LONGEST_REASON = 160


def describe(*, try_imports: bool) -> dict[str, Any]:
    """This environment: ``python``, ``packages`` {name: version or None}, ``broken`` {name: why}, ``device``.

    try_imports: also import every package, in seconds, and ask torch for a GPU; only where none is missing.
    """
    packages = {package.name: _version(package) for package in PACKAGES}
    description: dict[str, Any] = {"python": platform.python_version(), "packages": packages, "broken": {}}
    if try_imports and None not in packages.values():
        for package in PACKAGES:
            try:
                importlib.import_module(package.module)
            except Exception as error:  # what a half installed package raises when it is imported is not known
                description["broken"][package.name] = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        if not description["broken"]:
            description["device"] = _device()
    return description


def problem(description: dict[str, Any]) -> str:
    """What is wrong with a described environment and what to do, without a full stop; empty where all is well."""
    packages = description.get("packages", {})
    missing = [package.name for package in PACKAGES if not packages.get(package.name)]
    if missing:
        return f"The training environment lacks {_enumerated(missing)}; {RUN_AGAIN}"
    for package in PACKAGES:
        found = str(packages[package.name])
        if _release(found) < _release(package.oldest):
            return (
                f"The training environment's {package.name} {found} is too old, {package.oldest} or newer is needed; "
                f"{RUN_AGAIN}"
            )
    for name, reason in description.get("broken", {}).items():
        return f"The training environment's {name} does not load ({reason}); {RUN_AGAIN}"
    return ""


def summary(description: dict[str, Any]) -> str:
    """One line on an environment that is ready."""
    torch = description.get("packages", {}).get("torch", "")
    return f"Python {description.get('python', '')}, torch {torch}, {description.get('device') or 'processor'}"


def _version(package: Package) -> str | None:
    for name in (package.name, *package.also):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _device() -> str:
    torch = importlib.import_module("torch")
    try:
        return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else ""
    except Exception:  # a driver that does not fit is no GPU
        return ""


def _release(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version, without zeros at their end: "2.13.0+cpu" is (2, 13)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _enumerated(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
