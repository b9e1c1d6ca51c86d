# SPDX-License-Identifier: GPL-3.0-or-later
"""What is person and what is background, in every pixel."""
