# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces in single frames: boxes, 478 landmarks, 52 blendshape scores."""
