# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the house: which part may import which, how long a file may be, what every file says first."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("engine", "hmtalker_blender", "operators", "ui")
WORKSHOP = ("tests", "benchmarks", "assets")
# What each part may import of the others. The arrows point one way: ui, operators, hmtalker_blender, engine.
MAY_IMPORT: dict[str, set[str]] = {
    "engine": set(),
    "hmtalker_blender": {"engine"},
    "operators": {"engine", "hmtalker_blender"},
    "ui": {"engine", "hmtalker_blender", "operators"},
}
BLENDER = {"bpy", "aud", "mathutils", "gpu", "addon_utils"}
# Not in the zip, or a way to the network, or a way to run what a file says.
NOT_IN_BLENDER = {"torch", "scipy", "soundfile", "av", "cv2", "librosa", "onnx", "PIL", "requests", "urllib", "http"}
UNSAFE = {"pickle", "marshal", "shelve", "dill"}
HEAVY = {"torch", "numba", "onnxruntime", "onnx", "scipy", "soundfile", "av", "cv2", "librosa"}
LONGEST, LONGEST_IN_THE_WORKSHOP = 320, 400  # lines; the aim is 300
SPDX = "# SPDX-License-Identifier: GPL-3.0-or-later"


def python_files(*parts: str) -> list[Path]:
    return sorted(path for part in parts for path in (ROOT / part).rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(path: Path) -> list[tuple[str, str]]:
    """(dotted name, "file:line") of every import; relative ones are resolved from the top of the repository."""
    package = path.relative_to(ROOT).parts[:-1]
    found = []
    for node in ast.walk(tree(path)):
        where = f"{name(path)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            found += [(alias.name, where) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            dotted = [*base, *([node.module] if node.module else [])]
            found += [(".".join([*dotted, alias.name]), where) for alias in node.names]
    return found


def importing(parts: tuple[str, ...], forbidden: set[str]) -> list[str]:
    """Where any of these top-level names are imported in these parts."""
    every = [entry for path in python_files(*parts) for entry in imports(path)]
    return [f"{where} imports {module}" for module, where in every if module.split(".")[0] in forbidden]


def test_arrows_point_one_way() -> None:
    assert not [found for part in PRODUCT for found in importing((part,), set(PRODUCT) - MAY_IMPORT[part] - {part})]


def test_the_engine_knows_no_blender_and_not_its_own_name() -> None:
    # It is `hmtalker` outside Blender and a part of the extension inside, so its imports of itself are relative.
    assert not importing(("engine",), BLENDER | {"hmtalker"})


def test_blender_code_imports_only_what_is_in_the_zip() -> None:
    assert not importing(("hmtalker_blender", "operators", "ui"), NOT_IN_BLENDER)


def test_nothing_is_unpickled_or_evaluated() -> None:
    assert not importing(PRODUCT, UNSAFE)
    for path in python_files(*PRODUCT):
        calls = [n.func for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]
        assert not {f.id for f in calls if isinstance(f, ast.Name)} & {"eval", "exec"}, name(path)


def test_importing_the_engine_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); import conftest, hmtalker, hmtalker.errors, hmtalker.action_units;"
        f"print(sorted(set({sorted(HEAVY)!r}) & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert told.strip() == "[]"


def test_every_file_says_its_licence() -> None:
    files = [*python_files(*PRODUCT, *WORKSHOP, ".ci/distribution"), *ROOT.glob("*.py")]
    texts = {name(path): path.read_text("utf-8") for path in files}
    assert not [n for n, text in texts.items() if text.strip() and SPDX not in text.splitlines()[:2]]


def test_files_stay_short() -> None:
    product, workshop = [*python_files(*PRODUCT, ".ci/distribution"), *ROOT.glob("*.py")], python_files(*WORKSHOP)
    lengths = {name(path): len(path.read_text("utf-8").splitlines()) for path in product + workshop}
    assert not {name(p): lengths[name(p)] for p in product if lengths[name(p)] > LONGEST}
    assert not {name(p): lengths[name(p)] for p in workshop if lengths[name(p)] > LONGEST_IN_THE_WORKSHOP}


def test_files_are_named_after_ideas() -> None:
    vague = {"utils", "util", "helpers", "common", "misc", "tools"}
    assert not [name(path) for path in python_files(*PRODUCT, ".ci/distribution") if path.stem in vague]


def test_product_code_names_no_place_of_the_workshop() -> None:
    places = re.compile(r"\.\./shared|/work/|/opt/|/root/|/home/\w|(DESIGN|METHOD|RASTERIZER|MODELS)\.md|TODO|FIXME")
    texts = {name(path): path.read_text("utf-8") for path in python_files(*PRODUCT)}
    assert not {n: found.group() for n, text in texts.items() if (found := places.search(text))}
