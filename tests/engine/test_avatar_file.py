# SPDX-License-Identifier: GPL-3.0-or-later
"""The avatar file: what goes in comes out, and nothing that is not an avatar gets in."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from hmtalker.avatar import Avatar, load_avatar, read_avatar_header, save_avatar
from hmtalker.avatar.header import VERSION, seal_of
from hmtalker.errors import AvatarError

sys.path.insert(0, str(Path(__file__).parent))
from tiny_avatar import make_tiny_avatar


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return make_tiny_avatar()


@pytest.fixture(scope="module")
def good(avatar, tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "tiny.hmt"
    save_avatar(avatar, path)
    return path.read_bytes()


def split(data: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: dict | str, body: bytes) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return len(text).to_bytes(8, "little") + text + body


def refused(tmp_path: Path, data: bytes, name: str = "face.hmt") -> str:
    """Load `data`, which must be refused; returns the sentence."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(AvatarError) as raised:
        load_avatar(path)
    sentence = str(raised.value)
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 250
    return sentence


def test_round_trip_keeps_everything(avatar, tmp_path):
    path = tmp_path / "tiny.hmt"
    save_avatar(avatar, path)
    loaded = load_avatar(path)
    assert loaded.header == avatar.header
    for layer in ("face", "mouth"):
        for name, array in getattr(loaded, layer).arrays().items():
            expected = getattr(avatar, layer).arrays()[name]
            assert array.dtype == np.float32
            assert array.flags["C_CONTIGUOUS"]
            if name == "sh":
                np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-6)
            else:
                np.testing.assert_array_equal(array, expected)
    assert set(loaded.motion) == set(avatar.motion)
    for name, array in loaded.motion.items():
        np.testing.assert_array_equal(array, avatar.motion[name])
    assert loaded.camera.width == 96
    assert loaded.pivot.shape == (3,)


def test_saving_twice_gives_the_same_bytes(avatar, good, tmp_path):
    path = tmp_path / "again.hmt"
    save_avatar(avatar, path)
    assert path.read_bytes() == good
    save_avatar(load_avatar(path), path)
    assert path.read_bytes() == good


def test_header_is_read_without_the_arrays(good, tmp_path):
    path = tmp_path / "tiny.hmt"
    path.write_bytes(good)
    header = read_avatar_header(path)
    assert header["name"] == "Tiny"
    assert header["counts"]["mouth"] == 60


def test_the_reference_safetensors_library_reads_it(avatar, good, tmp_path):
    numpy = pytest.importorskip("safetensors.numpy", reason="the reference library is not installed")
    arrays = numpy.load(good)
    np.testing.assert_array_equal(arrays["face.means"], avatar.face.means)


def test_empty_mouth_is_fine(avatar, tmp_path):
    path = tmp_path / "mute.hmt"
    silent = Avatar(avatar.face, avatar.mouth.select(np.zeros(0, int)), avatar.motion, avatar.header)
    save_avatar(silent, path)
    assert load_avatar(path).mouth.count == 0


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 100, 0.25, 0.5, -1])
def test_truncated_file_is_refused(good, tmp_path, keep):
    cut = int(keep * len(good)) if isinstance(keep, float) else keep
    sentence = refused(tmp_path, good[:cut])
    assert "empty" in sentence or "cut short" in sentence or "header" in sentence


