# SPDX-License-Identifier: GPL-3.0-or-later
"""Many frames: side by side, one a thread, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import CancelledError

if TYPE_CHECKING:
    from ..camera import Camera
    from ..motion.state import MotionState
    from ..render import Renderer

AHEAD = 2
"""Frames for each thread that are drawn before anybody has asked for them."""


Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Result]:
    """work(item) of every item, in order, on so many threads, each item taken when it is needed.

    Stop by closing the iterator, or by `cancelled`, which is asked before every item and every result and ends it with
    CancelledError. What work raises is raised where its result would be.
    """
    waiting: deque[Future[Result]] = deque()

    def ask() -> None:
        if cancelled is not None and cancelled():
            raise CancelledError("Rendering was cancelled; the frames that are finished are kept.")

    with ThreadPoolExecutor(threads, thread_name_prefix="hmtalker-range") as pool:
        try:
            for item in items:
                ask()
                waiting.append(pool.submit(work, item))
                if len(waiting) >= AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                ask()
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def render_range(
    renderer: Renderer,
    states: Iterable[MotionState],
    camera: Camera | None = None,
    encoded: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[Any]:
    """The frames of `states`, in their order: Frame, or with `encoded` what Renderer.render_srgb8 returns.

    A frame that has a core to itself waits for nobody, so a range is drawn faster than its frames one by one; each has
    the same bits either way. A few frames at a time are in memory. See :func:`side_by_side`; raises RenderError too.
    """
    draw = renderer.render_srgb8 if encoded else renderer.render
    return side_by_side(lambda state: draw(state, camera, 1), states, renderer.threads, cancelled)
