# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of this folder as a small site: ``make docs``."""

from __future__ import annotations

project = "HM-Talker"
author = "the HM-Talker authors"
copyright = "the HM-Talker authors, GPL-3.0-or-later"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
html_theme = "furo"
html_title = "HM-Talker"
html_show_sphinx = False
suppress_warnings = ["myst.header"]
"""Pages may begin with any level of heading, since they are read on their own too."""
