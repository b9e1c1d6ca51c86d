# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads files and messages that anyone may have made, each as a function of bytes that must not misbehave.

A target returns, or raises the error that people are shown. Anything else is a finding.
"""

from __future__ import annotations

import atexit
import io
import json
import shutil
import struct
import tempfile
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmtalker.avatar import load_avatar, read_avatar_header, save_avatar
from hmtalker.avatar.header import seal_of
from hmtalker.capture.curves.livelink_csv import read_livelink
from hmtalker.capture.curves.openface_csv import read_openface
from hmtalker.capture.face.blendshape_names import BLENDSHAPES
from hmtalker.capture.video_file import picture_times, probe, read_frames
from hmtalker.errors import HMTalkerError
from hmtalker.exr_file import encode_exr
from hmtalker.marking import is_marked, mark_file
from hmtalker.npz_file import read_npz
from hmtalker.png_file import encode_png, read_text, synthetic_media_text
from hmtalker.speech.audio_file import load_audio
from hmtalker.take import Take
from hmtalker.training.dataset import load_camera, load_performance, load_pictures
from hmtalker.worker.messages import Progress, decode, encode

FOLDER = Path(tempfile.mkdtemp(prefix="hmtalker_fuzz_", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


@dataclass(frozen=True)
class Target:
    """One reader."""

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    """Small files that are sound: where mutation starts."""
    refusals: tuple[type[BaseException], ...] = (HMTalkerError,)


def _file(name: str, data: bytes) -> Path:
    path = FOLDER / name
    path.write_bytes(data)
    return path


# An avatar's container, and the header inside it with a seal that fits, so that mutation gets beyond the seal.


def _avatar(data: bytes) -> object:
    return load_avatar(_file("a.hmt", data))


def _avatar_seeds() -> list[bytes]:
    from tiny_avatar import make_tiny_avatar

    save_avatar(make_tiny_avatar("hmtalker", size=16), FOLDER / "seed.hmt")
    data = (FOLDER / "seed.hmt").read_bytes()
    return [data, data[:4096]]


def _header_parts() -> tuple[dict, bytes]:
    data = _avatar_seeds()[0]
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


_PARTS: list[tuple[dict, bytes]] = []


def _avatar_header(data: bytes) -> object:
    if not _PARTS:
        _PARTS.append(_header_parts())
    entries, body = _PARTS[0]
    text = data.decode("utf-8", "replace")
    described = entries | {"__metadata__": {"hmtalker": text, "hmtalker-seal": seal_of(text)}}
    raw = json.dumps(described).encode()
    return read_avatar_header(_file("h.hmt", struct.pack("<Q", len(raw)) + raw + body))


def _avatar_header_seeds() -> list[bytes]:
    return [_header_parts()[0]["__metadata__"]["hmtalker"].encode()]


def _take_seeds() -> list[bytes]:
    frames = 3
    take = Take(25.0, np.ones((frames, 17)), np.ones((frames, 32)), np.zeros((frames, 6)), settings={"seed": 1})
    return [take.to_bytes()]


def _npz_seeds() -> list[bytes]:
    out = io.BytesIO()
    np.savez(out, a=np.arange(3), b=np.array(["x", "y"]))
    return [out.getvalue()]


def _dataset(data: bytes) -> object:
    """The tables of a dataset; `data` is one after the other, each after its length."""
    folder = FOLDER / "dataset"
    for part in ("frames", "masks", "speech"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name in ("camera.json", "performance.npz", "frames.npz", "windows.npz"):
        length = int.from_bytes(data[:4], "little")
        (folder / name).write_bytes(data[4 : 4 + length])
        data = data[4 + length :]
    np.save(folder / "speech" / "one.npy", np.zeros((1, 4, 5), np.float16))
    for kind, channels in (("frames", 4), ("masks", 3)):
        (folder / kind / "000000.png").write_bytes(encode_png(np.zeros((4, 4, channels), np.uint8)))
    refused = None
    for read in (load_performance, load_pictures, lambda path: load_camera(path / "camera.json")):
        try:
            read(folder)
        except HMTalkerError as error:
            refused = error
    if refused is not None:
        raise refused
    return None


def _dataset_seeds() -> list[bytes]:
    def npz(**arrays: object) -> bytes:
        out = io.BytesIO()
        np.savez(out, **arrays)
        return out.getvalue()

    shared = {
        "action_units": np.zeros((2, 17), np.float32),
        "head": np.zeros((2, 6), np.float32),
        "clip_index": np.zeros(2, np.int64),
        "frame_in_clip": np.arange(2),
    }
    heard = {"clips": np.array(["one"]), "training": np.ones(2, bool), "pucker": np.zeros(2), "funnel": np.zeros(2)}
    camera = {"width": 4, "height": 4, "K": [[9, 0, 2], [0, 9, 2], [0, 0, 1]], "pivot": [0, 0, 0]}
    camera["world_to_camera"] = np.diag([1.0, -1, -1, 1]).tolist()
    parts = [
        json.dumps(camera).encode(),
        npz(**shared, **heard),
        npz(**shared, split=np.array(["train", "test"])),
        npz(window=np.array([[0, 0, 4, 4]] * 2), whole=np.ones(2, bool)),
    ]
    return [b"".join(len(part).to_bytes(4, "little") + part for part in parts)]


def _openface_seeds() -> list[bytes]:
    units = ", ".join(f"AU{code}_r" for code in ("01", "02", "04", "12", "25", "26", "45"))
    rows = "\n".join(f"{n}, 0, {n / 25:.3f}, .98, 1, .1, .2, .3, 1, 2, 3, 4, 5, 4, 1" for n in range(1, 6))
    return [f"frame, face_id, timestamp, confidence, success, pose_Rx, pose_Ry, pose_Rz, {units}\n{rows}\n".encode()]


def _livelink_seeds() -> list[bytes]:
    names = ",".join(["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in BLENDSHAPES)])
    rows = "\n".join(f"10:00:00:0{n}.5,52,{','.join(['.1'] * len(BLENDSHAPES))}" for n in range(1, 6))
    return [f"{names}\n{rows}\n".encode()]


def _sound_seeds() -> list[bytes]:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(range(200)))
    return [out.getvalue()]


def _video(data: bytes) -> object:
    """What the file says, and its first and its last second as pictures."""
    info = probe(_file("v.mp4", data))
    for begin in (0, max(0, info.frames - 25)):
        for _, picture in read_frames(info, begin, begin + 25):
            assert picture.shape == (info.height, info.width, 3)
    picture_times(info, 1.0)
    return info


def _video_seeds() -> list[bytes]:
    """Half a second each: MPEG-4 with sound, and MPEG-1, whose pictures need their neighbours."""
    import av

    made = []
    for container, codec in (("mp4", "mpeg4"), ("mpeg", "mpeg1video")):
        out = io.BytesIO()
        with av.open(out, "w", format=container) as file:
            shown = file.add_stream(codec, rate=25, width=64, height=48)
            heard = file.add_stream("aac" if container == "mp4" else "mp2", rate=16000, layout="mono")
            for number in range(12):
                picture = np.full((48, 64, 3), 20 * number, np.uint8)
                file.mux(shown.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            sound = np.zeros((1, 8000), np.float32 if container == "mp4" else np.int16)
            frame = av.AudioFrame.from_ndarray(sound, "fltp" if container == "mp4" else "s16", "mono")
            frame.sample_rate = 16000
            file.mux(heard.encode(frame))
            for stream in (shown, heard):
                file.mux(stream.encode(None))
        made.append(out.getvalue())
    return made


def _marking(data: bytes) -> object:
    """A file that somebody else wrote gets the mark of synthetic media, or stays as it is and has none."""
    path = _file("marking", data)
    if mark_file(path, synthetic_media_text("Anna", "HM-Talker 1")):
        return path.stat().st_size >= len(data)
    assert path.read_bytes() == data
    return not is_marked(path)


def _marking_seeds() -> list[bytes]:
    import av
    import cv2
    from written_files import written_ogg, written_tiff

    shade = np.full((64, 64, 3), 100, np.uint8)
    made = [encode_png(shade), encode_exr(np.ones((20, 6, 4))), written_tiff("<"), written_tiff(">", 2), written_ogg()]
    made += [cv2.imencode(f".{kind}", shade)[1].tobytes() for kind in ("jpg", "webp", "jp2", "tif")]
    for container in ("mp4", "avi", "matroska"):
        out = io.BytesIO()
        with av.open(out, "w", format=container) as file:
            shown = file.add_stream("mpeg4", rate=25, width=64, height=48)
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            file.mux([*shown.encode(picture), *shown.encode(None)])
        made.append(out.getvalue())
    return made


def _messages(data: bytes) -> object:
    return [decode(line) for line in data.splitlines(keepends=True)]


def _message_seeds() -> list[bytes]:
    return [
        encode(Progress("Face", 1, 5, 0.5, 3.0, "text", 0.2, "picture.png")),
        b'{"type": "hello", "protocol": 1}\n{"type": "done", "result": {}}\n{"type": "failed", "sentence": "no"}\n',
    ]


def _table(read: Callable[[Path], object], name: str) -> Callable[[bytes], object]:
    return lambda data: read(_file(name, data))


TARGETS: dict[str, Target] = {
    "avatar": Target(_avatar, _avatar_seeds),
    "avatar_header": Target(_avatar_header, _avatar_header_seeds),
    "take": Target(Take.from_bytes, _take_seeds),
    "arrays": Target(lambda data: read_npz(io.BytesIO(data), 1 << 24), _npz_seeds, (ValueError,)),
    "dataset": Target(_dataset, _dataset_seeds),
    "openface": Target(_table(read_openface, "o.csv"), _openface_seeds),
    "livelink": Target(_table(read_livelink, "l.csv"), _livelink_seeds),
    "sound": Target(_table(load_audio, "s.wav"), _sound_seeds),
    "video": Target(_video, _video_seeds),
    "png_text": Target(
        _table(read_text, "p.png"), lambda: [encode_png(np.zeros((2, 2, 4), np.uint8), {"Source": "text"})]
    ),
    "marking": Target(_marking, _marking_seeds),
    "messages": Target(_messages, _message_seeds),
}


def check(target: Target, data: bytes) -> bool:
    """Whether `data` was accepted; what is no proper refusal is raised."""
    try:
        target.run(data)
    except target.refusals:
        return False
    return True
