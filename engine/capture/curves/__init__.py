# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves of faces that other programs tracked: OpenFace, LiveLink, ARKit."""
