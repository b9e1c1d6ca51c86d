# SPDX-License-Identifier: GPL-3.0-or-later
"""NVRTC compiles the kernels for every card from Turing on, without a card; what it refuses is one sentence."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("numba", reason="the sizes of the kernels are those of the portable engine")

from hmtalker.errors import RenderError
from hmtalker.rasterize.cuda import compile as nvrtc
from hmtalker.rasterize.cuda.program import FILES, KERNELS, program_text

needs_nvrtc = pytest.mark.skipif(
    nvrtc.find_nvrtc() is None, reason="NVRTC is not installed (pip install nvidia-cuda-nvrtc-cu12)"
)


@needs_nvrtc
@pytest.mark.parametrize("capability", [75, 80, 86, 89, 90, 100, 120])
def test_every_kernel_compiles(capability):
    code = nvrtc.compiled(program_text(), capability)  # kept on disk by the text's hash: the same text compiles once
    assert code.startswith(b"\x7fELF")
    for kernel in KERNELS:
        assert b".text." + kernel.encode() + b"\0" in code


@needs_nvrtc
def test_what_was_compiled_is_kept(tmp_path, monkeypatch):
    text = 'extern "C" __global__ void nothing() {}'
    code = nvrtc.compiled(text, 90, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".sm_90"]
    monkeypatch.setattr(nvrtc.Nvrtc, "compile", lambda *_: pytest.fail("compiled twice"))
    assert nvrtc.compiled(text, 90, tmp_path) == code


@needs_nvrtc
def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert nvrtc.compiled('extern "C" __global__ void nothing() {}', 80, tmp_path / "file" / "below")


@needs_nvrtc
def test_a_mistake_in_a_kernel_is_named():
    with pytest.raises(RenderError, match=r"do not compile for sm_90: .*undefined_word"):
        nvrtc.load_nvrtc().compile('extern "C" __global__ void wrong() { undefined_word; }', "sm_90")


def test_without_nvrtc_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(nvrtc, "find_nvrtc", lambda: None)
    nvrtc.load_nvrtc.cache_clear()
    with pytest.raises(RenderError, match="install the package nvidia-cuda-nvrtc-cu12"):
        nvrtc.load_nvrtc()


def test_a_newer_card_gets_portable_code_and_an_older_one_a_sentence():
    known = [75, 80, 90]
    assert nvrtc.target_for(80, known) == "sm_80"
    assert nvrtc.target_for(120, known) == "compute_90"
    assert nvrtc.target_for(86, known) == "compute_80"
    with pytest.raises(RenderError, match=r"capability 6\.1 is too old"):
        nvrtc.target_for(61, [50, 75])


def test_the_kernels_include_nothing_and_each_is_there_once():
    text = program_text()
    assert "#include" not in text
    assert sorted(re.findall(r"__launch_bounds__\(\w+\) (\w+)\(", text)) == sorted(KERNELS)
    assert text.count("SPDX-License-Identifier") == len(FILES)
