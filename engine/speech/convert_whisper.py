# SPDX-License-Identifier: GPL-3.0-or-later
"""Whisper's encoder, cut down to what lip motion needs, as one small ONNX file.

Source weights: a CTranslate2 ``model.bin`` (binary version 6, ``WhisperSpec``). Kept: the two convolutions, the
position table and the first three encoder blocks; their outputs are concatenated, because the middle layers predict lip
shape best and generalise best to people the avatar was not trained on. What they say about the place in the window
rather than about the speech is subtracted, as measured with a sample of speech (``position_response``).

The graph (ONNX opset 17, computes in float32; weights rest as float16 behind ``Cast`` nodes to halve the file):

* ``mel``       float32 [1, 80, T]       log-mel at 100 frames/s, T even
* ``position``  int64 []                 first row of the position table to use, 0 <= position <= 1500 - T/2
* ``features``  float32 [1, T/2, 3 * C]  blocks 1 | 2 | 3 at 50 steps/s (C = 384 for tiny.en), about zero on average

The same inputs always give the same bytes, so the file's sha256 can name the encoder.

    python -m hmtalker.speech.convert_whisper --out assets/fetched/whisper_tiny_en_l123.onnx

Takes about a minute, and the packages ``onnx``, ``scipy`` and ``soundfile``.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HMTalkerError
from ..pretrained import fetch
from .audio_file import load_audio
from .log_mel import HOP, log_mel
from .loudness import speech_gain
from .position_response import EPSILON, position_response

BLOCKS = 3
OPSET = 17
IR_VERSION = 8

# CTranslate2 4.x, include/ctranslate2/types.h: enum class DataType
_DATA_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_MAX_RANK = 8


def read_ctranslate2(path: str | Path) -> dict[str, np.ndarray]:
    """Read every variable of a CTranslate2 ``model.bin`` (binary version 6; src/models/model.cc, ``Model::load``).

    Returns name -> read-only array. Names that are aliases point to the same array. Raises :class:`HMTalkerError`
    if the file is not such a model or is cut short.
    """
    data = Path(path).read_bytes()
    offset = 0

    def number(code: str) -> int:
        nonlocal offset
        (value,) = struct.unpack_from("<" + code, data, offset)
        offset += struct.calcsize("<" + code)
        return int(value)

    def text() -> str:
        nonlocal offset
        length = number("H")
        if length < 1 or offset + length > len(data):
            raise ValueError("string runs past the end")
        value = data[offset : offset + length - 1].decode("utf-8")
        offset += length
        return value

    try:
        version = number("I")
        if version < 4 or version > 6:
            raise ValueError(f"binary version {version}")
        spec = text()
        number("I")  # revision of the specification
        if spec != "WhisperSpec":
            raise ValueError(f"a {spec}, not a WhisperSpec")
        weights: dict[str, np.ndarray] = {}
        for _ in range(number("I")):
            name = text()
            rank = number("B")
            if rank > _MAX_RANK:
                raise ValueError(f"rank {rank}")
            shape = tuple(number("I") for _ in range(rank))
            dtype = np.dtype(_DATA_TYPES[number("B")])
            size = number("I")
            if math.prod(shape) * dtype.itemsize != size or offset + size > len(data):
                raise ValueError(f"{name} has the wrong size")
            weights[name] = np.frombuffer(data, dtype, size // dtype.itemsize, offset).reshape(shape)
            offset += size
        if offset < len(data):
            for _ in range(number("I")):
                alias, target = text(), text()
                if target in weights:
                    weights.setdefault(alias, weights[target])
    except (struct.error, ValueError, KeyError, UnicodeDecodeError) as error:
        raise HMTalkerError(
            f"'{Path(path).name}' is not a CTranslate2 Whisper model that can be read ({error}); "
            "fetch it again or check that the download is complete."
        ) from error
    return weights


class _Graph:
    """Collects nodes and float16 weights; every method returns the name of the tensor it made."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self._count = 0

    def op(self, kind: str, *inputs: str, outputs: int = 1, name: str | None = None, **attributes: Any) -> Any:
        self._count += 1
        base = name or f"{kind.lower()}_{self._count}"
        names = [base] if outputs == 1 else [f"{base}_{i}" for i in range(outputs)]
        self.nodes.append(self._helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(self._numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str, value: np.ndarray) -> str:
        """A float16 initializer cast to float32 (onnxruntime folds the cast once, when the session is made)."""
        stored = self.constant(name + ".f16", np.asarray(value, np.float16))
        return str(self.op("Cast", stored, name=name, to=1))

    def gelu(self, x: str) -> str:
        """Exact GELU, 0.5 x (1 + erf(x / sqrt 2)): opset 17 has no such operator."""
        inner = self.op("Add", self.op("Erf", self.op("Div", x, "sqrt2")), "one")
        return str(self.op("Mul", self.op("Mul", x, inner), "half"))


def encoder_weights(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The encoder's part of what :func:`read_ctranslate2` returns, names without the ``encoder/`` in front."""
    return {name[len("encoder/") :]: w for name, w in weights.items() if name.startswith("encoder/")}


def speech_probes(samples: np.ndarray, rows: int) -> list[np.ndarray]:
    """The whole windows that 16 kHz `samples` fill, as float64 log-mels [80, 2 * rows] for ``position_response``."""
    samples = np.asarray(samples, np.float64)
    samples = samples * speech_gain(samples)
    size = 2 * rows * HOP
    return [log_mel(samples[i : i + size]) for i in range(0, len(samples) - size + 1, size)]


def build_model(
    encoder: Mapping[str, np.ndarray],  # from encoder_weights
    response: np.ndarray,  # [rows, blocks * C], from position_response
    blocks: int = BLOCKS,
) -> Any:
    """The ``onnx.ModelProto`` of the first `blocks` encoder blocks, less `response`."""
    from onnx import TensorProto, helper

    try:
        table = encoder["position_encodings/encodings"]
        heads = int(encoder["num_heads"])
        channels = table.shape[1]
        mels = encoder["conv1/weight"].shape[1]
        head_size = channels // heads

        g = _Graph()
        g.constant("sqrt2", np.array(math.sqrt(2.0), np.float32))
        g.constant("one", np.array(1.0, np.float32))
        g.constant("half", np.array(0.5, np.float32))
        g.constant("attention_scale", np.array(head_size**-0.5, np.float32))
        g.constant("split_heads", np.array([0, 0, heads, head_size], np.int64))
        g.constant("join_heads", np.array([0, 0, channels], np.int64))
        g.constant("axis_0", np.array([0], np.int64))
        g.constant("index_1", np.array([1], np.int64))

        def convolution(x: str, name: str, stride: int) -> str:
            w, b = encoder[f"{name}/weight"], encoder[f"{name}/bias"]
            arguments = (x, g.weight(f"{name}.weight", w), g.weight(f"{name}.bias", b))
            return g.gelu(g.op("Conv", *arguments, kernel_shape=[3], pads=[1, 1], strides=[stride]))

        def linear(x: str, name: str) -> str:
            w, b = encoder[f"{name}/weight"], encoder[f"{name}/bias"]
            product = g.op("MatMul", x, g.weight(f"{name}.weight", w.T))
            return str(g.op("Add", product, g.weight(f"{name}.bias", b)))

        def layer_norm(x: str, name: str) -> str:
            gamma = g.weight(f"{name}.gamma", encoder[f"{name}/gamma"])
            beta = g.weight(f"{name}.beta", encoder[f"{name}/beta"])
            return str(g.op("LayerNormalization", x, gamma, beta, axis=-1, epsilon=EPSILON))

        def block(x: str, name: str) -> str:
            attention, ffn = f"{name}/self_attention", f"{name}/ffn"
            qkv = linear(layer_norm(x, f"{attention}/layer_norm"), f"{attention}/linear_0")
            q, k, v = (g.op("Reshape", part, "split_heads") for part in g.op("Split", qkv, axis=-1, outputs=3))
            q = g.op("Mul", g.op("Transpose", q, perm=[0, 2, 1, 3]), "attention_scale")
            k = g.op("Transpose", k, perm=[0, 2, 3, 1])
            v = g.op("Transpose", v, perm=[0, 2, 1, 3])
            mixed = g.op("MatMul", g.op("Softmax", g.op("MatMul", q, k), axis=-1), v)
            joined = g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), "join_heads")
            x = g.op("Add", x, linear(joined, f"{attention}/linear_1"))
            hidden = g.gelu(linear(layer_norm(x, f"{ffn}/layer_norm"), f"{ffn}/linear_0"))
            return str(g.op("Add", x, linear(hidden, f"{ffn}/linear_1"), name=f"{name}/output"))

        x = convolution(convolution("mel", "conv1", 1), "conv2", 2)
        x = g.op("Transpose", x, perm=[0, 2, 1])
        steps = g.op("Gather", g.op("Shape", x), "index_1", axis=0)
        start = g.op("Unsqueeze", "position", "axis_0")
        stop = g.op("Add", start, steps)
        x = g.op("Add", x, g.op("Slice", g.weight("position_table", table), start, stop, "axis_0"))
        outputs = []
        for i in range(blocks):
            x = block(x, f"layer_{i}")
            outputs.append(x)
        expected = g.op("Slice", g.weight("position_response", response), start, stop, "axis_0")
        g.op("Sub", g.op("Concat", *outputs, axis=-1), expected, name="features")
    except (KeyError, IndexError, ValueError) as error:
        raise _incomplete(error) from error

    graph = helper.make_graph(
        g.nodes,
        f"whisper_encoder_l1_{blocks}",
        [
            helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, mels, "T"]),
            helper.make_tensor_value_info("position", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, "steps", blocks * channels])],
        g.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "hmtalker", "1"
    model.doc_string = "First encoder blocks of OpenAI Whisper (MIT licence)."
    return model


