# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's own validation accepts silently, and yet must not be shipped.

Each function returns phrases that say what is wrong; an empty list is a good zip.
"""

from __future__ import annotations

import hashlib
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from . import wheels

REQUIRED = ("__init__.py", "LICENSE", "blender_manifest.toml", "engine/__init__.py")
FORBIDDEN_FOLDERS = {"tests", "benchmarks", "docs", "distribution", "build", "dist", "out", "numpy", "__pycache__"}
KNOWN_SUFFIXES = {
    *("", ".py", ".toml", ".md", ".txt", ".json", ".csv", ".js", ".png", ".svg", ".wav", ".hmt", ".onnx", ".npz"),
    ".whl",
}
# Blender's manifest schema 1.0.0; "build" may stay in, the installer ignores it.
KNOWN_KEYS = {
    *("schema_version", "id", "version", "name", "tagline", "maintainer", "type", "tags", "license", "website"),
    *("copyright", "blender_version_min", "blender_version_max", "platforms", "wheels", "permissions", "build"),
}


def problems(archive: Path) -> list[str]:
    """Everything that is wrong with an extension zip."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [name for name in opened.namelist() if not name.endswith("/")]
            manifest = tomllib.loads(opened.read("blender_manifest.toml").decode("utf-8"))
            hashes = {n: hashlib.sha256(opened.read(n)).hexdigest() for n in names if n.endswith(".whl")}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        return [f"it is no extension zip ({error})"]
    return [*manifest_problems(manifest), *content_problems(names), *wheel_problems(manifest, hashes)]


def manifest_problems(manifest: Mapping[str, Any]) -> list[str]:
    """Unknown keys and platforms, a licence without ``SPDX:``, a name with "Blender" in it, network use."""
    found = [f"the manifest has an unknown key '{key}'" for key in sorted(set(manifest) - KNOWN_KEYS)]
    platforms, licences = manifest.get("platforms", []), manifest.get("license", [])
    found += [f"the platform '{name}' is not one of Blender's" for name in platforms if name not in wheels.PLATFORMS]
    found += [f"the licence '{name}' lacks 'SPDX:'" for name in licences if not name.startswith("SPDX:")]
    if not platforms:
        found.append("no platform is listed")
    if "blender" in manifest.get("name", "").lower():
        found.append("the name must not contain 'Blender'")
    if "network" in manifest.get("permissions", {}):
        found.append("it asks for network permission, and never uses the network")
    return found


def content_problems(names: Iterable[str]) -> list[str]:
    """Files that do not belong into the zip, and files that it cannot do without."""
    names = list(names)
    found = [f"{name} is missing" for name in REQUIRED if name not in names]
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            found.append(f"'{name}' points outside the extension")
        elif FORBIDDEN_FOLDERS.intersection(path.parts[:-1]) or any(part.startswith(".") for part in path.parts):
            found.append(f"'{name}' does not belong into the zip")
        elif path.suffix not in KNOWN_SUFFIXES:
            found.append(f"'{name}' is of a kind that the extension does not use")
        elif path.suffix == ".whl" and path.parts[:-1] != ("wheels",):
            found.append(f"'{name}' lies outside wheels/")
    return found


def wheel_problems(manifest: Mapping[str, Any], hashes: Mapping[str, str]) -> list[str]:
    """Wheels missing, unlisted, changed, for another platform, incomplete for a Python version, or numpy.

    hashes: path in the zip -> sha256 of every wheel in it.
    """
    locked = wheels.lock()["sha256"]
    listed = [name.removeprefix("./") for name in manifest.get("wheels", [])]
    files = {PurePosixPath(name).name: value for name, value in hashes.items()}
    found = [f"'{name}' is listed and not in the zip" for name in listed if name not in hashes]
    found += [f"'{name}' is in the zip and not listed" for name in hashes if name not in listed]
    found += [f"'{name}' is numpy, which Blender brings" for name in files if name.lower().startswith("numpy-")]
    found += [f"'{name}' is not the locked file" for name, value in files.items() if locked.get(name) != value]
    if not listed:
        return found
    pythons = tuple(v for v in wheels.PYTHONS if any(f"-{wheels.python_tag(v)}-" in name for name in files))
    for platform in (name for name in manifest.get("platforms", []) if name in wheels.PLATFORMS):
        wanted, fitting = wheels.chosen(platform, pythons or wheels.PYTHONS), wheels.chosen(platform, wheels.PYTHONS)
        found += [f"'{name}' is missing for {platform}" for name in wanted if name not in files]
        found += [f"'{name}' does not run on {platform}" for name in files if name in locked and name not in fitting]
    return found
