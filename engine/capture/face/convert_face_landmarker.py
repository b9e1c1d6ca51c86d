# SPDX-License-Identifier: GPL-3.0-or-later
"""The three networks of Google's Face Landmarker as ONNX files, so that capture needs no other runtime.

Source: ``face_landmarker.task`` (Apache-2.0), a zip that holds TensorFlow Lite graphs with float16 weights. Written
to a folder:

* ``face_detector.onnx``            image [1, 128, 128, 3] -1..1 -> boxes [1, 896, 16], scores [1, 896, 1] (logits)
* ``face_landmarks_detector.onnx``  image [1, 256, 256, 3] 0..1  -> landmarks [1, 1, 1, 1434], presence [1, 1, 1, 1]
* ``face_blendshapes.onnx``         points [1, 146, 2] pixels    -> blendshapes [52] 0..1

(ONNX opset 17, computes in float32; weights rest as float16 behind ``Cast`` nodes.) The same input always gives the
same bytes.

    python -m hmtalker.capture.face.convert_face_landmarker --out assets/fetched

Takes a few seconds, and the package ``onnx``.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic_file import write_atomically
from ...errors import HMTalkerError
from ...pretrained import fetch
from .tflite_file import Graph, Operator, Table, read_graph

OPSET = 17
IR_VERSION = 8

NETWORKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "face_detector": (("image",), ("boxes", "scores")),
    "face_landmarks_detector": (("image",), ("landmarks", "presence")),
    "face_blendshapes": (("points",), ("blendshapes",)),
}
"""Name of a graph in the task file, without ``.tflite`` -> names of its inputs and of the outputs that are kept."""

_UNARY = {
    "LOGISTIC": ("Sigmoid",),
    "RELU": ("Relu",),
    "NEG": ("Neg",),
    "SQRT": ("Sqrt",),
    "RSQRT": ("Sqrt", "Reciprocal"),
}
_BINARY = {"ADD": "Add", "MUL": "Mul", "SUB": "Sub", "DIV": "Div", "SQUARED_DIFFERENCE": "Sub"}
_REARRANGING = ("CONCATENATION", "MEAN", "RESHAPE", "STRIDED_SLICE", "SUM", "TRANSPOSE")
_SAME = 0


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after one axis under TensorFlow's rule "SAME"; the odd one goes to the end."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


class GraphConverter:
    """One TensorFlow Lite graph on its way to ONNX.

    TensorFlow keeps pictures as [N, H, W, C], ONNX convolves [N, C, H, W]: tensors in ``_planar`` are held in ONNX's
    order from one convolution to the next and are turned back only where an operator needs TensorFlow's.
    """

    source = "MediaPipe Face Landmarker"

    def __init__(self, graph: Graph) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self._graph = graph
        self._shapes = graph.shapes
        self._constants = dict(graph.constants)
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._names: dict[int, str] = {}
        self._planar: set[int] = set()

    def convert(self, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
        """The ``onnx.ModelProto``. Outputs beyond those named are left out."""
        from onnx import TensorProto

        def info(index: int, name: str) -> Any:
            return self._helper.make_tensor_value_info(name, TensorProto.FLOAT, self._shapes[index])

        given = list(zip(self._graph.inputs, inputs, strict=True))
        if len(self._graph.outputs) < len(outputs):
            raise ValueError(f"it has {len(self._graph.outputs)} outputs, not {len(outputs)}")
        wanted = list(zip(self._graph.outputs, outputs, strict=False))
        self._names.update(given)
        for operator in self._graph.operators:
            self._operator(operator)
        for index, name in wanted:
            self._nodes.append(self._helper.make_node("Identity", [self._natural(index)], [name]))
        graph = self._helper.make_graph(
            self._nodes, "face", [info(i, n) for i, n in given], [info(i, n) for i, n in wanted], self._initializers
        )
        opset = [self._helper.make_opsetid("", OPSET)]
        model = self._helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        model.producer_name, model.producer_version = "hmtalker", "1"
        model.doc_string = f"Part of {self.source}, copyright Google LLC (Apache-2.0)."
        return model

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _constant(self, value: Any, dtype: Any = None) -> str:
        name = f"constant_{len(self._initializers)}"
        self._initializers.append(self._numpy_helper.from_array(np.asarray(value, dtype, order="C"), name))
        return self._add("Cast", name, to=1) if self._initializers[-1].data_type == 10 else name

    def _natural(self, index: int) -> str:
        """The tensor in TensorFlow's order of axes."""
        if index not in self._names:
            return self._constant(self._constants[index])
        name = self._names[index]
        return self._add("Transpose", name, perm=[0, 2, 3, 1]) if index in self._planar else name

    def _planes(self, index: int) -> str:
        """The picture as [N, C, H, W]."""
        name = self._names[index]
        return name if index in self._planar else self._add("Transpose", name, perm=[0, 3, 1, 2])

    def _activated(self, name: str, activation: int) -> str:
        if activation not in (0, 1):  # enum ActivationFunctionType: NONE, RELU
            raise NotImplementedError(f"activation {activation}")
        return self._add("Relu", name) if activation else name

    def _operator(self, operator: Operator) -> None:
        kind, inputs, options = operator.kind, operator.inputs, operator.options
        (output,) = operator.outputs
        if kind == "DEQUANTIZE":  # float16 weights: kept as they are, cast when the constant is used
            self._constants[output] = self._constants[inputs[0]]
            return
        planar = inputs[0] in self._planar
        if kind in _UNARY:
            name = self._names[inputs[0]]
            for step in _UNARY[kind]:
                name = self._add(step, name)
        elif kind in _BINARY:
            planar = all(i in self._planar for i in inputs)
            name = self._add(_BINARY[kind], *(self._names[i] if planar else self._natural(i) for i in inputs))
            if kind == "SQUARED_DIFFERENCE":
                name = self._add("Mul", name, name)
            else:
                name = self._activated(name, options.number(0, "<b"))
        elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"):
            planar, name = True, self._window(kind, inputs, options)
        elif kind == "PRELU":
            name = self._prelu(self._names[inputs[0]], self._constants[inputs[1]], planar)
        elif kind == "PAD":
            widths = self._constants[inputs[1]].astype(np.int64)
            widths = widths[[0, 3, 1, 2]] if planar else widths
            name = self._add("Pad", self._names[inputs[0]], self._constant(widths.T.ravel()), mode="constant")
        elif kind in _REARRANGING:
            planar, name = False, self._rearrange(kind, inputs, self._shapes[output], options)
        else:
            raise NotImplementedError(kind)
        self._names[output] = name
        if planar:
            self._planar.add(output)

    def _prelu(self, value: str, slope: np.ndarray, planar: bool) -> str:
        """x where x > 0, else slope x."""
        if not planar:
            return self._add("PRelu", value, self._constant(slope))
        if slope.shape[:2] != (1, 1):
            raise NotImplementedError("a PRELU that differs between pixels")
        # slope x + (1 - slope) max(x, 0): on onnxruntime twice as fast as PRelu, for which it leaves its fast layout
        slope = slope.reshape(-1, 1, 1, 1).astype(np.float32)
        scaled, positive = (
            self._add("Conv", part, self._constant(factor), kernel_shape=[1, 1], group=len(slope))
            for part, factor in ((value, slope), (self._add("Relu", value), 1 - slope))
        )
        return self._add("Add", scaled, positive)

    def _window(self, kind: str, inputs: list[int], options: Table) -> str:
        """Convolutions and pooling."""
        strides = [options.number(2), options.number(1)]
        dilations = [1, 1]
        depthwise = kind == "DEPTHWISE_CONV_2D"
        if kind == "MAX_POOL_2D":
            kernel, activation = [options.number(4), options.number(3)], options.number(5, "<b")
        else:
            weight = self._constants[inputs[1]]  # [O, H, W, I], or [1, H, W, C] depthwise
            weight = weight.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
            kernel = [int(n) for n in weight.shape[2:]]
            first = 5 if depthwise else 4
            activation = options.number(first - 1, "<b")
            dilations = [options.number(first + 1, default=1), options.number(first, default=1)]
        pads = [0, 0, 0, 0]
        if options.number(0, "<b") == _SAME:
            sizes = self._shapes[inputs[0]][1:3]
            (top, bottom), (left, right) = map(same_padding, sizes, kernel, strides, dilations)
            pads = [top, left, bottom, right]
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        if kind == "MAX_POOL_2D":
            name = self._add("MaxPool", self._planes(inputs[0]), **attributes)
        else:
            parts = [self._planes(inputs[0]), self._constant(weight)]
            parts += [self._constant(self._constants[i]) for i in inputs[2:] if i >= 0]
            group = self._shapes[inputs[0]][3] if depthwise else 1
            name = self._add("Conv", *parts, group=group, dilations=dilations, **attributes)
        return self._activated(name, activation)

    def _rearrange(self, kind: str, inputs: list[int], shape: list[int], options: Table) -> str:
        """Operators that need TensorFlow's order of axes."""
        if kind == "CONCATENATION":
            return self._add("Concat", *map(self._natural, inputs), axis=options.number(0))
        value = self._natural(inputs[0])
        if kind == "RESHAPE":
            return self._add("Reshape", value, self._constant(shape, np.int64))
        if kind == "TRANSPOSE":
            return self._add("Transpose", value, perm=self._constants[inputs[1]].tolist())
        if kind == "STRIDED_SLICE":
            return self._slice(value, inputs, options)
        axes = [int(axis) for axis in self._constants[inputs[1]].ravel()]
        keep = options.number(0, "<b")
        if kind == "MEAN":
            return self._add("ReduceMean", value, axes=axes, keepdims=keep)
        return self._add("ReduceSum", value, self._constant(axes, np.int64), keepdims=keep)

    def _slice(self, value: str, inputs: list[int], options: Table) -> str:
        begin, end, step = (self._constants[i].astype(np.int64) for i in inputs[1:4])
        from_start, to_end, ellipsis, new_axis, shrink = (options.number(field) for field in range(5))
        if ellipsis or new_axis or (step < 0).any():
            raise NotImplementedError("this kind of slice")
        bits = 1 << np.arange(len(begin))
        begin = np.where(from_start & bits, 0, begin)
        last = np.iinfo(np.int64).max
        end = np.where(to_end & bits, last, end)
        end = np.where(shrink & bits, np.where(begin == -1, last, begin + 1), end)
        axes = np.arange(len(begin))
        name = self._add("Slice", value, *map(self._constant, (begin, end, axes, step)))
        dropped = axes[(shrink & bits) != 0]
        return self._add("Squeeze", name, self._constant(dropped)) if len(dropped) else name


