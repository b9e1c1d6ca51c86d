# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture the performance that animates the bundled avatar from a folder of talking-head clips.

    python capture_performance.py --clips DIR/clips --phones DIR/phones.json --split DIR/split.json --output OUT

Every clip shows the same person, alone, cut into short takes (made for GRID speaker s1: 200 clips of 75 frames,
25 fps). Writes OUT/landmarks.npz (raw tracking, kept for the next run), OUT/performance.npz and OUT/audio/<clip>.npy
(mono 16 kHz float32, starting with the clip's first frame).

The faces are found by capture's own tracker. About five minutes for ten minutes of video.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from face_transform import face_transform
from performance_channels import Performance, performance_from_tracking

from hmtalker.capture.face.blendshape_names import BLENDSHAPES
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks

SAMPLE_RATE = 16000
FRAME_RATE = 25.0
SILENT_PHONES = ("SIL", "SPN", "NSN")


def clip_order(clips: Path, split: dict[str, list[str]] | None) -> list[str]:
    """Return clip file names, in the order of the split file where there is one."""
    present = sorted(path.name for path in clips.iterdir() if path.suffix.lower() in (".mpg", ".mp4", ".avi", ".mov"))
    if not present:
        raise SystemExit(f"No video clips in {clips}.")
    order = split.get("order", present) if split else present
    missing = sorted(set(order) - set(present))
    if missing:
        raise SystemExit(f"{len(missing)} clips of the split file are not in {clips}, the first is {missing[0]}.")
    return list(order)


def track(clips: Path, names: list[str], threads: int = 1) -> dict[str, np.ndarray]:
    """Track the face through every frame; a frame without a face repeats the frame before it with score 0."""
    import av

    tracker = FaceTracker(load_networks(find_networks(), threads=threads))
    columns: dict[str, list] = {
        key: [] for key in ("landmarks", "blendshapes", "transform", "score", "clip_index", "frame_in_clip")
    }
    for number, name in enumerate(names):
        tracker.reset()
        with av.open(str(clips / name)) as container:
            for frame_number, frame in enumerate(container.decode(video=0)):
                image = frame.to_ndarray(format="rgb24")
                face = tracker.track(image)
                if face is not None:
                    height, width = image.shape[:2]
                    transform = face_transform(face.landmarks.astype(float), width, height)
                    values = (face.landmarks, face.blendshapes, transform, face.presence)
                elif frame_number == 0:
                    raise SystemExit(f"No face in the first frame of {name}.")
                else:
                    values = (*(columns[key][-1] for key in ("landmarks", "blendshapes", "transform")), 0.0)
                for key, value in zip(columns, (*values, number, frame_number), strict=True):
                    columns[key].append(value)
        if number % 20 == 0:
            print(f"tracked {number + 1} of {len(names)} clips", flush=True)
    tracking = {key: np.asarray(value) for key, value in columns.items()}
    tracking["landmarks"] = tracking["landmarks"].astype(np.float32)
    return {**tracking, "clips": np.array(names), "blendshape_names": np.array(BLENDSHAPES)}


def decode_audio(path: Path, frames: int) -> np.ndarray:
    """Return mono 16 kHz float32 of exactly ``frames`` video frames, zero padded at the end."""
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    blocks = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            blocks += [block.to_ndarray().reshape(-1) for block in resampler.resample(frame)]
        blocks += [block.to_ndarray().reshape(-1) for block in resampler.resample(None)]
    samples = np.concatenate(blocks)
    wanted = round(frames / FRAME_RATE * SAMPLE_RATE)
    return np.pad(samples[:wanted], (0, max(0, wanted - len(samples)))).astype(np.float32)


def phones_per_frame(phones: dict | None, names: list[str], frames: list[int]) -> np.ndarray:
    """Return the phone (str) in the middle of every frame, clips concatenated; "SIL" where nothing is spoken."""
    labels: list[str] = []
    for name, count in zip(names, frames, strict=True):
        segments = phones[name]["phones"] if phones else []
        for frame in range(count):
            time = (frame + 0.5) / FRAME_RATE
            labels.append(next((phone for phone, start, end in segments if start <= time < end), "SIL"))
    return np.array(labels)


def capture(clips: Path, output: Path, phones: Path | None = None, split: Path | None = None) -> Performance:
    """Track (or reuse OUT/landmarks.npz), convert, and save; see the module's text. Returns the performance."""
    output.mkdir(parents=True, exist_ok=True)
    split_lists = json.loads(split.read_text()) if split else None
    names = clip_order(clips, split_lists)
    raw = output / "landmarks.npz"
    tracking: dict[str, np.ndarray] | None = dict(np.load(raw)) if raw.exists() else None
    if tracking is None or list(tracking["clips"]) != names:
        tracking = track(clips, names)
        np.savez(raw, **tracking)  # type: ignore[arg-type]
    lost = int((tracking["score"] < 0.5).sum())
    if lost:
        print(f"{lost} frames without a face repeat the frame before them")
    frames = [int(count) for count in np.bincount(tracking["clip_index"], minlength=len(names))]
    labels = phones_per_frame(json.loads(phones.read_text()) if phones else None, names, frames)
    held_out = set(split_lists.get("eval", [])) if split_lists else set()
    training = np.array([name not in held_out for name in names])[tracking["clip_index"]]
    performance = performance_from_tracking(tracking, labels, training, speech=~np.isin(labels, SILENT_PHONES))
    performance.save(output / "performance.npz")
    audio = output / "audio"
    audio.mkdir(exist_ok=True)
    for name, count in zip(names, frames, strict=True):
        target = audio / f"{Path(name).stem}.npy"
        if not target.exists():
            np.save(target, decode_audio(clips / name, count))
    return performance


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--clips", type=Path, required=True, help="folder of video clips of one person")
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--phones", type=Path, help="JSON: clip -> phones [[ARPAbet, start s, end s], ...]")
    parser.add_argument("--split", type=Path, help="JSON: order, train and eval lists of clip names")
    arguments = parser.parse_args()
    performance = capture(arguments.clips, arguments.output, arguments.phones, arguments.split)
    print(performance.summary())


if __name__ == "__main__":
    main()
