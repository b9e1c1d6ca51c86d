# SPDX-License-Identifier: GPL-3.0-or-later
"""NVRTC, NVIDIA's run-time compiler, by ctypes: CUDA C++ to machine code for one kind of card, kept on disk.

NVRTC comes with CUDA's toolkit, with CUDA builds of torch, and as the wheel ``nvidia-cuda-nvrtc-cu12``; neither nvcc
nor a host compiler nor a card is needed.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ...atomic_file import write_atomically
from ...errors import RenderError
from ...pretrained import cache_folder

PATTERNS = ("nvrtc64_*_0.dll",) if sys.platform == "win32" else ("libnvrtc.so.*", "libnvrtc.so")
FOLDERS = ("cuda_nvrtc", "cu13", "cu12")
"""Below site-packages/nvidia: where the wheels for CUDA 12 and 13 put it."""
OPTIONS = ("--std=c++17",)
OLDEST = 75
"""Turing: the oldest kind of card that all supported versions of NVRTC compile for."""


def find_nvrtc() -> str | None:
    """Path or name of the library, of the newest wheel first; None where there is none."""
    for folder in _folders():
        for pattern in PATTERNS:
            found = sorted(path for path in folder.glob(pattern) if ".alt." not in path.name)
            if found:
                return str(found[-1])
    return ctypes.util.find_library("nvrtc")


def _folders() -> Iterator[Path]:
    nvidia, torch = importlib.util.find_spec("nvidia"), importlib.util.find_spec("torch")  # neither is imported
    for root in (nvidia.submodule_search_locations if nvidia else None) or ():
        for name in FOLDERS:
            yield from (Path(root) / name / part for part in ("lib", "bin", "bin/x86_64"))
    if torch and torch.origin:
        yield Path(torch.origin).parent / "lib"
    for variable in ("CUDA_PATH", "CUDA_HOME"):
        if os.environ.get(variable):
            yield from (Path(os.environ[variable]) / part for part in ("lib64", "bin", "bin/x64"))
    yield Path("/usr/local/cuda/lib64")


class Nvrtc:
    """The loaded compiler."""

    def __init__(self, library: Any) -> None:
        """library: what ctypes loaded; see :func:`load_nvrtc`."""
        self._library = library
        library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def version(self) -> tuple[int, int]:
        """As CUDA's own, such as (12, 9)."""
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        return major.value, minor.value

    def architectures(self) -> list[int]:
        """What it can compile for, ascending: 75 is a card of compute capability 7.5."""
        count = ctypes.c_int()
        self._call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
        found = (ctypes.c_int * count.value)()
        self._call("nvrtcGetSupportedArchs", found)
        return sorted(found)

    def compile(self, text: str, target: str) -> bytes:
        """Machine code for `target` "sm_NN", or portable code for "compute_NN". Raises RenderError."""
        program = ctypes.c_void_p()
        self._call(
            "nvrtcCreateProgram", ctypes.byref(program), text.encode(), b"hmtalker.cu", ctypes.c_int(0), None, None
        )
        try:
            options = [f"--gpu-architecture={target}".encode(), *(option.encode() for option in OPTIONS)]
            array = (ctypes.c_char_p * len(options))(*options)
            code = self._library.nvrtcCompileProgram(program, ctypes.c_int(len(options)), array)
            if code:
                told = self._text(program, "nvrtcGetProgramLog").decode("utf-8", "replace").split("\n")
                first = next((line for line in told if "error" in line), self._error(code)).strip()
                raise RenderError(f"The CUDA kernels do not compile for {target}: {first}")
            return self._text(program, "nvrtcGetCUBIN" if target.startswith("sm_") else "nvrtcGetPTX")
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _text(self, program: ctypes.c_void_p, name: str) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"{name}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._call(name, program, buffer)
        return buffer.raw

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            raise RenderError(f"NVIDIA's run-time compiler failed in {name}: {self._error(code)}.")

    def _error(self, code: int) -> str:
        return (self._library.nvrtcGetErrorString(ctypes.c_int(code)) or b"unknown error").decode()


@cache
def load_nvrtc() -> Nvrtc:
    """The compiler of this machine. Raises RenderError where there is none."""
    path = find_nvrtc()
    if path is None:
        raise RenderError(
            "NVIDIA's run-time compiler (NVRTC) is not installed; install the package nvidia-cuda-nvrtc-cu12."
        )
    try:
        return Nvrtc(ctypes.CDLL(path))
    except (OSError, AttributeError) as error:
        raise RenderError(f"NVIDIA's run-time compiler {path} cannot be loaded ({error}); install it again.") from error


def target_for(capability: int, architectures: list[int]) -> str:
    """Machine code where the compiler knows the card, else the newest portable code, which the driver finishes.

    capability: 90 for a card of compute capability 9.0. Raises RenderError for a card older than both.
    """
    if capability in architectures:
        return f"sm_{capability}"
    older = [architecture for architecture in architectures if architecture < capability]
    if not older or capability < OLDEST:
        raise RenderError(f"A card of compute capability {capability / 10:.1f} is too old; use the portable renderer.")
    return f"compute_{older[-1]}"


def compiled(text: str, capability: int, folder: Path | None = None) -> bytes:
    """Code of `text` for a card, from `folder` (default: the cache's "cuda") if it was compiled before.

    Raises RenderError. A folder that cannot be written to only costs the next start a second.
    """
    nvrtc = load_nvrtc()
    target = target_for(capability, nvrtc.architectures())
    key = hashlib.sha256(repr((text, target, OPTIONS, nvrtc.version())).encode()).hexdigest()[:32]
    path = (folder or cache_folder() / "cuda") / f"{key}.{target}"
    try:
        return path.read_bytes()
    except OSError:
        code = nvrtc.compile(text, target)
    with contextlib.suppress(OSError):
        write_atomically(path, [code])
    return code
