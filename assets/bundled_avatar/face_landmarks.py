# SPDX-License-Identifier: GPL-3.0-or-later
"""Face landmarks, blendshape scores and head pose of a video frame, for building the bundled avatar.

Runs the three networks of Google's ``face_landmarker.task`` (Apache-2.0) with the LiteRT runtime, without the
``mediapipe`` package. A build-time tool: nothing here ships to users.

Needs: numpy, opencv-python-headless, ai-edge-litert. The task file is the part
``face-landmarker`` of ``hmtalker.pretrained``.
"""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hmtalker.capture.face.blendshape_names import BLENDSHAPES as BLENDSHAPES  # the order of a face's scores
from hmtalker.capture.face.blendshape_names import INPUT_LANDMARKS

LANDMARKS = 478
MESH_LANDMARKS = 468

_BLENDSHAPE_INPUT = np.array(INPUT_LANDMARKS, int)

_DETECTOR_SIZE = 128
_CROP_SIZE = 256
_CROP_MARGIN = 1.5  # the crop is this much larger than the face (face_landmarks_detector_graph.cc)
_MINIMUM_SCORE = 0.5
_VERTICAL_FIELD_OF_VIEW = np.radians(63.0)  # MediaPipe's default perspective camera


@dataclass(frozen=True)
class Face:
    """One tracked face.

    landmarks: float32 [478, 3], image pixels (x right, y down) and relative depth in the same unit.
    score: 0..1, the network's belief that a face is there.
    blendshapes: float32 [52], 0..1, order ``BLENDSHAPES``.
    transform: float64 [4, 4], canonical face (x = person's left, y up, z toward the camera, centimetres) to camera.
    """

    landmarks: np.ndarray
    score: float
    blendshapes: np.ndarray
    transform: np.ndarray


