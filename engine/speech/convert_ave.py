# SPDX-License-Identifier: GPL-3.0-or-later
"""SyncTalk's audio encoder, from the user's own ``audio_visual_encoder.pth``, as one ONNX file.

Thirteen convolutions, each with batch normalisation and ReLU; those that keep their size add their input first (METHOD
2.3). The normalisation is folded into the convolutions.

* ``mel``       float32 [B,1,80,16]  ``lip_mel`` rows as columns
* ``features``  float32 [B,512], >= 0

The weights are CC BY-NC and not part of HM-Talker. Whether you may use them is for you to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..atomic_file import write_atomically
from ..errors import HMTalkerError
from .user_encoders import AVE_DIMENSION, AVE_WINDOW

OPSET, IR_VERSION = 17, 8
NORMALISATION_EPSILON = 1e-5
NORMALISATION = ("weight", "bias", "running_mean", "running_var")


@dataclass(frozen=True)
class Layer:
    """One convolution; `residual`: its input is added before the ReLU."""

    inputs: int
    outputs: int
    kernel: int
    stride: tuple[int, int]
    padding: int
    residual: bool = False


def _stage(inputs: int, outputs: int, stride: tuple[int, int], repeats: int) -> tuple[Layer, ...]:
    return (
        Layer(inputs, outputs, 3, stride, 1),
        *(Layer(outputs, outputs, 3, (1, 1), 1, residual=True) for _ in range(repeats)),
    )


LAYERS = (
    *_stage(1, 32, (1, 1), 2),
    *_stage(32, 64, (3, 1), 2),
    *_stage(64, 128, (3, 3), 2),
    *_stage(128, 256, (3, 2), 1),
    Layer(256, AVE_DIMENSION, 3, (1, 1), 0),
    Layer(AVE_DIMENSION, AVE_DIMENSION, 1, (1, 1), 0),
)
"""METHOD 2.3's table."""


def folded_layers(weights: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel [out,in,k,k] and bias [out] of each layer. Raises HMTalkerError where `weights` are not AVE's.

    Layers are told by their place: the names before the convolution's own differ between copies of the file.
    """
    kernels = sorted((name for name, value in weights.items() if value.ndim == 4), key=_place)
    if len(kernels) != len(LAYERS):
        raise _not_ave(f"{len(kernels)} convolutions instead of {len(LAYERS)}")
    folded = []
    for layer, name in zip(LAYERS, kernels, strict=True):
        kernel = weights[name].astype(np.float64)
        if kernel.shape != (layer.outputs, layer.inputs, layer.kernel, layer.kernel):
            raise _not_ave(f"'{name}' is {kernel.shape}")
        block, _, number = name.removesuffix(".weight").rpartition(".")
        try:
            scale, shift, mean, variance = (
                weights[f"{block}.{int(number) + 1}.{part}"].astype(np.float64) for part in NORMALISATION
            )
            bias = weights.get(f"{block}.{number}.bias", np.zeros(layer.outputs)).astype(np.float64)
            factor = scale / np.sqrt(variance + NORMALISATION_EPSILON)
            folded.append((kernel * factor[:, None, None, None], (bias - mean) * factor + shift))
        except (KeyError, ValueError) as error:
            raise _not_ave(f"'{name}' has no batch normalisation") from error
    return [(kernel.astype(np.float32), bias.astype(np.float32)) for kernel, bias in folded]


def convert_ave(checkpoint: Path, out: Path) -> None:
    """Write the ONNX file `out`, whole or not at all. Needs the packages ``torch`` and ``onnx``."""
    try:
        import torch
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise HMTalkerError(
            f"Converting AVE needs the package '{error.name}': run 'pip install torch onnx'."
        ) from error
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many classes; a pickle with code in it is one of the reasons
        raise HMTalkerError(f"'{checkpoint}' cannot be read as weights of PyTorch ({error}).") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    layers = folded_layers({name: value.numpy() for name, value in state.items() if torch.is_tensor(value)})
    nodes, weights, x = [], [], "mel"
    for number, (layer, (kernel, bias)) in enumerate(zip(LAYERS, layers, strict=True)):
        weights += [numpy_helper.from_array(kernel, f"k{number}"), numpy_helper.from_array(bias, f"b{number}")]
        nodes.append(
            helper.make_node(
                "Conv", [x, f"k{number}", f"b{number}"], [f"c{number}"],
                strides=layer.stride, pads=[layer.padding] * 4, kernel_shape=[layer.kernel] * 2,
            )
        )  # fmt: skip
        if layer.residual:
            nodes.append(helper.make_node("Add", [f"c{number}", x], [f"a{number}"]))
        nodes.append(helper.make_node("Relu", [f"{'a' if layer.residual else 'c'}{number}"], [f"x{number}"]))
        x = f"x{number}"
    nodes.append(helper.make_node("Flatten", [x], ["features"], axis=1))
    graph = helper.make_graph(
        nodes,
        "ave",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["B", 1, 80, AVE_WINDOW])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["B", AVE_DIMENSION])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, [model.SerializeToString(deterministic=True)])


def _place(name: str) -> list[int]:
    return [int(part) for part in name.split(".") if part.isdigit()]


def _not_ave(why: str) -> HMTalkerError:
    return HMTalkerError(
        f"These are not the weights of SyncTalk's audio encoder: {why}; choose audio_visual_encoder.pth."
    )
