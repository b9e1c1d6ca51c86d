# SPDX-License-Identifier: GPL-3.0-or-later
"""What the driver refuses becomes one sentence, and what was taken is given back; the driver is made up."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

pytest.importorskip("numba", reason="the sizes of the kernels are those of the portable engine")

from hmtalker.cli import main
from hmtalker.errors import RenderError
from hmtalker.rasterize import backend
from hmtalker.rasterize.cuda import compile as nvrtc
from hmtalker.rasterize.cuda import driver as driver_module
from hmtalker.rasterize.cuda.driver import Driver, Gpu
from hmtalker.rasterize.cuda.layout import Work


class MadeUpDriver:
    """Every function succeeds, but those that are told to fail; what is called is written down."""

    def __init__(self, fails=(), missing=(), cards=1):
        self.fails, self.missing, self.cards, self.called = dict(fails), missing, cards, []
        self.host = []

    def __getattr__(self, name):
        if name in self.missing or not name.startswith("cu"):
            raise AttributeError(name)

        def function(*arguments):
            self.called.append(name)
            if name in self.fails:
                return self.fails[name]
            self.answer(name, arguments)
            return 0

        return function

    def answer(self, name, arguments):
        target = getattr(arguments[0], "_obj", None) if arguments else None
        if name == "cuGetErrorString":
            arguments[1]._obj.value = b"out of luck"
        elif name == "cuDeviceGetName":
            arguments[0].value = b"Made-up 9000"
        elif name == "cuDeviceGetAttribute":
            target.value = {75: 9, 76: 0}[arguments[1].value]
        elif name == "cuMemHostAlloc":
            self.host.append(ctypes.create_string_buffer(arguments[1].value))
            target.value = ctypes.addressof(self.host[-1])
        elif name == "cuStreamEndCapture":
            arguments[1]._obj.value = 77
        elif target is not None:
            values = {"cuDeviceGetCount": self.cards, "cuDriverGetVersion": 12080, "cuDeviceTotalMem_v2": 8 << 30}
            target.value = values.get(name, 0 if name == "cuDeviceGet" else 77)


def gpu(library):
    return Gpu(Driver(library), 0, b"code", ("one", "two"))


def test_cards_are_described():
    (card,) = Driver(MadeUpDriver()).cards()
    assert (card.name, card.capability, card.memory, card.driver) == ("Made-up 9000", 90, 8 << 30, (12, 8))


def test_an_error_is_one_sentence_with_the_drivers_words():
    with pytest.raises(RenderError, match=r"failed in cuInit: out of luck; use the portable renderer instead\.$"):
        Driver(MadeUpDriver(fails={"cuInit": 999}))
    with pytest.raises(RenderError, match="error 999"):
        Driver(MadeUpDriver(fails={"cuInit": 999, "cuGetErrorString": 1}))


def test_an_old_driver_is_told_from_a_broken_one():
    card = gpu(MadeUpDriver(missing=("cuGraphInstantiateWithFlags",)))
    with pytest.raises(RenderError, match="too old, it has no cuGraphInstantiateWithFlags; install a newer one"):
        card.record(lambda: None)


def test_a_full_card_is_told_in_words():
    card = gpu(MadeUpDriver(fails={"cuMemAlloc_v2": 2}))
    with pytest.raises(RenderError, match="too little free memory; choose a smaller size"):
        card.alloc(1 << 40)


def test_no_driver_is_one_sentence(monkeypatch):
    monkeypatch.setattr(driver_module, "LIBRARY", "libno-such-driver.so.1")
    with pytest.raises(RenderError, match="No NVIDIA driver was found"):
        Driver()


def test_what_failed_half_way_gives_the_context_back():
    library = MadeUpDriver(fails={"cuModuleLoadData": 218})
    with pytest.raises(RenderError, match="cuModuleLoadData"):
        gpu(library)
    assert library.called[-2:] == ["cuStreamDestroy_v2", "cuDevicePrimaryCtxRelease_v2"]


def test_a_graph_is_recorded_once_and_launched_by_one_call():
    library = MadeUpDriver()
    card = gpu(library)
    array = card.pinned((3, 4), np.float32)
    assert array.shape == (3, 4)
    assert not array.any()

    def queue():
        card.upload(64, array)
        card.launch("two", (3, 2, 1), 128, Work(width=5))
        card.download(array, 64)

    library.called.clear()
    again = card.record(queue)
    first, last = "cuStreamBeginCapture_v2", "cuGraphDestroy"
    assert library.called[0] == first
    assert library.called[-1] == last
    assert "cuLaunchKernel" in library.called
    library.called.clear()
    again()
    again()
    assert library.called == ["cuGraphLaunch", "cuGraphLaunch"]
    card.unpin(array)
    card.close()
    card.close()
    assert library.called[2:4] == ["cuMemFreeHost", "cuGraphExecDestroy"]
    assert library.called[4:] == ["cuStreamDestroy_v2", "cuModuleUnload", "cuDevicePrimaryCtxRelease_v2"]


def test_a_failing_kernel_ends_the_recording():
    library = MadeUpDriver(fails={"cuLaunchKernel": 1})
    card = gpu(library)
    with pytest.raises(RenderError, match="cuLaunchKernel"):
        card.record(lambda: card.launch("one", (1, 1, 1), 32, Work()))
    assert "cuStreamEndCapture" in library.called


def test_backends_say_why_not(monkeypatch, capsys):
    monkeypatch.setattr(driver_module, "LIBRARY", "libno-such-driver.so.1")
    assert main(["backends"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cpu     yes")
    assert lines[1] == "cuda    no   No NVIDIA driver was found; install it, or use the portable renderer."


def test_backends_describe_cards(monkeypatch):
    class Compiler:
        def version(self):
            return 12, 9

        def architectures(self):
            return [75, 90]

    monkeypatch.setattr(driver_module.ctypes, "CDLL", lambda name: MadeUpDriver(cards=2))
    monkeypatch.setattr(nvrtc, "load_nvrtc", Compiler)
    first, second = backend.cuda_backends()
    assert first == second
    assert first.usable
    told = "cuda    yes  Made-up 9000, compute capability 9.0, driver for CUDA 12.8; not yet measured, 8 GB, NVRTC 12.9"
    assert backend.backend_line(first) == told
    monkeypatch.setattr(driver_module.ctypes, "CDLL", lambda name: MadeUpDriver(cards=0))
    assert backend.cuda_backends()[0].says == "The NVIDIA driver finds no card."
