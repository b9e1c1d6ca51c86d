# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the head is: shape, lens and pose of a person over all frames."""
