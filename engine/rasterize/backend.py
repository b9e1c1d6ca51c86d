# SPDX-License-Identifier: GPL-3.0-or-later
"""What can draw frames on this machine, and in words why not where something cannot."""

from __future__ import annotations

import argparse
import importlib.util
import platform
from dataclasses import dataclass
from typing import Any

from ..errors import RenderError
from .workers import available_threads


@dataclass(frozen=True)
class Backend:
    """One way to draw frames."""

    name: str
    """"cpu", "cuda" or "gsplat"."""
    usable: bool
    says: str
    """What it runs on, or one sentence on why it cannot."""
    version: str = ""
    """Of what compiles its kernels."""
    memory: int = 0
    """Bytes of the card; 0 where it shares the machine's."""


def backends() -> list[Backend]:
    """All that this installation knows; nothing is compiled. Imports torch where torch and gsplat are installed."""
    return [cpu_backend(), *cuda_backends(), gsplat_backend()]


def cpu_backend() -> Backend:
    """The portable engine."""
    try:
        import numba
    except ImportError as error:
        return Backend("cpu", False, f"The package numba cannot be loaded ({error}); install it again.")
    processor = platform.processor() or platform.machine()
    return Backend("cpu", True, f"{processor}, {available_threads()} threads", f"numba {numba.__version__}")


def cuda_backends() -> list[Backend]:
    """One for each NVIDIA card, or one that says why there is none."""
    try:
        from .cuda.compile import load_nvrtc, target_for
        from .cuda.driver import Driver
    except ImportError as error:
        return [Backend("cuda", False, f"It is not in this installation ({error}).")]
    try:
        cards = Driver().cards()
        if not cards:
            return [Backend("cuda", False, "The NVIDIA driver finds no card.")]
        nvrtc = load_nvrtc()
        version, architectures = "NVRTC {}.{}".format(*nvrtc.version()), nvrtc.architectures()
    except RenderError as error:
        return [Backend("cuda", False, str(error))]
    found = []
    for card in cards:
        newest = "{}.{}".format(*card.driver)
        says = f"{card.name}, compute capability {card.capability / 10:.1f}, driver for CUDA {newest}"
        try:
            target_for(card.capability, architectures)
            found.append(Backend("cuda", True, f"{says}; not yet measured", version, card.memory))
        except RenderError as error:
            found.append(Backend("cuda", False, f"{card.name}: {error}", version, card.memory))
    return found


def gsplat_backend() -> Backend:
    """The package gsplat, through torch."""
    if not (importlib.util.find_spec("torch") and _installed("gsplat")):
        return Backend("gsplat", False, "The packages gsplat 1.5.3 and torch with CUDA are not both installed.")
    try:
        import torch

        from .gsplat_adaptor import GsplatRasterizer

        GsplatRasterizer()
    except (ImportError, RenderError) as error:
        return Backend("gsplat", False, str(error))
    says = f"{torch.cuda.get_device_name()}; not yet measured"
    memory = torch.cuda.get_device_properties(0).total_memory
    return Backend("gsplat", True, says, f"torch {torch.__version__}", memory)


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # loaded, but by no ordinary way
        return True


def backend_line(backend: Backend) -> str:
    """One line for the terminal."""
    memory = f"{backend.memory / 2**30:.0f} GB" if backend.memory else ""
    parts = [backend.says, *(part for part in (memory, backend.version) if part)]
    return f"{backend.name:8}{'yes' if backend.usable else 'no':5}{', '.join(parts)}"


def add_backends_command(commands: Any) -> None:
    """``hmtalker backends``, added to the subparsers of the command line."""
    command = commands.add_parser("backends", help="say what can draw frames on this machine, and why not")
    command.set_defaults(run=_print_backends)


def _print_backends(options: argparse.Namespace) -> None:
    for backend in backends():
        print(backend_line(backend))
