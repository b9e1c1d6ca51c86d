# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of a worker: whatever comes out of a pipe, only well-formed messages are believed."""

from __future__ import annotations

import json
import random

import pytest

from hmtalker.worker.errors import WorkerError
from hmtalker.worker.messages import (
    LONGEST_LINE,
    LONGEST_TEXT,
    PROTOCOL,
    Done,
    Failed,
    Finding,
    Hello,
    Lines,
    Progress,
    decode,
    encode,
)

MESSAGES = [
    Hello("0.1.0", "3.11.7", 42),
    Progress("Reading", 0, 6, 0.25, 12.5, "clip 3 of 12 · “café”"),
    Progress("Head pose", 5, 6, 1.0),
    Finding("warning", "Few open mouths", "Film a minute of reading aloud."),
    Done({"output": "/tmp/a b", "report": "/tmp/a b/report.html"}),
    Failed("There is no video.", cancelled=False),
    Failed("Cancelled; what was finished is kept.", cancelled=True),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_comes_back_as_it_was(message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == message


def test_a_path_that_is_no_unicode_survives() -> None:
    path = b"/clips/\xff.mp4".decode("utf-8", "surrogateescape")
    assert decode(encode(Done({"output": path}))) == Done({"output": path})


@pytest.mark.parametrize("cut", [1, 2, 7, 1000])
def test_lines_come_whole_however_the_stream_is_cut(cut: int) -> None:
    stream = b"".join(map(encode, MESSAGES)) + b'{"type": "done", "resu'
    lines = Lines()
    found = [line for start in range(0, len(stream), cut) for line in lines.feed(stream[start : start + cut])]
    assert [decode(line) for line in found] == MESSAGES


def test_a_line_without_end_takes_no_memory_and_the_next_one_is_heard() -> None:
    lines = Lines(longest=1000)
    for _ in range(200):
        assert lines.feed(b"x" * 999) == []
        assert len(lines._rest) <= 1000
    assert lines.feed(b"tail\n" + encode(MESSAGES[1])) == [encode(MESSAGES[1]).rstrip()]


def test_windows_line_ends_are_line_ends() -> None:
    assert decode(Lines().feed(encode(MESSAGES[0]).replace(b"\n", b"\r\n"))[0]) == MESSAGES[0]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Downloading 45%",
        b"\xff\xfe\x00",
        b"null",
        b"[1, 2]",
        b'"hello"',
        b"{}",
        b'{"type": "explode"}',
        b'{"type": ["done"]}',
        b'{"type": "done"}',
        b'{"type": "done", "result": [1]}',
        b'{"type": "failed", "sentence": 3}',
        b'{"type": "finding", "severity": "warning"}',
        b'{"type": "progress", "stage": "a", "stage_index": 0, "stages": 1, "share": NaN}',
        b'{"type": "progress", "stage": "a", "stage_index": 0, "stages": 1, "share": true}',
        b'{"type": "progress", "stage": "a", "stage_index": 0.5, "stages": 1, "share": 0}',
        b'{"type": "progress", "stage": "a", "stage_index": 0, "stages": 1, "share": 0, "seconds_left": 1e999}',
        b'{"type": "progress", "stage": "a", "stage_index": 0, "stages": 1, "share": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"type": "hello", "protocol": %d, "engine": 1, "python": "3", "process": 1}' % PROTOCOL,
    ],
)
def test_what_is_no_message_is_passed_over(line: bytes) -> None:
    assert decode(line) is None


def test_damaged_messages_never_raise_anything_but_a_sentence() -> None:
    chance = random.Random(0)
    understood = 0
    for _ in range(3000):
        line = bytearray(encode(chance.choice(MESSAGES)))
        for _ in range(chance.randint(1, 4)):
            line[chance.randrange(len(line))] = chance.randrange(256)
        try:
            found = decode(bytes(line))
        except WorkerError:
            continue
        understood += found is not None
        if isinstance(found, Progress):
            assert 0 <= found.share <= 1
            assert 0 <= found.stage_index < found.stages
    assert 0 < understood < 3000


def test_numbers_out_of_range_are_brought_into_it() -> None:
    said = {"type": "progress", "stage": "a", "stage_index": 9, "stages": 0, "share": 7.5, "seconds_left": -3}
    assert decode(json.dumps(said).encode()) == Progress("a", 0, 1, 1.0, 0.0)


def test_texts_are_cut_to_what_can_be_shown() -> None:
    found = decode(encode(Failed("x" * 100_000)))
    assert isinstance(found, Failed)
    assert len(found.sentence) == LONGEST_TEXT


def test_a_message_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(ValueError, match="bytes"):
        encode(Done({"output": "x" * LONGEST_LINE}))


def test_a_number_that_json_cannot_say_is_not_sent() -> None:
    with pytest.raises(ValueError):
        encode(Progress("a", 0, 1, float("nan")))


@pytest.mark.parametrize("protocol", [PROTOCOL + 1, 0, None, "1"])
def test_another_protocol_is_one_sentence(protocol: object) -> None:
    said = {"type": "hello", "engine": "9", "python": "3.11.7", "process": 1, "protocol": protocol}
    with pytest.raises(WorkerError, match="start Blender again"):
        decode(json.dumps(said).encode())
