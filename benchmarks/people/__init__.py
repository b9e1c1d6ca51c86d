# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic people with exact labels: what tests and training of the capture are measured against.

Put ``benchmarks`` on the path, then ``from people.render_set import samples``. MakeHuman's file formats are read by the
scripts of the bundled avatar, which are shared, not copied.
"""

import sys
from pathlib import Path

_AVATAR = str(Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar")
if _AVATAR not in sys.path:
    sys.path.append(_AVATAR)
