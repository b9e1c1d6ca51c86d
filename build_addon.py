#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build, validate and install the Blender extension.

    python build_addon.py                                # one zip for this platform, in dist/
    python build_addon.py build --platform all           # linux-x64, windows-x64, macos-arm64
    python build_addon.py build --no-wheels --no-models  # seconds, for tests
    python build_addon.py validate dist/hm_talker-0.1.0-linux_x64.zip
    python build_addon.py install dist/hm_talker-0.1.0-linux_x64.zip   # by a Python that has bpy

Zips are written and validated by Blender's own extension tool (``blender_ext.py``, taken from an installed ``bpy``),
then checked for what that tool lets pass (``.ci/distribution/extension_checks.py``). Only the standard library is
needed, plus the extra ``build`` (``pip install .[build]``) the first time, to convert the published speech encoder.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / ".ci"))  # the workshop beside CI, not a part of the extension

from distribution import extension_checks, wheels

CACHE = Path(os.environ.get("HMTALKER_CACHE") or ROOT / ".cache")
PACKAGED = ("__init__.py", "LICENSE", "README.md", "engine", "hmtalker_blender", "operators", "ui", "assets")
LEFT_OUT = (
    *("__pycache__", "*.pyc", "*.nbi", "*.nbc", "bundled_avatar", "action_unit_regressor", "generic_face", ".*"),
    "cuda",  # not yet measured on a card
)
SPEECH_ENCODER = ROOT / "assets/fetched/whisper_tiny_en_l123.onnx"
FACE_NETWORKS = ("face_detector.onnx", "face_landmarks_detector.onnx", "face_blendshapes.onnx")
PERSON_NETWORK = "selfie_segmentation.onnx"
NETWORKS = (SPEECH_ENCODER.name, *FACE_NETWORKS, PERSON_NETWORK)


class BuildError(Exception):
    """What is wrong, in one sentence."""


def build(
    platforms: list[str], pythons: tuple[str, ...], with_wheels: bool, with_models: bool, out: Path
) -> list[Path]:
    """Write one zip a platform into ``out``, or a single one without wheels; returns their paths, validated."""
    if with_models:
        fetch_models()
    out = _made(out.resolve())
    base = f"{manifest()['id']}-{manifest()['version']}"
    written = []
    for names in [[name] for name in platforms] if with_wheels else [sorted(wheels.PLATFORMS)]:
        label = names[0].replace("-", "_") if with_wheels else "no_wheels"
        wheel_files = wheels.fetch(names[0], pythons, CACHE / "wheels") if with_wheels else []
        archive = out / f"{base}-{label}.zip"
        archive.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{label}-", dir=_made(ROOT / "build")) as folder:
            stage(Path(folder), names, wheel_files)
            _blender_tool("build", "--source-dir", folder, "--output-filepath", str(archive))
        validate(archive)
        print(f"{archive}  {archive.stat().st_size / 1e6:.1f} MB", flush=True)
        written.append(archive)
    return written


def fetch_models() -> None:
    """The speech sample and all networks into ``assets/fetched``, by hash; kept when they are already there."""
    _engine_as_package()
    from hmtalker import pretrained
    from hmtalker.errors import HMTalkerError

    folder, models = SPEECH_ENCODER.parent, CACHE / "models"
    try:
        sample = pretrained.fetch("speech-sample", folder)
        missing = [name for name in NETWORKS if not (folder / name).exists()]
        if not missing:
            return
        for package in ("onnx", "scipy", "soundfile"):
            if importlib.util.find_spec(package) is None:
                raise BuildError(f"Converting the networks needs {package}: run pip install .[build] first.")
        print(f"fetching and converting {len(missing)} networks (a minute)", flush=True)
        if SPEECH_ENCODER.name in missing:
            from hmtalker.speech import audio_file, convert_whisper

            model = pretrained.fetch("whisper-tiny.en", models)
            convert_whisper.convert(model, SPEECH_ENCODER, audio_file.load_audio(sample))
        if not set(FACE_NETWORKS).isdisjoint(missing):
            from hmtalker.capture.face import convert_face_landmarker

            convert_face_landmarker.convert(pretrained.fetch("face-landmarker", models), folder)
        if PERSON_NETWORK in missing:
            from hmtalker.capture.matte import convert_selfie

            convert_selfie.convert(pretrained.fetch("selfie-segmentation", models), folder)
    except HMTalkerError as error:
        raise BuildError(str(error)) from error


def stage(folder: Path, platforms: list[str], wheel_files: list[Path]) -> None:
    """Lay out in an empty folder what goes into one zip: sources, assets, wheels, and a manifest that lists them."""
    (folder / "wheels").mkdir()
    for name in PACKAGED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
        elif source.exists():
            shutil.copy2(source, folder / name)
    for wheel in wheel_files:
        _link_or_copy(wheel, folder / "wheels" / wheel.name)
    (folder / "blender_manifest.toml").write_text(manifest_text(platforms, [w.name for w in wheel_files]), "utf-8")


