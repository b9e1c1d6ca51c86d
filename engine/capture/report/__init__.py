# SPDX-License-Identifier: GPL-3.0-or-later
"""What a capture is worth, and what to film again."""
