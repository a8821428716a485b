"""Which parts of a stream of sound are speech: silero-vad, block by block."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

SAMPLE_RATE_HZ = 16000
"""Of all sound here [samples a second]; one channel, int16."""
BLOCK_SAMPLES = 512
"""What is judged at a time [samples]: 32 ms."""
_BEGINS, _GOES_ON = 0.5, 0.35
"""How likely a block must be speech."""
_LEAD_BLOCKS = round(0.4 * SAMPLE_RATE_HZ / BLOCK_SAMPLES)
"""Blocks kept of what comes before: the first sound of a word is soft."""
_NOISE_BLOCKS = round(1.5 * SAMPLE_RATE_HZ / BLOCK_SAMPLES)
"""Blocks by which the noise is known."""
_MAX_UTTERANCE_S = 12.0
"""Speech is cut here [s]."""
_MIN_UTTERANCE_S = 0.1
"""What is shorter is a knock, not a word [s]."""


class Utterance(NamedTuple):
    """Something said."""

    samples: np.ndarray
    """With a little of what was before and after. Shape (N,), int16."""
    noise: np.ndarray
    """What was heard before. Shape (M,), int16; M may be 0."""
    ended: float
    """How long before the last sample the speech ended [s]."""

    @property
    def speech(self) -> float:
        """How long the speech is [s]."""
        return max(
            0.1, (len(self.samples) - _LEAD_BLOCKS * BLOCK_SAMPLES) / SAMPLE_RATE_HZ - self.ended
        )


@dataclass
class VoiceActivity:
    """Cuts utterances out of a stream."""

    pause: float = 0.5
    """An utterance ends with so much silence [s]."""
    speaking: bool = field(default=False, init=False)
    """Whether somebody speaks now."""
    _model: Any = field(default=None, init=False, repr=False)
    _rest: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int16), init=False)

    def __post_init__(self) -> None:
        """Load the model."""
        from silero_vad import load_silero_vad  # with the model in the wheel

        self._model = load_silero_vad()
        self._before: deque[np.ndarray] = deque(maxlen=_NOISE_BLOCKS + _LEAD_BLOCKS)
        self._said: list[np.ndarray] = []
        self._noise: list[np.ndarray] = []
        self._silent = self._spoken = 0

    def feed(self, samples: np.ndarray) -> list[Utterance]:
        """Take more of the stream; returns what was said, once it is over.

        Args:
            samples: Shape (N,), int16.
        """
        samples = np.concatenate([self._rest, samples])
        whole = len(samples) // BLOCK_SAMPLES * BLOCK_SAMPLES
        self._rest = samples[whole:]
        found = [
            self._classify_block(block) for block in samples[:whole].reshape(-1, BLOCK_SAMPLES)
        ]
        return [utterance for utterance in found if utterance]

    @property
    def silence(self) -> float:
        """How long nothing has been said, in the midst of an utterance [s]."""
        return self._silent * BLOCK_SAMPLES / SAMPLE_RATE_HZ

    @property
    def speech(self) -> float:
        """How much of the utterance is speech so far [s]."""
        return self._spoken * BLOCK_SAMPLES / SAMPLE_RATE_HZ

    def current(self) -> Utterance:
        """Return what is being said, as far as it was heard."""
        said, noise = (
            np.concatenate(blocks) if blocks else np.zeros(0, np.int16)
            for blocks in (self._said, self._noise)
        )
        return Utterance(said, noise, self.silence)

    @torch.inference_mode()
    def _classify_block(self, block: np.ndarray) -> Utterance | None:
        likely = float(
            self._model(torch.from_numpy(block.astype(np.float32) / 32768), SAMPLE_RATE_HZ)
        )
        if not self.speaking:
            self._before.append(block)
            if likely >= _BEGINS:
                kept = list(self._before)
                self._noise, self._said = kept[:-_LEAD_BLOCKS], kept[-_LEAD_BLOCKS:]
                self.speaking, self._silent, self._spoken = True, 0, 1
            return None
        self._said.append(block)
        self._silent = 0 if likely >= _GOES_ON else self._silent + 1
        self._spoken += likely >= _GOES_ON
        over = self.silence >= self.pause
        if not over and len(self._said) * BLOCK_SAMPLES / SAMPLE_RATE_HZ < _MAX_UTTERANCE_S:
            return None
        utterance = self._cut()
        return utterance if self.speech >= _MIN_UTTERANCE_S else None

    def _cut(self) -> Utterance:
        utterance = self.current()
        self.speaking = False
        # What follows knows its noise by the silence at the end of this.
        self._before.extend(self._said[len(self._said) - self._silent :])
        self._said, self._noise = [], []
        self._model.reset_states()
        return utterance
