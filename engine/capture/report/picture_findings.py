# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about light, sharpness, grain, and the size and place of the face in the picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .facts import CaptureFacts
from .finding import NOTE, STOP, WARN, Finding, middle, percent, share, spans, worst

DARK, FAR_TOO_DARK = 0.45, 0.25
"""Brightness of the lightest fiftieth of the face. Well lit faces of any skin colour reach .58 to .80 there, a picture
with a tenth of the light .17 to .24."""
CRUSHED = 0.25
"""Share of the face without any light; black beards and brows alone stay below."""
BACKLIGHT = 1.5
"""Times as bright as the face that the whole picture is, when a window is behind the person."""
WHITE, FAR_TOO_WHITE = 0.05, 0.3
"""Share of the face that is clipped; highlights on skin take 1 or 2 %."""
ONE_SIDED = 1.8
"""Times as much light on one half of the face. Ordinary rooms make 1.1 to 1.4, a single lamp from the side 3 and more.
The avatar keeps this light for ever."""
FRONTAL = np.radians(15.0)
"""Only faces turned less than this tell the light's direction."""
LIGHT_CHANGES = 1.6
"""Times between the dark and the light moments (5th and 95th percentile): clouds, automatic exposure."""
BLURRED, FAR_TOO_BLURRED = 0.032, 0.055
"""Width of the edges around the eyes in eye distances. Sharp photographs have .015 to .018, MPEG-1 video of 360 x 288
pixels .023; blurred by 3 % of the eye distance they have .034 to .039."""
VISIBLE_BLUR = 2.0
"""Pixels of the same; less is the limit of a small picture, not of the lens."""
SMEARED, OFTEN_SMEARED = 1.6, 0.05
"""A frame is smeared where its edges are this many times as wide as usual, and motion is blamed from this share on."""
GRAIN = 0.02
"""Standard deviation, 0..1: five steps of 8 bits. Skin alone reaches .013 in sharp photographs."""
SMALL, TOO_SMALL, FAR_TOO_SMALL = 80.0, 50.0, 28.0
"""Pixels between the outer eye corners. An avatar of 512 pixels shows 80 to 110."""
NEAR_EDGE, OFTEN_NEAR_EDGE = 0.15, 0.02
"""Eye distances between the outline of the face and the picture's edge; hair needs half of one."""


def picture_findings(facts: CaptureFacts) -> Iterator[Finding]:
    if not facts.seen.any():
        return
    yield from _exposure(facts)
    yield from _sides(facts)
    yield from _changing_light(facts)
    yield from _sharpness(facts)
    yield from _grain(facts)
    yield from _size(facts)
    yield from _place(facts)


def _exposure(facts: CaptureFacts) -> Iterator[Finding]:
    seen, highlight = facts.seen, facts.column("highlight")
    bright, black, white = (middle(facts.column(name), seen) for name in ("highlight", "black", "white"))
    if bright < DARK or black > CRUSHED:
        behind = middle(facts.column("surround"), seen) > BACKLIGHT * middle(facts.column("light"), seen)
        yield Finding(
            STOP if bright < FAR_TOO_DARK or black > 2 * CRUSHED else WARN,
            "dark",
            "The face is too dark.",
            f"Its lightest parts reach {percent(bright)} of white where 60 % and more is usual"
            + (f"; {percent(black)} of it is black." if black > 0.05 else "."),
            "Film again and turn round: the light is behind you now, and belongs in front of you."
            if behind
            else "Film again with a window or two lamps in front of you, behind the camera; then raise the exposure.",
            frames=worst(-highlight, seen),
        )
    if white > WHITE:
        yield Finding(
            STOP if white > FAR_TOO_WHITE else WARN,
            "overexposed",
            "The face is overexposed.",
            f"{percent(white)} of it is pure white and shows no skin any more.",
            "Film again with less exposure (-1 EV), and lock it; or draw a thin white curtain before the window.",
            frames=worst(facts.column("white"), seen),
        )


def _sides(facts: CaptureFacts) -> Iterator[Finding]:
    yaw = facts.head[:, 1]
    known = facts.seen & np.isfinite(yaw)
    ahead = known & (np.abs(yaw - middle(yaw, known)) < FRONTAL)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(facts.column("light_left") / facts.column("light_right"))
    usual = middle(ratio, ahead)
    if abs(usual) > np.log(ONE_SIDED):
        brighter, darker = ("left", "right") if usual > 0 else ("right", "left")
        yield Finding(
            WARN,
            "one_sided",
            "The light comes from one side.",
            f"The {brighter} half of the face in the picture gets {np.exp(abs(usual)):.1f} times as much light as the "
            f"{darker} half. The avatar would keep these shadows when it turns.",
            f"Film again with the window in front of you, or put a lamp or a white sheet on the {darker} side.",
            frames=worst(np.abs(ratio), ahead),
        )


