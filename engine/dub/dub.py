# SPDX-License-Identifier: GPL-3.0-or-later
"""A new voice for footage: every picture of it, with the avatar's mouth or head drawn into it as the voice says."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import __version__
from ..avatar import load_avatar
from ..capture.journal import Clock
from ..capture.options import Cancelled, CaptureOptions, ProgressCallback
from ..capture.pipeline import capture
from ..capture.video_file import probe
from ..errors import CancelledError, HMTalkerError
from ..filmed_motion import ping_pong
from ..head_pose import HeadPose
from ..marking import credentials
from ..performance import SAMPLE_RATE
from ..png_file import synthetic_media_text, write_png
from ..render import Renderer
from ..speech.audio_file import load_audio
from ..take import AnimateSettings, Take, animate
from .alignment import align
from .backdrop import Backdrop
from .colour_match import fit_colours, match_colours, steadied
from .drawn_head import DrawnHead, FilmedHead
from .film_file import FilmFile
from .footage import Footage, Performed
from .mouth_region import MouthRegion
from .pictures import DatasetPictures, FilmPictures, FootagePictures
from .regions import MouthOnly, Region, WholeHead
from .window import Window

REGIONS = ("mouth", "head")
COVERS = 0.95
"""Alpha from which a pixel is wholly the person's, so that its colour can be compared."""
SOLID = 0.97
"""Alpha of the avatar that counts as solid: skin is never quite."""


@dataclass(frozen=True)
class DubOptions:
    """What is dubbed with what."""

    avatar: Path
    footage: Path
    """A video, or the folder of a capture."""
    voice: Path
    """A sound file, or a film with sound."""
    output: Path | None
    """.mp4; None for PNG files alone."""
    frames: Path | None = None
    """Folder for PNG files, if they are wanted."""
    region: str = "mouth"
    """One of REGIONS."""
    dataset: Path | None = None
    """The capture that a video is part of; by default one is made beside the output."""
    clip: str = ""
    """Which video of a capture, where it holds several."""
    settings: AnimateSettings = field(default_factory=AnimateSettings)
    threads: int = 0


@dataclass(frozen=True)
class Dubbed:
    """What came of it."""

    pictures: int
    untouched: int
    """Of them: no face was known there, so the footage stands as it was."""
    warnings: tuple[str, ...]


def dub(options: DubOptions, progress: ProgressCallback | None = None, cancelled: Cancelled | None = None) -> Dubbed:
    """Dub footage; the film is as long as the voice.

    Longer footage ends with the voice, shorter footage goes back and forth. Raises HMTalkerError and CancelledError;
    then no film is left behind.
    """
    _check(options)
    avatar, samples = load_avatar(options.avatar), load_audio(options.voice)
    seconds = len(samples) / SAMPLE_RATE
    footage, pictures, performed = open_footage(options, seconds, progress, cancelled)
    clock = Clock(2, progress, None)
    with clock.stage("Animate") as advance:
        told = [0.0]

        def heard(share: float) -> None:
            advance(max(0.0, share - told[0]))
            told[0] = max(told[0], share)

        take = animate(avatar, samples, pictures.rate, None, options.settings, heard, cancelled)
    count = max(1, math.ceil(seconds * pictures.rate - 1e-6))
    owner = str(avatar.header.get("attribution", ""))
    said = f"The face of {footage.name}, dubbed with the avatar {avatar.name}"
    text = synthetic_media_text(owner, f"HM-Talker {__version__}", said)
    untouched = 0
    renderer = Renderer(avatar, threads=options.threads or None)
    with ExitStack() as stack:
        stack.callback(renderer.close)
        work = _Dub(footage, pictures, performed, renderer, options.region, take)
        film = None
        if options.output is not None:
            rights = "; ".join(part for part in (owner, str(avatar.header.get("licence", ""))) if part)
            film = stack.enter_context(FilmFile(options.output, pictures.size, pictures.rate, text, rights))
            film.set_voice(options.voice, seconds)
        advance = stack.enter_context(clock.stage("Draw", count))
        for number, (picture, changed) in enumerate(work.run(count)):
            if cancelled is not None and cancelled():
                raise CancelledError("Dubbing was cancelled; no film was written.")
            if film is not None:
                film.add(picture)
            if options.frames is not None:
                write_png(options.frames / f"{number + 1:06d}.png", picture, text)
            untouched += not changed
            advance()
    signing = credentials.from_environment()
    if options.output is not None and signing is not None:
        credentials.sign(options.output, signing)
    return Dubbed(count, untouched, take.warnings)


