# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units from landmarks and blendshape scores, without OpenFace.

``face_features`` measures a clip, ``measure`` turns the features of all clips into curves; see docs/action_units.md.
"""
