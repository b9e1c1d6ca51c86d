# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine in a process of its own: what needs torch, scipy, OpenCV or PyAV runs there, and Blender watches."""