@pytest.mark.parametrize(
    ("magic", "word"),
    [
        (b"PK\x03\x04", "ZIP"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\x80\x04\x95", "pickle"),
        (b"RIFF", "sound"),
        (b"hello world", "unknown"),
    ],
)
def test_other_formats_are_named(tmp_path, magic, word):
    assert word in refused(tmp_path, magic + bytes(500))


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(AvatarError, match=r"no avatar file .*nobody\.hmt"):
        load_avatar(tmp_path / "nobody.hmt")
    with pytest.raises(AvatarError, match="folder"):
        load_avatar(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.hmt")
    for path in (tmp_path / "pipe.hmt", os.devnull):
        with pytest.raises(AvatarError, match="ordinary"):
            load_avatar(path)


def edited(good: bytes, change) -> bytes:
    header, body = split(good)
    return join(change(header) or header, body)


def edited_avatar(good: bytes, **fields) -> bytes:
    header, body = split(good)
    own = json.loads(header["__metadata__"]["hmtalker"])
    for key, value in fields.items():
        if value is None:
            del own[key]
        else:
            own[key] = value
    header["__metadata__"]["hmtalker"] = json.dumps(own)
    header["__metadata__"]["hmtalker-seal"] = seal_of(json.dumps(own))
    return join(header, body)


def test_edited_helper_itself_makes_a_sound_file(good, tmp_path):
    path = tmp_path / "same.hmt"
    path.write_bytes(edited_avatar(good, name="Other"))
    assert load_avatar(path).name == "Other"


def test_newer_version_asks_for_an_update(good, tmp_path):
    assert "update" in refused(tmp_path, edited_avatar(good, version=VERSION + 1))


def test_a_record_of_consent_that_was_edited_is_noticed(good, tmp_path):
    header, body = split(good)
    own = json.loads(header["__metadata__"]["hmtalker"])
    header["__metadata__"]["hmtalker"] = json.dumps(own | {"consent": {"person": "Somebody Else"}})
    assert "record of consent, was changed" in refused(tmp_path, join(header, body))
    del header["__metadata__"]["hmtalker-seal"]
    assert "record of consent, was changed" in refused(tmp_path, join(header, body))


def test_avatars_from_before_the_seal_still_load(good, tmp_path):
    path = tmp_path / "old.hmt"
    header, body = split(edited_avatar(good, version=1))
    del header["__metadata__"]["hmtalker-seal"]
    path.write_bytes(join(header, body))
    assert load_avatar(path).header["version"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "other"},
        {"version": "1"},
        {"version": True},
        {"name": None},
        {"name": ""},
        {"name": 7},
        {"au_codes": ["AU01"]},
        {"pivot": [0, 0]},
        {"pivot": [0, 0, "x"]},
        {"camera": {"width": 10}},
        {"camera": {"width": 10**9, "height": 1, "K": [[1] * 3] * 3, "world_to_camera": [[1] * 4] * 4}},
        {"camera": {"width": 64, "height": 64, "K": [[1] * 2], "world_to_camera": []}},
        {"encoder": {"id": "x", "dim": 9}},
        {"encoder": {"id": "x", "dim": -1}},
        {"motion": {"grid_levels": 10**9}},
        {"motion": {"feature_dimension": 8, "face_finest": 1e9}},
        {"motion": {"surprise": 1}},
        {"motion": {"fusion": "magic", "feature_dimension": 8}},
        {"rest": {"implicit": [0] * 31, "action_units": [0] * 17}},
        {"thumbnail": "not base64!"},
        {"thumbnail": "A" * 200_000},
        {"template": {"fps": 25, "head": [[1, 2]]}},
        {"au_statistics": {"AU99": {}}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_bad_header_field_is_refused(good, tmp_path, fields):
    refused(tmp_path, edited_avatar(good, **fields))


def test_nan_and_overflow_in_the_header_are_refused(good, tmp_path):
    for value in ("NaN", "Infinity", "1e999"):
        header, body = split(good)
        text = header["__metadata__"]["hmtalker"].replace('"pivot":[0.0', f'"pivot":[{value}')
        assert text != header["__metadata__"]["hmtalker"]
        header["__metadata__"] = {"hmtalker": text, "hmtalker-seal": seal_of(text)}
        refused(tmp_path, join(header, body))


def test_deeply_nested_header_is_refused(good, tmp_path):
    _, body = split(good)
    depth = 90_000
    refused(tmp_path, join('{"a":' + "[" * depth + "]" * depth + "}", body))
    refused(tmp_path, join('{"a":' + "[" * 500_000 + "]" * 500_000 + "}", body))


def test_duplicate_keys_are_refused(good, tmp_path):
    header, body = split(good)
    text = json.dumps(header)
    assert "twice" in refused(
        tmp_path, join(text[:-1] + ',"face.means":' + json.dumps(header["face.means"]) + "}", body)
    )


def test_huge_header_length_is_refused(good, tmp_path):
    for length in (2**64 - 1, 2**63, 17 << 20, 0, 1):
        refused(tmp_path, length.to_bytes(8, "little") + good[8:])


def test_header_that_is_not_utf8_is_refused(good, tmp_path):
    refused(tmp_path, (4).to_bytes(8, "little") + b"{\xff\xfe}" + b"0" * 100)


def change_entry(name: str, **changes):
    def change(header):
        header[name].update(changes)

    return change


@pytest.mark.parametrize(
    "change",
    [
        change_entry("face.means", shape=[2**62, 4, 2**62]),
        change_entry("face.means", shape=[-1, -3]),
        change_entry("face.means", shape=[1.5, 3]),
        change_entry("face.means", shape=[True, 3]),
        change_entry("face.means", shape="3"),
        change_entry("face.means", shape=[1] * 40),
        change_entry("face.means", dtype="BF16"),
        change_entry("face.means", dtype="O"),
        change_entry("face.means", dtype=["F32"]),
        change_entry("face.means", data_offsets=[-8, 100]),
        change_entry("face.means", data_offsets=[0, 10**18]),
        change_entry("face.means", data_offsets=[0]),
        change_entry("face.means", extra=1),
        lambda header: {key: value for key, value in header.items() if key != "face.means"},
        lambda header: header | {"face.surprise": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}},
        lambda header: header | {"../../etc": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}},
        lambda header: (
            header | {f"motion.x{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(999)}
        ),
        lambda header: header | {"__metadata__": {"hmtalker": 3}},
        lambda header: header | {"__metadata__": {}},
        lambda header: header | {"__metadata__": {"hmtalker": "[]"}},
        lambda header: header | {"__metadata__": []},
    ],
)
def test_hostile_description_is_refused(good, tmp_path, change):
    refused(tmp_path, edited(good, change))


def test_overlap_and_gap_are_told_apart(good, tmp_path):
    header, body = split(good)
    one, other = header["face.means"], header["face.raw_scales"]
    assert one["shape"] == other["shape"]
    place = other["data_offsets"]
    other["data_offsets"] = one["data_offsets"]
    assert "overlaps" in refused(tmp_path, join(header, body))
    header["face.raw_scales"]["data_offsets"] = place
    entries = sorted((entry["data_offsets"][0], name) for name, entry in header.items() if name != "__metadata__")
    last = header[entries[-1][1]]
    last["data_offsets"] = [offset + 4 for offset in last["data_offsets"]]
    assert "gap" in refused(tmp_path, join(header, body + bytes(4)))


def test_trailing_data_is_refused(good, tmp_path):
    assert "more data" in refused(tmp_path, good + b"PK\x03\x04")


def test_huge_claim_is_refused_before_anything_is_allocated(good, tmp_path, monkeypatch):
    asked = []
    empty = np.empty
    monkeypatch.setattr(np, "empty", lambda shape, *rest, **more: asked.append(shape) or empty(shape, *rest, **more))
    refused(tmp_path, edited(good, change_entry("face.means", shape=[2**40, 3], data_offsets=[0, 2**42 * 3])))
    assert asked == []


def test_wrong_shape_is_refused(good, tmp_path):
    header, body = split(good)
    count = header["face.means"]["shape"][0]
    header["face.means"]["shape"] = [3, count]
    assert "wrong shape" in refused(tmp_path, join(header, body)) or count == 3


def test_values_that_are_not_finite_are_refused(good, tmp_path):
    header, body = split(good)
    data = bytearray(body)
    start = header["mouth.means"]["data_offsets"][0]
    data[start : start + 4] = np.float32(np.nan).tobytes()
    assert "mouth.means" in refused(tmp_path, join(header, bytes(data)))


def test_random_damage_never_crashes(good, tmp_path):
    """Whatever bytes change in the header: a sentence, or a sound avatar."""
    rng = np.random.default_rng(0)
    length = int.from_bytes(good[:8], "little")
    path = tmp_path / "damaged.hmt"
    outcomes = set()
    for _ in range(150):
        data = bytearray(good)
        for place in rng.integers(0, 8 + length, rng.integers(1, 4)):
            data[place] = rng.choice(list(b'0123456789-"{}[],:.eE\\\x00\xff'))
        path.write_bytes(data)
        try:
            outcomes.add(type(load_avatar(path)))
        except AvatarError:
            outcomes.add(AvatarError)
    assert AvatarError in outcomes


def test_failed_save_leaves_the_old_file(avatar, good, tmp_path, monkeypatch):
    path = tmp_path / "tiny.hmt"
    path.write_bytes(good)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AvatarError, match="No space left"):
        save_avatar(avatar, path)
    assert path.read_bytes() == good
    assert [item.name for item in tmp_path.iterdir()] == ["tiny.hmt"]


def test_unsound_avatar_is_not_saved(avatar, tmp_path):
    broken = dict(avatar.motion)
    broken.pop("null_implicit")
    with pytest.raises(AvatarError, match="null_implicit"):
        save_avatar(Avatar(avatar.face, avatar.mouth, broken, avatar.header), tmp_path / "x.hmt")
    with pytest.raises(AvatarError):
        save_avatar(Avatar(avatar.face, avatar.mouth, avatar.motion, avatar.header | {"name": ""}), tmp_path / "x.hmt")
    assert list(tmp_path.iterdir()) == []


def test_weights_table_is_that_of_the_model():
    pytest.importorskip("torch", reason="torch is not installed")
    from hmtalker.avatar.motion_shapes import motion_shapes
    from hmtalker.motion.config import FUSIONS, MOUTH_CONDITIONS, MotionConfig
    from hmtalker.motion.model import MotionModel

    variants = [{}, {"use_explicit": False}, {"feature_dimension": 9, "grid_levels": 2}, {"attention": False}]
    for fusion in FUSIONS:
        variants += [{"fusion": fusion, "mouth_condition": mouth} for mouth in MOUTH_CONDITIONS]
    for settings in variants:
        config = MotionConfig(**settings)
        found = {name: tuple(value.shape) for name, value in MotionModel(config).state_dict().items()}
        assert motion_shapes(config) == found


def test_saved_file_is_readable_by_others(avatar, tmp_path):
    path = tmp_path / "tiny.hmt"
    save_avatar(avatar, path)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) & 0o044
