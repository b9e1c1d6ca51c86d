# SPDX-License-Identifier: GPL-3.0-or-later
"""Encode the performance's clips for training.

python encode_speech.py --audio DIR_OF_NPY --encoder whisper.onnx --out DATASET/speech
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from hmtalker.capture.speech_draws import DRAWS, encode_draws
from hmtalker.speech.whisper_onnx import WhisperEncoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, required=True, help="folder of mono 16 kHz float32 .npy files")
    parser.add_argument("--encoder", type=Path, required=True, help="converted speech encoder (.onnx)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=DRAWS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    encoder = WhisperEncoder(arguments.encoder, threads=1)
    rng = np.random.default_rng(0)
    for path in sorted(arguments.audio.glob("*.npy")):
        np.save(arguments.out / path.name, encode_draws(np.load(path), encoder, rng, arguments.draws))


if __name__ == "__main__":
    main()
