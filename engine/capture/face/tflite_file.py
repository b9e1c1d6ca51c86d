# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a TensorFlow Lite graph: its container, FlatBuffers, and the few tables of its schema that hold the network.

Fields are numbered as in TensorFlow's lite/schema/schema.fbs, version 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

# enum TensorType, enum BuiltinOperator
_DATA_TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 4: "<i8"}
# fmt: off
_OPERATORS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 6: "DEQUANTIZE",
    14: "LOGISTIC", 17: "MAX_POOL_2D", 18: "MUL", 19: "RELU", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 34: "PAD",
    39: "TRANSPOSE", 40: "MEAN", 41: "SUB", 42: "DIV", 45: "STRIDED_SLICE", 54: "PRELU", 59: "NEG", 74: "SUM",
    75: "SQRT", 76: "RSQRT", 99: "SQUARED_DIFFERENCE", 117: "HARD_SWISH",
}
# fmt: on
_CUSTOM = 32  # an operator that only its name tells
_EMPTY = struct.pack("<HHi", 4, 4, 4)  # a table without fields, at 4, after its list of fields


class Table:
    """One FlatBuffers table: fields by their number in the schema, absent ones give the default."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position
        self._fields = position - self._read("<i", position)
        self._size = self._read("<H", self._fields)

    def _read(self, form: str, position: int) -> int:
        if position < 0:
            raise ValueError("negative offset")
        return int(struct.unpack_from(form, self._data, position)[0])

    def _at(self, field: int) -> int:
        entry = 4 + 2 * field
        offset = self._read("<H", self._fields + entry) if entry < self._size else 0
        return self._position + offset if offset else 0

    def number(self, field: int, form: str = "<i", default: int = 0) -> int:
        at = self._at(field)
        return self._read(form, at) if at else default

    def table(self, field: int) -> Table | None:
        at = self._at(field)
        return Table(self._data, at + self._read("<I", at)) if at else None

    def vector(self, field: int, form: str) -> np.ndarray:
        at = self._at(field)
        if not at:
            return np.zeros(0, form)
        start = at + self._read("<I", at)
        return np.frombuffer(self._data, form, self._read("<I", start), start + 4)

    def tables(self, field: int) -> list[Table]:
        at = self._at(field)
        if not at:
            return []
        start = at + self._read("<I", at)
        places = range(start + 4, start + 4 + 4 * self._read("<I", start), 4)
        return [Table(self._data, place + self._read("<I", place)) for place in places]


@dataclass(frozen=True)
class Operator:
    """One step of a graph. inputs, outputs: indices of tensors, -1 for an absent one. options: fields of its kind."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    options: Table


@dataclass(frozen=True)
class Graph:
    """shapes: of every tensor. constants: tensor -> value, read-only. inputs, outputs: tensors. operators: in order."""

    shapes: list[list[int]]
    constants: dict[int, np.ndarray]
    inputs: list[int]
    outputs: list[int]
    operators: list[Operator]


def read_graph(data: bytes) -> Graph:
    """The one graph of a TensorFlow Lite file.

    Raises ValueError, KeyError, IndexError or struct.error if `data` is damaged or is something else.
    """
    if data[4:8] != b"TFL3":
        raise ValueError("not a TensorFlow Lite graph")
    model = Table(data, struct.unpack_from("<I", data)[0])
    kinds = []
    for code in model.tables(1):
        number = max(code.number(0, "<b"), code.number(3))
        name = code.vector(1, "u1").tobytes().decode() if number == _CUSTOM else ""
        kinds.append(name or _OPERATORS.get(number, f"operator {number}"))
    (graph,) = model.tables(2)
    buffers = model.tables(4)
    shapes: list[list[int]] = []
    constants: dict[int, np.ndarray] = {}
    for index, tensor in enumerate(graph.tables(0)):
        shapes.append(_integers(tensor, 0))
        raw = buffers[tensor.number(2, "<I")].vector(0, "u1")
        if raw.size:
            value = np.frombuffer(raw.tobytes(), _DATA_TYPES[tensor.number(1, "<b")])
            constants[index] = value.reshape(shapes[index])
    operators = []
    for operator in graph.tables(3):
        kind = kinds[operator.number(0, "<I")]
        operators.append(
            Operator(kind, _integers(operator, 1), _integers(operator, 2), operator.table(4) or Table(_EMPTY, 4))
        )
    return Graph(shapes, constants, _integers(graph, 1), _integers(graph, 2), operators)


def _integers(table: Table, field: int) -> list[int]:
    return [int(n) for n in table.vector(field, "<i4")]
