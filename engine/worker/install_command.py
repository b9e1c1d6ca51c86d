# SPDX-License-Identifier: GPL-3.0-or-later
"""The one command with which a person makes the training environment. It is shown and copied, never run from here."""

from __future__ import annotations

import shlex
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def install_command(system: str, python: str, folder: str, requirements: str = str(REQUIREMENTS)) -> str:
    """The command for a person to paste into :func:`shell` ``(system)``.

    system: ``sys.platform``. python: interpreter that makes the environment. folder: where it goes. requirements: file
    for pip. Run again, the same command mends and updates an environment.
    """
    if system == "win32":
        inside = f"{folder}\\Scripts\\python.exe"
        return (
            f"& {_powershell(python)} -m venv {_powershell(folder)}; "
            f"& {_powershell(inside)} -m pip install -r {_powershell(requirements)}"
        )
    inside = f"{folder}/bin/python"
    return (
        f"{shlex.quote(python)} -m venv {shlex.quote(folder)} && "
        f"{shlex.quote(inside)} -m pip install -r {shlex.quote(requirements)}"
    )


def shell(system: str) -> str:
    """Where the command is pasted: the name of the program that a person opens."""
    return "PowerShell" if system == "win32" else "Terminal" if system == "darwin" else "a terminal"


def find_python(place: Path) -> Path | None:
    """The interpreter of an environment: of a venv or conda folder, or `place` itself where it is one."""
    if place.is_file():
        return place
    for name in ("bin/python", "Scripts/python.exe", "python.exe", "bin/python3"):
        if (place / name).is_file():
            return place / name
    return None


def _powershell(text: str) -> str:
    # PowerShell also takes the typographic quotes that a folder's name may hold for quotes.
    return "'" + "".join(letter * 2 if letter in "'\u2018\u2019\u201a\u201b" else letter for letter in text) + "'"
