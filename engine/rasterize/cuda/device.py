# SPDX-License-Identifier: GPL-3.0-or-later
"""What the renderer needs of a card. :class:`.driver.Gpu` is one; the tests have one made of a C++ compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from .layout import Work


class Device(Protocol):
    """A card, its memory, and one queue of work. Raises RenderError from every method."""

    def alloc(self, size: int) -> int:
        """Address of `size` bytes on the card, not cleared."""
        ...

    def free(self, address: int) -> None:
        """Give back what :meth:`alloc` gave."""
        ...

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Zeros on this side that the card can copy from and to while this side does something else."""
        ...

    def unpin(self, array: np.ndarray) -> None:
        """Give back what :meth:`pinned` gave; the array must not be used afterwards."""
        ...

    def upload(self, address: int, array: np.ndarray) -> None:
        """Queue a copy to the card. `array` is C-contiguous and stays as it is until :meth:`synchronize`."""
        ...

    def download(self, array: np.ndarray, address: int) -> None:
        """Queue a copy from the card."""
        ...

    def launch(self, kernel: str, grid: tuple[int, int, int], threads: int, work: Work) -> None:
        """Queue a kernel."""
        ...

    def record(self, queue: Callable[[], None]) -> Callable[[], None]:
        """Something that queues, each time it is called, all that `queue` would: a graph where there are graphs."""
        ...

    def forget(self) -> None:
        """Give back everything that :meth:`record` made."""
        ...

    def synchronize(self) -> None:
        """Wait until everything queued is done."""
        ...

    def enter(self) -> None:
        """Make the card usable from the calling thread."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...
