# SPDX-License-Identifier: GPL-3.0-or-later
"""AVE and HuBERT from files that the user has: with random weights in the right shapes, against torch's own answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from torch import nn

from hmtalker.errors import CancelledError, HMTalkerError
from hmtalker.pretrained import cache_folder
from hmtalker.speech import encoder as encoders
from hmtalker.speech.command import install
from hmtalker.speech.convert_ave import LAYERS, folded_layers
from hmtalker.speech.lip_mel import lip_mel
from hmtalker.speech.user_encoders import AveEncoder, HubertEncoder


class Convolution(nn.Module):
    """Conv2d, batch normalisation, ReLU; named as lip-sync networks name them."""

    def __init__(self, layer) -> None:
        super().__init__()
        convolution = nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding)
        self.conv_block = nn.Sequential(convolution, nn.BatchNorm2d(layer.outputs))
        self.residual = layer.residual

    def forward(self, x):
        out = self.conv_block(x)
        return torch.relu(out + x if self.residual else out)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    network = nn.Sequential(*(Convolution(layer) for layer in LAYERS))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # as after training, so that folding has something to fold
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    return network.eval()


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("ave") / "audio_visual_encoder.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def ave(checkpoint) -> AveEncoder:
    out = checkpoint.with_name("ave.onnx")
    install("ave", checkpoint, out)
    return AveEncoder(out)


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(int(16000 * seconds)) / 16000
    return (0.1 * np.sin(2 * np.pi * 220 * time * (1 + 0.1 * time)) + 0.02 * rng.standard_normal(len(time))).astype(
        "f4"
    )


def test_ave_answers_as_the_network_does(ave, network):
    samples = sound(2.0)
    features = ave.encode(samples, gain=1.0)
    assert features.shape == (100, 512)
    # step 50 is centred on 1 s: rows 72.5 .. 87.5 of 80 a second are as near to it as whole rows can be
    window = lip_mel(samples, 72, 16, 200).T[None, None]
    with torch.no_grad():
        expected = network(torch.from_numpy(np.ascontiguousarray(window)))[0, :, 0, 0].numpy()
    assert expected.max() > 0.05
    np.testing.assert_allclose(features[50], expected, atol=2e-5)


def test_ave_hears_an_hour_in_pieces_as_it_hears_a_minute(ave):
    samples = sound(12.0)
    whole = ave.encode(samples, gain=1.0)
    later = ave.encode(samples[16000:], gain=1.0)
    np.testing.assert_allclose(later[10:500], whole[60:550], atol=1e-5)


def test_ave_hears_sound_of_any_length_and_can_be_stopped(ave):
    assert ave.encode(np.zeros(0, np.float32)).shape == (0, 512)
    assert np.isfinite(ave.encode(sound(0.01))).all()
    with pytest.raises(CancelledError):
        ave.encode(sound(1.0), cancelled=lambda: True)
    shares: list[float] = []
    ave.encode(sound(11.0), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_other_weights_are_not_taken_for_aves(checkpoint, tmp_path):
    torch.save({"0.weight": torch.zeros(3, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(HMTalkerError, match="1 convolutions instead of 13"):
        install("ave", tmp_path / "other.pth", tmp_path / "out.onnx")
    (tmp_path / "noise.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(HMTalkerError, match="cannot be read as weights"):
        install("ave", tmp_path / "noise.pth", tmp_path / "out.onnx")
    weights = {name: value.numpy() for name, value in torch.load(checkpoint, weights_only=True).items()}
    without = {name: value for name, value in weights.items() if not name.startswith("4.conv_block.1")}
    with pytest.raises(HMTalkerError, match="no batch normalisation"):
        folded_layers(without)
    assert not list(tmp_path.glob("*.onnx"))


def hubert_like(path: Path, hop: int = 320, inputs: int = 1) -> Path:
    """A network of HuBERT's interface: the mean and the loudness of the samples that each step hears."""
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.full((1, 1, 400), 1 / 400, np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["input_values", "one"], ["x"]),
        helper.make_node("Conv", ["x", "kernel"], ["mean"], strides=[hop]),
        helper.make_node("Mul", ["x", "x"], ["square"]),
        helper.make_node("Conv", ["square", "kernel"], ["power"], strides=[hop]),
        helper.make_node("Concat", ["mean", "power"], ["both"], axis=1),
        helper.make_node("Transpose", ["both"], ["last_hidden_state"], perm=[0, 2, 1]),
    ]
    names = ["input_values", "second"][:inputs]
    graph = helper.make_graph(
        nodes,
        "hubert",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n"]) for name in names],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [1, "T", 2])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(np.array([1]), "one")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def test_hubert_steps_are_centred_where_every_encoders_are(tmp_path):
    install("hubert", hubert_like(tmp_path / "exported.onnx"), tmp_path / "hubert.onnx")
    hubert = HubertEncoder(tmp_path / "hubert.onnx")
    assert hubert.dimension == 2
    samples = np.zeros(16000 * 25, np.float32)
    samples[16000 * 13 - 20 : 16000 * 13 + 20] = 0.5  # a click at 13 s, in the second window
    power = hubert.encode(samples, gain=0.1)[:, 1]
    assert len(power) == 25 * 50
    assert np.flatnonzero(power > 1e-7).tolist() == [650]
    assert power[650] == pytest.approx(40 * 0.25 / 400, rel=1e-4)  # a gain of 0.1 is undone by the level of -20 dB


def test_networks_that_hear_otherwise_are_refused(tmp_path):
    with pytest.raises(HMTalkerError, match="50 steps per second"):
        install("hubert", hubert_like(tmp_path / "slow.onnx", hop=160), tmp_path / "hubert.onnx")
    with pytest.raises(HMTalkerError, match="does not take one waveform"):
        install("hubert", hubert_like(tmp_path / "two.onnx", inputs=2), tmp_path / "hubert.onnx")
    (tmp_path / "text.onnx").write_text("nothing")
    with pytest.raises(HMTalkerError, match="no ONNX network"):
        install("hubert", tmp_path / "text.onnx", tmp_path / "hubert.onnx")
    with pytest.raises(HMTalkerError, match="There is no file"):
        install("hubert", tmp_path / "missing.onnx", tmp_path / "hubert.onnx")
    assert not (tmp_path / "hubert.onnx").exists()


def test_an_avatar_finds_the_users_encoder_or_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HMTALKER_CACHE", str(tmp_path))
    with pytest.raises(HMTalkerError, match="hmtalker encoder hubert FILE"):
        encoders.create("hubert")
    install("hubert", hubert_like(tmp_path / "exported.onnx"), cache_folder() / "hubert.onnx")
    found = encoders.create("hubert")
    assert isinstance(found, encoders.SpeechEncoder)
    assert found.encode(sound(1.0)).shape == (50, 2)


def test_a_part_of_the_mel_spectrogram_is_that_of_the_whole():
    samples = sound(4.0)
    whole = lip_mel(samples, 0, 320, 200)
    np.testing.assert_array_equal(lip_mel(samples, 100, 60, 200), whole[100:160])
    assert (lip_mel(samples, -30, 10, 200) == -4.0).all()
