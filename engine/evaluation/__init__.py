# SPDX-License-Identifier: GPL-3.0-or-later
"""How close an avatar comes to pictures it has never seen."""
