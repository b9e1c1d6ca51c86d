# SPDX-License-Identifier: GPL-3.0-or-later
"""From videos of a person to a dataset with a report: the order of the stages.

Dataset folder: what ``training.dataset`` reads, and beside it

    capture.json              what is finished, so that a stopped capture goes on
    tracking/<piece>.npz      what was seen in every picture (``reading.Tracking``)
    audio/<source>.wav        16 kHz, from the first picture on
    landmarks/<clip>.npy      [n,478,3] pixels of the frames
    head.npz, face.npz        the solved head, lens and face
    background.png            the empty background, where it could be seen
    report.html, report.json  what to film again
"""

from __future__ import annotations

from ..action_unit_sets import ActionUnitSet, find_set
from ..errors import file_sentence
from .dataset_files import check_names, held_out, write_tables
from .errors import CaptureError
from .journal import Clock, Journal
from .options import MATTES, Cancelled, CaptureOptions, CaptureResult, ProgressCallback
from .picture_stage import choose_frame, prepare_masks, write_pictures
from .pieces import divide, find_videos, open_sources
from .pose_stage import GOOD, solve_head
from .read_stage import read_footage
from .report_stage import make_report
from .sound_stage import encode_speech, extract_sound, silent_frames
from .unit_stage import in_set, measure

STAGES = 9
FEWEST_FRAMES = 50
"""Two seconds: less is no footage."""


def capture(
    options: CaptureOptions, progress: ProgressCallback | None = None, cancelled: Cancelled | None = None
) -> CaptureResult:
    """Make, or go on making, the dataset in ``options.output``.

    progress: called some times a second. cancelled: asked as often; what was finished is kept and the next call with
    the same options goes on. Raises :class:`CaptureError` with one sentence and :class:`~..errors.CancelledError`.
    """
    if options.matte not in MATTES:
        raise CaptureError(f"There is no matte called '{options.matte}'; choose one of {', '.join(MATTES)}.")
    if options.size < 64:
        raise CaptureError(f"Frames of {options.size} pixels are too small for a face; choose 64 or more.")
    unit_set = find_set(options.unit_set)
    try:
        return _capture(options, unit_set, Clock(STAGES, progress, cancelled))
    except OSError as error:
        raise CaptureError(file_sentence(error, options.output)) from error


def _capture(options: CaptureOptions, unit_set: ActionUnitSet, clock: Clock) -> CaptureResult:
    with clock.stage("Open videos"):
        sources = open_sources(find_videos(options.videos))
        check_names(sources, options.hold_out)
        pieces = divide(sources)
        journal = Journal(options.output)
    with clock.stage("Sound", sum(source.info.seconds for source in sources)) as advance:
        extract_sound(journal, sources, advance)
    with clock.stage("Read pictures", sum(piece.end - piece.begin for piece in pieces)) as advance:
        footage = read_footage(journal, sources, pieces, options.processes, advance, clock.cancelled)
    with clock.stage("Head pose") as advance:
        head = solve_head(journal, footage, options.focal, advance, clock.cancelled)
    usable = head.reasons == GOOD
    if usable.sum() < FEWEST_FRAMES:
        raise CaptureError(
            f"Only {int(usable.sum())} of {len(usable)} pictures show one face well enough; film one person from the "
            "front, near and in good light."
        )
    test = held_out(footage, options.hold_out)
    framing = choose_frame(footage, usable, options.size)
    with clock.stage("Background") as advance:
        maker = prepare_masks(footage, usable, framing, options, advance)
    with clock.stage("Frames", footage.frames) as advance:
        write_pictures(journal, footage, head.poses, usable, framing, maker, options, advance, clock.cancelled)
    with clock.stage("Speech", footage.frames) as advance:
        encode_speech(journal, sources, footage.clips, options.processes, advance)
    with clock.stage("Action Units", footage.frames) as advance:
        silent = silent_frames(journal.folder, sources, footage.clips)
        units = measure(footage, head, usable, silent, advance)
        write_tables(footage, head, framing, units, unit_set, usable, silent, test)
    with clock.stage("Report", len(footage.clips)) as advance:
        still = True if maker.background_plate is not None else None
        chosen = in_set(units, unit_set)
        warnings = [*footage.warnings(), *units.warnings]
        page, summary = make_report(footage, head, chosen, usable, silent, still, warnings, advance)
    return CaptureResult(options.output, page, summary)