class _Network:
    """One TFLite graph with a single input; returns its outputs as a list of arrays."""

    def __init__(self, model: bytes, threads: int) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise SystemExit("Tracking a face needs LiteRT: pip install ai-edge-litert") from error
        self._interpreter = Interpreter(model_content=model, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in self._interpreter.get_output_details()]

    def __call__(self, value: np.ndarray) -> list[np.ndarray]:
        self._interpreter.set_tensor(self._input, np.ascontiguousarray(value, np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


class FaceLandmarker:
    """Tracks the one face of a video: detect once, then crop around the previous frame's landmarks.

    Call ``reset()`` at every cut. The landmarks are raw (no temporal smoothing).
    """

    def __init__(self, task: Path, threads: int = 1) -> None:
        with zipfile.ZipFile(task) as archive:
            self._detector = _Network(archive.read("face_detector.tflite"), threads)
            self._landmarker = _Network(archive.read("face_landmarks_detector.tflite"), threads)
            self._scorer = _Network(archive.read("face_blendshapes.tflite"), threads)
            metadata = archive.read("geometry_pipeline_metadata_landmarks.binarypb")
        self._canonical, self._weights = _canonical_face(metadata)
        self._anchors = _detector_anchors()
        self._region: tuple[float, float, float, float] | None = None

    def reset(self) -> None:
        """Forget the previous frame."""
        self._region = None

    def __call__(self, rgb: np.ndarray) -> Face | None:
        """Return the face in ``rgb`` (uint8 [H, W, 3]), or None where none is found."""
        for attempt in range(2):
            region = self._region if attempt == 0 and self._region is not None else self._detect(rgb)
            if region is None:
                self._region = None
                return None
            landmarks, score = self._landmarks(rgb, region)
            if score > _MINIMUM_SCORE:
                self._region = _region_of(landmarks)
                (scores,) = self._scorer(landmarks[_BLENDSHAPE_INPUT, :2][None])
                transform = _head_transform(landmarks, rgb.shape[1], rgb.shape[0], self._canonical, self._weights)
                return Face(landmarks.astype(np.float32), score, scores.reshape(-1).copy(), transform)
            self._region = None
        return None

    def _detect(self, rgb: np.ndarray) -> tuple[float, float, float, float] | None:
        """Return (centre x, centre y, size, roll) of the best face in pixels."""
        height, width = rgb.shape[:2]
        scale = _DETECTOR_SIZE / max(height, width)
        offset = np.array([_DETECTOR_SIZE - width * scale, _DETECTOR_SIZE - height * scale]) / 2
        matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
        letterbox = cv2.warpAffine(rgb, matrix, (_DETECTOR_SIZE, _DETECTOR_SIZE), flags=cv2.INTER_LINEAR)
        outputs = self._detector(letterbox.astype(np.float32)[None] / 127.5 - 1)
        boxes, logits = sorted(outputs, key=lambda array: -array.shape[-1])
        probability = 1 / (1 + np.exp(-np.clip(logits[0, :, 0].astype(np.float64), -50, 50)))
        found = np.flatnonzero(probability > _MINIMUM_SCORE)
        if not len(found):
            return None
        probability = probability[found]
        values = (boxes[0, found] / _DETECTOR_SIZE).reshape(len(found), 8, 2)  # centre, size, six key points
        centre = values[:, 0] + self._anchors[found]
        low, high = centre - values[:, 1] / 2, centre + values[:, 1] / 2
        points = values[:, 2:] + self._anchors[found][:, None]
        best = int(np.argmax(probability))
        inner = np.clip(np.minimum(high, high[best]) - np.maximum(low, low[best]), 0, None).prod(1)
        union = (high - low).prod(1) + (high[best] - low[best]).prod() - inner
        weight = np.where(inner / union > 0.3, probability, 0)
        weight /= weight.sum()

        def pixels(normalised: np.ndarray) -> np.ndarray:
            return (normalised * _DETECTOR_SIZE - offset) / scale

        low, high = pixels(weight @ low), pixels(weight @ high)
        eyes = pixels(np.tensordot(weight, points, 1))[:2]
        roll = np.arctan2(eyes[1, 1] - eyes[0, 1], eyes[1, 0] - eyes[0, 0])
        return (*((low + high) / 2), max(high - low) * _CROP_MARGIN, roll)

    def _landmarks(self, rgb: np.ndarray, region: tuple[float, float, float, float]) -> tuple[np.ndarray, float]:
        """Return landmarks float64 [478, 3] in pixels and the presence score."""
        x, y, size, roll = region
        scale = size / _CROP_SIZE
        cosine, sine = np.cos(roll) * scale, np.sin(roll) * scale
        half = _CROP_SIZE / 2
        to_image = np.array([[cosine, -sine, x - (cosine - sine) * half], [sine, cosine, y - (sine + cosine) * half]])
        crop = cv2.warpAffine(
            rgb,
            to_image,
            (_CROP_SIZE, _CROP_SIZE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        outputs = self._landmarker(crop.astype(np.float32)[None] / 255)
        points = next(array for array in outputs if array.size == LANDMARKS * 3).reshape(LANDMARKS, 3).astype(float)
        presence = float(next(array for array in outputs if array.size == 1).reshape(-1)[0])
        flat = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        return np.concatenate([flat, points[:, 2:] * scale], 1), float(1 / (1 + np.exp(-presence)))


def _region_of(landmarks: np.ndarray) -> tuple[float, float, float, float]:
    """Return the crop (centre x, centre y, size, roll) for the frame after ``landmarks``."""
    left, right = landmarks[33, :2], landmarks[263, :2]
    roll = np.arctan2(right[1] - left[1], right[0] - left[0])
    rotation = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    turned = landmarks[:, :2] @ rotation.T
    low, high = turned.min(0), turned.max(0)
    return (*(rotation.T @ ((low + high) / 2)), max(high - low) * _CROP_MARGIN, roll)


def _detector_anchors() -> np.ndarray:
    """Return the short-range detector's 896 anchor centres, 0..1."""
    anchors = []
    for stride, repeats in ((8, 2), (16, 6)):
        cells = _DETECTOR_SIZE // stride
        rows, columns = np.mgrid[0:cells, 0:cells]
        centres = np.stack([columns + 0.5, rows + 0.5], -1).reshape(-1, 1, 2) / cells
        anchors.append(centres.repeat(repeats, 1).reshape(-1, 2))
    return np.concatenate(anchors)


def _protobuf_fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Return (field number, value) of one protobuf message; enough of the format to read the face geometry."""
    fields: list[tuple[int, int | bytes]] = []
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(data):
        key = varint()
        wire = key & 7
        if wire == 0:
            fields.append((key >> 3, varint()))
            continue
        size = {1: 8, 5: 4}.get(wire) or varint()
        fields.append((key >> 3, data[position : position + size]))
        position += size
    return fields


def _canonical_face(metadata: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the canonical face [468, 3] in centimetres and the Procrustes weights [468]."""
    top = _protobuf_fields(metadata)
    mesh = _protobuf_fields(next(value for field, value in top if field == 1))  # type: ignore[arg-type]
    packed = b"".join(value for field, value in mesh if field == 3 and isinstance(value, bytes))
    vertices = np.frombuffer(packed, "<f4").reshape(-1, 5)[:, :3].astype(float)
    weights = np.zeros(len(vertices))
    for field, value in top:
        if field == 2 and isinstance(value, bytes):
            entry = dict(_protobuf_fields(value))
            weights[entry.get(1, 0)] = struct.unpack("<f", entry[2])[0]  # type: ignore[index, arg-type]
    return vertices, weights


def _similarity(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Return rotation, scale, translation of the weighted least-squares similarity ``source`` -> ``target``."""
    weights = weights / weights.sum()
    source_centre, target_centre = weights @ source, weights @ target
    a, b = source - source_centre, target - target_centre
    u, singular, vt = np.linalg.svd((b * weights[:, None]).T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((singular * sign).sum() / (weights @ (a * a).sum(1)))
    return rotation, scale, target_centre - scale * rotation @ source_centre


def _head_transform(
    landmarks: np.ndarray, width: int, height: int, canonical: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the 4x4 canonical-face-to-camera transform (MediaPipe's face geometry algorithm, two scale passes)."""
    near_height = 2 * np.tan(_VERTICAL_FIELD_OF_VIEW / 2)
    near_width = width * near_height / height
    points = landmarks[:MESH_LANDMARKS] / [width, height, width]
    screen = np.stack(
        [(points[:, 0] - 0.5) * near_width, (0.5 - points[:, 1]) * near_height, points[:, 2] * near_width], 1
    )

    def unproject(scale: float) -> np.ndarray:
        depth = (screen[:, 2] - screen[:, 2].mean() + 1) / scale
        return np.stack([screen[:, 0] * depth, screen[:, 1] * depth, -depth], 1)

    flipped = screen * [1, 1, -1]
    first = _similarity(canonical, flipped, weights)[1]
    second = _similarity(canonical, unproject(first), weights)[1]
    rotation, scale, translation = _similarity(canonical, unproject(first * second), weights)
    transform = np.eye(4)
    transform[:3, :3] = rotation * scale
    transform[:3, 3] = translation
    return transform
