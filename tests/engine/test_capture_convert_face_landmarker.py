# SPDX-License-Identifier: GPL-3.0-or-later
"""TensorFlow Lite graphs to ONNX: on tiny graphs the numbers of a plain forward; the real networks on a real face."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmtalker import pretrained
from hmtalker.errors import HMTalkerError

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
flatbuffers = pytest.importorskip("flatbuffers")

from hmtalker.capture.face import convert_face_landmarker as cf
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import FILE_NAMES, load_networks

GRID = Path(__file__).resolve().parents[3] / "shared" / "data" / "grid_s1" / "clips"
# fmt: off
CODES = {
    "ADD": 0, "CONCATENATION": 2, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "DEQUANTIZE": 6, "LOGISTIC": 14,
    "MAX_POOL_2D": 17, "MUL": 18, "RELU": 19, "RESHAPE": 22, "PAD": 34, "TRANSPOSE": 39, "MEAN": 40, "SUB": 41,
    "DIV": 42, "STRIDED_SLICE": 45, "PRELU": 54, "NEG": 59, "SUM": 74, "SQRT": 75, "RSQRT": 76,
    "SQUARED_DIFFERENCE": 99, "COS": 108,
}
# What LiteRT gives for the sixth frame of a clip: landmarks in pixels, blendshapes by number.
CLIP = "pgaq6n.mpg"
LANDMARKS = {
    1: (158.7, 191.5), 13: (158.0, 215.7), 33: (123.3, 156.8), 61: (138.0, 215.0), 152: (158.4, 247.5),
    263: (188.1, 156.3), 291: (177.1, 215.0), 468: (132.4, 156.0), 473: (178.9, 155.8),
}
BLENDSHAPES = {1: 0.21, 2: 0.19, 9: 0.09, 10: 0.05, 18: 0.17, 19: 0.47, 20: 0.38, 25: 0.02, 44: 0.0}
# fmt: on
TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.int32): 2}
BYTES = ("padding", "activation", "keep")


class Network:
    """A TensorFlow Lite file in the making: every method returns the index of its tensor."""

    def __init__(self) -> None:
        self.tensors: list[tuple[tuple[int, ...], Any, bytes]] = []
        self.operators: list[tuple[str, list[int], int, dict[int, tuple[str, int]]]] = []

    def tensor(self, *shape: int) -> int:
        self.tensors.append((shape, np.dtype(np.float32), b""))
        return len(self.tensors) - 1

    def constant(self, value: Any, dtype: Any = np.float32) -> int:
        value = np.asarray(value, dtype)
        self.tensors.append((value.shape, value.dtype, value.tobytes()))
        return len(self.tensors) - 1

    def half(self, value: np.ndarray) -> int:
        return self.op("DEQUANTIZE", [self.constant(value, np.float16)], value.shape)

    def op(self, kind: str, inputs: list[int], shape: tuple[int, ...], **options: int) -> int:
        """options: names end in the number of the field, as ``stride_1=2``."""
        output = self.tensor(*shape)
        fields = {int(name.rsplit("_", 1)[1]): (name.rsplit("_", 1)[0], value) for name, value in options.items()}
        self.operators.append((kind, inputs, output, fields))
        return output

    def finish(self, inputs: list[int], outputs: list[int]) -> bytes:
        b = flatbuffers.Builder(0)

        def integers(values: Any) -> int:
            return b.CreateNumpyVector(np.array(values, np.int32))

        def table(fields: dict[int, tuple[str, int]]) -> int:
            b.StartObject(16)
            for slot, (kind, value) in fields.items():
                if kind == "offset":
                    b.PrependUOffsetTRelativeSlot(slot, value, 0)
                elif kind in BYTES:
                    b.PrependInt8Slot(slot, value, 0)
                else:
                    b.PrependInt32Slot(slot, value, 0)
            return b.EndObject()

        def vector(offsets: list[int]) -> int:
            b.StartVector(4, len(offsets), 4)
            for offset in reversed(offsets):
                b.PrependUOffsetTRelative(offset)
            return b.EndVector()

        buffers, tensors, codes, operators = [], [], [], []
        for index, (shape, dtype, data) in enumerate(self.tensors):
            content = {0: ("offset", b.CreateByteVector(data))} if data else {}
            buffers.append(table(content))
            fields = {0: ("offset", integers(shape)), 1: ("activation", TYPES[dtype]), 2: ("index", index)}
            tensors.append(table(fields))
        kinds = sorted({kind for kind, *_ in self.operators})
        for kind in kinds:
            codes.append(table({0: ("activation", CODES[kind]), 3: ("code", CODES[kind])}))
        for kind, given, output, options in self.operators:
            fields = {1: ("offset", integers(given)), 2: ("offset", integers([output]))}
            fields |= {0: ("index", kinds.index(kind)), 4: ("offset", table(options))}
            operators.append(table(fields))
        graph = {0: vector(tensors), 1: integers(inputs), 2: integers(outputs), 3: vector(operators)}
        graphs = vector([table({slot: ("offset", offset) for slot, offset in graph.items()})])
        model = {1: vector(codes), 2: graphs, 4: vector(buffers)}
        b.Finish(table({slot: ("offset", offset) for slot, offset in model.items()}), file_identifier=b"TFL3")
        return bytes(b.Output())


def run(data: bytes, value: np.ndarray, outputs: int = 1) -> list[np.ndarray]:
    names = [f"out{i}" for i in range(outputs)]
    model = cf.convert_graph(data, ["in"], names)
    assert cf.convert_graph(data, ["in"], names) == model
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(names, {"in": value})


def windows(x: np.ndarray, kernel: int, stride: int, fill: float) -> np.ndarray:
    """[H', W', kernel, kernel, C] of a picture [H, W, C], padded by TensorFlow's rule "SAME"."""
    pads = [cf.same_padding(size, kernel, stride) for size in x.shape[:2]]
    x = np.pad(x, [*pads, (0, 0)], constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (0, 1))
    return view[::stride, ::stride].transpose(0, 1, 3, 4, 2)


