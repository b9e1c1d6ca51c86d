# SPDX-License-Identifier: GPL-3.0-or-later
"""Tracked face -> the channels that animate the avatar: Action Units 0..5, pucker, funnel, head pose.

The intensities are controls calibrated on one speaker, not certified FACS scores: the speaker's strongest speech
opening (99th percentile) becomes AU25 3.3 and AU26 2.5, so that 5 stays free for shouting. MediaPipe's cheekSquint,
noseSneer, mouthFrown and mouthStretch scores are nearly constant, so AU06, AU15 and AU20 come from geometry and AU09
is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from facial_measurements import head_landmarks, measure, pitch_yaw_roll, rotations
from scipy.signal import savgol_filter

from hmtalker.action_units import CODES

TARGETS = ("AU25 lip gap", "AU26 jaw", "AU12/20 width", "pucker", "AU10 upper lip", "AU17 chin", "press/roll")

LOUDEST_AU25 = 3.3
LOUDEST_AU26 = 2.5
HEAD_GAIN = 1.5
HEAD_MOTION_GAIN = 3.0
CLOSED_GAP = 0.008
"""Lips closer than this (eye distances; half a pixel here) touch."""
CLIP_REST_SHARE = 0.7
"""How much of the difference between a clip's rest and the speaker's rest is taken for tracking bias."""
FACE_ORIGIN = np.array([0.0, 0.09, 0.03])
"""From the neck pivot of the head to the origin of MediaPipe's canonical face, metres (estimated)."""
SILENT_MARGIN = 4


@dataclass(frozen=True)
class Performance:
    """F frames of one person's speech.

    clips: [C] names without suffix. clip_index, frame_in_clip: int [F]. training: bool [F], False where held out.
    speech: bool [F], a phone other than silence is spoken. phones: str [F].
    action_units: float32 [F, 17], 0..5 (AU45: 2 = closed), order ``action_units.CODES``. pucker, funnel: float32 [F]
    0..5. head: float32 [F, 6] pitch, yaw, roll (radians) from the speaker's usual pose, turned 1.5 times as far as he
    does, and x, y, z (metres) from the clip's. head_motion: the angles from the clip's usual pose too, 3 times as far.
    targets7: float32 [F, 7], ``TARGETS``, 0..1 between the 5th and 95th percentile of the training clips, not clipped.
    """

    clips: np.ndarray
    clip_index: np.ndarray
    frame_in_clip: np.ndarray
    training: np.ndarray
    speech: np.ndarray
    phones: np.ndarray
    action_units: np.ndarray
    pucker: np.ndarray
    funnel: np.ndarray
    head: np.ndarray
    head_motion: np.ndarray
    targets7: np.ndarray

    def save(self, path: Path) -> None:
        """Write an .npz; ``Performance.load`` reads it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        np.savez_compressed(path, **values, codes=np.array(CODES), target_names=np.array(TARGETS))

    @classmethod
    def load(cls, path: Path) -> Performance:
        with np.load(path) as data:
            return cls(**{field.name: data[field.name] for field in fields(cls)})

    def summary(self) -> str:
        """Return percentiles of every channel as text."""
        rows = [f"{len(self.clips)} clips, {len(self.clip_index)} frames, {self.speech.mean():.0%} speech"]
        columns = {code: self.action_units[:, index] for index, code in enumerate(CODES)}
        columns |= {"pucker": self.pucker, "funnel": self.funnel}
        columns |= {name: np.degrees(self.head[:, index]) for index, name in enumerate(("pitch", "yaw", "roll"))}
        columns |= {name: 1000 * self.head[:, 3 + index] for index, name in enumerate(("x mm", "y mm", "z mm"))}
        rows.append(f"{'':8}" + "".join(f"{f'p{point}':>8}" for point in (0, 5, 50, 95, 99, 100)))
        for name, values in columns.items():
            points = np.percentile(values, (0, 5, 50, 95, 99, 100))
            rows.append(f"{name:8}" + "".join(f"{point:8.2f}" for point in points))
        return "\n".join(rows)


def per_clip(values: np.ndarray, clip_index: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply ``function`` ([n, ...] -> [n, ...]) to each clip on its own."""
    result = np.empty_like(values, dtype=float)
    for clip in np.unique(clip_index):
        result[clip_index == clip] = function(values[clip_index == clip])
    return result


