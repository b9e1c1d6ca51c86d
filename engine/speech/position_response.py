# SPDX-License-Identifier: GPL-3.0-or-later
"""How Whisper's encoder answers to the place in its window, so that this can be taken out of the features.

The encoder adds a position table to its input, and its blocks carry that along: the same sound at two places in the
window has features that differ by 1.1, 0.67 and 0.46 standard deviations in blocks 1, 2 and 3. Nearly all of it is a
sum, features = what was said + where it was said, so the second term can be estimated once, per row of the position
table, and subtracted: the same speech is put at several places and the two terms are fitted in turn. What stays is
0.15, 0.19 and 0.25 standard deviations (measured on other speech).

Everything here is float64, so that the result rounded to float16 does not depend on the machine. Needs scipy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

PLACES = 6
"""Places at which each probe is put."""
ITERATIONS = 8
_GOLDEN = 0.6180339887498949
EPSILON = 1e-5


def encoder_blocks(
    weights: Mapping[str, np.ndarray],  # names without "encoder/"
    mel: np.ndarray,  # [mels, T] float64
    blocks: int,
) -> np.ndarray:  # [T / 2, blocks * C] float64
    """Outputs of the first encoder blocks, position table from row 0: the reference for the ONNX graph."""
    from scipy.special import erf

    def w(name: str) -> np.ndarray:
        return np.asarray(weights[name], np.float64)

    def gelu(x: np.ndarray) -> np.ndarray:
        return np.asarray(0.5 * x * (1.0 + erf(x / np.sqrt(2.0))))

    def convolution(x: np.ndarray, name: str, stride: int) -> np.ndarray:  # [T, in] -> [T / stride, out]
        taps = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((1, 1), (0, 0))), 3, axis=0)[::stride]
        return gelu(np.tensordot(taps, w(f"{name}/weight"), axes=([1, 2], [1, 2])) + w(f"{name}/bias"))

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return np.asarray(x @ w(f"{name}/weight").T + w(f"{name}/bias"))

    def layer_norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
        return np.asarray(centred / scale * w(f"{name}/gamma") + w(f"{name}/beta"))

    heads = int(weights["num_heads"])
    x = convolution(convolution(mel.T, "conv1", 1), "conv2", 2)
    x = x + w("position_encodings/encodings")[: len(x)]
    outputs = []
    for i in range(blocks):
        attention, ffn = f"layer_{i}/self_attention", f"layer_{i}/ffn"
        qkv = linear(layer_norm(x, f"{attention}/layer_norm"), f"{attention}/linear_0")
        q, k, v = (part.reshape(len(x), heads, -1).transpose(1, 0, 2) for part in np.split(qkv, 3, axis=-1))
        score = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        score = np.exp(score - score.max(-1, keepdims=True))
        mixed = (score / score.sum(-1, keepdims=True)) @ v
        x = x + linear(mixed.transpose(1, 0, 2).reshape(len(x), -1), f"{attention}/linear_1")
        hidden = gelu(linear(layer_norm(x, f"{ffn}/layer_norm"), f"{ffn}/linear_0"))
        x = x + linear(hidden, f"{ffn}/linear_1")
        outputs.append(x)
    return np.concatenate(outputs, axis=-1)


def position_response(
    weights: Mapping[str, np.ndarray],
    probes: Sequence[np.ndarray],  # log-mels of speech, each [mels, 2 * rows] float64
    blocks: int,
    places: int = PLACES,
) -> np.ndarray:  # [rows, blocks * C] float64
    """The part of the features that belongs to each row of the position table, mean features of speech included."""
    rows = len(weights["position_encodings/encodings"])
    answers: list[tuple[int, int, np.ndarray]] = []
    for index, probe in enumerate(probes):
        for place in range(places):
            # uneven distances: with even ones a term that repeats at that distance could be in either sum
            fraction = (_GOLDEN * (len(answers) + 1)) % 1.0
            shift = int((place + fraction) * rows / places) % rows
            answers.append((index, shift, encoder_blocks(weights, np.roll(probe, 2 * shift, axis=1), blocks)))
    response = np.mean([answer for _, _, answer in answers], axis=0)
    for _ in range(ITERATIONS):
        said = [
            np.mean([np.roll(a - response, -shift, axis=0) for i, shift, a in answers if i == index], axis=0)
            for index in range(len(probes))
        ]
        response = np.mean([a - np.roll(said[i], shift, axis=0) for i, shift, a in answers], axis=0)
    return np.asarray(response)
