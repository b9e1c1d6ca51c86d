# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading other people's weights without running them, LPIPS and the identity network on weights of our own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from hmtalker.errors import HMTalkerError
from hmtalker.evaluation import convert_identity, convert_lpips
from hmtalker.evaluation.identity import CHIP, FaceIdentity, face_chip
from hmtalker.evaluation.pickled_arrays import read_pickled_arrays

torch = pytest.importorskip("torch")
from talking_landmarks import talking_landmarks

from hmtalker.evaluation.lpips import LPIPS, SMALLEST


def random_checkpoint(seed=0):
    rng = np.random.default_rng(seed)
    data = {"AlexNet_0": {}}
    for index, (filters, channels, side) in enumerate(convert_lpips.SHAPES):
        bound = 1 / np.sqrt(channels * side * side)
        data["AlexNet_0"][f"Conv_{index}"] = {
            "kernel": rng.normal(0, bound, (side, side, channels, filters)).astype(np.float32),
            "bias": rng.normal(0, 0.1, filters).astype(np.float32),
        }
        head = rng.uniform(0, 1, (1, 1, filters, 1)).astype(np.float32)
        data[f"NetLinLayer_{index}"] = {"Conv_0": {"kernel": head}}
    return data


def old_pickle(data):
    """As numpy 1 named its modules."""
    return pickle.dumps(data, protocol=3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


@pytest.fixture(scope="module")
def lpips_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    (folder / "a.ckpt").write_bytes(old_pickle(random_checkpoint()))
    convert_lpips.convert(folder / "a.ckpt", folder / "a.npz")
    return folder / "a.npz"


def test_arrays_come_out_of_a_pickle_unchanged(tmp_path):
    given = {"a": {"b": np.arange(6, dtype=np.float32).reshape(2, 3)}, "c": np.array([1, 2], np.int64)}
    (tmp_path / "x").write_bytes(old_pickle(given))
    found = read_pickled_arrays(tmp_path / "x")
    assert np.array_equal(found["a"]["b"], given["a"]["b"])
    assert np.array_equal(found["c"], given["c"])


class Hostile:
    def __reduce__(self):
        import os

        return os.system, ("touch SHOULD_NOT_EXIST",)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"a": Hostile()}, protocol=3),
        pickle.dumps({"a": np.array([object()])}, protocol=3),
        pickle.dumps(["a", 1], protocol=3),
        pickle.dumps({"a": 1.5}, protocol=3),
        old_pickle({"a": np.arange(1000.0)})[:-500],
        b"",
        b"\x80\x03}q\x00(X\x01\x00\x00\x00aq\x01u.",
        b"no pickle at all",
    ],
)
def test_anything_but_arrays_is_refused_and_nothing_runs(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(HMTalkerError, match=r"x\.ckpt"):
        read_pickled_arrays(tmp_path / "x.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["x.ckpt"]


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.ckpt").write_bytes(old_pickle({"AlexNet_0": {"Conv_0": np.zeros(3)}}))
    with pytest.raises(HMTalkerError, match="other weights"):
        convert_lpips.convert(tmp_path / "x.ckpt", tmp_path / "x.npz")
    with pytest.raises(HMTalkerError, match="cannot be read"):
        convert_lpips.convert(tmp_path / "missing.ckpt", tmp_path / "x.npz")


def reference_lpips(data, first, second):
    """LPIPS in numpy, float64, written from the paper: [H,W,3] in -1..1."""

    def windows(x, side, stride):
        return np.lib.stride_tricks.sliding_window_view(x, (side, side), (0, 1))[::stride, ::stride]

    def features(x):
        x, found = (x - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450], []
        for index, (stride, padding) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]):
            if index in (1, 2):
                x = windows(x, 3, 2).max((-1, -2))
            layer = data["AlexNet_0"][f"Conv_{index}"]
            x = windows(np.pad(x, ((padding, padding), (padding, padding), (0, 0))), len(layer["kernel"]), stride)
            x = np.maximum(np.einsum("yxcij,ijco->yxo", x, layer["kernel"].astype(float)) + layer["bias"], 0)
            found.append(x)
        return found

    total = 0.0
    for index, pair in enumerate(zip(features(first), features(second), strict=True)):
        a, b = (f / (np.sqrt((f**2).sum(-1, keepdims=True)) + 1e-10) for f in pair)
        head = data[f"NetLinLayer_{index}"]["Conv_0"]["kernel"].reshape(-1)
        total += ((a - b) ** 2 @ head.astype(float)).mean()
    return total


def test_lpips_is_the_formula(lpips_file):
    rng = np.random.default_rng(1)
    a, b = rng.uniform(-1, 1, (2, 47, 35, 3))
    ours = [torch.from_numpy(x.transpose(2, 0, 1)[None].astype(np.float32)) for x in (a, b)]
    network, expected = LPIPS(lpips_file), reference_lpips(random_checkpoint(), a, b)
    assert float(network(*ours)[0]) == pytest.approx(expected, rel=1e-4)
    assert float(network((ours[0] + 1) / 2, (ours[1] + 1) / 2, unit_range=True)[0]) == pytest.approx(expected, rel=1e-4)


