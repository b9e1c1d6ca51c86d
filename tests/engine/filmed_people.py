# SPDX-License-Identifier: GPL-3.0-or-later
"""Short films of the bundled avatar, who says the speech sample: made once a test session, with everything known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from hmtalker.avatar import load_avatar
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer
from hmtalker.speech.audio_file import load_audio
from hmtalker.take import Take, animate

ASSETS = Path(__file__).resolve().parents[2] / "assets"
AVATAR = ASSETS / "bundled_avatar.hmt"
SPEECH = ASSETS / "fetched" / "speech_sample.wav"
RATE = 16_000
BACKGROUND = (90, 110, 120)


@dataclass(frozen=True)
class Performance:
    """What the avatar does in a film, and its sound."""

    take: Take
    sound: np.ndarray  # [n] float32 16 kHz

    @property
    def frames(self) -> int:
        return self.take.frames


def perform(seconds: float, start: float = 0.0, fps: float = 25.0) -> Performance:
    """`seconds` of the speech sample from `start` on, spoken by the bundled avatar."""
    sound = load_audio(SPEECH)[round(start * RATE) :][: round(seconds * RATE)]
    sound = np.pad(sound, (0, round(seconds * RATE) - len(sound)))
    return Performance(animate(load_avatar(AVATAR), sound, fps), sound)


def pictures(
    performance: Performance,
    size: tuple[int, int] = (320, 240),
    background: Sequence[float] | np.ndarray = BACKGROUND,
    head: Callable[[int], HeadPose] | None = None,
) -> Iterator[np.ndarray]:
    """uint8 [H,W,3] one a frame; background: a colour or [H,W,3], 0..255; head: pose by frame, else the take's."""
    width, height = size
    avatar = load_avatar(AVATAR)
    camera = avatar.camera.scaled(height, height)
    renderer = Renderer(avatar, threads=1)
    behind = np.broadcast_to(np.asarray(background, np.float32), (height, width, 3))
    left = (width - height) // 2
    for number in range(performance.frames):
        state = performance.take.state(number)
        if head is not None:
            state = MotionState(state.action_units, state.implicit, head=head(number))
        rgba = renderer.render_srgb8(state, camera).astype(np.float32)
        picture = behind.copy()
        alpha = rgba[..., 3:] / 255
        part = picture[:, left : left + height]
        part[:] = rgba[..., :3] * alpha + part * (1 - alpha)
        yield (picture + 0.5).astype(np.uint8)
    renderer.close()


def write_film(
    path: Path,
    frames: Sequence[np.ndarray] | Iterator[np.ndarray],
    sound: np.ndarray | None,
    fps: float = 25.0,
    *,
    rate: int = RATE,
    codec: str = "libx264",
    late: float = 0.0,
    moments: Sequence[float] | None = None,
    rotation: int | None = None,
) -> Path:
    """Encode a film. sound [n] at `rate`, or None; late: seconds that it lags; moments: seconds of each frame."""
    import av

    with av.open(str(path), "w") as container:
        stream = audio = None
        for number, image in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "12", "preset": "ultrafast"}
                if moments is not None:
                    stream.codec_context.time_base = Fraction(1, 1000)
                if sound is not None:
                    audio = container.add_stream("aac", rate=rate)
                    audio.layout = "mono"
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if moments is not None:
                frame.time_base, frame.pts = Fraction(1, 1000), round(1000 * moments[number])
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None and audio is not None:
            heard = np.concatenate([np.zeros(round(late * rate), np.float32), sound]).astype(np.float32)
            for begin in range(0, len(heard), 1024):
                block = av.AudioFrame.from_ndarray(heard[None, begin : begin + 1024], format="fltp", layout="mono")
                block.sample_rate, block.pts, block.time_base = rate, begin, Fraction(1, rate)
                container.mux(audio.encode(block))
            container.mux(audio.encode())
    return path
