# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the masks come to exact ones of synthetic people, and to what a face parsing network says of real clips.

    python benchmarks/masks.py --people 6 [--frames 12] [--model makehuman] [--backgrounds blue] [--data DIR]
                               [--parsing FILE] [--out out]
    python benchmarks/masks.py --clips DIR --parsing 79999_iter.pth [--out out]

--people: so many people are drawn by ``benchmarks/people``, before a room that stays, a room that is another one in
each frame (nothing is then known of it), a blue and a green screen, with sensor noise, chroma at half resolution and
JPEG. Prints, per background: IoU of each part (pixels of all frames counted together, each pixel the part it is most),
IoU of the whole at alpha 0.5, the mean absolute error of alpha over the picture, over the soft edge (within 4 pixels of
where the exact alpha is mixed) and over its upper half (hair), the error of the straight colours (0..255) at the edge,
processor milliseconds a frame. --parsing: the parts also by that network (see hmtalker.capture.matte.parsing_networks).
--clips: video files of one person before one screen; IoU of each part with what the network says, by key and by person
matte, and how much alpha changes from one frame to the next.
Both write a sheet of pictures to OUT: frame, alpha, over red, parts, and the parts they are compared with.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import conftest  # noqa: F401  (makes `hmtalker` importable from the working tree)
from chroma_key import errors, read

from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.capture.matte.masks import FrameMasks, MaskMaker
from hmtalker.capture.matte.parsing_networks import open_parser

PARTS = ("face", "hair", "mouth", "body")
PAINT = {"face": (255, 205, 50), "hair": (50, 180, 80), "mouth": (230, 25, 150), "body": (150, 100, 240)}
BACKGROUNDS = ("room", "changing room", "blue", "green")
HEAD = f"{'':18}{'face':>7}{'hair':>7}{'mouth':>7}{'body':>7}{'rest':>7}"


class Overlap:
    """IoU of the parts, over all pixels that were added."""

    def __init__(self) -> None:
        self._shared, self._either = np.zeros(5), np.zeros(5)

    def add(self, found: np.ndarray, exact: np.ndarray) -> None:
        """Both int [H,W]: the number of the part, 4 for none."""
        for part in range(5):
            self._shared[part] += ((found == part) & (exact == part)).sum()
            self._either[part] += ((found == part) | (exact == part)).sum()

    def __str__(self) -> str:
        return "".join(f"{value:7.3f}" for value in self._shared / np.maximum(self._either, 1))


def most(masks: FrameMasks) -> np.ndarray:
    """int [H,W]: which part each pixel is most."""
    return np.stack([*(getattr(masks, part) for part in PARTS), 1 - masks.alpha]).argmax(0)


