# SPDX-License-Identifier: GPL-3.0-or-later
"""From video of a person to what an avatar is trained from: landmarks, head pose, mattes, Action Units."""
