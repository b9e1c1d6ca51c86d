# SPDX-License-Identifier: GPL-3.0-or-later
"""The troubleshooting page quotes what people see; a message that was reworded has to be reworded there too."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "troubleshooting.md"
PRODUCT = ("engine", "hmtalker_blender", "operators", "ui")


def said() -> str:
    """All texts of the product, one a line; where a value is put in, there is "…"."""
    texts: list[str] = []
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
                    texts.append("".join(map(str, parts)))
    return "\n".join(texts)


def quoted() -> list[str]:
    """The first column of the page's tables."""
    rows = re.findall(r"^\| (.+?) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    return [row for row in rows if row != "it says"]


def test_every_quoted_message_is_one_that_the_product_says():
    everything = said()
    missing = [message for message in quoted() if message not in everything]
    assert not missing


def test_the_page_quotes_something():
    assert len(quoted()) > 20
