# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/dependencies.md against what is really installed and shipped: names, licences, sizes."""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import tomllib
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/dependencies.md").read_text("utf-8")
PLATFORMS = ("linux-x64", "windows-x64", "macos-arm64")
SIZE_TOLERANCE = 0.02
"""Of a zip or a wheel, from what the page says."""
# How licences are called in metadata, SPDX expressions and on the page.
FAMILIES = {
    "Apache": r"apache",
    "Boost": r"\bBSL-",
    "BSD": r"BSD",
    "CC0": r"\bCC0",
    "GPL": r"(?<!L)GPL",
    "ISC": r"\bISC",
    "LGPL": r"LGPL",
    "MIT": r"\bMIT\b",
    "MPL": r"\bMPL|Mozilla",
    "NVIDIA": r"nvidia|proprietary",
    "PSF": r"\bPSF",
    "none": r"public domain",
}
ACCEPTABLE = set(FAMILIES) - {"NVIDIA"}
PROPRIETARY = {"nvidia-cuda-nvrtc-cu12"}
"""Never shipped; the page says why it is there."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def families(text: str) -> set[str]:
    return {family for family, pattern in FAMILIES.items() if re.search(pattern, text, re.IGNORECASE)}


def stated(metadata: Message) -> str:
    """What a distribution says about its licence; the field License may hold a whole text, of which a line will do."""
    lines = [*(metadata.get("License-Expression", ""), metadata.get("License", "").strip().split("\n")[0])]
    return "; ".join([*lines, *(c for c in metadata.get_all("Classifier", []) if c.startswith("License"))])


def rows(column: str) -> list[dict[str, str]]:
    """The rows of all tables that have a column, heading -> cell."""
    found: list[dict[str, str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
        if any(heading.startswith(column) for heading in lines[0]):
            found += [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]
    return found


def documented() -> dict[str, str]:
    """Distribution -> the page's word on its licence."""
    return {canonical(row["package"]): row["licence"] for row in rows("package")}


def shipped() -> list[Path]:
    """The zip under test, and those of the same version for other platforms beside it."""
    if "HMTALKER_ZIP" not in os.environ:
        pytest.skip("no zip was built: HMTALKER_ZIP names one")
    archive = Path(os.environ["HMTALKER_ZIP"]).resolve()
    return sorted(archive.parent.glob(f"{archive.stem.rsplit('-', 1)[0]}-*_*64.zip"))


def platform_of(archive: Path) -> str:
    return archive.stem.rsplit("-", 1)[1].replace("_", "-")


def test_every_pinned_distribution_is_on_the_page_and_no_other() -> None:
    pins = (ROOT / ".ci/distribution/constraints.txt").read_text("utf-8")
    pinned = {canonical(name) for name in re.findall(r"^([\w-]+)==", pins, re.MULTILINE)}
    assert pinned == set(documented())


def test_every_dependency_has_a_reason_and_a_way_out() -> None:
    for row in rows("package"):
        assert all(row[heading] for heading in ("licence", "why", "what dropping it takes")), row


def test_licences_are_what_the_installed_distributions_state() -> None:
    wrong = {}
    for name, licence in documented().items():
        try:
            said = stated(importlib.metadata.metadata(name))
        except importlib.metadata.PackageNotFoundError:
            continue
        if not families(said) <= families(licence):
            wrong[name] = (said, licence)
    assert not wrong


def test_what_dependencies_bring_along_has_a_licence_that_can_be_accepted() -> None:
    wrong = {}
    for distribution in importlib.metadata.distributions():
        said, name = stated(distribution.metadata), canonical(distribution.metadata["Name"])
        if said.strip("; ") and not families(said) & ACCEPTABLE and name not in PROPRIETARY:
            wrong[name] = said
    assert not wrong


def test_zips_have_the_size_that_the_page_says() -> None:
    told = {row["platform"]: float(row["zip"].removesuffix(" MB")) for row in rows("platform")}
    assert set(told) == set(PLATFORMS)
    for archive in shipped():
        size = archive.stat().st_size / 1e6
        assert size == pytest.approx(told[platform_of(archive)], rel=SIZE_TOLERANCE), archive.name


def test_zips_hold_wheels_for_their_platform_and_both_pythons() -> None:
    for archive in shipped():
        with zipfile.ZipFile(archive) as opened:
            manifest = tomllib.loads(opened.read("blender_manifest.toml").decode())
        assert manifest["platforms"] == [platform_of(archive)]
        for tag in ("cp311", "cp313"):
            assert sum(f"-{tag}-{tag}-" in name for name in manifest["wheels"]) == 3, archive.name


def test_wheels_in_the_zips_state_the_licences_and_have_the_sizes_of_the_page() -> None:
    sizes = {canonical(row["package"]): row for row in rows("wheel")}
    column = next(heading for heading in next(iter(sizes.values())) if heading.startswith("wheel"))
    for archive in shipped():
        place = PLATFORMS.index(platform_of(archive))
        with zipfile.ZipFile(archive) as opened:
            for wheel in (name for name in opened.namelist() if name.endswith(".whl")):
                name, data = canonical(Path(wheel).name.split("-")[0]), opened.read(wheel)
                with zipfile.ZipFile(io.BytesIO(data)) as inner:
                    entry = next(n for n in inner.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
                    said = stated(BytesParser().parsebytes(inner.read(entry)))
                    texts = [n for n in inner.namelist() if ".dist-info/" in n and "licen" in n.lower()]
                assert families(said) or texts, f"{wheel} holds no licence"
                assert families(said) <= families(documented()[name]), wheel
                told = [float(part) for part in sizes[name][column].split("/")]
                size = told[place] if len(told) > 1 else told[0]
                assert len(data) / 1e6 == pytest.approx(size, rel=SIZE_TOLERANCE, abs=0.05), wheel
