# SPDX-License-Identifier: GPL-3.0-or-later
"""The avatar file (.hmt): one trained person."""

from __future__ import annotations

from .avatar_file import Avatar, load_avatar, read_avatar_header, save_avatar

__all__ = ["Avatar", "load_avatar", "read_avatar_header", "save_avatar"]