def open_footage(
    options: DubOptions, seconds: float, progress: ProgressCallback | None = None, cancelled: Cancelled | None = None
) -> tuple[Footage, FootagePictures, Performed]:
    """The footage, its pictures of the first `seconds`, and what was measured in them; captured where it was not."""
    if options.footage.is_dir():
        footage = Footage(options.footage, options.clip)
        pictures: FootagePictures = DatasetPictures(footage.folder, footage.rows, footage.person.framing.size)
        performed = footage.at_frames()
    else:
        info = probe(options.footage)
        folder = options.dataset
        if folder is None:
            place = options.output or options.frames or options.footage
            folder = place.with_name(f"{options.footage.stem}.capture")
            capture(CaptureOptions((options.footage,), folder, threads=options.threads), progress, cancelled)
        footage = Footage(folder, options.clip or options.footage.name)
        footage.check(info)
        film = FilmPictures(info, seconds)
        pictures, performed = film, footage.at_pictures(film.times)
    if not performed.known.any():
        raise HMTalkerError(f"No face was measured in '{footage.name}', so there is nothing to dub; use other footage.")
    return footage, pictures, performed


def _check(options: DubOptions) -> None:
    if options.region not in REGIONS:
        raise HMTalkerError(f"There is no region '{options.region}'; choose one of {', '.join(REGIONS)}.")
    if options.output is None and options.frames is None:
        raise HMTalkerError("There is nothing to write; choose a film (-o) or a folder of pictures (--frames).")
    if options.output is not None and options.output.suffix.lower() != ".mp4":
        raise HMTalkerError(f"'{options.output.name}' does not end in .mp4; choose such a name.")
    if not options.footage.exists():
        raise HMTalkerError(f"The footage '{options.footage}' does not exist; choose a video or a captured folder.")


@dataclass(frozen=True)
class _Pasted:
    """One picture and what is to be put into it."""

    picture: np.ndarray
    window: Window | None = None
    drawn: DrawnHead | None = None
    mask: np.ndarray | None = None
    behind: np.ndarray | None = None
    across: np.ndarray | None = None


class _Dub:
    def __init__(
        self, footage: Footage, pictures: FootagePictures, performed: Performed, renderer: Renderer, region: str,
        take: Take,
    ) -> None:  # fmt: skip
        person = footage.person
        self._pictures, self._performed, self._take = pictures, performed, take
        # the dataset's own pictures are the square of the whole one
        own = pictures.size != (person.camera.width, person.camera.height)
        self._camera = person.framing.camera(person.camera) if own else person.camera
        framing = type(person.framing)(0, 0, pictures.size[0], person.framing.size) if own else person.framing
        self._pivot = person.pivot
        self._filmed = FilmedHead(renderer, person, self._camera, performed, align(renderer.avatar, person, renderer))
        self._backdrop = Backdrop(footage.folder, framing)
        self._mouth = MouthRegion(person.mesh)
        self._region: Region = MouthOnly(self._mouth) if region == "mouth" else WholeHead(self._mouth)

    def run(self, count: int) -> Iterator[tuple[np.ndarray, bool]]:
        """`count` pictures uint8 [H,W,3], and whether each was changed."""
        for pasted, terms in steadied(map(self._draw, range(count)), self._pictures.rate):
            yield self._paste(pasted, terms), pasted.window is not None

    def _draw(self, number: int) -> tuple[_Pasted, np.ndarray | None]:
        index = ping_pong(number, len(self._pictures))
        picture = self._pictures[index]
        head = self._filmed.pose(index)
        window = self._region.window(head, self._pivot, self._camera) if self._performed.known[index] else None
        if window is None:
            return _Pasted(picture), None
        outline, old_head = self._backdrop.outline(int(self._performed.rows[index]), window)
        state = self._filmed.state(index, self._take, min(number, self._take.frames - 1))
        drawn = self._filmed.draw(state, window)
        mask, compared = self._region.masks(self._filmed, state, head, self._pivot, self._camera, window, old_head)
        behind = self._backdrop.behind(picture, outline, window)
        across = self._across(head, window)
        weight = compared * (drawn.alpha > COVERS) * (outline > COVERS)
        theirs = window.cut(picture).astype(np.float32) / 255
        terms = fit_colours(drawn.colours.reshape(-1, 3), theirs.reshape(-1, 3), weight.ravel(), across.reshape(-1, 2))
        return _Pasted(picture, window, drawn, mask, behind, across), terms

    def _paste(self, pasted: _Pasted, terms: np.ndarray) -> np.ndarray:
        if pasted.window is None or pasted.drawn is None:
            return pasted.picture
        assert pasted.mask is not None
        assert pasted.behind is not None
        assert pasted.across is not None
        colours = match_colours(pasted.drawn.colours, terms, pasted.across)
        alpha = np.clip(pasted.drawn.alpha / SOLID, 0, 1)[..., None]
        new = alpha * colours + (1 - alpha) * pasted.behind
        part = pasted.window.cut(pasted.picture)
        share = pasted.mask[..., None]
        part[:] = (share * new * 255 + (1 - share) * part + 0.5).astype(np.uint8)
        return pasted.picture

    def _across(self, head: HeadPose, window: Window) -> np.ndarray:
        """float32 [h,w,2]: each pixel's place right and down of the mouth, in heights of the face."""
        at, size = self._mouth.place(head, self._pivot, self._camera)
        rows, columns = np.mgrid[window.top : window.bottom, window.left : window.right].astype(np.float32) + 0.5
        return np.stack([(columns - at[0]) / size, (rows - at[1]) / size], 2).astype(np.float32)
