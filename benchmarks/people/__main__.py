# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m people``."""

from .render_set import main

main()