def smooth(values: np.ndarray, clip_index: np.ndarray, window: int = 5) -> np.ndarray:
    """Savitzky-Golay, quadratic, inside each clip."""

    def filtered(part: np.ndarray) -> np.ndarray:
        return savgol_filter(part, min(window, (len(part) - 1) // 2 * 2 + 1), 2, axis=0)

    return per_clip(values, clip_index, filtered)


def at_rest(speech: np.ndarray, gap: np.ndarray, clip_index: np.ndarray) -> np.ndarray:
    """Return bool [F]: lips touching, and at least ``SILENT_MARGIN`` frames from any speech of the clip."""
    kernel = np.ones(2 * SILENT_MARGIN + 1)
    near = per_clip(speech, clip_index, lambda part: np.convolve(part, kernel, "same"))
    return (near < 0.5) & (gap < CLOSED_GAP)


def from_rest(values: np.ndarray, rest: np.ndarray, clip_index: np.ndarray) -> np.ndarray:
    """Subtract the resting value: the speaker's median at rest, moved most of the way to the clip's own."""
    common = np.median(values[rest])

    def subtract(clip: np.ndarray) -> np.ndarray:
        part = values[clip][rest[clip]]
        own = np.median(part) if len(part) >= 5 else common
        return values[clip] - common - CLIP_REST_SHARE * (own - common)

    result = np.empty(len(values))
    for number in np.unique(clip_index):
        clip = clip_index == number
        result[clip] = subtract(clip)
    return result


def ramp(values: np.ndarray, start: float, end: float, top: float) -> np.ndarray:
    """0 up to ``start``, ``top`` at ``end``, straight on to 5 and never beyond."""
    return np.clip((values - start) / (end - start) * top, 0, 5)


def action_units(
    measured: dict[str, np.ndarray],
    score: dict[str, np.ndarray],
    rest: np.ndarray,
    clip_index: np.ndarray,
    loudest: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Action Units [F, 17], pucker [F], funnel [F], 0..5.

    measured: ``facial_measurements.measure``. score: blendshapes by name, left and right already averaged under the
    name without side. loudest: lip gap and jaw drop that stand for the loudest speech.
    """
    gap = measured["lip_gap"]  # as tracked: it is quiet (0.1 pixel), and a filter would open short closures

    def offset(name: str) -> np.ndarray:
        return from_rest(smooth(measured[name], clip_index), rest, clip_index)

    def excess(name: str) -> np.ndarray:
        return from_rest(smooth(score[name], clip_index), rest, clip_index)

    jaw = offset("jaw")
    lid = from_rest(measured["lid"], rest, clip_index)
    blink = np.minimum(ramp(-lid, 0.06, 0.30, 2.0), 2.0)
    awake = np.clip(1 - blink, 0, 1)  # lids and brows are mistracked while the eye is shut
    closed = np.clip(1 - gap / 0.04, 0, 1)

    wide = offset("width") + 0.15 * np.clip(jaw, 0, None)  # a dropped jaw draws the corners together
    corners = offset("corner_up") + 0.35 * np.clip(jaw, 0, None)  # ... and down
    smiling = np.clip(excess("mouthSmile") / 0.3, 0, 1)
    narrow = np.clip((-wide - 0.012) / 0.085, 0, 1.2)
    rounding = 2.5 * narrow + 2.5 * np.sqrt(np.clip(smooth(score["mouthPucker"], clip_index) - 0.015, 0, None))
    open_share = np.clip((gap - 0.02) / 0.05, 0, 1)
    squint = smooth(score["eyeSquint"] - 0.42 * score["eyeBlink"], clip_index)

    units = {
        "AU25": ramp(gap, CLOSED_GAP, loudest[0], LOUDEST_AU25),
        "AU26": ramp(jaw, 0.010, loudest[1], LOUDEST_AU26),
        "AU10": ramp(offset("upper_lip"), 0.005, 0.021, 1.5),
        "AU12": np.clip(ramp(wide, 0.008, 0.04, 2.0) * smiling + ramp(excess("mouthSmile"), 0.03, 0.7, 3.5), 0, 5),
        "AU20": ramp(wide, 0.008, 0.036, 2.0) * (1 - smiling),
        "AU14": ramp(excess("mouthDimple"), 0.01, 0.1, 2.0),
        "AU15": ramp(-corners, 0.015, 0.045, 1.5) * (1 - smiling),
        "AU17": ramp(offset("chin_raise"), 0.008, 0.036, 2.0),
        "AU23": np.clip(
            ramp(excess("mouthPress") + excess("mouthRollLower"), 0.03, 0.2, 1.5)
            + closed * ramp(-offset("upper_lip"), 0.008, 0.03, 1.5),
            0,
            5,
        ),
        "AU01": awake * ramp(offset("inner_brow"), 0.006, 0.03, 2.5),
        "AU02": awake * ramp(offset("outer_brow"), 0.006, 0.025, 2.5),
        "AU04": awake * ramp(excess("browDown"), 0.06, 0.35, 2.0),
        "AU05": awake * ramp(smooth(lid, clip_index), 0.025, 0.07, 2.0),
        "AU06": awake * ramp(offset("lower_lid"), 0.006, 0.02, 2.0),
        "AU07": awake * ramp(from_rest(squint, rest, clip_index), 0.05, 0.2, 2.0),
        "AU45": blink,
    }
    silent = np.zeros(len(gap))
    table = np.stack([units.get(code, silent) for code in CODES], 1)
    pucker = np.clip(rounding * (1 - 0.8 * open_share), 0, 5)
    funnel = np.clip(rounding * open_share, 0, 5)
    return table.astype(np.float32), pucker.astype(np.float32), funnel.astype(np.float32)


def mouth_targets(
    measured: dict[str, np.ndarray], score: dict[str, np.ndarray], clip_index: np.ndarray, training: np.ndarray
) -> np.ndarray:
    """Return the seven mouth targets of the benchmark, float32 [F, 7]: raw measurements on the speaker's own range."""
    press = score["mouthPress"] + (score["mouthRollLower"] + score["mouthRollUpper"]) / 2
    raw = [
        measured["lip_gap"],
        measured["jaw"],
        measured["width"],
        score["mouthPucker"],
        measured["upper_lip"],
        measured["chin_raise"],
        press,
    ]
    values = smooth(np.stack(raw, 1), clip_index)
    low, high = np.percentile(values[training], (5, 95), axis=0)
    return ((values - low) / (high - low)).astype(np.float32)


def head_pose(transform: np.ndarray, clip_index: np.ndarray, gain: float, centre_per_clip: bool) -> np.ndarray:
    """Return float32 [F, 6] in the engine's head pose convention, relative to the median pose, smoothed.

    transform: [F, 4, 4] head to camera, centimetres. gain multiplies the angles only.
    """
    rotation = rotations(transform)
    angles = pitch_yaw_roll(rotation)
    place = transform[:, :3, 3] / 100
    pose = smooth(np.concatenate([angles, place], 1), clip_index, 9)
    pose[:, 5] = smooth(pose[:, 5:], clip_index, 25)[:, 0]  # depth from a face's size is the noisiest
    still = pose[:, :3] - np.median(pose[:, :3], 0)
    pose = per_clip(pose, clip_index, lambda part: part - np.median(part, 0))
    if not centre_per_clip:  # where he sits differs from clip to clip: that moves the shoulders too, so only angles
        pose[:, :3] = still
    # Turning about the neck already carries the face along; only the rest is translation.
    pitch, yaw, roll = per_clip(pose[:, :3], clip_index, lambda part: part - np.median(part, 0)).T
    carried = np.stack(
        [
            yaw * FACE_ORIGIN[2] - roll * FACE_ORIGIN[1],
            roll * FACE_ORIGIN[0] - pitch * FACE_ORIGIN[2],
            pitch * FACE_ORIGIN[1] - yaw * FACE_ORIGIN[0],
        ],
        1,
    )
    pose[:, 3:] = np.clip(pose[:, 3:] - carried, -0.02, 0.02)
    pose[:, :3] *= gain
    return pose.astype(np.float32)


def performance_from_tracking(
    tracking: dict[str, np.ndarray], phones: np.ndarray, training: np.ndarray, speech: np.ndarray
) -> Performance:
    """Convert ``capture_performance.track``'s arrays. phones: str [F]; training, speech: bool [F]."""
    clip_index = tracking["clip_index"]
    points = head_landmarks(tracking["landmarks"].astype(float), tracking["transform"], clip_index)
    measured = measure(points)
    names = [str(name) for name in tracking["blendshape_names"]]
    score = {name: tracking["blendshapes"][:, index].astype(float) for index, name in enumerate(names)}
    score |= {
        name[:-4]: (score[name] + score[f"{name[:-4]}Right"]) / 2 for name in names if f"{name[:-4]}Right" in score
    }
    rest = at_rest(speech, measured["lip_gap"], clip_index)
    if rest.sum() < 10:
        raise SystemExit("No resting frames (lips touching, away from speech): the calibration needs some.")
    jaw = from_rest(measured["jaw"], rest, clip_index)
    loudest = (
        float(np.percentile(measured["lip_gap"][training], 99)),
        float(np.percentile(jaw[training], 99)),
    )
    units, pucker, funnel = action_units(measured, score, rest, clip_index, loudest)
    return Performance(
        clips=np.array([Path(str(name)).stem for name in tracking["clips"]]),
        clip_index=clip_index.astype(np.int32),
        frame_in_clip=tracking["frame_in_clip"].astype(np.int32),
        training=training,
        speech=speech,
        phones=phones,
        action_units=units,
        pucker=pucker,
        funnel=funnel,
        head=head_pose(tracking["transform"], clip_index, HEAD_GAIN, centre_per_clip=False),
        head_motion=head_pose(tracking["transform"], clip_index, HEAD_MOTION_GAIN, centre_per_clip=True),
        targets7=mouth_targets(measured, score, clip_index, training),
    )
