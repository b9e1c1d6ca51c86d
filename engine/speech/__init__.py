# SPDX-License-Identifier: GPL-3.0-or-later
"""From a waveform to implicit features per video frame: loading, loudness, mel, encoders, windows and silence."""
