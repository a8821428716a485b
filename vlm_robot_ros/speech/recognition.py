"""What was said, and how sure that is: pocketsphinx with the grammar of the table, or Whisper."""

import re
from typing import Any, NamedTuple, Protocol

import numpy as np

from vlm_robot_ros.paths import user_path
from vlm_robot_ros.runtime.instructions import is_stop
from vlm_robot_ros.speech.grammar import make_rules, to_jsgf, to_pattern
from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ, Utterance

_PARTS = (0.6, 0.9, 0.75)
"""Parts of the noise that are taken away: with the noise go the soft sounds of words. Where the
first two lead to different sentences, the third decides."""
_EVEN, _EVEN_OF_STOP, _STEP = 62e-5, 30e-5, 5e-5
"""By how much the grammar must explain the sound better than ordinary English, for a sureness of
one half, and for each step of it [score per hundredth of a second of speech]."""
_SLOWEST = 1.8
"""Whoever seems to speak slower said something else, with more words [words a second]."""
_ALSO = {"left": ("L EH F", "L EH"), "stack": ("S T AA K",)}
"""Ways to say words that the American dictionary lacks: without them a swallowed end made "away"
of Scottish "left", and English "stack" was heard as "stop"."""


_SECOND = np.random.default_rng(0).integers(-300, 300, SAMPLE_RATE_HZ).astype(np.int16)
NOISE = Utterance(_SECOND, _SECOND, 0.0)
"""To warm up with."""


class TimedWord(NamedTuple):
    """A word, and when it was said, from the beginning of its utterance [s]."""

    word: str
    start: float
    end: float


class Transcript(NamedTuple):
    """What somebody seems to have said."""

    text: str
    """Empty where it is nothing."""
    confidence: float
    """0 to 1."""
    words: tuple[TimedWord, ...] = ()
    """Where the recogniser tells when each was said."""


class Recogniser(Protocol):
    """Hears words."""

    def transcribe(self, utterance: Utterance) -> Transcript:
        """Return what was said."""


class GrammarDecoder:
    """pocketsphinx with the grammar of the table: it knows no other sentences."""

    def __init__(self, wake_word: str = "") -> None:
        """Load the models, which are in pocketsphinx's wheel.

        Args:
            wake_word: What must come before all but "stop".

        Raises:
            ValueError: the wake word is not in the dictionary.
        """
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=SAMPLE_RATE_HZ, loglevel="FATAL", lm=None)
        for word, ways in _ALSO.items():
            for number, phones in enumerate(ways, 2):
                self._decoder.add_word(f"{word}({number})", phones, True)
        rules = make_rules(lambda word: self._decoder.lookup_word(word) is not None, wake_word)
        self._decoder.add_jsgf_string("table", to_jsgf(rules))
        self._decoder.activate_search("table")
        self._pattern = to_pattern(rules)

    def find(self, samples: np.ndarray) -> tuple[str, float]:
        """Return the sentence that int16 samples resemble most, and its score.

        The sentence is empty where it is the beginning of one only.
        """
        text, score = find_sentence(self._decoder, samples)
        return (text if self._pattern.fullmatch(f"{text} ") else ""), score

    @property
    def words(self) -> tuple[TimedWord, ...]:
        """Of the sentence that was found last."""
        return timed_words(self._decoder)


class SphinxRecogniser:
    """Hears the sentences of the table; small, and offline.

    Any sound resembles some sentence of a grammar. So a second search, for ordinary English, must
    explain it worse than the grammar does, although it may choose from all words.
    """

    def __init__(self, wake_word: str = "") -> None:
        """Load the models; argument and errors as of `GrammarDecoder`."""
        from pocketsphinx import Decoder

        self._table, self._wake_word = GrammarDecoder(wake_word), wake_word
        # One narrow pass is enough for English: only its score is used.
        self._english = Decoder(
            samprate=SAMPLE_RATE_HZ,
            loglevel="FATAL",
            fwdflat=False,
            bestpath=False,
            maxhmmpf=1000,
            maxwpf=5,
        )
        self.transcribe(NOISE)  # the first time takes seconds
        find_sentence(self._english, NOISE.samples)

    def transcribe(self, utterance: Utterance) -> Transcript:
        """Return the sentence of the grammar that was said; the text has no wake word."""
        found: list[Transcript] = []
        for part in _PARTS:
            found.append(self._transcribe(utterance, part))
            texts = [heard.text for heard in found]
            if len(texts) > 1 and texts[-1] in texts[:-1]:
                found = [heard for heard in found if heard.text == texts[-1]]
                break
        return max(found, key=lambda heard: heard.confidence)

    def _transcribe(self, utterance: Utterance, part: float) -> Transcript:
        """As `hear`, with so much of the noise taken away."""
        samples = denoise(utterance, part)
        text, score = self._table.find(samples)
        if not text:
            return Transcript("", 0.0)
        if not is_stop(text) and len(text.split()) < _SLOWEST * utterance.speech:
            return Transcript(text, 0.0)
        _, ordinary = find_sentence(self._english, samples)
        margin = (score - ordinary) / (100 * utterance.speech)
        even = _EVEN_OF_STOP if is_stop(text) else _EVEN
        sureness = 1 / (1 + np.exp(-(margin - even) / _STEP))
        return Transcript(
            text.removeprefix(f"{self._wake_word} "), float(sureness), self._table.words
        )


