# SPDX-License-Identifier: GPL-3.0-or-later
"""The training environment: the command that makes it, what it must hold, and what is said when it does not."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import fake_environment
import pytest

from hmtalker.worker import environment_check, install_command, process
from hmtalker.worker.environment_check import PACKAGES, problem, summary
from hmtalker.worker.errors import WorkerError

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="a shell of a POSIX system")


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_environment.make(tmp_path_factory.mktemp("environment") / "training").parent.parent


@pytest.fixture
def environment(complete: Path, tmp_path: Path) -> Path:
    """A copy to take things out of."""
    return Path(shutil.copytree(complete, tmp_path / "my training", symlinks=True))


def check(folder: Path) -> dict:
    python = install_command.find_python(folder)
    assert python is not None
    return process.run(python, "check", {})


def pins(path: Path) -> set[str]:
    return set(re.findall(r"^[\w-]+==.*$", path.read_text("utf-8"), re.M))


def test_a_complete_environment_has_no_problem(complete: Path) -> None:
    description = check(complete)
    assert problem(description) == ""
    assert summary(description) == f"Python {sys.version.split()[0]}, torch 2.13.0+cpu, processor"


def test_what_is_missing_is_named(environment: Path) -> None:
    fake_environment.remove(environment, "scipy")
    assert problem(check(environment)).startswith("The training environment lacks scipy; ")
    fake_environment.remove(environment, "torch")
    assert "lacks torch and scipy; " in problem(check(environment))


def test_what_is_too_old_is_named(environment: Path) -> None:
    fake_environment.install(environment, "torch", "2.4.1+cu118")
    assert "torch 2.4.1+cu118 is too old, 2.5 or newer is needed" in problem(check(environment))


def test_what_does_not_load_is_named_with_its_reason(environment: Path) -> None:
    body = 'raise ImportError("libGL.so.1: cannot open shared object file")'
    fake_environment.install(environment, "opencv-python-headless", body=body)
    assert "opencv-python-headless does not load (ImportError: libGL.so.1: " in problem(check(environment))


def test_a_capture_in_an_incomplete_environment_is_the_same_sentence(environment: Path, tmp_path: Path) -> None:
    fake_environment.remove(environment, "av")
    python = install_command.find_python(environment)
    assert python is not None
    with pytest.raises(WorkerError, match=r"lacks av; .*\.$"):
        process.run(python, "capture", {"videos": ["a.mp4"], "output": str(tmp_path / "out")})


@pytest.mark.parametrize("said", [{}, {"packages": {}}, {"packages": {p.name: "?" for p in PACKAGES}}])
def test_an_odd_description_is_a_problem_and_no_crash(said: dict) -> None:
    assert problem(said)


def test_newer_versions_are_welcome() -> None:
    newer = {package.name: "99.0" for package in PACKAGES}
    assert problem({"packages": newer, "broken": {}}) == ""
    exact = {package.name: package.oldest + ".0" for package in PACKAGES}
    assert problem({"packages": exact, "broken": {}}) == ""


def test_requirements_are_the_pinned_versions_of_everything_needed() -> None:
    requirements = pins(install_command.REQUIREMENTS)
    assert requirements <= pins(ROOT / ".ci/distribution/constraints.txt")
    assert {line.split("==")[0] for line in requirements} >= {package.name for package in PACKAGES}


def test_the_oldest_versions_are_those_of_the_pip_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["train"]
    oldest = dict(line.split(">=") for line in declared)
    assert {package.name: package.oldest for package in PACKAGES} == oldest
    from hmtalker.worker import bootstrap

    assert project["requires-python"] == ">=" + ".".join(map(str, bootstrap.OLDEST_PYTHON))


@posix
@pytest.mark.parametrize("name", ["training", "my training", "it's $HOME `x`", "ünï & co; (1)"])
def test_the_command_survives_a_shell(tmp_path: Path, name: str) -> None:
    """The shell runs a stand-in for Python, which writes down how it was called."""
    folder = tmp_path / name
    (folder / "bin").mkdir(parents=True)
    script = '#!/bin/sh\nfor word in "$0" "$@"; do printf "%s\\n" "$word"; done >> ' + shlex.quote(
        str(tmp_path / "log")
    )
    for stand_in in (folder / "bin/python", tmp_path / "blender python"):
        stand_in.write_text(script)
        stand_in.chmod(0o755)
    command = install_command.install_command(
        "linux", str(tmp_path / "blender python"), str(folder), str(tmp_path / "needs it.txt")
    )
    assert "\n" not in command
    subprocess.run(["/bin/sh", "-c", command], check=True)
    assert (tmp_path / "log").read_text("utf-8").splitlines() == [
        *(str(tmp_path / "blender python"), "-m", "venv", str(folder)),
        *(str(folder / "bin/python"), "-m", "pip", "install", "-r", str(tmp_path / "needs it.txt")),
    ]


def test_the_windows_command_is_for_powershell() -> None:
    command = install_command.install_command(
        "win32", r"C:\Program Files\Blender\python.exe", r"C:\Users\O'Neil\training", r"C:\r.txt"
    )
    assert command == (
        r"& 'C:\Program Files\Blender\python.exe' -m venv 'C:\Users\O''Neil\training'; "
        r"& 'C:\Users\O''Neil\training\Scripts\python.exe' -m pip install -r 'C:\r.txt'"
    )
    assert install_command.shell("win32") == "PowerShell"
    assert "terminal" in install_command.shell("darwin").lower()


def test_a_venv_a_conda_folder_and_an_interpreter_are_found(tmp_path: Path) -> None:
    assert install_command.find_python(tmp_path) is None
    assert install_command.find_python(tmp_path / "not there") is None
    for name in ("python.exe", "Scripts/python.exe", "bin/python"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        assert install_command.find_python(tmp_path) == tmp_path / name
    assert install_command.find_python(tmp_path / "bin/python") == tmp_path / "bin/python"


def test_the_worker_imports_nothing_heavy() -> None:
    """The caller's side runs inside Blender, and the check must answer where everything is missing."""
    code = (
        "import sys; sys.path.insert(0, 'tests'); import conftest, hmtalker.worker.process, hmtalker.worker.serve, "
        "hmtalker.worker.capture_worker, hmtalker.worker.install_command, hmtalker.worker.unfinished;"
        "print(sorted({'numpy', 'torch', 'scipy', 'cv2', 'av', 'onnxruntime', 'multiprocessing'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert told.strip() == "[]"


def test_releases_are_compared_by_number() -> None:
    order = ["", "2", "2.5", "2.5.1", "2.13.0+cpu", "10.0"]
    releases = [environment_check._release(version) for version in order]
    assert releases == sorted(releases)
    assert environment_check._release("2.5.0") == environment_check._release("2.5")
