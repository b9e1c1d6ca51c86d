# SPDX-License-Identifier: GPL-3.0-or-later
"""The artist's pages name buttons, panels, settings and menus; each must be called so, by us or by this Blender."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, bpy

PAGES = [ROOT / "docs" / "first_minute.md", *sorted((ROOT / "docs" / "artist").glob("*.md"))]
EMPHASISED = {"and", "Anna", "Drop", "Esc", "scene camera", "(edited by hand)"}
"""What is emphasised and is no name of the interface."""
OTHERS_TABLES = {"where"}
"""Headings of first columns that hold no settings."""


def named(text: str) -> Iterator[str]:
    """What a page emphasises, each step of a path by itself, and what its tables of settings begin with."""
    text = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    paths = re.findall(r"(?<![*\w])\*{1,2}([^*]+?)\*{1,2}(?![*\w])", text)
    heading = ""
    for row in text.split("\n"):
        first = row.split("|")[1].strip() if row.startswith("|") else ""
        if row.startswith("|") and not heading:
            heading = first or "nothing"
        elif not row.startswith("|"):
            heading = ""
        elif heading not in OTHERS_TABLES and not first.startswith("---"):
            paths.append(re.sub(r" \(.*\)", "", first))
    for path in paths:
        words = " ".join(path.split())
        if words and not words.endswith("."):  # a sentence
            yield from re.split(r" [▸>] |, |: ", words)


def names_of(struct: bpy.types.Struct, known: set[str]) -> set[str]:
    """Names of the properties of a struct and of their choices; `known` is what was looked at already."""
    found: set[str] = set()
    if struct.identifier in known:
        return found
    known.add(struct.identifier)
    for prop in struct.properties:
        found.add(prop.name)
        if prop.type == "ENUM":
            found.update(item.name for item in prop.enum_items_static)  # others want a context, and crash without
        elif prop.type == "POINTER":
            found |= names_of(prop.fixed_type, known)
    return found


def written_in(*folders: Path) -> set[str]:
    """All texts in the sources of an interface."""
    return {
        node.value
        for folder in folders
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.fixture(scope="module")
def shown(part) -> set[str]:
    """All names that Blender and the extension show."""
    blender = Path(bpy.utils.system_resource("SCRIPTS")) / "startup" / "bl_ui"
    names, known = written_in(ROOT / "ui", ROOT / "operators", blender), set()
    names |= {name for _, name, _ in part("operators.apply_pose").ITEMS}
    for kind in (bpy.types.Scene, bpy.types.Object, bpy.types.Material, bpy.types.Strip, bpy.types.Preferences):
        names.add(kind.bl_rna.name)
        names |= names_of(kind.bl_rna, known)
    for kind in (bpy.types.Panel, bpy.types.Menu, bpy.types.Operator, bpy.types.RenderEngine):
        names |= {cls.bl_label for cls in kind.__subclasses__() if getattr(cls, "bl_label", "")}
    transforms = bpy.types.ColorManagedViewSettings.bl_rna.properties["view_transform"].enum_items
    return names | {item.name for item in transforms}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_everything_that_a_page_names_is_called_so(page, shown):
    names = set(named(page.read_text("utf-8"))) - EMPHASISED
    assert len(names) > 5
    assert names <= shown, names - shown


def test_a_name_that_is_not_there_is_found(shown):
    text = (
        "Press *Animate from Strip*, *Help ▸ Animate by Wizardry*.\n\n| set | what |\n|---|---|\n| Wizardry, Seed | |\n"
    )
    assert set(named(text)) - shown == {"Animate by Wizardry", "Wizardry"}
