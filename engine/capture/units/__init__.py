# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units from landmarks and blendshape scores, without OpenFace."""
