# SPDX-License-Identifier: GPL-3.0-or-later
"""CTranslate2 weights to ONNX, on a tiny random model: same numbers as a plain forward, same bytes every time."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from hmtalker.errors import HMTalkerError

pytest.importorskip("onnx")
pytest.importorskip("scipy")
onnxruntime = pytest.importorskip("onnxruntime")

from hmtalker.speech import convert_whisper as cw
from hmtalker.speech.position_response import encoder_blocks, position_response

CHANNELS, HEADS, ROWS, BLOCKS, MELS = 16, 2, 40, 3, 80


def tiny_weights(seed: int = 0, rows: int = ROWS) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)

    def w(*shape: int, scale: float = 0.2) -> np.ndarray:
        return (rng.standard_normal(shape) * scale).astype(np.float16)

    weights = {
        "encoder/conv1/weight": w(CHANNELS, MELS, 3, scale=0.1),
        "encoder/conv1/bias": w(CHANNELS),
        "encoder/conv2/weight": w(CHANNELS, CHANNELS, 3),
        "encoder/conv2/bias": w(CHANNELS),
        "encoder/position_encodings/encodings": w(rows, CHANNELS, scale=1.0),
        "encoder/num_heads": np.array(HEADS, np.int16),
        "decoder/ignored": w(3, 3),
    }
    for i in range(BLOCKS):
        for part, sizes in {
            "self_attention/linear_0": (3 * CHANNELS, CHANNELS),
            "self_attention/linear_1": (CHANNELS, CHANNELS),
            "ffn/linear_0": (4 * CHANNELS, CHANNELS),
            "ffn/linear_1": (CHANNELS, 4 * CHANNELS),
        }.items():
            weights[f"encoder/layer_{i}/{part}/weight"] = w(*sizes)
            weights[f"encoder/layer_{i}/{part}/bias"] = w(sizes[0])
        for part in ("self_attention", "ffn"):
            weights[f"encoder/layer_{i}/{part}/layer_norm/gamma"] = 1 + w(CHANNELS)
            weights[f"encoder/layer_{i}/{part}/layer_norm/beta"] = w(CHANNELS)
    return weights


def write_model_bin(path: Path, weights: dict[str, np.ndarray], spec: str = "WhisperSpec") -> Path:
    def text(value: str) -> bytes:
        data = value.encode() + b"\0"
        return struct.pack("<H", len(data)) + data

    types = {np.dtype(np.float32): 0, np.dtype(np.int16): 2, np.dtype(np.float16): 4}
    out = struct.pack("<I", 6) + text(spec) + struct.pack("<II", 3, len(weights))
    for name, value in weights.items():
        out += text(name) + struct.pack("<B", value.ndim)
        out += b"".join(struct.pack("<I", n) for n in value.shape)
        out += struct.pack("<BI", types[value.dtype], value.nbytes) + value.tobytes()
    out += struct.pack("<I", 1) + text("decoder/alias") + text("decoder/ignored")
    path.write_bytes(out)
    return path


def speech_like(seconds: float) -> np.ndarray:
    t = np.arange(int(16000 * seconds)) / 16000
    return (np.sin(2 * np.pi * 180 * t) * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * t)) * 0.3).astype(np.float32)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whisper")
    model = write_model_bin(folder / "model.bin", tiny_weights())
    cw.convert(model, folder / "tiny.onnx", speech_like(2.0))
    return folder / "tiny.onnx"


def run(path: Path, mel: np.ndarray, position: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {"mel": mel[None].astype(np.float32), "position": np.array(position, np.int64)}
    return session.run(None, feeds)[0][0]


def test_every_variable_and_alias_is_read(tmp_path: Path) -> None:
    weights = tiny_weights()
    got = cw.read_ctranslate2(write_model_bin(tmp_path / "model.bin", weights))
    assert got.keys() == weights.keys() | {"decoder/alias"}
    for name, value in weights.items():
        np.testing.assert_array_equal(got[name], value)
        assert got[name].dtype == value.dtype


@pytest.mark.parametrize("position", [0, 7, ROWS - 12])
def test_graph_matches_the_float64_forward_less_the_position_response(converted: Path, position: int) -> None:
    encoder = cw.encoder_weights(tiny_weights())
    response = position_response(encoder, cw.speech_probes(speech_like(2.0), ROWS), BLOCKS).astype(np.float16)
    mel = np.random.default_rng(3).standard_normal((MELS, 24)).astype(np.float32)
    shifted = dict(encoder)
    shifted["position_encodings/encodings"] = encoder["position_encodings/encodings"][position:]
    want = encoder_blocks(shifted, mel.astype(np.float64), BLOCKS) - response[position : position + 12]
    got = run(converted, mel, position)
    assert got.shape == (12, BLOCKS * CHANNELS)
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_float64_forward_matches_torch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    w = {k: torch.from_numpy(np.asarray(v, np.float64)) for k, v in cw.encoder_weights(tiny_weights(1)).items()}
    mel = np.random.default_rng(0).standard_normal((MELS, 30))

    def norm(x, name):  # type: ignore[no-untyped-def]
        return functional.layer_norm(x, (CHANNELS,), w[name + "/layer_norm/gamma"], w[name + "/layer_norm/beta"])

    def linear(x, name):  # type: ignore[no-untyped-def]
        return functional.linear(x, w[name + "/weight"], w[name + "/bias"])

    x = functional.gelu(functional.conv1d(torch.from_numpy(mel)[None], w["conv1/weight"], w["conv1/bias"], padding=1))
    x = functional.gelu(functional.conv1d(x, w["conv2/weight"], w["conv2/bias"], stride=2, padding=1))[0].T
    x = x + w["position_encodings/encodings"][: len(x)]
    outputs = []
    for i in range(BLOCKS):
        name = f"layer_{i}/self_attention"
        q, k, v = (
            part.reshape(len(x), HEADS, -1).transpose(0, 1)
            for part in linear(norm(x, name), name + "/linear_0").chunk(3, -1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(len(x), -1)
        x = x + linear(mixed, name + "/linear_1")
        name = f"layer_{i}/ffn"
        x = x + linear(functional.gelu(linear(norm(x, name), name + "/linear_0")), name + "/linear_1")
        outputs.append(x)
    got = encoder_blocks(cw.encoder_weights(tiny_weights(1)), mel, BLOCKS)
    np.testing.assert_allclose(got, torch.cat(outputs, -1).numpy(), atol=1e-10)


def test_same_input_gives_same_bytes_and_the_returned_hash(converted: Path, tmp_path: Path) -> None:
    import hashlib

    model = write_model_bin(tmp_path / "model.bin", tiny_weights())
    digest = cw.convert(model, tmp_path / "again.onnx", speech_like(2.0))
    data = (tmp_path / "again.onnx").read_bytes()
    assert data == converted.read_bytes()
    assert digest == hashlib.sha256(data).hexdigest()
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("again")] == ["again.onnx"]


def test_weights_rest_as_float16(converted: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(str(converted))
    big = [i for i in model.graph.initializer if np.prod(i.dims) >= CHANNELS]
    assert big
    assert {i.data_type for i in big} == {onnx.TensorProto.FLOAT16}
    assert model.opset_import[0].version == 17


def test_position_response_is_what_depends_on_the_place_alone() -> None:
    """With blocks that do nothing the features are sound + place exactly, and the fit must find the place."""
    encoder = dict(cw.encoder_weights(tiny_weights(2)))
    for name in encoder:
        if name.endswith(("linear_1/weight", "linear_1/bias")):
            encoder[name] = np.zeros_like(encoder[name])
    probe = np.random.default_rng(0).standard_normal((MELS, 2 * ROWS))
    response = position_response(encoder, [probe, probe[:, ::-1]], BLOCKS)
    table = np.tile(np.asarray(encoder["position_encodings/encodings"], np.float64), BLOCKS)
    before = np.ptp(table, axis=0)
    after = np.std(response - table, axis=0)
    assert np.all(after < 0.15 * before)


def test_speech_shorter_than_the_window_is_refused(tmp_path: Path) -> None:
    model = write_model_bin(tmp_path / "model.bin", tiny_weights())
    with pytest.raises(HMTalkerError, match="30 s of speech"):
        cw.convert(model, tmp_path / "out.onnx", speech_like(0.2))
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize("damage", ["truncated", "other_spec", "text", "empty", "huge_shape"])
def test_a_damaged_model_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = write_model_bin(
        tmp_path / "model.bin", tiny_weights(), "TransformerSpec" if damage == "other_spec" else "WhisperSpec"
    )
    data = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "text":
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n" * 4)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "huge_shape":
        head = data.index(b"encoder/conv1/weight\0") + len(b"encoder/conv1/weight\0") + 1
        path.write_bytes(data[:head] + b"\xff\xff\xff\x7f" + data[head + 4 :])
    with pytest.raises(HMTalkerError, match=r"model\.bin"):
        cw.read_ctranslate2(path)


def test_a_model_without_encoder_is_refused(tmp_path: Path) -> None:
    weights = {k: v for k, v in tiny_weights().items() if "layer_1" not in k}
    with pytest.raises(HMTalkerError, match="lacks a part"):
        cw.convert(write_model_bin(tmp_path / "model.bin", weights), tmp_path / "out.onnx", speech_like(2.0))
