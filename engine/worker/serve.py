# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: takes one request, does it, and says how it went."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from collections.abc import Callable
from typing import Any

from .. import __version__
from ..errors import CancelledError, HMTalkerError, file_sentence
from .environment_check import describe
from .errors import WorkerError
from .lifeline import Orders, Voice, end_with_caller
from .messages import Done, Failed, Hello, Message

Command = Callable[[dict[str, Any], Callable[[Message], None], Callable[[], bool]], dict[str, Any]]
"""(options, say, cancelled) -> result. Raises HMTalkerError."""

GENTLER = 5
"""Added to the process's niceness, so that the interface of the caller stays alive."""


def serve() -> int:
    """Serve one request and return the exit status: 0 whether the work succeeded or not, once that was said."""
    end_with_caller()
    voice, orders = Voice(), Orders()
    voice.say(Hello(__version__, platform.python_version(), os.getpid()))
    if hasattr(os, "nice"):
        os.nice(GENTLER)
    voice.say(_answer(orders.request(), voice, orders))
    return 0


def _answer(request: dict[str, Any], voice: Voice, orders: Orders) -> Done | Failed:
    try:
        command, options = COMMANDS.get(request.get("command", "")), request.get("options", {})
        if command is None or not isinstance(options, dict):
            raise WorkerError("HM-Talker was updated while Blender was open; save your work and start Blender again.")
        return Done(command(options, voice.say, orders.cancelled))
    except CancelledError as error:
        return Failed(str(error), cancelled=True)
    except HMTalkerError as error:
        return Failed(str(error))
    except MemoryError:
        return Failed("There is not enough memory for this; close other programs and start it again.")
    except OSError as error:
        traceback.print_exc(file=sys.stderr)
        return Failed(file_sentence(error))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return Failed(
            f"Something unexpected went wrong ({type(error).__name__}: {error}); details are in the system console."
        )


def _check(_options: dict[str, Any], _say: Callable[[Message], None], _cancelled: Callable[[], bool]) -> dict[str, Any]:
    return describe(try_imports=True)


def _capture(options: dict[str, Any], say: Callable[[Message], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
    from .capture_worker import capture

    return capture(options, say, cancelled)


def _train(options: dict[str, Any], say: Callable[[Message], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
    from .train_worker import train

    return train(options, say, cancelled)


def _dub(options: dict[str, Any], say: Callable[[Message], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
    from .dub_worker import dub

    return dub(options, say, cancelled)


COMMANDS: dict[str, Command] = {"check": _check, "capture": _capture, "train": _train, "dub": _dub}
