#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build, validate and install the Blender extension.

    python build_addon.py                              # one zip for this platform, in dist/
    python build_addon.py build --platform all         # linux-x64, windows-x64, macos-arm64
    python build_addon.py build --no-wheels --no-models  # seconds, for tests
    python build_addon.py validate dist/hm_talker-0.1.0-linux_x64.zip
    python build_addon.py install dist/hm_talker-0.1.0-linux_x64.zip   # by a Python that has bpy

Zips are written and validated by Blender's own extension tool (``blender_ext.py``, taken from an installed ``bpy``),
then checked for what that tool lets pass: see :func:`problems`. Wheels come unmodified from the Python package index,
with the hashes of ``requirements/wheels.toml``. Only the standard library is needed, plus ``onnx`` (extra ``build``)
the first time, to convert the published speech encoder.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("HMTALKER_CACHE", ROOT / ".cache"))
PACKAGED = ("__init__.py", "LICENSE", "README.md", "engine", "hmtalker_blender", "operators", "ui", "assets")
REQUIRED = ("__init__.py", "LICENSE", "blender_manifest.toml", "engine/__init__.py")
LEFT_OUT = ("__pycache__", "*.pyc", "*.nbi", "*.nbc", "bundled_avatar", ".*")
FORBIDDEN_FOLDERS = {"tests", "benchmarks", "docs", "requirements", "build", "dist", "out", "__pycache__", "numpy"}
ALLOWED_SUFFIXES = {".py", ".toml", ".md", ".txt", ".json", ".csv", ".hmt", ".onnx", ".npz", ".wav", ".png", ".svg",
                    ".safetensors", ".whl", ""}

# pip's platform tags for each of Blender's platform names (Developer manual, "Extensions: Python wheels").
PLATFORMS = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64",),
}
PYTHONS = ("3.11", "3.13")  # Blender 4.5 and 5.2
MANIFEST_KEYS = {"schema_version", "id", "version", "name", "tagline", "maintainer", "type", "tags", "license", "website",
                 "copyright", "blender_version_min", "blender_version_max", "platforms", "wheels", "permissions", "build"}
SPEECH_ENCODER = "assets/fetched/whisper_tiny_en_l123.onnx"


class BuildError(Exception):
    """What is wrong, in one sentence."""


def lock() -> dict[str, dict[str, str]]:
    """``{"versions": {distribution: version}, "sha256": {wheel file name: hash}}``."""
    return tomllib.loads((ROOT / "requirements/wheels.toml").read_text("utf-8"))


def wheels_for(platform_name: str, pythons: tuple[str, ...]) -> list[str]:
    """Names of the locked wheels that run on one platform under any of the Python versions."""
    endings = ("any", *PLATFORMS[platform_name], *(("macosx_12_0_arm64", "macosx_10_9_universal2") if "macos" in platform_name else ()))
    tags = {f"cp{version.replace('.', '')}" for version in pythons}
    chosen = []
    for name in sorted(lock()["sha256"]):
        python_tag, abi_tag, platform_tag = name.removesuffix(".whl").split("-")[-3:]
        fits_python = python_tag in tags or abi_tag == "abi3" or "py3" in python_tag.split(".")
        if fits_python and any(part in endings for part in platform_tag.split(".")):
            chosen.append(name)
    return chosen


def download_wheels(platform_name: str, pythons: tuple[str, ...]) -> list[Path]:
    """The wheels of one platform, from the cache or the package index, each with its locked hash."""
    cache = CACHE / "wheels"
    cache.mkdir(parents=True, exist_ok=True)
    hashes, versions = lock()["sha256"], lock()["versions"]
    names = wheels_for(platform_name, pythons)
    for version in pythons:
        tag = "cp" + version.replace(".", "")
        wanted = [n for n in names if (tag in n or "cp3" not in n or "abi3" in n) and _sha256(cache / n) != hashes[n]]
        if not wanted:
            continue
        print(f"fetching {len(wanted)} wheels for {platform_name}, Python {version}", flush=True)
        tags = [part for tag in PLATFORMS[platform_name] for part in ("--platform", tag)]
        pins = [f"{n.split('-')[0]}=={versions[n.split('-')[0]]}" for n in wanted]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(cache),
                   "--implementation", "cp", "--python-version", version, *tags, *pins]
        if subprocess.run(command).returncode:
            raise BuildError(f"pip could not download the wheels of {platform_name} for Python {version}; is the package index reachable?")
    for name in names:
        if _sha256(cache / name) != hashes[name]:
            raise BuildError(f"{cache / name} is missing or has not the hash in requirements/wheels.toml; delete it and build again.")
    return [cache / name for name in names]


def fetch_models() -> None:
    """The speech sample and the speech encoder into ``assets/fetched``, by hash; kept when they are already there."""
    engine_as_package()
    from hmtalker import pretrained

    target = ROOT / "assets/fetched"
    target.mkdir(parents=True, exist_ok=True)
    pretrained.fetch("speech-sample", target)
    if not (ROOT / SPEECH_ENCODER).exists():
        if importlib.util.find_spec("onnx") is None:
            raise BuildError("The speech encoder's conversion needs onnx: pip install -c requirements/constraints.txt onnx numpy.")
        from hmtalker.speech import convert_whisper

        print("fetching and converting the speech encoder", flush=True)
        convert_whisper.convert(pretrained.fetch("whisper-tiny.en", CACHE / "models"), ROOT / SPEECH_ENCODER)


