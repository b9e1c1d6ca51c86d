# SPDX-License-Identifier: GPL-3.0-or-later
"""Drop what reaches beyond the frame, which pictures never showed, from an avatar that was trained without that rule.

    python trim.py ../bundled_avatar.hmt

Says how much the picture at rest changes inside the frame.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from hmtalker.avatar import Avatar, load_avatar, save_avatar
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer
from hmtalker.training.frame_edge import within_frame
from hmtalker.training.parameters import GaussianParameters


def main() -> None:
    """Trim one file in place."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path)
    options = parser.parse_args()
    avatar = load_avatar(options.avatar)
    rows = np.flatnonzero(within_frame(GaussianParameters(avatar.face), avatar.camera).numpy())
    trimmed = replace(avatar, face=avatar.face.select(rows))
    difference = drawn(avatar) - drawn(trimmed)
    save_avatar(trimmed, options.avatar)
    decibels = -10 * np.log10(max(1e-12, float(np.mean(difference**2))))
    print(f"{avatar.face.count} -> {len(rows)} Gaussians; at rest the same to {decibels:.1f} dB inside the frame")


def drawn(avatar: Avatar) -> np.ndarray:
    """[H,W,4] 0..1 of the face at rest."""
    renderer = Renderer(avatar)
    try:
        rest = MotionState(np.zeros(avatar.units.count, np.float32))
        return np.asarray(renderer.render_srgb8(rest, avatar.camera), np.float32) / 255
    finally:
        renderer.close()


if __name__ == "__main__":
    main()
