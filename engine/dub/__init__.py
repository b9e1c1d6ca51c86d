# SPDX-License-Identifier: GPL-3.0-or-later
"""A new voice for footage: the avatar's mouth or head, drawn back into the pictures that were filmed."""
