# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that training needs to know about the pixels of a frame: the matte, the person's colours, the parts.

Face, hair, mouth interior, and neck with torso divide the alpha among them: where landmarks are known, the four add up
to it in every pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import CaptureError
from .background_plate import evenly
from .chroma_key import key
from .cut_out import Matte
from .head_parts import HeadParts, Parts, is_face
from .parsing_networks import FaceParser, open_parser
from .person_matte import PersonMatte
from .person_network import PersonNetwork
from .screen_model import ScreenModel

FRAMES = 48
"""Frames that are looked at to learn the screen, the room and the person."""
CONFIDENT = 0.5
"""Confidence from which a screen is keyed without being asked for."""
SURE = (0.9, 7)
"""The network's answer from which a pixel is person, and the side in its pixels of what must be so around it."""
KINDS = ("auto", "screen", "person", "none")


@dataclass(frozen=True)
class FrameMasks:
    """One frame. alpha: float32 [H,W], 0..1. foreground: uint8 [H,W,3], the person's straight sRGB without background.

    mouth (interior, with teeth and tongue), hair, face (with lips, eyes, ears and beard), body (neck and torso):
    float32 [H,W], how much of each pixel they cover. They add up to alpha; without a face they are all 0.
    """

    alpha: np.ndarray
    foreground: np.ndarray
    mouth: np.ndarray
    hair: np.ndarray
    face: np.ndarray
    body: np.ndarray


class MaskMaker:
    """Callable: frame uint8 [H,W,3], landmarks [478,3] or None -> :class:`FrameMasks`. Made by :meth:`prepare`.

    Keeps nothing from frame to frame, and can be pickled, so that several processes can share the frames of a video.
    """

    def __init__(
        self, matte: ScreenModel | PersonMatte | None, parts: HeadParts | None, parser: FaceParser | None, reason: str
    ) -> None:
        self._matte, self._parts, self._parser = matte, parts, parser
        self._finder = None if isinstance(matte, PersonMatte) else PersonNetwork()
        self.reason = reason
        """Why this kind of matte, in a sentence."""

    @classmethod
    def prepare(
        cls,
        frames: Sequence[np.ndarray],
        landmarks: Sequence[np.ndarray | None],
        *,
        matte: str = "auto",
        parsing: str | Path | None = None,
    ) -> MaskMaker:
        """Learn from frames of one person, camera position and size, evenly spread over the footage; 48 are enough.

        frames: uint8 [H,W,3] sRGB. landmarks: [478,3] pixels for each, NaN or None without a face. matte: "screen"
        keys a blue or green screen, "person" works before any background, "auto" takes the key where there is a screen,
        "none" calls everything opaque (what is no
        person then counts as body). parsing: the user's own face parsing network (see ``parsing_networks``), which
        then tells the parts. Raises CaptureError when there are no frames, sizes differ, "screen" is asked for where
        there is none, or the file is another one; HMTalkerError when the person network is not installed.
        """
        if matte not in KINDS:
            raise CaptureError(f"There is no matte called '{matte}'; choose {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
        if not len(frames):
            raise CaptureError("There are no frames to make masks of: choose a video with a picture.")
        if len(landmarks) != len(frames):
            raise CaptureError(f"There are {len(frames)} frames but landmarks for {len(landmarks)} of them.")
        if any(frame.shape != frames[0].shape for frame in frames):
            raise CaptureError("The frames differ in size: make masks of the clips of each size by themselves.")
        parser = open_parser(parsing) if parsing is not None else None
        chosen = evenly(len(frames), FRAMES)
        frames, landmarks = [frames[i] for i in chosen], [landmarks[i] for i in chosen]
        model, reason = _model(frames, matte)
        known = cls(model, None, parser, reason)
        if parser is None:
            faces = [i for i, points in enumerate(landmarks) if is_face(points)]
            faces = [faces[i] for i in evenly(len(faces), FRAMES // 2)] if faces else []
            alphas = [known._cut_out(frames[i])[1] for i in faces]
            points = [np.asarray(landmarks[i]) for i in faces]
            known._parts = HeadParts.fit([frames[i] for i in faces], alphas, points)
        return known

    @property
    def kind(self) -> str:
        """What cuts the person out: "screen", "person" or "none"."""
        return {ScreenModel: "screen", PersonMatte: "person"}.get(type(self._matte), "none")

    @property
    def background_plate(self) -> np.ndarray | None:
        """uint8 [H,W,3]: the empty screen or room, where it could be learned; None otherwise."""
        if isinstance(self._matte, ScreenModel):
            return _bytes(self._matte.plate)
        if isinstance(self._matte, PersonMatte) and self._matte.room is not None:
            return _bytes(self._matte.room.rgb)
        return None

    def __call__(self, frame: np.ndarray, landmarks: np.ndarray | None) -> FrameMasks:
        """Raises CaptureError when the frame's size is not that of the frames it was prepared with."""
        cut, person = self._cut_out(frame)
        parts = self._divide(frame, person, landmarks)
        body = parts.body if person is cut.alpha or not parts.face.any() else parts.body + (1 - person)
        return FrameMasks(cut.alpha, cut.foreground, parts.mouth, parts.hair, parts.face, body)

    def _cut_out(self, frame: np.ndarray) -> tuple[Matte, np.ndarray]:
        """The matte, and the alpha that is divided into parts: where all is kept, the network's idea of the person."""
        if isinstance(self._matte, PersonMatte):
            matte = self._matte(frame)
            return matte, matte.alpha
        assert self._finder is not None
        person, size = self._finder(frame), (frame.shape[1], frame.shape[0])
        if isinstance(self._matte, ScreenModel):
            sure = cv2.erode((person > SURE[0]).astype(np.uint8), np.ones((SURE[1], SURE[1]), np.uint8))
            matte = key(frame, self._matte, cv2.resize(sure, size, interpolation=cv2.INTER_NEAREST) > 0)
            return matte, matte.alpha
        whole = Matte(np.ones(frame.shape[:2], np.float32), frame)
        return whole, np.clip(cv2.resize(person, size, interpolation=cv2.INTER_LINEAR), 0, 1)

    def _divide(self, frame: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray | None) -> Parts:
        if landmarks is not None and is_face(landmarks):
            if self._parser is not None:
                return self._parser.parts(frame, alpha, landmarks)
            if self._parts is not None:
                return self._parts(frame, alpha, landmarks)
        return Parts(*(np.zeros(alpha.shape, np.float32) for _ in range(4)))


def _model(frames: Sequence[np.ndarray], matte: str) -> tuple[ScreenModel | PersonMatte | None, str]:
    if matte == "none":
        return None, "Everything in the picture is kept, as asked."
    why = "The person matte is used, as asked."
    if matte != "person":
        try:
            screen = ScreenModel.fit(frames)
            if matte == "screen" or screen.confidence >= CONFIDENT:
                return screen, f"The {screen.evidence.colour} screen is keyed (confidence {screen.confidence:.2f})."
            why = f"The person matte is used: the {screen.evidence.colour} background is too uneven to be keyed."
        except CaptureError as error:
            if matte == "screen":
                raise
            why = f"The person matte is used: {str(error).split(':')[0][0].lower()}{str(error).split(':')[0][1:]}."
    person = PersonMatte.fit(frames)
    still = "the camera stands still and the room behind helps" if person.room is not None else "the room is not known"
    return person, f"{why[:-1]}; {still}."


def _bytes(colours: np.ndarray) -> np.ndarray:
    return (np.clip(colours, 0, 1) * 255 + 0.5).astype(np.uint8)