def engine_as_package() -> None:
    """Make ``engine/`` importable as ``hmtalker`` where it is not installed."""
    if importlib.util.find_spec("hmtalker") is None:
        spec = importlib.util.spec_from_file_location("hmtalker", ROOT / "engine/__init__.py", submodule_search_locations=[str(ROOT / "engine")])
        assert spec is not None and spec.loader is not None
        sys.modules["hmtalker"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["hmtalker"])


def stage(folder: Path, platforms: list[str], wheels: list[Path]) -> None:
    """Lay out what goes into one zip: the sources, the assets, the wheels, and a manifest that lists them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in PACKAGED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
        elif source.exists():
            shutil.copy2(source, folder / name)
    text = (ROOT / "blender_manifest.toml").read_text("utf-8")
    listed = "".join(f'  "./wheels/{wheel.name}",\n' for wheel in wheels)
    quoted = ", ".join(f'"{name}"' for name in platforms)
    lines = f"platforms = [{quoted}]" + (f"\nwheels = [\n{listed}]" if wheels else "")
    text, count = re.subn(r"^platforms = .*$", lambda _: lines, text, flags=re.MULTILINE)
    if count != 1:
        raise BuildError("blender_manifest.toml must have one line that starts with 'platforms = '.")
    (folder / "blender_manifest.toml").write_text(text, "utf-8")
    (folder / "wheels").mkdir()
    for wheel in wheels:
        _link_or_copy(wheel, folder / "wheels" / wheel.name)


def build(platforms: list[str], pythons: tuple[str, ...], with_wheels: bool, with_models: bool, out: Path) -> list[Path]:
    """Write one zip a platform into ``out`` (one for all of them without wheels); returns their paths, validated."""
    if with_models:
        fetch_models()
    out.mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    base = f"{manifest['id']}-{manifest['version']}"
    written = []
    for names in [[name] for name in platforms] if with_wheels else [sorted(PLATFORMS)]:
        wheels = download_wheels(names[0], pythons) if with_wheels else []
        folder = ROOT / "build" / "extension" / (names[0] if with_wheels else "no-wheels")
        stage(folder, names, wheels)
        archive = out / f"{base}-{names[0].replace('-', '_') if with_wheels else 'no_wheels'}.zip"
        archive.unlink(missing_ok=True)
        _official("build", "--source-dir", str(folder), "--output-filepath", str(archive))
        validate(archive)
        print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB", flush=True)
        written.append(archive)
    return written


def validate(archive: Path) -> None:
    """Blender's own validation, then ours; raises :class:`BuildError` naming everything that is wrong."""
    if not archive.is_file():
        raise BuildError(f"There is no zip at {archive}.")
    _official("validate", str(archive))
    if found := problems(archive):
        raise BuildError(f"{archive.name}: " + "; ".join(found))


