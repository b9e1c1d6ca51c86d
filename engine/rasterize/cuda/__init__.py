# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames on an NVIDIA card, without torch and without a CUDA toolkit: our own kernels, NVRTC and the driver, by ctypes.

The kernels are the ``.cu`` files beside this one, one idea a file; :mod:`.program` strings them together. They include
no header, so NVRTC alone compiles them, and a C++ compiler can run the same text on a processor for the tests.
Not measured on a GPU yet. Never imported by what Blender loads.
"""
