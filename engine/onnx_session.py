# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks on onnxruntime, on the processor, beside an application that uses it too."""

from __future__ import annotations

from typing import Any


def open_session(model: bytes | str, threads: int = 1) -> Any:
    """model: an .onnx file's bytes, or its path where weights lie in files beside it. threads: at most.

    Raises ValueError for what is no network, and ImportError without onnxruntime.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # idle threads must sleep: the host application renders on the same cores
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own that share only Exception
        raise ValueError(f"it is no network that onnxruntime can open ({error})") from error