def problems(archive: Path) -> list[str]:
    """What Blender's tool accepts silently, yet must not be shipped: one phrase each, empty when the zip is good."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = [n for n in opened.namelist() if not n.endswith("/")]
            manifest = tomllib.loads(opened.read("blender_manifest.toml").decode("utf-8"))
            hashes = {n: hashlib.sha256(opened.read(n)).hexdigest() for n in names if n.endswith(".whl")}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        return [f"it is no extension zip ({error})"]
    return [*manifest_problems(manifest), *content_problems(names), *wheel_problems(manifest, hashes)]


def manifest_problems(manifest: dict) -> list[str]:
    """Unknown keys and platforms, a licence without ``SPDX:``, a name with "Blender" in it, network use."""
    found = [f"unknown key '{key}' in the manifest" for key in sorted(set(manifest) - MANIFEST_KEYS)]
    found += [f"unknown platform '{name}'" for name in manifest.get("platforms", []) if name not in PLATFORMS]
    found += [f"licence '{name}' lacks its SPDX: prefix" for name in manifest.get("license", []) if not name.startswith("SPDX:")]
    if "blender" in manifest.get("name", "").lower():
        found.append("the name must not contain 'Blender'")
    if "network" in manifest.get("permissions", {}):
        found.append("the extension asks for network permission, and never uses the network")
    if not manifest.get("platforms"):
        found.append("no platform is listed")
    return found


def content_problems(names: list[str]) -> list[str]:
    """Files that do not belong into the zip, and files that it cannot do without."""
    found = [f"{name} is missing" for name in REQUIRED if name not in names]
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            found.append(f"'{name}' points outside the extension")
        elif FORBIDDEN_FOLDERS.intersection(path.parts[:-1]) or any(part.startswith(".") for part in path.parts):
            found.append(f"'{name}' does not belong into the zip")
        elif path.suffix not in ALLOWED_SUFFIXES:
            found.append(f"'{name}' is of a kind that the extension does not use")
        elif path.suffix == ".whl" and path.parts[:-1] != ("wheels",):
            found.append(f"'{name}' lies outside wheels/")
    return found


def wheel_problems(manifest: dict, hashes: dict[str, str]) -> list[str]:
    """Wheels missing, unlisted, changed, of another platform, incomplete for a Python version, or numpy."""
    listed = [name.removeprefix("./") for name in manifest.get("wheels", [])]
    locked = lock()
    found = [f"'{name}' is listed and not in the zip" for name in listed if name not in hashes]
    found += [f"'{name}' is in the zip and not listed" for name in hashes if name not in listed]
    files = {PurePosixPath(name).name: value for name, value in hashes.items()}
    found += [f"'{name}' is numpy, which Blender brings" for name in files if name.lower().startswith("numpy-")]
    found += [f"'{n}' is not the file that requirements/wheels.toml names" for n, v in files.items() if locked["sha256"].get(n) != v]
    if not listed:
        return found
    pythons = tuple(v for v in PYTHONS if any(f"-cp{v.replace('.', '')}-" in n for n in files))
    for name in (n for n in manifest.get("platforms", []) if n in PLATFORMS):
        found += [f"'{n}' is missing for {name}" for n in wheels_for(name, pythons or PYTHONS) if n not in files]
        found += [f"'{n}' is not for {name}" for n in files if n in locked["sha256"] and n not in wheels_for(name, PYTHONS)]
    return found


def install(archive: Path) -> str:
    """Install and enable a zip in the Blender of the running Python (``BLENDER_USER_RESOURCES`` says where).

    Returns the module name of the add-on.
    """
    try:
        import addon_utils
        import bpy
    except ImportError as error:
        raise BuildError(f"This Python has no Blender in it ({error}); run it by one where 'pip install bpy' was done.") from error
    bpy.ops.extensions.package_install_files(filepath=str(archive.resolve()), repo="user_default", enable_on_install=True, overwrite=True)
    name = "bl_ext.user_default." + tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))["id"]
    if addon_utils.check(name) != (True, True):
        raise BuildError(f"Blender {bpy.app.version_string} did not enable {archive.name}; its message is above.")
    bpy.ops.wm.save_userpref()
    return name


def extension_tool() -> tuple[Path, Path]:
    """Blender's ``blender_ext.py`` and its list of valid tags, from the newest ``bpy`` found."""
    roots = list((ROOT / ".venv").glob("*/lib/python3.*/site-packages/bpy"))
    spec = importlib.util.find_spec("bpy")
    if spec is not None and spec.origin:
        roots.append(Path(spec.origin).parent)
    if "HMTALKER_BPY" in os.environ:
        roots.append(Path(os.environ["HMTALKER_BPY"]))
    found = [scripts for root in roots for scripts in root.glob("*.*/scripts")]
    if not found:
        raise BuildError("Blender's extension tool was not found: pip install bpy into this Python, or name its folder in HMTALKER_BPY.")
    scripts = max(found, key=lambda path: tuple(map(int, path.parent.name.split("."))))
    return scripts / "addons_core/bl_pkg/cli/blender_ext.py", scripts / "modules/_bpy_internal/extensions/tags.py"


def _official(verb: str, *arguments: str) -> None:
    tool, tags = extension_tool()
    done = subprocess.run([sys.executable, str(tool), verb, "--valid-tags", str(tags), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"Blender's extension tool refused to {verb}: " + " ".join((done.stdout + done.stderr).split()))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def this_platform() -> str:
    """Blender's name of the platform that this runs on."""
    system = {"Darwin": "macos"}.get(platform.system(), platform.system().lower())
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    return f"{system}-{machine}"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0].startswith("--"):
        arguments = ["build", *arguments]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    builder = verbs.add_parser("build", help="write the zip")
    builder.add_argument("--platform", default=this_platform(), choices=[*PLATFORMS, "all"])
    builder.add_argument("--python", default=",".join(PYTHONS), help="Python versions whose wheels go in (default: %(default)s)")
    builder.add_argument("--no-wheels", action="store_true", help="leave the wheels out (for tests)")
    builder.add_argument("--no-models", action="store_true", help="fetch and convert nothing (for tests)")
    builder.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the zips (default: dist)")
    for verb, text in (("validate", "check a zip"), ("install", "install a zip into this Python's Blender")):
        verbs.add_parser(verb, help=text).add_argument("zip", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.verb == "build":
            pythons = tuple(options.python.split(","))
            if unknown := set(pythons) - set(PYTHONS):
                raise BuildError(f"No wheels are locked for Python {', '.join(sorted(unknown))}; choose from {', '.join(PYTHONS)}.")
            platforms = sorted(PLATFORMS) if options.platform == "all" else [options.platform]
            build(platforms, pythons, not options.no_wheels, not options.no_models, options.out)
        elif options.verb == "validate":
            validate(options.zip)
            print(f"{options.zip}: valid")
        else:
            print("installed " + install(options.zip))
    except BuildError as error:
        print(f"build_addon: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