def test_lpips_trains_the_picture_and_not_itself(lpips_file):
    network = LPIPS(lpips_file)
    assert not list(network.parameters())
    target = torch.rand(2, 3, 32, 40)
    image = torch.full_like(target, 0.5, requires_grad=True)  # flat: features may be 0 everywhere
    distance = network(image, target, unit_range=True)
    assert distance.shape == (2,)
    distance.sum().backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
    with torch.no_grad():
        step = image - 1e-2 * image.grad / image.grad.abs().max()
        assert (network(step, target, unit_range=True) < distance).all()
    assert float(network(target, target, unit_range=True).abs().max()) == 0


def test_lpips_names_pictures_that_it_cannot_compare(lpips_file):
    network = LPIPS(lpips_file)
    small = torch.zeros(1, 3, SMALLEST, SMALLEST)
    assert torch.isfinite(network(small, small)).all()
    with pytest.raises(ValueError, match="pixels a side"):
        network(torch.zeros(1, 3, 64, SMALLEST - 1), torch.zeros(1, 3, 64, SMALLEST - 1))
    with pytest.raises(ValueError, match="compares"):
        network(small, small[:, :1])


def test_a_damaged_lpips_file_says_how_to_make_it_again(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK nothing")
    with pytest.raises(HMTalkerError, match="convert_lpips"):
        LPIPS(tmp_path / "x.npz")


def dlib_file(seed=0):
    """A file as dlib lays it out, with small random weights and settings in between."""
    rng = np.random.default_rng(seed)
    number, parts = convert_identity.number, [b"\x01\x01 settings "]

    def tensor(values, *sizes):
        parts.append(number(2) + b"".join(map(number, sizes)) + values.astype("<f4").tobytes())

    for filters, channels, side in convert_identity.convolutions():
        size = filters * channels * side * side
        values = np.concatenate([rng.normal(0, 1 / np.sqrt(channels * side * side), size), np.zeros(filters)])
        tensor(values, size + filters, 1, 1, 1)
        parts.append(b"\x01\x03con_4")
        tensor(np.concatenate([np.full(filters, 0.5), np.full(filters, 0.1)]), 2 * filters, 1, 1, 1)
        parts.append(b"\x01\x02affine_")
    tensor(rng.normal(0, 0.1, 256 * 128), 256, 128, 1, 1)
    return b"".join(parts)


@pytest.fixture(scope="module")
def identity_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    (folder / "a.dat").write_bytes(dlib_file())
    convert_identity.convert(folder / "a.dat", folder / "a.npz")
    return folder / "a.npz"


def test_whole_numbers_are_written_as_dlib_does():
    assert convert_identity.number(2) == b"\x01\x02"
    assert convert_identity.number(4736) == b"\x02\x80\x12"
    assert convert_identity.number(0) == b"\x01\x00"


def test_the_affine_layers_are_folded_into_the_convolutions():
    arrays = convert_identity.read_network(dlib_file())
    assert len(arrays) == 2 * 29 + 1
    assert arrays["conv0.bias"] == pytest.approx(0.1)
    assert arrays["conv28.weight"].shape == (256, 256, 3, 3)
    assert 0.4 / np.sqrt(27 * 49 / 9) < arrays["conv0.weight"].std() < 0.6 / np.sqrt(147)


def test_another_file_is_no_face_network(tmp_path):
    (tmp_path / "a.dat").write_bytes(dlib_file()[:-1000])
    with pytest.raises(HMTalkerError, match="not dlib's face network"):
        convert_identity.convert(tmp_path / "a.dat", tmp_path / "a.npz")
    with pytest.raises(HMTalkerError, match="convert_identity"):
        FaceIdentity(tmp_path / "nothing.npz")


def test_equal_faces_are_no_distance_apart(identity_file):
    network = FaceIdentity(identity_file)
    rng = np.random.default_rng(0)
    chips = rng.integers(0, 256, (3, CHIP, CHIP, 3), np.uint8)
    chips[1] = chips[0]
    points = network.embed(chips)
    assert points.shape == (3, 128)
    assert np.linalg.norm(points[0] - points[1]) < 1e-4 < np.linalg.norm(points[0] - points[2])
    with pytest.raises(ValueError, match="face chips"):
        network.embed(chips[..., :1])


def test_a_face_chip_does_not_depend_on_place_size_and_roll():
    chips = []
    for middle, roll, scale in (((128.0, 128.0), 0.0, 1.0), ((110.0, 150.0), 0.4, 0.7)):
        landmarks = talking_landmarks(np.zeros(1), middle, roll, scale)[0]
        picture = np.zeros((256, 256, 3), np.uint8)
        for index in (33, 263, 4, 61, 291):
            x, y = np.round(landmarks[index, :2]).astype(int)
            picture[y - 3 : y + 4, x - 3 : x + 4] = 255
        chips.append(face_chip(picture, landmarks)[..., 0].astype(float))
    centres = [np.argwhere(chip > 100).mean(0) for chip in chips]
    assert centres[0] == pytest.approx(centres[1], abs=3)
    assert np.corrcoef(chips[0].ravel(), chips[1].ravel())[0, 1] > 0.6
