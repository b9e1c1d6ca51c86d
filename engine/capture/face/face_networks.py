# SPDX-License-Identifier: GPL-3.0-or-later
"""The converted networks of MediaPipe's Face Landmarker on onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import HMTalkerError
from ...onnx_session import open_session

FILE_NAMES = ("face_detector.onnx", "face_landmarks_detector.onnx", "face_blendshapes.onnx")


@dataclass(frozen=True)
class FaceNetworks:
    """The networks as functions of one float32 array; the shapes are those in ``convert_face_landmarker``."""

    detector: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    landmarks: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    blendshapes: Callable[[np.ndarray], np.ndarray]


def find_networks() -> Path:
    """The folder of the converted networks of this installation. Raises :class:`HMTalkerError` if there is none."""
    from ...pretrained import cache_folder, installed

    if (folder := installed(*FILE_NAMES)) is not None:
        return folder
    raise HMTalkerError(
        "The networks that find a face are missing; install the HM-Talker extension again, or run "
        f"'python -m hmtalker.capture.face.convert_face_landmarker --out {cache_folder()}'."
    )


def load_networks(folder: str | Path, *, threads: int = 1) -> FaceNetworks:
    """The networks in `folder`, each on up to `threads` cores. Raises :class:`HMTalkerError`."""

    def network(file_name: str, source: str, *outputs: str) -> Callable[[np.ndarray], Any]:
        path = Path(folder) / file_name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise HMTalkerError(
                f"The face network '{path}' cannot be read ({error.strerror}); install HM-Talker again, or run "
                f"'python -m hmtalker.capture.face.convert_face_landmarker --out {folder}'."
            ) from error
        try:
            session = open_session(data, threads)
            names = {output.name for output in session.get_outputs()}
            if [given.name for given in session.get_inputs()] != [source] or not names.issuperset(outputs):
                raise ValueError("other inputs or outputs")
        except ValueError as error:
            raise HMTalkerError(
                f"The face network '{path}' is damaged or is another network; install HM-Talker again."
            ) from error
        return lambda value: session.run(outputs, {source: value})

    detector = network(FILE_NAMES[0], "image", "boxes", "scores")
    landmarks = network(FILE_NAMES[1], "image", "landmarks", "presence")
    blendshapes = network(FILE_NAMES[2], "points", "blendshapes")
    return FaceNetworks(detector, landmarks, lambda points: blendshapes(points)[0])