def convert_graph(
    data: bytes, inputs: Sequence[str], outputs: Sequence[str], converter: type[GraphConverter] = GraphConverter
) -> bytes:
    """The ONNX file of one TensorFlow Lite graph. Raises :class:`HMTalkerError` if it is damaged or beyond this."""
    try:
        import onnx
    except ImportError as error:
        raise HMTalkerError("Converting the face networks needs the package 'onnx': run 'pip install onnx'.") from error
    try:
        model = converter(read_graph(data)).convert(inputs, outputs)
        onnx.checker.check_model(model, full_check=True)
    except NotImplementedError as error:
        raise HMTalkerError(f"The face network uses {error}, which cannot be converted; use the known file.") from error
    except (struct.error, ValueError, LookupError, TypeError, RuntimeError, onnx.checker.ValidationError) as error:
        raise HMTalkerError(f"The face network is damaged ({error}); fetch it again.") from error
    return bytes(model.SerializeToString(deterministic=True))


def convert(task: str | Path, folder: str | Path, progress: Callable[[str], None] | None = None) -> dict[str, str]:
    """Convert every network in the task file to `folder`. Returns file name -> sha256. Raises HMTalkerError."""
    digests = {}
    try:
        with zipfile.ZipFile(task) as archive:
            graphs = {name: archive.read(f"{name}.tflite") for name in NETWORKS}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise HMTalkerError(f"'{task}' is not a face_landmarker.task file ({error}); fetch it again.") from error
    for name, data in graphs.items():
        content = convert_graph(data, *NETWORKS[name])
        path = Path(folder) / f"{name}.onnx"
        write_atomically(path, [content])
        digests[path.name] = hashlib.sha256(content).hexdigest()
        if progress is not None:
            progress(f"{path}  {len(content)} bytes  sha256 {digests[path.name]}")
    return digests


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="hmtalker.capture.face.convert_face_landmarker", description=str(__doc__).split("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder for the ONNX files")
    parser.add_argument("--task", type=Path, help="a face_landmarker.task (default: fetch it)")
    options = parser.parse_args(arguments)
    try:
        convert(options.task or fetch("face-landmarker"), options.out, print)
    except HMTalkerError as error:
        parser.exit(1, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
