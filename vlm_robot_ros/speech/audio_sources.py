"""Sources of sound other than a topic: microphone, file. Blocks of int16 at `SAMPLE_RATE_HZ`."""

import threading
import wave
from collections.abc import Callable
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ

Take = Callable[[np.ndarray], None]
_BLOCK_PERIOD_S = 0.1
"""Between the blocks of a file [s]."""


def read_wav(path: Path) -> np.ndarray:
    """Return the sound of a file: one channel at `SAMPLE_RATE_HZ`. Shape (N,), int16.

    Raises:
        ValueError: it is no such file; says what it is and what is valid.
    """
    try:
        with wave.open(str(path)) as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise ValueError(f"'{path}': {error}; valid: a wav file of 16-bit samples") from error
    if width != 2 or not 4000 <= rate <= 192000:
        raise ValueError(
            f"'{path}' has {8 * width} bits at {rate} Hz; valid: 16 bits at 4000 to 192000 Hz"
        )
    samples = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2")
    mono = samples.reshape(-1, channels).astype(np.float64).mean(1)
    if rate != SAMPLE_RATE_HZ:
        from scipy.signal import resample_poly

        part = gcd(rate, SAMPLE_RATE_HZ)
        mono = resample_poly(mono, SAMPLE_RATE_HZ // part, rate // part)
    return mono.round().clip(-32768, 32767).astype(np.int16)


class WavSource:
    """Plays a file once, in real time."""

    def __init__(self, path: Path, take: Take) -> None:
        """Begin.

        Raises:
            ValueError: see `read_wav`.
        """
        self._samples, self._take = read_wav(path), take
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._closed.set()
        self._thread.join()

    def _play(self) -> None:
        size = round(_BLOCK_PERIOD_S * SAMPLE_RATE_HZ)
        # Silence at the end: the last word is over, too.
        samples = np.concatenate([self._samples, np.zeros(2 * SAMPLE_RATE_HZ, np.int16)])
        for start in range(0, len(samples), size):
            if self._closed.wait(_BLOCK_PERIOD_S):
                return
            self._take(samples[start : start + size])


class Microphone:
    """A sound card's input, by PortAudio."""

    def __init__(self, device: str, take: Take) -> None:
        """Open it.

        Args:
            device: Part of its name, or its number; empty: the system's own choice.
            take: Is given each block; called from a thread of PortAudio.

        Raises:
            ValueError: there is no PortAudio, or no such input; says which there are.
        """
        try:
            import sounddevice
        except OSError as error:
            raise ValueError(
                f"no microphone: {error}; `sudo apt-get install libportaudio2`"
            ) from error

        def on_block(data: Any, frames: int, time: Any, status: Any) -> None:
            take(np.frombuffer(bytes(data), np.int16))

        chosen: int | str | None = int(device) if device.isdecimal() else device or None
        try:
            self._stream = sounddevice.RawInputStream(
                SAMPLE_RATE_HZ, blocksize=SAMPLE_RATE_HZ // 20, device=chosen, channels=1,
                dtype="int16",
                callback=on_block,
            )  # fmt: skip
            self._stream.start()
        except (ValueError, sounddevice.PortAudioError) as error:
            inputs = [d["name"] for d in sounddevice.query_devices() if d["max_input_channels"]]
            raise ValueError(
                f"no microphone '{device}': {error}; there are: {', '.join(inputs) or 'none'}"
            ) from error

    def close(self) -> None:
        """Close it."""
        self._stream.close()