def landmarks_of(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    tracker = FaceTracker(load_networks(find_networks()))
    found = []
    for frame in frames:
        tracker.reset()
        face = tracker.track(frame)
        found.append(np.full((478, 3), np.nan, np.float32) if face is None else face.landmarks)
    return found


def measure_people(options: argparse.Namespace) -> None:
    from people.background import Background
    from people.camera_effects import CameraEffects, to_bytes
    from people.render_set import random_lighting, random_person, random_pose, random_view

    people = [random_person(options.model, 200 + number, options.data) for number in range(options.people)]
    rows = []
    print(HEAD + f"{'alpha':>8}{'error':>8}{'edge':>8}{'hair':>8}{'colour':>8}{'ms':>6}  kinds")
    for name in options.backgrounds:
        overlap, by_network, numbers, kinds = Overlap(), Overlap(), [], []
        for number, person in enumerate(people):
            rng = np.random.default_rng(number)
            fixed = {"view": random_view(rng, 512), "lighting": random_lighting(rng), "yaw": 10.0}
            shots = []
            for index in range(options.frames):
                seed = number if name != "changing room" else 1000 * number + index
                background = Background("room" if "room" in name else name, unevenness=0.3, seed=seed)
                effects = CameraEffects(shot=0.01, read=0.003, jpeg=90, chroma_half=True, seed=index, blur=0.5)
                rng = np.random.default_rng((number, index))
                pose, _ = random_pose(person.figure, rng, 512, background=background, effects=effects, **fixed)
                shots.append(person.render(pose))
            frames = [shot.rgb for shot in shots]
            landmarks = landmarks_of(frames)
            maker = MaskMaker.prepare(frames, landmarks)
            kinds.append(maker.kind + ("+plate" if maker.background_plate is not None else ""))
            parser = open_parser(options.parsing) if options.parsing else None
            for index in range(0, len(shots), 2):
                shot, face = shots[index], landmarks[index]
                start = time.process_time()
                masks = maker(shot.rgb, face)
                spent = 1000 * (time.process_time() - start)
                exact = FrameMasks(shot.alpha, shot.rgb, shot.mouth, shot.hair, shot.face, shot.body)
                overlap.add(most(masks), most(exact))
                if parser is not None and np.isfinite(face).all():
                    parts = parser.parts(shot.rgb, masks.alpha, face)
                    by_network.add(most(dataclasses.replace(masks, **vars(parts))), most(exact))
                straight = to_bytes(np.clip(shot.foreground / np.maximum(shot.alpha[..., None], 1e-3), 0, 1))
                whole = np.dstack([straight.astype(np.float32) / 255, shot.alpha])
                numbers.append((*errors(whole, masks.alpha, masks.foreground), spent))
            rows.append(strip(shots[-2].rgb, maker(shots[-2].rgb, landmarks[-2]), shots[-2]))
        iou, error, edge, hair, colour, spent = np.mean(numbers, 0)
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
        print(f"{name:18}{overlap}{iou:8.4f}{error:8.4f}{edge:8.4f}{hair:8.4f}{colour:8.2f}{spent:6.0f}  {counted}")
        if options.parsing:
            print(f"{'  parts by network':18}{by_network}")
    save(rows, options.out / "masks_people.png", options.people)


def compare_clips(options: argparse.Namespace) -> None:
    clips = sorted(path for path in options.clips.iterdir() if path.suffix.lower() in (".mpg", ".mp4", ".mov"))
    clips = clips[:: max(1, len(clips) // 12)][:12]
    groups = [read(clip) for clip in clips]
    frames = [group[index] for group in groups for index in (len(group) // 4, len(group) // 2, len(group) // 2 + 1)]
    landmarks = landmarks_of(frames)
    parser = open_parser(options.parsing) if options.parsing else None
    rows = []
    print(HEAD + "  change")
    for matte in ("screen", "person"):
        maker = MaskMaker.prepare(frames, landmarks, matte=matte)
        made = [maker(frame, face) for frame, face in zip(frames, landmarks, strict=True)]
        change = np.mean([np.abs(made[i + 2].alpha - made[i + 1].alpha).mean() for i in range(0, len(made), 3)])
        overlap = Overlap()
        for index in range(0, len(frames), 3) if parser is not None else ():
            chances = parser.chances(frames[index], landmarks[index])
            named = {part: chances.get(part, np.zeros(frames[0].shape[:2], np.float32)) for part in PARTS}
            none = 1 - sum(named.values())
            exact = np.stack([*named.values(), none]).argmax(0)
            found = most(made[index])
            x = int(np.clip(landmarks[index][1, 0] - found.shape[0] / 2, 0, found.shape[1] - found.shape[0]))
            seen = slice(x, x + found.shape[0])
            overlap.add(found[:, seen], exact[:, seen])
            if index % 9 == 0:
                other = FrameMasks(1 - none, frames[index], **named)
                rows.append(strip(frames[index], made[index], other))
        print(f"{matte:18}{overlap}{change:8.4f}")
    save(rows, options.out / "masks_clips.png", 1)


def strip(frame: np.ndarray, masks: FrameMasks, other: object) -> np.ndarray:
    """uint8: frame, alpha, the person over red, the parts, the parts of `other`."""
    alpha = masks.alpha[..., None]
    red = masks.foreground * alpha + (1 - alpha) * np.array((200, 30, 30))
    painted = [sum(getattr(each, part)[..., None] * np.array(PAINT[part]) for part in PARTS) for each in (masks, other)]
    return np.hstack([frame, np.repeat(alpha * 255, 3, 2), red, *painted]).clip(0, 255).astype(np.uint8)


def save(rows: list[np.ndarray], path: Path, group: int) -> None:
    """Every first, second … row of each group beside each other is too wide: one row below the other."""
    if rows:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.ascontiguousarray(np.vstack(rows)[..., ::-1]))
        print(f"{path}: {len(rows)} rows, {group} to a background")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=0, help="how many synthetic people (default: none)")
    parser.add_argument("--frames", type=int, default=12, help="frames of each before each background (default 12)")
    parser.add_argument("--model", choices=("makehuman", "ict"), default="makehuman")
    parser.add_argument("--backgrounds", nargs="+", choices=BACKGROUNDS, default=BACKGROUNDS)
    data = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=data, help="folder that holds makehuman_cc0 and ict_facekit")
    parser.add_argument("--clips", type=Path, help="folder of clips of one person before one screen")
    parser.add_argument("--parsing", type=Path, help="79999_iter.pth or selfie_multiclass_256x256.tflite")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.people:
        measure_people(options)
    if options.clips:
        compare_clips(options)


if __name__ == "__main__":
    main()
