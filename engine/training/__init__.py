# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataset -> avatar: stages, losses, schedules. Needs torch; nothing of this is imported inside Blender."""
