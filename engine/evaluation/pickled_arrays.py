# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays in nested dictionaries out of a pickle file, without unpickling it.

A pickle is a small program, and running one that somebody else made can run anything. Here its opcodes are only read
(``pickletools``) and those that a dictionary of numpy arrays needs are acted out: nothing is imported or called, and
whatever is not on the list is refused. Enough for checkpoints that numpy wrote with protocol 2 or 3.
"""

from __future__ import annotations

import math
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HMTalkerError

MOST_BYTES = 1 << 30
_RECONSTRUCT = {"numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct"}
_NAMES = _RECONSTRUCT | {"numpy ndarray", "numpy dtype"}
_DTYPES = {"f2", "f4", "f8", "i4", "i8", "u1"}
_LITERALS = {"BININT", "BININT1", "BININT2", "BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


class _Name(str):
    """A global that the file asks for, by name only."""


class _Array:
    """An array that is yet to be filled."""

    value: np.ndarray | None = None


class _Dtype:
    def __init__(self, code: str) -> None:
        self.code = code


class _Refused(Exception):
    pass


def read_pickled_arrays(path: str | Path) -> dict[str, Any]:
    """The nested dictionaries of float or integer arrays in `path`; arrays in C order, native bytes, own memory.

    Raises :class:`HMTalkerError` for a file that is missing, damaged or holds anything else.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _Refused("it is too large")
        with path.open("rb") as stream:
            result = _act(stream)
    except (_Refused, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise HMTalkerError(
            f"'{path.name}' is not a checkpoint of plain arrays ({error}), so it was not read; fetch it again."
        ) from error
    except OSError as error:
        raise HMTalkerError(f"'{path}' cannot be read ({error.strerror or error}); fetch it again.") from error
    return result


def _act(stream: Any) -> dict[str, Any]:
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        name = opcode.name
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[int(argument or 0)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument or 0)])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in _TUPLES:
            count = _TUPLES[name]
            parts = tuple(stack[len(stack) - count :])
            del stack[len(stack) - count :]
            stack.append(parts)
        elif name == "TUPLE":
            stack.append(tuple(_from_mark(stack)))
        elif name == "GLOBAL":
            if argument not in _NAMES:
                raise _Refused(f"it asks for {argument}")
            stack.append(_Name(argument))
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_made(function, arguments))
        elif name == "BUILD":
            state = stack.pop()
            _fill(stack[-1], state)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            _put(stack[-1], [key, value])
        elif name == "SETITEMS":
            items = _from_mark(stack)
            _put(stack[-1], items)
        elif name == "STOP":
            return _finished(stack.pop())
        elif name != "PROTO":
            raise _Refused(f"it uses {name}")
    raise _Refused("it ends early")


def _from_mark(stack: list[Any]) -> list[Any]:
    at = next(i for i in range(len(stack) - 1, -1, -1) if stack[i] is _MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _made(function: Any, arguments: Any) -> _Array | _Dtype:
    """What a call in the file stands for."""
    if isinstance(function, _Name) and function in _RECONSTRUCT:
        return _Array()
    if isinstance(function, _Name) and function == "numpy dtype" and arguments[0] in _DTYPES:
        return _Dtype(arguments[0])
    raise _Refused(f"it calls {function}")


def _fill(target: Any, state: Any) -> None:
    if isinstance(target, _Dtype):
        if state[1] not in ("<", "|"):
            raise _Refused("its numbers are not little-endian")
    elif isinstance(target, _Array):
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes) or fortran:
            raise _Refused("an array is stored in another way")
        values = np.frombuffer(data, np.dtype(dtype.code).newbyteorder("<"))
        if values.size != math.prod(shape):
            raise _Refused("an array is cut short")
        target.value = values.reshape(shape).astype(dtype.code)
    else:
        raise _Refused("it changes an object")


def _put(target: Any, items: list[Any]) -> None:
    if not isinstance(target, dict) or len(items) % 2:
        raise _Refused("a dictionary is malformed")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str) or isinstance(key, _Name):
            raise _Refused("a dictionary has a key that is no text")
        target[key] = value


def _finished(value: Any) -> Any:
    """The dictionaries with arrays in place; refuses anything else."""
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if isinstance(value, dict):
        return {key: _finished(part) for key, part in value.items()}
    raise _Refused("it holds something else than arrays")