def test_same_padding_puts_the_odd_zero_at_the_end() -> None:
    assert cf.same_padding(256, 3, 2) == (0, 1)
    assert cf.same_padding(7, 3, 2) == (1, 1)
    assert cf.same_padding(8, 5, 1) == (2, 2)
    assert cf.same_padding(8, 3, 1, 2) == (2, 2)
    assert cf.same_padding(4, 2, 2) == (0, 0)


def test_convolutions_give_the_numbers_of_a_plain_forward() -> None:
    rng = np.random.default_rng(0)
    w, dw, slope = (rng.normal(size=s).astype(np.float16) for s in ((4, 3, 3, 3), (1, 5, 5, 4), (1, 1, 4)))
    bias = rng.normal(size=4).astype(np.float16)
    net = Network()
    source = net.tensor(1, 7, 10, 3)
    x = net.op("CONV_2D", [source, net.half(w), net.half(bias)], (1, 4, 5, 4), stride_1=2, stride_2=2)
    p = net.op("PRELU", [x, net.half(slope)], (1, 4, 5, 4))
    options = {"stride_1": 1, "stride_2": 1, "multiplier_3": 1, "activation_4": 1}
    d = net.op("DEPTHWISE_CONV_2D", [p, net.half(dw), net.half(bias)], (1, 4, 5, 4), **options)
    s = net.op("ADD", [d, p], (1, 4, 5, 4), activation_0=1)
    pad = net.op("PAD", [s, net.constant([[0, 0], [0, 1], [2, 0], [0, 3]], np.int32)], (1, 5, 7, 7))
    options = {"stride_1": 2, "stride_2": 2, "filter_3": 2, "filter_4": 2}
    pool = net.op("MAX_POOL_2D", [pad], (1, 3, 4, 7), **options)
    flat = net.op("RESHAPE", [pool, net.constant([1, 84], np.int32)], (1, 84))
    value = rng.normal(size=(1, 7, 10, 3)).astype(np.float32)

    x1 = np.einsum("hwijc,oijc->hwo", windows(value[0], 3, 2, 0), w.astype(float)) + bias
    p1 = np.where(x1 > 0, x1, x1 * slope)
    d1 = np.maximum(np.einsum("hwijc,ijc->hwc", windows(p1, 5, 1, 0), dw[0].astype(float)) + bias, 0)
    s1 = np.maximum(d1 + p1, 0)
    pool1 = windows(np.pad(s1, [(0, 1), (2, 0), (0, 3)]), 2, 2, -np.inf).max((2, 3))
    got_flat, got_pool = run(net.finish([source], [flat, pool]), value, 2)
    np.testing.assert_allclose(got_pool[0], pool1, atol=1e-4)
    np.testing.assert_allclose(got_flat[0], pool1.ravel(), atol=1e-4)


