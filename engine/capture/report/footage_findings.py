# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about length, people, cuts, the camera, and how well the head could be followed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .facts import BAD_FIT, OTHER_PERSON, CaptureFacts
from .finding import NOTE, STOP, WARN, Finding, Span, clock, lasting, listing, percent, share, spans, worst

FAR_TOO_SHORT, TOO_SHORT, SHORT = 20.0, 60.0, 180.0
"""Seconds of usable footage. Published methods train on three to five minutes; below a minute lips are guessed."""
NO_FACE, OFTEN_NO_FACE = 0.01, 0.25
"""Share of frames without a face: blinks of the tracker stay below the first."""
SECOND_FACE = 0.02
"""Share of the frames that were searched for further faces."""
OTHER, OFTEN_OTHER = 0.005, 0.2
UNCERTAIN = 0.05
"""Share of frames whose head pose does not fit."""
MOVED_METRES, MOVED_DEGREES = 0.08, 15.0
"""By which the head may rest elsewhere from shot to shot, the camera standing still: people shift in their seat."""
REZOOMED = 1.25
"""Times by which the face may be larger in one shot than in another."""
LARGEST_JITTER = (0.3, 1.0)
"""Degrees and millimetres, root mean square of what changes from frame to frame in the head's velocity."""
LISTED = 6
FPS = 25.0


def footage_findings(facts: CaptureFacts) -> Iterator[Finding]:
    yield from _length(facts)
    if facts.frames:
        yield from _people(facts)
        yield from _fit(facts)
        yield from _camera(facts)
    yield from _cuts(facts)
    yield from _rates(facts)


