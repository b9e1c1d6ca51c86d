# SPDX-License-Identifier: GPL-3.0-or-later
"""A card made of a C++ compiler: the CUDA kernels' own text, run on a processor, behind the interface of device.Device.

Memory starts as NaN and -1, and ends in a guard that is looked at when it is given back.
"""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmtalker.rasterize.cuda.layout import Work
from hmtalker.rasterize.cuda.program import program_text

WORDS = Path(__file__).with_name("cuda_on_processor.h")
GUARD = 64
# Needs the kernels' Work whole, so it follows them.
RUN_BLOCK = """
namespace fibres {
static Kernel kernel_now;
static const Work *work_now;
static void enter() {
    kernel_now(*work_now);
    ended[current] = true;
}
}  // namespace fibres
int run_block(Kernel kernel, const Work *work, int threads, bool backwards) {
    using namespace fibres;
    stacks.resize((size_t)MOST * STACK);
    kernel_now = kernel, work_now = work, tally[0] = 0;
    for (int t = 0; t < threads; t++) {
        ended[t] = false, barriers[t] = 0;
        getcontext(&contexts[t]);
        contexts[t].uc_stack.ss_sp = &stacks[(size_t)t * STACK];
        contexts[t].uc_stack.ss_size = STACK;
        contexts[t].uc_link = &home;
        makecontext(&contexts[t], enter, 0);
    }
    for (int out = 0; out < threads;) {
        for (int k = 0; k < threads; k++) {
            const int t = current = backwards ? threads - 1 - k : k;
            threadIdx.x = t;
            if (!ended[t]) swapcontext(&home, &contexts[t]);
            out += ended[t];
        }
        if (out != 0 && out != threads) return 1;
        for (int t = 0; t < threads; t++)
            if (barriers[t] != barriers[0]) return 1;
    }
    return 0;
}
extern "C" int bytes_of_work() { return sizeof(Work); }
"""


@cache
def library() -> Any:
    """The kernels as a library of this processor; skips the test where there is no compiler for it."""
    compiler = shutil.which("g++")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("the CUDA kernels run on a processor only with g++ on Linux")
    text = WORDS.read_text("utf-8") + program_text() + RUN_BLOCK
    folder = Path(tempfile.gettempdir()) / "hmtalker-cuda-on-processor"
    folder.mkdir(exist_ok=True)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            source, built = Path(made) / "kernels.cpp", Path(made) / "kernels.so"
            source.write_text(text, "utf-8")
            options = ["-std=c++17", "-O2", "-shared", "-fPIC", "-Wall", "-Wno-unknown-pragmas"]
            done = subprocess.run([compiler, *options, str(source), "-o", str(built)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            built.replace(path)
    return ctypes.CDLL(str(path))


class Processor:
    """As a card, but everything is done at once."""

    def __init__(self, backwards: bool = False) -> None:
        """backwards: threads of a block run from the last to the first."""
        self._library = library()
        self._backwards = backwards
        self._memory: dict[int, np.ndarray] = {}
        self._pinned: set[int] = set()
        self.launched: list[str] = []

    def alloc(self, size: int) -> int:
        assert size > 0
        memory = np.full(size + GUARD, 0xFF, np.uint8)
        memory[size:] = 0xA5
        self._memory[memory.ctypes.data] = memory
        return memory.ctypes.data

    def free(self, address: int) -> None:
        assert (self._memory.pop(address)[-GUARD:] == 0xA5).all(), "a kernel wrote past the end of a buffer"

    def memory(self, address: int) -> np.ndarray:
        """Bytes of a buffer."""
        return self._memory[address][:-GUARD]

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        array = np.zeros(shape, dtype)
        self._pinned.add(array.ctypes.data)
        return array

    def unpin(self, array: np.ndarray) -> None:
        self._pinned.remove(array.ctypes.data)

    def upload(self, address: int, array: np.ndarray) -> None:
        memory = self._memory[address]
        assert array.flags.c_contiguous
        assert array.nbytes <= len(memory) - GUARD
        memory[: array.nbytes] = array.reshape(-1).view(np.uint8)

    def download(self, array: np.ndarray, address: int) -> None:
        memory = self._memory[address]
        assert array.nbytes <= len(memory) - GUARD
        array.reshape(-1).view(np.uint8)[:] = memory[: array.nbytes]

    def launch(self, kernel: str, grid: tuple[int, int, int], threads: int, work: Work) -> None:
        assert min(grid) >= 1
        assert 1 <= threads <= 1024
        self.launched.append(kernel)
        entry = ctypes.cast(getattr(self._library, kernel), ctypes.c_void_p)
        failed = self._library.run_grid(entry, ctypes.byref(work), *grid, threads, ctypes.c_bool(self._backwards))
        assert not failed, f"not all threads of {kernel} met at the same barriers"

    def record(self, queue: Callable[[], None]) -> Callable[[], None]:
        return queue

    def forget(self) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def enter(self) -> None:
        pass

    def close(self) -> None:
        assert not self._memory
        assert not self._pinned