def test_rearranging_and_arithmetic_give_the_numbers_of_a_plain_forward() -> None:
    rng = np.random.default_rng(1)
    net = Network()
    source = net.tensor(1, 6, 4)
    mean = net.op("MEAN", [source, net.constant(1, np.int32)], (1, 1, 4), keep_0=1)
    centred = net.op("SUB", [source, mean], (1, 6, 4))
    square = net.op("SQUARED_DIFFERENCE", [source, mean], (1, 6, 4))
    total = net.op("SUM", [square, net.constant([2], np.int32)], (1, 6, 1), keep_0=1)
    inverse = net.op("RSQRT", [net.op("ADD", [total, net.constant(0.1)], (1, 6, 1))], (1, 6, 1))
    scaled = net.op("MUL", [centred, inverse], (1, 6, 4))
    turned = net.op("TRANSPOSE", [scaled, net.constant([0, 2, 1], np.int32)], (1, 4, 6))
    row = [net.constant(v, np.int32) for v in ([0, 1, 0], [0, 2, 5], [1, 1, 2])]
    part = net.op("STRIDED_SLICE", [turned, *row], (1, 3), begin_0=1, end_1=1, shrink_4=2)
    last = [net.constant(v, np.int32) for v in ([0, -1, 1], [1, 0, 4], [1, 1, 1])]
    end = net.op("STRIDED_SLICE", [turned, *last], (1, 3), shrink_4=2)
    both = net.op("CONCATENATION", [part, net.op("NEG", [end], (1, 3))], (1, 6), axis_0=1)
    half = net.op("DIV", [net.op("RELU", [both], (1, 6)), net.constant(2)], (1, 6))
    root = net.op("LOGISTIC", [net.op("SQRT", [half], (1, 6))], (1, 6))
    value = rng.normal(size=(1, 6, 4)).astype(np.float32)

    m = value.mean(1, keepdims=True)
    t = ((value - m) / np.sqrt(((value - m) ** 2).sum(2, keepdims=True) + 0.1)).transpose(0, 2, 1)
    joined = np.concatenate([t[:, 1, 0:5:2], -t[:, -1, 1:4]], 1)
    want = 1 / (1 + np.exp(-np.sqrt(np.maximum(joined, 0) / 2)))
    (got,) = run(net.finish([source], [root]), value)
    np.testing.assert_allclose(got, want, atol=1e-6)


def small_network(kind: str = "RELU") -> bytes:
    net = Network()
    source = net.tensor(1, 4)
    return net.finish([source], [net.op(kind, [source], (1, 4))])


def test_an_unknown_operator_is_named() -> None:
    with pytest.raises(HMTalkerError, match="operator 108"):
        cf.convert_graph(small_network("COS"), ["in"], ["out"])


def test_damaged_graphs_are_refused_with_a_sentence() -> None:
    whole = small_network()
    for size in range(0, len(whole) - 8, 5):
        with pytest.raises(HMTalkerError, match="damaged"):
            cf.convert_graph(whole[:size], ["in"], ["out"])
    with pytest.raises(HMTalkerError, match="1 outputs, not 2"):
        cf.convert_graph(whole, ["in"], ["out", "more"])


def test_a_file_that_is_no_task_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.task").write_text("no zip")
    with zipfile.ZipFile(tmp_path / "empty.task", "w"):
        pass
    for name in ("text.task", "empty.task", "absent.task"):
        with pytest.raises(HMTalkerError, match=r"not a face_landmarker\.task"):
            cf.convert(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def real_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        task = pretrained.fetch("face-landmarker")
    except HMTalkerError as error:
        pytest.skip(f"the published networks cannot be fetched: {error}")
    folder = tmp_path_factory.mktemp("face")
    assert tuple(cf.convert(task, folder)) == FILE_NAMES
    return folder


def test_the_real_networks_see_nobody_in_black_and_in_noise(real_networks: Path) -> None:
    tracker = FaceTracker(load_networks(real_networks))
    for image in (
        np.zeros((200, 300, 3), np.uint8),
        np.full((1, 1, 3), 200, np.uint8),
        np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8),
    ):
        assert tracker.detect(image) == []
        assert tracker.track(image) is None


def test_the_real_networks_agree_with_the_published_runtime(real_networks: Path) -> None:
    av = pytest.importorskip("av")
    if not GRID.is_dir():
        pytest.skip("the shared GRID clips are absent")
    tracker = FaceTracker(load_networks(real_networks))
    with av.open(str(GRID / CLIP)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame, _ in zip(video.decode(video=0), range(6), strict=False)]
    faces = [tracker.track(frame) for frame in frames]
    assert [face is not None and face.tracked for face in faces] == [False] + [True] * 5
    face = faces[-1]
    assert face is not None
    assert face.presence > 0.9
    np.testing.assert_allclose(face.landmarks[list(LANDMARKS), :2], list(LANDMARKS.values()), atol=0.2)
    np.testing.assert_allclose(face.blendshapes[list(BLENDSHAPES)], list(BLENDSHAPES.values()), atol=0.02)
    assert len(tracker.detect(frames[0])) == 1
    assert len(tracker.detect(np.concatenate([frames[0], frames[0]], 1))) == 2
