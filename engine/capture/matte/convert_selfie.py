# SPDX-License-Identifier: GPL-3.0-or-later
"""The person network of Google's MediaPipe Selfie Segmentation as an ONNX file, so that capture needs no other runtime.

Source: ``selfie_segmentation.tflite`` (Apache-2.0, general model), a TensorFlow Lite graph with float16 weights, which
ends in an operator of MediaPipe's own. Written to a folder:

* ``selfie_segmentation.onnx``  image [1, 256, 256, 3] 0..1 -> person [1, 256, 256, 1] 0..1

(ONNX opset 17, computes in float32; weights rest as float16 behind ``Cast`` nodes.) The same input always gives the
same bytes.

    python -m hmtalker.capture.matte.convert_selfie --out assets/fetched

Takes a second, and the package ``onnx``.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np

from ...atomic_file import write_atomically
from ...errors import HMTalkerError
from ...pretrained import fetch
from ..face.convert_face_landmarker import GraphConverter, convert_graph
from ..face.tflite_file import Operator, Table
from .person_network import FILE_NAME

TRANSPOSED = "Convolution2DTransposeBias"
"""MediaPipe's own operator: a transposed convolution with a bias."""


class SelfieConverter(GraphConverter):
    """With the operators that the person network has beyond those of the face networks."""

    source = "MediaPipe Selfie Segmentation"

    def _operator(self, operator: Operator) -> None:
        kind, inputs = operator.kind, operator.inputs
        output = operator.outputs[0]
        if kind == "HARD_SWISH":
            name = self._add("HardSwish", self._planes(inputs[0]))
        elif kind == "AVERAGE_POOL_2D":
            name = self._mean(inputs[0], self._shapes[output], operator.options)
        elif kind == "RESIZE_BILINEAR":
            name = self._resize(inputs, operator.options)
        elif kind == TRANSPOSED:
            name = self._transposed(inputs, self._shapes[output])
        else:
            super()._operator(operator)
            return
        self._names[output] = name
        self._planar.add(output)

    def _mean(self, value: int, shape: list[int], options: Table) -> str:
        """Pooling over all of the picture, the only kind that is used."""
        if shape[1:3] != [1, 1] or [options.number(4), options.number(3)] != self._shapes[value][1:3]:
            raise NotImplementedError("an average over parts of the picture")
        return self._activated(self._add("GlobalAveragePool", self._planes(value)), options.number(5, "<b"))

    def _resize(self, inputs: list[int], options: Table) -> str:
        if options.number(2, "<b"):
            raise NotImplementedError("a resize with aligned corners")
        rule = "half_pixel" if options.number(3, "<b") else "asymmetric"
        size = self._constants[inputs[1]].tolist()
        shape = self._constant([1, self._shapes[inputs[0]][3], *size], np.int64)
        return self._add(
            "Resize", self._planes(inputs[0]), "", "", shape, mode="linear", coordinate_transformation_mode=rule
        )

    def _transposed(self, inputs: list[int], shape: list[int]) -> str:
        weight = self._constants[inputs[1]].transpose(3, 0, 1, 2)  # [O, H, W, I] -> [I, O, H, W]
        kernel = [int(n) for n in weight.shape[2:]]
        strides = [large // small for large, small in zip(shape[1:3], self._shapes[inputs[0]][1:3], strict=True)]
        if kernel != strides:
            raise NotImplementedError("a transposed convolution with overlaps")
        parts = [self._planes(inputs[0]), self._constant(weight), self._constant(self._constants[inputs[2]])]
        return self._add("ConvTranspose", *parts, kernel_shape=kernel, strides=strides)


def convert(model: str | Path, folder: str | Path) -> tuple[Path, str]:
    """Convert the file `model` to ``FILE_NAME`` in `folder`. Returns its path and sha256. Raises HMTalkerError."""
    try:
        data = Path(model).read_bytes()
    except OSError as error:
        raise HMTalkerError(f"'{model}' cannot be read ({error.strerror}); fetch it again.") from error
    content = convert_graph(data, ["image"], ["person"], SelfieConverter)
    path = Path(folder) / FILE_NAME
    write_atomically(path, [content])
    return path, hashlib.sha256(content).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="hmtalker.capture.matte.convert_selfie", description=str(__doc__).split("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="the folder for the ONNX file")
    parser.add_argument("--model", type=Path, help="a selfie_segmentation.tflite (default: fetch it)")
    options = parser.parse_args(arguments)
    try:
        path, digest = convert(options.model or fetch("selfie-segmentation"), options.out)
    except HMTalkerError as error:
        parser.exit(1, f"{error}\n")
    print(f"{path}  {path.stat().st_size} bytes  sha256 {digest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
