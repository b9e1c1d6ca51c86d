# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's driver by ctypes: one card, its memory, kernels and graphs (CUDA driver API, 11.4 or newer)."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import RenderError
from .layout import Work

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
NON_BLOCKING_STREAM, CAPTURE_THREAD_LOCAL = 1, 1
OUT_OF_MEMORY = 2

_size, _address = ctypes.c_size_t, ctypes.c_uint64


@dataclass(frozen=True)
class Card:
    """What the driver says of a card."""

    name: str
    capability: int
    """90 for compute capability 9.0."""
    memory: int
    """Bytes, all of it."""
    driver: tuple[int, int]
    """Newest CUDA that the driver knows, such as (12, 8)."""


class Driver:
    """The loaded driver. Every failure is one sentence."""

    def __init__(self, library: Any = None) -> None:
        """library: what ctypes loaded; None for this machine's. Raises RenderError where there is none."""
        if library is None:
            try:
                library = ctypes.CDLL(LIBRARY)
            except OSError as error:
                raise RenderError("No NVIDIA driver was found; install it, or use the portable renderer.") from error
        self._library = library
        self.call("cuInit", ctypes.c_uint(0))

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of the driver. Raises RenderError if it fails or the driver does not have it."""
        try:
            function = getattr(self._library, name)
        except AttributeError as error:
            raise RenderError(f"The NVIDIA driver is too old, it has no {name}; install a newer one.") from error
        code = function(*arguments)
        if code == OUT_OF_MEMORY:
            raise RenderError("The card has too little free memory; choose a smaller size or fewer frames at once.")
        if code:
            text = ctypes.c_char_p()
            told = self._library.cuGetErrorString(code, ctypes.byref(text)) == 0 and text.value
            reason = told.decode("utf-8", "replace") if told else f"error {code}"
            raise RenderError(f"The NVIDIA driver failed in {name}: {reason}; use the portable renderer instead.")

    def cards(self) -> list[Card]:
        """All that are there."""
        count, version = ctypes.c_int(), ctypes.c_int()
        self.call("cuDeviceGetCount", ctypes.byref(count))
        self.call("cuDriverGetVersion", ctypes.byref(version))
        return [self._card(ordinal, version.value) for ordinal in range(count.value)]

    def _card(self, ordinal: int, version: int) -> Card:
        device, memory, name = self.device(ordinal), _size(), ctypes.create_string_buffer(256)
        self.call("cuDeviceGetName", name, ctypes.c_int(len(name)), device)
        self.call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
        numbers = []
        for attribute in (CAPABILITY_MAJOR, CAPABILITY_MINOR):
            value = ctypes.c_int()
            self.call("cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(attribute), device)
            numbers.append(value.value)
        driver = (version // 1000, version % 1000 // 10)
        return Card(name.value.decode("utf-8", "replace"), 10 * numbers[0] + numbers[1], memory.value, driver)

    def device(self, ordinal: int) -> ctypes.c_int:
        """The driver's own number of a card."""
        device = ctypes.c_int()
        self.call("cuDeviceGet", ctypes.byref(device), ctypes.c_int(ordinal))
        return device


class Gpu:
    """A card with the kernels loaded, as device.Device. One thread at a time, each beginning with :meth:`enter`."""

    def __init__(self, driver: Driver, ordinal: int, code: bytes, kernels: tuple[str, ...]) -> None:
        """code: what compile.compiled gave. Raises RenderError."""
        self._driver = driver
        self._device = driver.device(ordinal)
        self._context, self._stream, self._module = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self._functions: dict[str, ctypes.c_void_p] = {}
        self._pinned: dict[int, ctypes.c_void_p] = {}
        self._graphs: list[ctypes.c_void_p] = []
        driver.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)
        try:
            self.enter()
            driver.call("cuStreamCreate", ctypes.byref(self._stream), ctypes.c_uint(NON_BLOCKING_STREAM))
            driver.call("cuModuleLoadData", ctypes.byref(self._module), ctypes.c_char_p(code))
            for name in kernels:
                function = self._functions[name] = ctypes.c_void_p()
                driver.call("cuModuleGetFunction", ctypes.byref(function), self._module, name.encode())
        except RenderError:
            self.close()
            raise

    def enter(self) -> None:
        """Make the card's context that of the calling thread."""
        self._driver.call("cuCtxSetCurrent", self._context)

    def alloc(self, size: int) -> int:
        address = _address()
        self._driver.call("cuMemAlloc_v2", ctypes.byref(address), _size(size))
        return address.value

    def free(self, address: int) -> None:
        self._driver.call("cuMemFree_v2", _address(address))

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        count, place = int(np.prod(shape)), ctypes.c_void_p()
        size = max(1, count * np.dtype(dtype).itemsize)
        self._driver.call("cuMemHostAlloc", ctypes.byref(place), _size(size), ctypes.c_uint(0))
        assert place.value is not None
        memory = (ctypes.c_ubyte * size).from_address(place.value)
        array = np.ctypeslib.as_array(memory)[: count * np.dtype(dtype).itemsize].view(dtype).reshape(shape)
        array[...] = 0
        self._pinned[array.ctypes.data] = place
        return array

    def unpin(self, array: np.ndarray) -> None:
        self._driver.call("cuMemFreeHost", self._pinned.pop(array.ctypes.data))

    def upload(self, address: int, array: np.ndarray) -> None:
        source = ctypes.c_void_p(array.ctypes.data)
        self._driver.call("cuMemcpyHtoDAsync_v2", _address(address), source, _size(array.nbytes), self._stream)

    def download(self, array: np.ndarray, address: int) -> None:
        target = ctypes.c_void_p(array.ctypes.data)
        self._driver.call("cuMemcpyDtoHAsync_v2", target, _address(address), _size(array.nbytes), self._stream)

    def launch(self, kernel: str, grid: tuple[int, int, int], threads: int, work: Work) -> None:
        sizes = [ctypes.c_uint(k) for k in (*grid, threads, 1, 1, 0)]
        arguments = (ctypes.c_void_p * 1)(ctypes.addressof(work))
        self._driver.call("cuLaunchKernel", self._functions[kernel], *sizes, self._stream, arguments, None)

    def record(self, queue: Callable[[], None]) -> Callable[[], None]:
        """A CUDA graph of what `queue` queues: one call of the driver for all of it."""
        graph, ready = ctypes.c_void_p(), ctypes.c_void_p()
        self._driver.call("cuStreamBeginCapture_v2", self._stream, ctypes.c_int(CAPTURE_THREAD_LOCAL))
        try:
            queue()
        finally:
            self._driver.call("cuStreamEndCapture", self._stream, ctypes.byref(graph))
        try:
            self._driver.call("cuGraphInstantiateWithFlags", ctypes.byref(ready), graph, ctypes.c_ulonglong(0))
        finally:
            self._driver.call("cuGraphDestroy", graph)
        self._graphs.append(ready)
        return lambda: self._driver.call("cuGraphLaunch", ready, self._stream)

    def forget(self) -> None:
        """Destroy the graphs recorded so far."""
        while self._graphs:
            self._driver.call("cuGraphExecDestroy", self._graphs.pop())

    def synchronize(self) -> None:
        self._driver.call("cuStreamSynchronize", self._stream)

    def close(self) -> None:
        """Give back graphs, stream, kernels and the context."""
        if not self._context:
            return
        self.forget()
        if self._stream:
            self._driver.call("cuStreamDestroy_v2", self._stream)
        if self._module:
            self._driver.call("cuModuleUnload", self._module)
        self._driver.call("cuDevicePrimaryCtxRelease_v2", self._device)
        self._context = ctypes.c_void_p()
