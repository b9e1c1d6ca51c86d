# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension zip: what goes in, and what our own checks refuse where Blender's tool would not."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import build_addon
from distribution import extension_checks, wheels

GOOD_FILES = {"__init__.py": "", "LICENSE": "GPL", "engine/__init__.py": "", "ui/__init__.py": ""}


def write_zip(path: Path, manifest: str | None = None, files: dict[str, str] | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("blender_manifest.toml", manifest or build_addon.manifest_text(["linux-x64"], []))
        for name, text in (GOOD_FILES if files is None else files).items():
            archive.writestr(name, text)
    return path


def has_blender_tool() -> bool:
    try:
        build_addon.extension_tool()
    except build_addon.BuildError:
        return False
    return True


needs_blender_tool = pytest.mark.skipif(not has_blender_tool(), reason="no bpy here, so no extension tool of Blender's")


@pytest.fixture(scope="module")
def bare_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension without wheels, as the official tool writes it."""
    return build_addon.build(["linux-x64"], wheels.PYTHONS, False, False, tmp_path_factory.mktemp("dist"))[0]


@needs_blender_tool
def test_the_source_tree_builds_and_validates(bare_zip: Path) -> None:
    build_addon.validate(bare_zip)


@needs_blender_tool
def test_the_zip_holds_the_sources_and_nothing_of_the_workshop(bare_zip: Path) -> None:
    names = set(zipfile.ZipFile(bare_zip).namelist())
    parts = ("engine", "hmtalker_blender", "operators", "ui")
    modules = {str(p.relative_to(ROOT)) for part in parts for p in (ROOT / part).rglob("*.py")}
    for_a_process_of_its_own = {name for name in modules if name.startswith("engine/rasterize/cuda/")}
    assert len(for_a_process_of_its_own) > 5
    assert modules - for_a_process_of_its_own <= names
    assert not [name for name in names if name.startswith("engine/rasterize/cuda/")]
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", "docs/", "assets/bundled_avatar/", "."))]


@needs_blender_tool
def test_blenders_tool_refuses_what_it_can(tmp_path: Path) -> None:
    manifest = build_addon.manifest_text(["linux-x64"], []).replace('"Sequencer"', '"No Such Tag"')
    with pytest.raises(build_addon.BuildError, match="No Such Tag"):
        build_addon.validate(write_zip(tmp_path / "bad.zip", manifest))


def test_a_good_zip_has_no_problems(tmp_path: Path) -> None:
    assert extension_checks.problems(write_zip(tmp_path / "good.zip")) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"linux-x64"', '"linux"', "'linux' is not one of Blender's"),
        ('"SPDX:GPL', '"GPL', "lacks 'SPDX:'"),
        ('id = "hm_talker"', 'id = "hm_talker"\nsupport = "me"', "unknown key 'support'"),
        ('name = "HM-Talker"', 'name = "HM-Talker for Blender"', "must not contain 'Blender'"),
        ("[permissions]", '[permissions]\nnetwork = "Fetch things"', "network permission"),
        ('platforms = ["linux-x64"]', "platforms = []", "no platform"),
    ],
)
def test_a_manifest_that_blender_lets_pass_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    good = build_addon.manifest_text(["linux-x64"], [])
    assert old in good
    found = extension_checks.problems(write_zip(tmp_path / "bad.zip", good.replace(old, new, 1)))
    assert any(told in problem for problem in found), found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tests/test_a.py", "does not belong"),
        ("engine/__pycache__/a.pyc", "does not belong"),
        ("numpy/__init__.py", "does not belong"),
        (".git/config", "does not belong"),
        ("../outside.py", "points outside"),
        ("/etc/passwd.txt", "points outside"),
        ("engine/native.so", "of a kind"),
        ("engine/stray-1.0-py3-none-any.whl", "outside wheels/"),
    ],
)
def test_files_that_do_not_belong_are_refused(tmp_path: Path, name: str, told: str) -> None:
    found = extension_checks.problems(write_zip(tmp_path / "bad.zip", files={**GOOD_FILES, name: "x"}))
    assert any(told in problem and repr(name) in problem for problem in found), found


@pytest.mark.parametrize("missing", ["__init__.py", "LICENSE", "engine/__init__.py"])
def test_a_zip_without_its_essentials_is_refused(tmp_path: Path, missing: str) -> None:
    files = {name: text for name, text in GOOD_FILES.items() if name != missing}
    assert f"{missing} is missing" in extension_checks.problems(write_zip(tmp_path / "bad.zip", files=files))


def test_something_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(b"PK\x03\x04 not really")
    assert "no extension zip" in extension_checks.problems(path)[0]


def full_set(platform: str, pythons: tuple[str, ...] = wheels.PYTHONS) -> tuple[dict, dict[str, str]]:
    """A manifest that lists every wheel of a platform, and the right hashes of all of them."""
    names = wheels.chosen(platform, pythons)
    manifest = tomllib.loads(build_addon.manifest_text([platform], names))
    return manifest, {f"wheels/{name}": wheels.lock()["sha256"][name] for name in names}


@pytest.mark.parametrize("platform", wheels.PLATFORMS)
def test_a_complete_set_of_wheels_passes(platform: str) -> None:
    assert extension_checks.wheel_problems(*full_set(platform)) == []
    assert extension_checks.wheel_problems(*full_set(platform, ("3.11",))) == []


def test_a_wheel_that_is_missing_changed_unlisted_or_foreign_is_refused() -> None:
    manifest, hashes = full_set("linux-x64")
    victim = next(name for name in hashes if "numba" in name)
    gone = {name: value for name, value in hashes.items() if name != victim}
    assert any("listed and not in the zip" in p for p in extension_checks.wheel_problems(manifest, gone))
    changed = {**hashes, victim: "0" * 64}
    assert any("not the locked file" in p for p in extension_checks.wheel_problems(manifest, changed))
    foreign, foreign_hashes = full_set("windows-x64")
    mixed = {**manifest, "wheels": manifest["wheels"] + foreign["wheels"]}
    told = extension_checks.wheel_problems(mixed, hashes | foreign_hashes)
    assert any("does not run on linux-x64" in p for p in told)
    unlisted = {**manifest, "wheels": [n for n in manifest["wheels"] if victim not in n]}
    told = extension_checks.wheel_problems(unlisted, hashes)
    assert any("in the zip and not listed" in p for p in told)
    incomplete = {name: value for name, value in hashes.items() if "onnxruntime-1" not in name or "cp311" in name}
    dropped = {**manifest, "wheels": [n for n in manifest["wheels"] if n.removeprefix("./") in incomplete]}
    assert any("is missing for linux-x64" in p for p in extension_checks.wheel_problems(dropped, incomplete))


def test_numpy_never_goes_in() -> None:
    assert not [name for name in wheels.lock()["sha256"] if name.lower().startswith("numpy")]
    manifest, hashes = full_set("linux-x64")
    name = "wheels/numpy-2.5.5-cp313-cp313-manylinux_2_28_x86_64.whl"
    listed = {**manifest, "wheels": [*manifest["wheels"], f"./{name}"]}
    assert any("is numpy" in p for p in extension_checks.wheel_problems(listed, {**hashes, name: "0" * 64}))


@pytest.mark.parametrize("platform", wheels.PLATFORMS)
@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_every_distribution_has_one_wheel_for_every_platform_and_python(platform: str, python: str) -> None:
    names = wheels.chosen(platform, (python,))
    assert sorted(name.split("-")[0] for name in names) == sorted(wheels.lock()["versions"])
    assert all(name.split("-")[1] == wheels.lock()["versions"][name.split("-")[0]] for name in names)


def test_locked_wheels_are_the_versions_that_the_tests_run() -> None:
    text = (ROOT / ".ci/distribution/constraints.txt").read_text("utf-8")
    pins = dict(re.findall(r"^([\w-]+)==([^\s;]+)", text, re.M))
    assert {name: pins.get(name) for name in wheels.lock()["versions"]} == wheels.lock()["versions"]


def test_the_version_is_one_and_the_same_everywhere() -> None:
    spec = importlib.util.find_spec("hmtalker")
    assert spec is not None
    engine = importlib.import_module("hmtalker")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == build_addon.manifest()["version"] == engine.__version__


def test_the_pip_package_has_every_part_of_the_engine() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = [p.parent.relative_to(ROOT / "engine") for p in (ROOT / "engine").rglob("__init__.py")]
    assert set(listed) == {".".join(["hmtalker", *folder.parts]) for folder in folders}


def test_an_unknown_python_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert build_addon.main(["--python", "3.12", "--no-wheels", "--no-models"]) == 1
    assert "No wheels are locked for Python 3.12" in capsys.readouterr().err


def test_a_zip_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_addon.main(["validate", str(tmp_path / "no.zip")]) == 1
    assert "There is no zip at" in capsys.readouterr().err