def _length(facts: CaptureFacts) -> Iterator[Finding]:
    if not facts.seen.any():
        yield Finding(
            STOP,
            "no_face",
            "No face was found.",
            "None of the frames shows a face that can be followed.",
            "Film one person from the front, head and shoulders, in good light, the picture upright.",
            frames=(facts.frames // 2,) if facts.frames else (),
        )
        return
    good = float(facts.usable.sum()) / facts.fps
    if good < SHORT:
        severity = STOP if good < FAR_TOO_SHORT else WARN if good < TOO_SHORT else NOTE
        total = facts.frames / facts.fps
        lost = f", out of {lasting(total)}" if total > good + 1 else ""
        yield Finding(
            severity,
            "short",
            "There is too little footage." if severity != NOTE else "More footage would help.",
            f"{lasting(good).capitalize()} can be used{lost}; three to five minutes are usual.",
            "Film three to five minutes in one take: read a text aloud, tell something, and go through the expressions "
            "below.",
        )


def _people(facts: CaptureFacts) -> Iterator[Finding]:
    every = np.ones(facts.frames, bool)
    missing = share(~facts.seen, every)
    if facts.seen.any() and missing > NO_FACE:
        yield Finding(
            STOP if missing > OFTEN_NO_FACE else WARN,
            "face_lost",
            "The face is lost in parts.",
            f"{percent(missing)} of the frames show no face; they are left out.",
            "Film again without hands, hair, microphone or paper in front of the face, and without turning away.",
            spans(facts, ~facts.seen),
            worst(np.where(facts.seen, -np.inf, 1.0)),
        )
    looked, several = facts.faces >= 0, facts.faces > 1
    if share(several, looked) > SECOND_FACE:
        yield Finding(
            STOP if share(several, looked) > 0.5 else WARN,
            "two_faces",
            "There is a second face in the picture.",
            f"It is there in {percent(share(several, looked))} of the frames that were searched; the tracker may take "
            "one for the other.",
            "Film again alone, and take photographs, posters, mirrors and screens out of the picture.",
            spans(facts, several),
            worst(np.where(several, facts.faces.astype(float), -np.inf)),
        )
    other = facts.reasons == OTHER_PERSON
    if share(other, every) > OTHER:
        yield Finding(
            STOP if share(other, every) > OFTEN_OTHER else WARN,
            "other_person",
            "Another person is filmed in parts.",
            f"In {percent(share(other, every))} of the frames the face has other proportions; they are left out.",
            "Capture each person by themselves: leave these files out, or film again alone.",
            spans(facts, other),
            worst(np.where(other, 1.0, -np.inf)),
        )


def _fit(facts: CaptureFacts) -> Iterator[Finding]:
    uncertain = facts.reasons == BAD_FIT
    if share(uncertain, facts.seen) > UNCERTAIN:
        yield Finding(
            WARN,
            "bad_fit",
            "The head cannot be followed in parts.",
            f"In {percent(share(uncertain, facts.seen))} of the frames the landmarks fit no pose of this head; they "
            "are left out.",
            "Film again with the whole face in view: hair off the forehead, no hands, no strong side view.",
            spans(facts, uncertain),
            worst(np.where(uncertain, 1.0, -np.inf)),
        )
    degrees, millimetres = facts.jitter
    if degrees > LARGEST_JITTER[0] or millimetres > LARGEST_JITTER[1]:
        shaky = [clip.name for clip in facts.clips if clip.jitter[0] > 1.5 * LARGEST_JITTER[0]]
        where = f" It is worst in {listing(shaky[:3])}." if 0 < len(shaky) < len(facts.clips) else ""
        yield Finding(
            WARN,
            "jitter",
            "The head trembles.",
            f"Its pose jumps by {degrees:.2f} degrees and {millimetres:.1f} mm from frame to frame; the picture of a "
            f"head that is so unsteady gets blurred in training.{where}",
            "Film again with more light, sharper and from nearer, and with the camera on a stand.",
        )


def _camera(facts: CaptureFacts) -> Iterator[Finding]:
    moved = _moved(facts)
    if facts.still_camera is False:
        moved.insert(0, "the room behind you moves")
    if moved:
        yield Finding(
            WARN,
            "camera_moved",
            "The camera or the seat was moved.",
            f"{listing(moved).capitalize()}. All footage should be from one camera position.",
            "Film again in one go with the camera on a stand, image stabilisation and automatic framing switched off; "
            "or capture only the takes that belong together.",
        )


def _moved(facts: CaptureFacts) -> list[str]:
    """What differs between shots, in words."""
    shots = np.array([clip.shot for clip in facts.clips])[facts.clip_of]
    good = facts.usable & np.isfinite(facts.head).all(1)
    numbers = [shot for shot in np.unique(shots) if (good & (shots == shot)).sum() >= facts.fps]
    if len(numbers) < 2:
        return []
    rest = np.array([np.median(facts.head[good & (shots == shot)], axis=0) for shot in numbers])
    sizes = [np.nanmedian(facts.column("size")[good & (shots == shot)]) for shot in numbers]
    usual = rest[np.argmin(np.linalg.norm(rest - np.median(rest, axis=0), axis=1))]
    away = rest - usual
    metres = float(np.linalg.norm(away[:, 3:], axis=1).max())
    degrees = float(np.degrees(np.abs(away[:, :2]).max()))
    found = []
    if metres > MOVED_METRES:
        found.append(f"the head rests up to {100 * metres:.0f} cm away from its usual place in some takes")
    if degrees > MOVED_DEGREES:
        found.append(f"the face points up to {degrees:.0f} degrees elsewhere in some takes")
    if max(sizes) > REZOOMED * min(sizes):
        found.append(f"the face is {max(sizes) / min(sizes):.1f} times as large in one take as in another")
    return found


def _cuts(facts: CaptureFacts) -> Iterator[Finding]:
    if not facts.cuts:
        return
    told = [f"{clock(seconds)} in '{facts.sources[source].file_name}'" for source, seconds in facts.cuts[:LISTED]]
    more = len(facts.cuts) - len(told)
    count = "a cut" if len(facts.cuts) == 1 else f"{len(facts.cuts)} cuts"
    yield Finding(
        WARN,
        "cuts",
        "The footage is cut.",
        f"There is {count}: {listing(told)}{f', and {more} more' if more else ''}. The footage was divided there.",
        "Film in one take, or give the takes as files of their own; leave out pictures of anything else.",
        tuple(Span(source, max(0.0, seconds - 0.5), seconds + 0.5) for source, seconds in facts.cuts),
        tuple(_frames_at(facts)),
    )


def _frames_at(facts: CaptureFacts) -> Iterator[int]:
    """The first frames after the first cuts."""
    for source, seconds in facts.cuts[:2]:
        for start, clip in zip(facts.starts, facts.clips, strict=True):
            if clip.source == source and abs(clip.begin / facts.fps - seconds) < 0.5:
                yield int(start)


def _rates(facts: CaptureFacts) -> Iterator[Finding]:
    variable = [source.file_name for source in facts.sources if source.variable]
    if variable:
        yield Finding(
            WARN,
            "variable_rate",
            "The frame rate varies.",
            f"In {_files(variable)} the time between pictures changes, as phones do in the dark; lips may "
            "run ahead of the sound in places.",
            "Film with a fixed frame rate of 25 or 50 and in good light, with an app that can fix both.",
        )
    slow = [source.file_name for source in facts.sources if 0 < source.rate < FPS - 1.5]
    if slow:
        yield Finding(
            WARN,
            "slow_rate",
            "There are too few pictures a second.",
            f"{_files(slow)} have fewer than {FPS:.0f}, so some are shown twice and lips jump.",
            "Film with 25, 30, 50 or 60 pictures a second; webcams need more light for that.",
        )
    rates = sorted({round(s.rate, 2) for s in facts.sources if s.rate >= FPS - 1.5 and abs(s.rate - FPS) > 0.05})
    uneven = [rate for rate in rates if abs(rate / FPS - round(rate / FPS)) > 0.01]
    if uneven and not variable:
        yield Finding(
            NOTE,
            "other_rate",
            "The footage was brought to 25 pictures a second.",
            f"It has {listing(f'{rate:g}' for rate in uneven)}; the nearest picture in time was taken, so motion is a "
            "little uneven.",
            "Next time film with 25 or 50 pictures a second, where the camera offers it.",
        )


def _files(names: list[str]) -> str:
    more = [f"{len(names) - LISTED} more"] if len(names) > LISTED else []
    return listing([f"'{name}'" for name in names[:LISTED]] + more)
