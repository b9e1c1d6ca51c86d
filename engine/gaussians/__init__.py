# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gaussian set: what it is made of, how spherical harmonics colour it, and how a motion state poses it."""
