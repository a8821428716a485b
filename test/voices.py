"""Synthesised speech in noise, for the tests of the voice."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from vlm_robot_ros.speech.audio_sources import read_wav
from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ

needs_flite = pytest.mark.skipif(
    not shutil.which("flite"), reason="no voice to speak with: apt-get install flite"
)
_NOISE = 300.0


def speak(text, voice="slt", stretch=1.0):
    """Return a sentence, 20 dB louder than the noise, with two seconds of noise around it."""
    slower = ["--setf", f"duration_stretch={stretch}"]
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "said.wav"
        subprocess.run(["flite", "-voice", voice, *slower, "-t", text, "-o", wav], check=True)
        spoken = read_wav(wav).astype(float)
    spoken *= 10 * _NOISE / np.sqrt(np.mean(spoken**2))
    quiet = np.zeros(2 * SAMPLE_RATE_HZ)
    said = np.concatenate([quiet, spoken, quiet])
    noise = np.random.default_rng(1).normal(0, _NOISE, len(said))
    return (said + noise).clip(-32768, 32767).astype(np.int16)
