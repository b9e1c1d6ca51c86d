# SPDX-License-Identifier: GPL-3.0-or-later
"""The converted network of MediaPipe's Selfie Segmentation on onnxruntime: where a person is, roughly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...errors import HMTalkerError
from ...onnx_session import open_session

FILE_NAME = "selfie_segmentation.onnx"
SIZE = 256


def find_network() -> Path:
    """The converted network of this installation. Raises :class:`HMTalkerError` if there is none."""
    from ...pretrained import cache_folder, installed

    if (folder := installed(FILE_NAME)) is not None:
        return folder / FILE_NAME
    raise HMTalkerError(
        "The network that finds a person is missing; install the HM-Talker extension again, or run "
        f"'python -m hmtalker.capture.matte.convert_selfie --out {cache_folder()}'."
    )


class PersonNetwork:
    """Callable: uint8 [H,W,3] RGB -> float32 [256,256] 0..1, the person in the picture stretched to a square.

    Can be pickled: the network is loaded again in the other process. Runs on one core.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = Path(path) if path is not None else find_network()
        self._session: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_session": None}

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Raises :class:`HMTalkerError` when the network cannot be loaded."""
        if self._session is None:
            self._session = self._load()
        import cv2  # the build converts this network without OpenCV

        small = cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        (person,) = self._session.run(["person"], {"image": small.astype(np.float32)[None] / 255})
        return np.ascontiguousarray(person[0, ..., 0])

    def _load(self) -> Any:
        try:
            data = self._path.read_bytes()
            session = open_session(data)
            if [given.name for given in session.get_inputs()] != ["image"]:
                raise ValueError("other inputs")
        except (OSError, ValueError) as error:
            raise HMTalkerError(
                f"The person network '{self._path}' cannot be read or is another network; install HM-Talker again."
            ) from error
        return session