def _changing_light(facts: CaptureFacts) -> Iterator[Finding]:
    light = np.clip(facts.column("light"), 0, 1) ** 2.2
    known = facts.seen & np.isfinite(light)
    if known.sum() < 2 * facts.fps:
        return
    low, high = np.percentile(light[known], (5, 95))
    if high > LIGHT_CHANGES * max(low, 1e-4):
        yield Finding(
            WARN,
            "light_changes",
            "The light changes during the capture.",
            f"The face is {high / max(low, 1e-4):.1f} times as bright in its light moments as in its dark ones.",
            "Film again with exposure and white balance locked, away from windows with moving clouds and from screens.",
            spans(facts, known & (light < low * 1.05)),
            (*worst(-light, known, 1), *worst(light, known, 1)),
        )


def _sharpness(facts: CaptureFacts) -> Iterator[Finding]:
    seen, blur, mouth, size = facts.seen, *(facts.column(name) for name in ("blur", "mouth_blur", "size"))
    usual = middle(blur, seen)
    pixels = usual * min(middle(size, seen), 128.0)
    if usual > BLURRED and pixels > VISIBLE_BLUR:
        yield Finding(
            STOP if usual > FAR_TOO_BLURRED else WARN,
            "blurred",
            "The face is out of focus.",
            f"Edges around the eyes are {100 * usual:.1f} % of the eye distance wide; sharp video has 1.5 to 2.5 %. It "
            "is so throughout, so the lens is to blame and not motion.",
            "Film again: tap on your face to focus and lock the focus, wipe the lens, and switch beauty filters off.",
            frames=worst(blur, seen),
        )
        return
    with np.errstate(invalid="ignore"):
        smeared = seen & ((blur > SMEARED * usual) | (mouth > SMEARED * max(usual, middle(mouth, seen))))
        smeared &= np.fmax(blur, mouth) > BLURRED
        smeared &= np.fmax(blur, mouth) * np.minimum(size, 128.0) > VISIBLE_BLUR
    often = share(smeared, seen)
    if often > OFTEN_SMEARED:
        yield Finding(
            WARN,
            "motion_blur",
            "Motion is smeared.",
            f"In {percent(often)} of the frames eyes or mouth are blurred while they are sharp in the others.",
            "Film again with more light and a shutter of 1/100 s or faster, and with the focus locked.",
            spans(facts, smeared),
            worst(np.fmax(blur, mouth), smeared),
        )


def _grain(facts: CaptureFacts) -> Iterator[Finding]:
    noise = middle(facts.column("noise"), facts.seen)
    if noise > GRAIN:
        yield Finding(
            WARN,
            "grain",
            "The picture is grainy.",
            f"Its grain is {255 * noise:.0f} of 255 steps; less than {255 * GRAIN:.0f} is usual.",
            "Film again with more light, so that the camera can lower its sensitivity (ISO 400 or less).",
            frames=worst(facts.column("noise"), facts.seen, 1),
        )


def _size(facts: CaptureFacts) -> Iterator[Finding]:
    size = middle(facts.column("size"), facts.seen)
    if size < SMALL:
        severity = STOP if size < FAR_TOO_SMALL else WARN if size < TOO_SMALL else NOTE
        yield Finding(
            severity,
            "small",
            "The face is small in the picture.",
            f"There are {size:.0f} pixels between the outer corners of the eyes; {SMALL:.0f} and more make a sharp "
            "avatar of 512 pixels.",
            "Film again from nearer, or with the camera upright, so that head and shoulders fill the picture; choose "
            "1080p or 4K.",
        )


def _place(facts: CaptureFacts) -> Iterator[Finding]:
    edge = facts.column("edge")
    with np.errstate(invalid="ignore"):
        near, outside = facts.seen & (edge < NEAR_EDGE), facts.seen & (edge < 0)
    if share(near, facts.seen) > OFTEN_NEAR_EDGE:
        gone = share(outside, facts.seen)
        yield Finding(
            WARN,
            "edge",
            "The face leaves the picture." if gone > OFTEN_NEAR_EDGE else "The face comes close to the picture's edge.",
            f"It does in {percent(share(near, facts.seen))} of the frames; hair and chin are cut off there.",
            "Film again with your face in the middle of the picture, half a head of room above, and stay in place.",
            spans(facts, near),
            worst(-edge, near),
        )
