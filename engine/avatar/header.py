# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON header of an avatar: who, under which licence, seen how, driven by what. Checked field by field."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from collections.abc import Callable
from typing import Any

from ..action_unit_sets import OPENFACE_17, SETS, ActionUnitSet
from ..camera import Camera
from ..motion.config import CONDITION, MotionConfig
from .safetensors_file import MalformedError

FORMAT = "hmtalker-avatar"
VERSION = 3
"""The newest that is read: avatars of another set of Action Units than the 17, which earlier versions cannot move."""
VERSION_17 = 2
"""That of avatars of the 17: nothing about them has changed since."""
SEALED_SINCE = 2
"""Version from which a file carries the seal of its header."""
MAX_THUMBNAIL = 64 << 10
"""Bytes of the thumbnail's PNG."""
MAX_TEXT = 20_000
MAX_SET_NAME = 40
STATISTICS = ("p05", "p50", "p95", "p99", "max")


def seal_of(text: str) -> str:
    """What a file stores beside its header `text`: whoever edits the record of consent by hand breaks it.

    It is no signature: a program can make a new seal. It keeps a change from happening unnoticed.
    """
    return hashlib.sha256(b"hmtalker avatar header\0" + text.encode("utf-8", "surrogatepass")).hexdigest()


def check_seal(header: dict[str, Any], text: str, seal: object) -> None:
    """Raises MalformedError where `text`, the header as it is stored, is not what was sealed."""
    if header["version"] >= SEALED_SINCE and seal != seal_of(text):
        raise MalformedError("its header, which holds the record of consent, was changed after it was made")


class NewerVersionError(MalformedError):
    """The file was made by a later version of HM-Talker."""


def version_of(header: dict[str, Any]) -> int:
    """The version that a checked header is written as: the oldest that can read it."""
    return VERSION_17 if unit_set_of(header) is OPENFACE_17 else VERSION


def unit_set_of(header: dict[str, Any]) -> ActionUnitSet:
    """The set of Action Units that moves an avatar, from its checked header."""
    return SETS[header["motion"].get("unit_set", OPENFACE_17.name)]


def check_header(header: Any) -> None:
    """Raises MalformedError that names the first field that is wrong. Unknown fields are left alone."""
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise MalformedError("its header is not that of an avatar")
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise MalformedError("its version is not a number")
    if version > VERSION:
        raise NewerVersionError(f"version {version}")
    for field, check in _CHECKS.items():
        if field not in header:
            raise MalformedError(f"its header lacks '{field}'")
        if not check(header[field]):
            raise MalformedError(f"'{field}' in its header is not valid")
    unit_set = unit_set_of(header)
    if header["au_codes"] != list(unit_set.codes):
        raise MalformedError(f"'au_codes' in its header are not those of its set of Action Units, {unit_set.name}")
    if version < VERSION and unit_set is not OPENFACE_17:
        raise MalformedError(f"its version {version} has no set of Action Units '{unit_set.name}'")
    for field, check_for in _CHECKS_FOR_A_SET.items():
        if field in header and not check_for(header[field], unit_set):
            raise MalformedError(f"'{field}' in its header is not valid")
    for field, check in _OPTIONAL_CHECKS.items():
        if field in header and not check(header[field]):
            raise MalformedError(f"'{field}' in its header is not valid")
    if header["encoder"]["dim"] != header["motion"].get("feature_dimension", MotionConfig.feature_dimension):
        raise MalformedError("its motion weights were trained for another speech encoder than it names")


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _name(value: Any) -> bool:
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= 200


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e12 and math.isfinite(value)


def _numbers(count: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) == count and all(map(_number, value))


def _mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _camera(value: Any) -> bool:
    try:
        Camera.from_dict(value)
    except ValueError:
        return False
    return True


def _encoder(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _name(value.get("id"))
        and type(value.get("dim")) is int
        and 1 <= value["dim"] <= 16384
        and _text(value.get("sha256", ""))
    )


def _motion(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    # Sizes are bounded before they are used: a table of shapes is computed from them.
    for key, low, high in (
        ("feature_dimension", 1, 16384),
        ("projection_dimension", 1, 4096),
        ("grid_levels", 1, 64),
        ("face_base", 2, 2048),
        ("face_finest", 2, 2048),
        ("fixed_alpha", 0, 1),
    ):
        if key in value and not (_number(value[key]) and low <= value[key] <= high):
            return False
    if any(type(value.get(key, 1)) is not int for key in ("feature_dimension", "projection_dimension", "grid_levels")):
        return False
    if any(type(value.get(key, True)) is not bool for key in ("use_explicit", "use_implicit")):
        return False
    if any(not _name(value.get(key, "gate")) for key in ("fusion", "mouth_grid")):
        return False
    boxes = ("face_center", "face_half_extent", "mouth_center", "mouth_half_extent")
    if any(key in value and not _numbers(3)(value[key]) for key in boxes):
        return False
    unit_set = value.get("unit_set", OPENFACE_17.name)
    if not _name(unit_set) or len(unit_set) > MAX_SET_NAME:
        return False
    if unit_set not in SETS:
        raise MalformedError(f"its set of Action Units, {unit_set!r}, is none of {', '.join(SETS)}")
    try:
        MotionConfig.from_dict(value)
    except (TypeError, ValueError):
        return False
    return True


def _rest(value: Any, units: ActionUnitSet) -> bool:
    return (
        isinstance(value, dict)
        and _numbers(CONDITION)(value.get("implicit"))
        and _numbers(units.count)(value.get("action_units"))
    )


def _statistics(value: Any, units: ActionUnitSet) -> bool:
    return isinstance(value, dict) and all(
        code in units.codes and isinstance(row, dict) and all(_number(row.get(key, 0)) for key in STATISTICS)
        for code, row in value.items()
    )


def _template(value: Any, units: ActionUnitSet) -> bool:
    return (
        isinstance(value, dict)
        and _number(value.get("fps", 25))
        and 1 <= value.get("fps", 25) <= 1000
        and isinstance(value.get("head", []), list)
        and all(map(_numbers(6), value.get("head", [])))
        and isinstance(value.get("upper", []), list)
        and all(map(_numbers(len(units.upper)), value.get("upper", [])))
        and len(value.get("upper", [])) in (0, len(value.get("head", [])))
    )


def _thumbnail(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > 4 * (MAX_THUMBNAIL // 3 + 2):
        return False
    try:
        return not value or base64.b64decode(value, validate=True).startswith(b"\x89PNG\r\n\x1a\n")
    except (binascii.Error, ValueError):
        return False


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "name": _name,
    "au_codes": lambda value: isinstance(value, list),
    "camera": _camera,
    "pivot": _numbers(3),
    "encoder": _encoder,
    "motion": _motion,
    "rest": _mapping,
}

_CHECKS_FOR_A_SET: dict[str, Callable[[Any, ActionUnitSet], bool]] = {
    "rest": _rest,
    "au_statistics": _statistics,
    "template": _template,
}

_OPTIONAL_CHECKS: dict[str, Callable[[Any], bool]] = {
    "licence": _text,
    "attribution": _text,
    "consent": _mapping,
    "training": _mapping,
    "metrics": _mapping,
    "thumbnail": _thumbnail,
}
