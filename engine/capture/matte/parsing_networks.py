# SPDX-License-Identifier: GPL-3.0-or-later
"""Face parsing by a network whose file the user has: it then tells hair, face, neck and clothes instead of colours.

None of these files comes with HM-Talker, and none is downloaded. Known are, by their sha256:

* ``79999_iter.pth``: BiSeNet, 19 labels, trained on CelebAMask-HQ, whose pictures are for non-commercial use only.
* ``selfie_multiclass_256x256.tflite``: MediaPipe's multi-class selfie segmentation (Apache-2.0).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import HMTalkerError
from ...pretrained import sha256
from ..errors import CaptureError
from .face_regions import coverage, mouth_outline
from .head_parts import Parts

FILES = {
    "468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567": "bisenet",
    "c6748b1253a99067ef71f7e26ca71096cd449baefa8f101900ea23016507e0e0": "multiclass",
}
"""sha256 of a file that can be used -> the network in it."""

# Labels of each network by part; what is left is background.
_BISENET = {
    "face": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13),
    "mouth": (11,),
    "hair": (17, 18),
    "body": (14, 15, 16),
}
_MULTICLASS = {"face": (3,), "hair": (1,), "body": (2, 4, 5)}
_SIDE = {"bisenet": 512, "multiclass": 256}
SHARPNESS = 3.0
"""Factor of BiSeNet's logits: its own chances are far from certain even in the middle of a region."""
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def open_parser(path: str | Path) -> FaceParser:
    """The network in the file `path`. Raises CaptureError when it cannot be read or is not one of the known files."""
    path = Path(path)
    try:
        digest = sha256(path)
    except OSError as error:
        raise CaptureError(f"Parsing network '{path}' cannot be read ({error.strerror}): check the path.") from error
    if digest not in FILES:
        raise CaptureError(
            f"'{path.name}' is not a parsing network that is known (its sha256 is {digest[:16]}…): use the published "
            "79999_iter.pth or selfie_multiclass_256x256.tflite, or leave it out."
        )
    return FaceParser(path, FILES[digest])


class FaceParser:
    """A network and how to read its labels. Can be pickled: it is loaded again in the other process."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path, self.kind = path, kind
        self._run: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "kind": self.kind, "_run": None}

    def chances(self, frame: np.ndarray, landmarks: np.ndarray) -> dict[str, np.ndarray]:
        """float32 [H,W] for "face", "hair", "body", and "mouth" if it is told apart: how likely each pixel is that."""
        if self._run is None:
            self._run = self._bisenet() if self.kind == "bisenet" else self._multiclass()
        height, width = frame.shape[:2]
        side = _SIDE[self.kind]
        points = landmarks[:, :2].astype(np.float64)
        low, high = points.min(0), points.max(0)
        room = np.array([width, height], np.float64)
        size = float(min(2.4 * (high - low).max(), room.max()))
        corner = (low + high) / 2 - size / 2
        # inside the picture, or around the middle of a side that is shorter
        corner = np.where(room > size, np.clip(corner, 0, np.maximum(room - size, 0)), (room - size) / 2)
        scale = side / size
        matrix = np.array([[scale, 0, (0.5 - corner[0]) * scale - 0.5], [0, scale, (0.5 - corner[1]) * scale - 0.5]])
        square = cv2.warpAffine(frame, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        labels = self._run(square)
        groups = _BISENET if self.kind == "bisenet" else _MULTICLASS
        matrix = matrix * (labels.shape[1] / side)
        out = {}
        for name, numbers in groups.items():
            value = np.ascontiguousarray(labels[list(numbers)].sum(0))
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            out[name] = cv2.warpAffine(value, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return out

    def parts(self, frame: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray) -> Parts:
        """`alpha` divided as the network says; the mouth interior is still outlined by the landmarks."""
        shape = alpha.shape[0], alpha.shape[1]
        chances = self.chances(frame, landmarks)
        mouth = coverage(mouth_outline(landmarks), shape)
        total = np.maximum(sum(chances.values()), 1e-4)
        rest = alpha * (1 - mouth)
        hair, body = rest * (chances["hair"] / total), rest * (chances["body"] / total)
        return Parts(alpha * mouth, hair, np.maximum(rest - hair - body, 0), body)

    def _bisenet(self) -> Any:
        try:
            import torch

            from .bisenet import BiSeNet
        except ImportError as error:
            raise HMTalkerError("Face parsing with BiSeNet needs 'torch': run 'pip install torch'.") from error
        weights = torch.load(self._path, map_location="cpu", weights_only=True)
        network = BiSeNet()
        wanted = set(network.state_dict())
        network.load_state_dict({name: value for name, value in weights.items() if name in wanted})
        network.eval()

        def run(square: np.ndarray) -> np.ndarray:
            value = (square.astype(np.float32) / 255 - _MEAN) / _DEVIATION
            with torch.inference_mode():
                logits = network(torch.from_numpy(np.ascontiguousarray(value.transpose(2, 0, 1)))[None])
                logits = torch.nn.functional.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)
                return np.asarray((SHARPNESS * logits).softmax(1)[0].numpy())

        return run

    def _multiclass(self) -> Any:
        import onnxruntime

        from ..face.convert_face_landmarker import convert_graph
        from .convert_selfie import SelfieConverter

        content = convert_graph(self._path.read_bytes(), ["image"], ["labels"], SelfieConverter)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

        def run(square: np.ndarray) -> np.ndarray:
            (logits,) = session.run(["labels"], {"image": square.astype(np.float32)[None] / 255})
            raised = np.exp(logits[0] - logits[0].max(-1, keepdims=True))
            return np.ascontiguousarray((raised / raised.sum(-1, keepdims=True)).transpose(2, 0, 1))

        return run
