# SPDX-License-Identifier: GPL-3.0-or-later
"""Avatar files (.hmt): one trained person in one safetensors file with a JSON header. No pickle, no code.

Arrays: ``face.*`` and ``mouth.*`` are the fields of a GaussianSet, ``motion.*`` the weights of the motion model.
The header lies in ``__metadata__["hmtalker"]``, and its seal beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from ..action_unit_sets import ActionUnitSet
from ..camera import Camera
from ..errors import AvatarError
from ..gaussians.gaussian_set import SH_COEFFICIENTS, GaussianSet
from ..motion.config import MotionConfig
from . import safetensors_file as container
from .header import FORMAT, VERSION, NewerVersionError, check_header, check_seal, seal_of, unit_set_of, version_of
from .motion_shapes import motion_shapes

KEY, SEAL = "hmtalker", "hmtalker-seal"
MAX_GAUSSIANS = 1_000_000
"""Per set; far beyond what a head needs."""
COLUMNS: dict[str, tuple[int, ...]] = {
    "means": (3,),
    "raw_scales": (3,),
    "quaternions": (4,),
    "raw_opacities": (),
    "head_weights": (),
}

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Avatar:
    """One trained person."""

    face: GaussianSet
    """Skin, hair, neck, shoulders."""
    mouth: GaussianSet
    """The inside of the mouth; may be empty."""
    motion: dict[str, np.ndarray]
    """Motion weights, float32, named as in the state dict of motion.model.MotionModel."""
    header: dict[str, Any]
    """See header.py: name, licence, attribution, consent, encoder, camera, pivot, rest, statistics, …"""

    @property
    def name(self) -> str:
        return str(self.header["name"])

    @cached_property
    def camera(self) -> Camera:
        """The camera of the training video."""
        return Camera.from_dict(self.header["camera"])

    @cached_property
    def pivot(self) -> np.ndarray:
        """float64 [3], metres: what the head turns about."""
        return np.array(self.header["pivot"], np.float64)

    @cached_property
    def motion_config(self) -> MotionConfig:
        return MotionConfig.from_dict(self.header["motion"])

    @property
    def units(self) -> ActionUnitSet:
        """The set of Action Units that it was trained with."""
        return unit_set_of(self.header)

    @cached_property
    def rest_implicit(self) -> np.ndarray:
        """float32 [32]: the implicit speech condition of a closed mouth."""
        return np.array(self.header["rest"]["implicit"], np.float32)

    @cached_property
    def rest_action_units(self) -> np.ndarray:
        """float32 [n]: the face at rest, as controls of its set."""
        return np.array(self.header["rest"]["action_units"], np.float32)


def load_avatar(path: str | Path) -> Avatar:
    """Read and check a whole avatar file. Raises AvatarError with one sentence that names the file."""
    return _reading(Path(path), _load)


def read_avatar_header(path: str | Path) -> dict[str, Any]:
    """The checked header alone, with a ``counts`` entry {face, mouth}: fast. Raises AvatarError."""

    def read(file: BinaryIO) -> dict[str, Any]:
        header, entries = _described(file)
        counts = {layer: entries[f"{layer}.means"].shape[0] for layer in ("face", "mouth")}
        return header | {"counts": counts}

    return _reading(Path(path), read)


def save_avatar(avatar: Avatar, path: str | Path) -> None:
    """Write atomically; SH coefficients are stored in half precision. Raises AvatarError."""
    path = Path(path)
    # Through JSON, so that what is checked is what a reader will see: lists for tuples, and within a reader's limits.
    header = avatar.header | {"format": FORMAT, "version": VERSION}
    try:
        header = container.parse_json(json.dumps(header, allow_nan=False).encode("utf-8"))
        check_header(header)
        header["version"] = version_of(header)
        arrays: dict[str, np.ndarray] = {}
        for layer, gaussians in (("face", avatar.face), ("mouth", avatar.mouth)):
            checked = GaussianSet.validate(**gaussians.arrays())
            arrays |= {f"{layer}.{name}": array for name, array in checked.arrays().items()}
            arrays[f"{layer}.sh"] = _half(checked.sh)
        arrays |= {f"motion.{name}": np.asarray(array, np.float32) for name, array in avatar.motion.items()}
        _check_shapes(header, {name: array.shape for name, array in arrays.items()})
        for name, array in arrays.items():
            _check_values(name, array)
    except (TypeError, ValueError) as error:
        raise AvatarError(f"The avatar cannot be saved as {path.name}: {error}.") from error
    try:
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
        container.write_safetensors(path, arrays, {KEY: text, SEAL: seal_of(text)})
    except OSError as error:
        raise AvatarError(f"The avatar cannot be saved as {path}: {error.strerror or error}.") from error
    except ValueError as error:
        raise AvatarError(f"The avatar cannot be saved as {path.name}: {error}.") from error


def _half(values: np.ndarray) -> np.ndarray:
    limit = float(np.finfo(np.float16).max)
    return np.clip(values, -limit, limit).astype(np.float16)


def _reading(path: Path, read: Callable[[BinaryIO], T]) -> T:
    """Run `read` on the open file; every way in which that can fail becomes one sentence."""
    again = "get the file again from where it came"
    try:
        # Before opening: opening a named pipe would wait for ever.
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise container.MalformedError("it is not an ordinary file")
        with path.open("rb", buffering=0) as file:
            return read(file)  # type: ignore[arg-type]
    except FileNotFoundError as error:
        raise AvatarError(f"There is no avatar file {path}; choose another one.") from error
    except IsADirectoryError as error:
        raise AvatarError(f"{path} is a folder; choose an avatar file (.hmt) instead.") from error
    except container.OtherFormatError as error:
        raise AvatarError(f"{path.name} is not an avatar but {error}; choose an avatar file (.hmt).") from error
    except NewerVersionError as error:
        raise AvatarError(
            f"{path.name} was made by a newer HM-Talker ({error}, this one reads {VERSION}); update HM-Talker."
        ) from error
    except container.MalformedError as error:
        raise AvatarError(f"{path.name} is not a sound avatar file: {error}; {again}.") from error
    except MemoryError as error:
        raise AvatarError(f"There is not enough memory to load {path.name}; close something and try again.") from error
    except OSError as error:
        # On Windows, opening a folder is a PermissionError.
        if path.is_dir():
            raise AvatarError(f"{path} is a folder; choose an avatar file (.hmt) instead.") from error
        raise AvatarError(f"{path} cannot be read: {error.strerror or error}.") from error


def _described(file: BinaryIO) -> tuple[dict[str, Any], dict[str, container.Entry]]:
    """Header and array descriptions, wholly checked; no array has been read yet."""
    description = container.read_header(file)
    if KEY not in description.metadata:
        raise container.OtherFormatError("a safetensors file of something else")
    text = description.metadata[KEY]
    header = container.parse_json(text.encode("utf-8", "surrogatepass"))
    check_header(header)
    check_seal(header, text, description.metadata.get(SEAL))
    for name, entry in description.entries.items():
        if entry.dtype.kind != "f" or entry.dtype.itemsize > 4:
            raise container.MalformedError(f"{name} is of another type than F16 or F32")
    _check_shapes(header, {name: entry.shape for name, entry in description.entries.items()})
    return header, description.entries


def _check_shapes(header: dict[str, Any], shapes: dict[str, tuple[int, ...]]) -> None:
    expected: dict[str, tuple[int, ...]] = {}
    for layer, least in (("face", 1), ("mouth", 0)):
        means = shapes.get(f"{layer}.means", ())
        count = means[0] if means else 0
        if not least <= count <= MAX_GAUSSIANS:
            raise container.MalformedError(f"it has no usable number of {layer} Gaussians")
        expected |= {f"{layer}.{name}": (count, *columns) for name, columns in COLUMNS.items()}
        sh = shapes.get(f"{layer}.sh", ())
        if len(sh) != 3 or sh[1] not in SH_COEFFICIENTS:
            raise container.MalformedError(f"{layer}.sh is missing or has the wrong shape")
        expected[f"{layer}.sh"] = (count, sh[1], 3)
    weights = motion_shapes(MotionConfig.from_dict(header["motion"]))
    expected |= {f"motion.{name}": shape for name, shape in weights.items()}
    for name, shape in expected.items():
        if name not in shapes:
            raise container.MalformedError(f"{name} is missing")
        if shapes[name] != shape:
            raise container.MalformedError(f"{name} has the wrong shape")
    if unknown := sorted(set(shapes) - set(expected)):
        raise container.MalformedError(f"it holds an array {unknown[0]} that no avatar has")


def _check_values(name: str, array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise container.MalformedError(f"{name} holds values that are not finite")
    if name.endswith(".head_weights") and array.size and (array.min() < 0 or array.max() > 1):
        raise container.MalformedError(f"{name} holds values outside 0..1")
    if name.endswith(".half_extent") and (array <= 0).any():
        raise container.MalformedError(f"{name} holds values that are not positive")


def _load(file: BinaryIO) -> Avatar:
    header, entries = _described(file)
    arrays: dict[str, np.ndarray] = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1].start):
        arrays[name] = np.ascontiguousarray(container.read_array(file, entry), dtype=np.float32).reshape(entry.shape)
        _check_values(name, arrays[name])
    layers = {
        layer: GaussianSet(**{name: arrays[f"{layer}.{name}"] for name in (*COLUMNS, "sh")})
        for layer in ("face", "mouth")
    }
    motion = {name.removeprefix("motion."): array for name, array in arrays.items() if name.startswith("motion.")}
    return Avatar(face=layers["face"], mouth=layers["mouth"], motion=motion, header=header)
