# SPDX-License-Identifier: GPL-3.0-or-later
"""Content Credentials (C2PA) in finished renders, where the artist has a certificate and the package for it."""

from __future__ import annotations

import logging
from pathlib import Path

import bpy

from ..engine.errors import HMTalkerError
from ..engine.marking import credentials
from . import preferences

log = logging.getLogger(__package__)


def chosen(context: bpy.types.Context) -> credentials.Signing | None:
    """Return what is signed with: the preferences, or else the environment variables."""
    certificate, key = preferences.chosen_certificate(context)
    if certificate and key:
        return credentials.Signing(Path(bpy.path.abspath(certificate)), Path(bpy.path.abspath(key)))
    return credentials.from_environment()


def unable_reason(context: bpy.types.Context) -> str:
    """Say why renders are not signed, without a full stop, or return an empty string."""
    return credentials.unable_reason(chosen(context))


def sign_if_wanted(path: Path) -> None:
    """Sign a finished file if a certificate is chosen; what stands in the way is logged. The thread that renders."""
    signing = chosen(bpy.context)
    if signing is None:
        return
    try:
        credentials.sign(path, signing)
    except (HMTalkerError, OSError) as error:
        log.error("%s", error)