def timed_words(decoder: Any) -> tuple[TimedWord, ...]:
    """Return the words that a decoder has found, and when they were said."""
    frame = 1 / decoder.config["frate"]
    return tuple(
        TimedWord(
            part.word.split("(")[0].strip(), part.start_frame * frame, part.end_frame * frame
        )
        for part in decoder.seg() or ()
        if part.word[0] not in "<[("
    )


def find_sentence(decoder: Any, samples: np.ndarray) -> tuple[str, float]:
    """Search an utterance, int16 samples; returns words and score."""
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return (found.hypstr, found.score) if found else ("", -1e9)


class WhisperRecogniser:
    """A Whisper of transformers, from a folder or the hub: it knows all words.

    The sureness is the mean probability of what it wrote.
    """

    def __init__(self, name: str, wake_word: str = "") -> None:
        """Load the model.

        Args:
            name: A folder, or a name on the hub, as `openai/whisper-tiny.en`.
            wake_word: What must come before all but "stop".

        Raises:
            ValueError: it cannot be loaded; says why.
        """
        from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

        try:
            self._processor = AutoProcessor.from_pretrained(name, trust_remote_code=False)
            self._model = AutoModelForSpeechSeq2Seq.from_pretrained(
                name, use_safetensors=True, trust_remote_code=False
            ).eval()
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"no Whisper '{name}': {error}; valid: a folder that transformers saved, or a "
                "name on the hub such as openai/whisper-tiny.en"
            ) from error
        self._wake_word = wake_word

    def transcribe(self, utterance: Utterance) -> Transcript:
        """Return what was said, without signs; the text has no wake word."""
        import torch

        samples = utterance.samples.astype(np.float32) / 32768
        given = self._processor(samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        with torch.inference_mode():
            made = self._model.generate(
                given.input_features,
                return_dict_in_generate=True,
                output_scores=True,
                max_new_tokens=60,
            )
            scores = self._model.compute_transition_scores(
                made.sequences, made.scores, normalize_logits=True
            )
        written = self._processor.batch_decode(made.sequences, skip_special_tokens=True)[0]
        text = " ".join(re.findall(r"[^\W_]+", written.lower().replace("'", "")))
        called = text.startswith(f"{self._wake_word} ") or is_stop(text)
        if self._wake_word and not called:
            return Transcript("", 0.0)
        sureness = float(scores[0][scores[0].isfinite()].mean().exp())
        return Transcript(text.removeprefix(f"{self._wake_word} "), sureness)


def make_recogniser(name: str, wake_word: str = "") -> Recogniser:
    """Return a recogniser by name: `pocketsphinx`, or `whisper:` and a folder or a hub's name.

    Raises:
        ValueError: there is none of that name, or it cannot be loaded.
    """
    if name == "pocketsphinx":
        return SphinxRecogniser(wake_word)
    kind, _, where = name.partition(":")
    if kind != "whisper" or not where:
        raise ValueError(
            f"no recogniser '{name}'; valid: pocketsphinx, whisper:FOLDER, "
            "whisper:openai/whisper-tiny.en"
        )
    folder = str(user_path(where)) if where.startswith("~") else where
    return WhisperRecogniser(folder, wake_word)


def denoise(utterance: Utterance, part: float) -> np.ndarray:
    """Return an utterance without a part of the steady noise that was there before it; int16."""
    from noisereduce import reduce_noise

    if len(utterance.noise) < SAMPLE_RATE_HZ // 4:
        return utterance.samples
    with np.errstate(divide="ignore"):  # of digital silence
        quiet = reduce_noise(
            utterance.samples.astype(np.float32),
            SAMPLE_RATE_HZ,
            y_noise=utterance.noise.astype(np.float32),
            stationary=True,
            prop_decrease=part,
            n_fft=512,
        )
    return np.nan_to_num(quiet).clip(-32768, 32767).astype(np.int16)