def _incomplete(error: Exception) -> HMTalkerError:
    return HMTalkerError(f"The Whisper model lacks a part of its encoder ({error}); fetch it again.")


def convert(
    model_bin: str | Path,
    out: str | Path,
    speech: np.ndarray | None = None,  # [n] 16 kHz mono
    blocks: int = BLOCKS,
) -> str:
    """Convert a CTranslate2 Whisper `model_bin` to the ONNX file `out`, written whole or not at all.

    `speech`, at least as long as the encoder's window (30 s), serves ``position_response``; by default it is the
    sample recording, fetched. Returns the sha256 of the file, which depends on both inputs.
    """
    try:
        import onnx
        import scipy.special  # noqa: F401  (position_response needs it, a minute from now)
    except ImportError as error:
        raise HMTalkerError(
            f"Converting Whisper needs the package '{error.name}': run 'pip install onnx scipy soundfile' first."
        ) from error
    if speech is None:
        speech = load_audio(fetch("speech-sample"))
    encoder = encoder_weights(read_ctranslate2(model_bin))
    try:
        probes = speech_probes(speech, len(encoder["position_encodings/encodings"]))
        if not probes:
            raise HMTalkerError("Converting Whisper needs at least 30 s of speech; choose a longer recording.")
        response = position_response(encoder, probes, blocks)
    except (KeyError, ValueError) as error:
        raise _incomplete(error) from error
    model = build_model(encoder, response, blocks)
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=out.name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o644)  # mkstemp gives 0600, but the file is shared by all users of an installation
        os.replace(temporary, out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return hashlib.sha256(data).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hmtalker.speech.convert_whisper", description=str(__doc__).split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--model-bin", type=Path, help="a CTranslate2 Whisper model.bin (default: fetch tiny.en)")
    parser.add_argument("--speech", type=Path, help="at least 30 s of speech (default: fetch the sample)")
    options = parser.parse_args(arguments)
    try:
        source = options.model_bin or fetch("whisper-tiny.en")
        digest = convert(source, options.out, load_audio(options.speech) if options.speech else None)
    except HMTalkerError as error:
        parser.exit(1, f"{error}\n")
    print(f"{options.out}  {options.out.stat().st_size} bytes  sha256 {digest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