def manifest() -> dict:
    """The manifest in the source tree."""
    return tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))


def manifest_text(platforms: list[str], wheel_names: list[str]) -> str:
    """The source manifest with its platforms replaced and its wheels listed."""
    text = (ROOT / "blender_manifest.toml").read_text("utf-8")
    lines = "platforms = [" + ", ".join(f'"{name}"' for name in platforms) + "]"
    if wheel_names:
        lines += "\nwheels = [\n" + "".join(f'  "./wheels/{name}",\n' for name in wheel_names) + "]"
    text, count = re.subn(r"^platforms = .*$", lambda _: lines, text, flags=re.MULTILINE)
    if count != 1:
        raise BuildError("blender_manifest.toml must have one line that starts with 'platforms = '.")
    return text


def validate(archive: Path) -> None:
    """Blender's own validation, then ours. Raises :class:`BuildError` that names everything that is wrong."""
    if not archive.is_file():
        raise BuildError(f"There is no zip at {archive}.")
    _blender_tool("validate", str(archive))
    if found := extension_checks.problems(archive):
        raise BuildError(f"{archive.name}: {'; '.join(found)}.")


def install(archive: Path) -> str:
    """Install and enable a zip in the Blender of the running Python (``BLENDER_USER_RESOURCES`` says where).

    Returns the module name of the add-on. Raises :class:`BuildError`.
    """
    if not archive.is_file():
        raise BuildError(f"There is no zip at {archive}.")
    try:
        import bpy  # isort: skip
        import addon_utils  # found by Python once bpy is there
    except ImportError as error:
        raise BuildError(f"This Python has no Blender ({error}); run it by one with 'pip install bpy'.") from error
    name = f"bl_ext.user_default.{manifest()['id']}"
    install_files = bpy.ops.extensions.package_install_files
    install_files(filepath=str(archive.resolve()), repo="user_default", enable_on_install=True, overwrite=True)
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
        raise BuildError("Blender's extension tool was not found: pip install bpy, or name its folder in HMTALKER_BPY.")
    scripts = max(found, key=lambda path: tuple(int(number) for number in path.parent.name.split(".")))
    return scripts / "addons_core/bl_pkg/cli/blender_ext.py", scripts / "modules/_bpy_internal/extensions/tags.py"


def this_platform() -> str:
    """Blender's name of the platform that this runs on."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine, machine)
    return f"{'macos' if system == 'darwin' else system}-{machine}"


def _blender_tool(verb: str, *arguments: str) -> None:
    tool, tags = extension_tool()
    command = [sys.executable, str(tool), verb, "--valid-tags", str(tags), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        told = " ".join((done.stdout + done.stderr).split())
        raise BuildError(f"Blender's extension tool refused to {verb}: {told}")


def _engine_as_package() -> None:
    """Make ``engine/`` importable as ``hmtalker`` where it is not installed."""
    if importlib.util.find_spec("hmtalker") is None:
        init = ROOT / "engine/__init__.py"
        folders = [str(init.parent)]
        spec = importlib.util.spec_from_file_location("hmtalker", init, submodule_search_locations=folders)
        sys.modules["hmtalker"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["hmtalker"])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["build", *arguments]
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    builder = verbs.add_parser("build", help="write the zip")
    builder.add_argument("--platform", default=this_platform(), choices=[*wheels.PLATFORMS, "all"])
    builder.add_argument("--python", default=",".join(wheels.PYTHONS), help="wheels for these (default: %(default)s)")
    builder.add_argument("--no-wheels", action="store_true", help="leave the wheels out (for tests)")
    builder.add_argument("--no-models", action="store_true", help="fetch and convert nothing (for tests)")
    builder.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the zips (default: dist)")
    for verb, text in (("validate", "check a zip"), ("install", "install a zip into this Python's Blender")):
        verbs.add_parser(verb, help=text).add_argument("zip", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.verb == "build":
            pythons = tuple(options.python.split(","))
            if unknown := sorted(set(pythons) - set(wheels.PYTHONS)):
                raise BuildError(f"No wheels are locked for Python {unknown[0]}, only for {', '.join(wheels.PYTHONS)}.")
            platforms = sorted(wheels.PLATFORMS) if options.platform == "all" else [options.platform]
            build(platforms, pythons, not options.no_wheels, not options.no_models, options.out)
        elif options.verb == "validate":
            validate(options.zip)
            print(f"{options.zip}: valid")
        else:
            print(f"installed {install(options.zip)}", flush=True)
    except (BuildError, wheels.WheelError) as error:
        print(f"build_addon: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status) if "bpy" in sys.modules else sys.exit(status)  # bpy 4.5 can hang while Python is torn down
