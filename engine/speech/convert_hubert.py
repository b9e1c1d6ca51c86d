# SPDX-License-Identifier: GPL-3.0-or-later
"""HuBERT, or another network of wav2vec 2.0's kind, from the user's own ONNX export."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import HMTalkerError
from .user_encoders import HubertEncoder


def convert_hubert(exported: Path, out: Path) -> None:
    """Check that `exported` hears as it should and copy it to `out`, whole or not at all.

    Weights that lie in a file beside it are taken along into the one file. Raises :class:`HMTalkerError`.
    """
    if not exported.is_file():
        raise HMTalkerError(f"There is no file '{exported}'.")
    HubertEncoder(exported)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    try:
        if any(exported.parent.glob(f"{exported.name}?data")):
            _as_one_file(exported, part)
        else:
            shutil.copyfile(exported, part)
        HubertEncoder(part)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _as_one_file(exported: Path, out: Path) -> None:
    try:
        import onnx
    except ImportError as error:
        raise HMTalkerError("Joining a network with its weights needs 'onnx': run 'pip install onnx'.") from error
    try:
        onnx.save(onnx.load(exported), out)
    except ValueError as error:  # protobuf's limit of 2 GB
        raise HMTalkerError(f"'{exported.name}' and its weights are larger than one file can be ({error}).") from error
