"""Speech becomes instructions: real sound, real recognisers, real topics."""

import os
import queue
import signal
import threading
import wave

import numpy as np
import pytest
from small_models import save_whisper
from voices import needs_flite, speak

from vlm_robot_ros.language.generator import generate_sentence
from vlm_robot_ros.language.task_spec import sample_meaning
from vlm_robot_ros.speech.audio_sources import read_wav
from vlm_robot_ros.speech.grammar import make_rules, to_jsgf, to_pattern
from vlm_robot_ros.speech.keyword_spotter import is_false_alarm
from vlm_robot_ros.speech.pipeline import SpeechPipeline
from vlm_robot_ros.speech.recognition import (
    SphinxRecogniser,
    TimedWord,
    Transcript,
    make_recogniser,
)
from vlm_robot_ros.speech.subprocess_recogniser import SubprocessRecogniser
from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ, Utterance, VoiceActivity


def _utterance(samples):
    activity = VoiceActivity()
    (utterance,) = activity.feed(samples)
    return utterance


@pytest.fixture(scope="module")
def sphinx():
    return SphinxRecogniser()


def test_grammar_has_what_is_plainly_said_and_no_half_sentences():
    rules = make_rules(lambda word: True)
    pattern = to_pattern(rules)
    rng = np.random.default_rng(3)
    for _ in range(200):
        sentence = generate_sentence(rng, sample_meaning(rng), "plain").replace("90", "ninety")
        assert pattern.fullmatch(f"{sentence} "), sentence
        half = sentence.rsplit(" ", 1)[0]
        if half.endswith((" the", " of", " to")):
            assert not pattern.fullmatch(f"{half} "), half
    for correction in ("no the blue one", "a bit more to the left", "undo", "slower", "stop"):
        assert pattern.fullmatch(f"{correction} "), correction
    assert not pattern.fullmatch("sing me a song ")
    assert to_jsgf(rules).startswith("#JSGF V1.0;")


def test_grammar_leaves_out_words_that_the_recogniser_lacks():
    rules = make_rules(lambda word: word != "cube")
    assert "cube" not in to_jsgf(rules).split()
    assert "block" in to_jsgf(rules).split()


def test_noise_alone_is_no_speech():
    activity = VoiceActivity()
    for level in (30.0, 3000.0):
        noise = np.random.default_rng(2).normal(0, level, 30 * SAMPLE_RATE_HZ)
        assert not activity.feed(noise.clip(-32768, 32767).astype(np.int16))
        assert not activity.speaking


@needs_flite
@pytest.mark.parametrize("voice", ["slt", "awb"])
@pytest.mark.parametrize(
    "sentence",
    [
        "pick up the red cube",
        "put the green bottle in the bowl",
        "no the blue one",
        "open your hand",
    ],
)
def test_commands_are_understood(sphinx, sentence, voice):
    heard = sphinx.transcribe(_utterance(speak(sentence, voice)))
    assert heard.text.replace("move the", "put the") == sentence
    assert heard.confidence > 0.5


@needs_flite
@pytest.mark.parametrize(
    "sentence", ["what is the weather like today", "she sells sea shells by the sea shore"]
)
def test_other_speech_is_not_taken_for_a_command(sphinx, sentence):
    heard = sphinx.transcribe(_utterance(speak(sentence)))
    assert heard.confidence < 0.5, heard


@needs_flite
def test_wake_word_comes_before_all_but_stop():
    recogniser = SphinxRecogniser("hey robot")
    with_it = recogniser.transcribe(_utterance(speak("hey robot open your hand")))
    assert with_it.text == "open your hand"
    without = recogniser.transcribe(_utterance(speak("pick up the red cube")))
    assert without.confidence < 0.5, without
    assert recogniser.transcribe(_utterance(speak("stop"))).text.startswith("stop")


def test_wrong_recognisers_are_named():
    for name, valid in (
        ("vosk", "valid: pocketsphinx"),
        ("whisper:", "valid: pocketsphinx"),
        ("whisper:/nowhere/at/all", "valid: a folder that transformers saved"),
    ):
        with pytest.raises(ValueError, match=valid):
            make_recogniser(name)
    with pytest.raises(ValueError, match="not in the recogniser's dictionary"):
        SubprocessRecogniser("pocketsphinx", "xyzzyq")


def test_whisper_of_a_folder_hears(tmp_path):
    """A small untrained Whisper, saved as the hub's are: it writes something, with a sureness."""
    save_whisper(tmp_path / "whisper")
    recogniser = make_recogniser(f"whisper:{tmp_path / 'whisper'}")
    noise = np.random.default_rng(0).normal(0, 1000, SAMPLE_RATE_HZ).astype(np.int16)
    heard = recogniser.transcribe(Utterance(noise, noise, 0.5))
    assert isinstance(heard.text, str)
    assert 0 < heard.confidence <= 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("missing.wav", None),
        ("no.wav", b"hello"),
        ("cut.wav", b"RIFF\x24\x00\x00\x00WAVEfmt "),
        ("text.wav", b""),
    ],
)
def test_bad_wav_files_are_named(tmp_path, name, data):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rf"{name}.*valid: a wav file of 16-bit samples"):
        read_wav(tmp_path / name)


def test_wav_of_eight_bits_is_refused_and_stereo_of_another_rate_is_read(tmp_path):
    for name, width, rate in (("a.wav", 1, 16000), ("b.wav", 2, 44100)):
        with wave.open(str(tmp_path / name), "wb") as file:
            file.setparams((2, width, rate, 0, "NONE", ""))
            file.writeframes(bytes(2 * width * rate))
    with pytest.raises(ValueError, match="has 8 bits at 16000 Hz; valid: 16 bits"):
        read_wav(tmp_path / "a.wav")
    assert len(read_wav(tmp_path / "b.wav")) == SAMPLE_RATE_HZ


class _Slow:
    """Answers when it is let."""

    def __init__(self):
        self.asked, self.go = threading.Event(), threading.Event()
        self._real = SphinxRecogniser()

    def transcribe(self, utterance):
        self.asked.set()
        self.go.wait(30)
        return self._real.transcribe(utterance)


@needs_flite
def test_stop_is_heard_while_a_command_is_being_understood_and_takes_it_back():
    reports = []
    two, slow = threading.Event(), _Slow()

    def report(given):
        reports.append(given)
        if len(reports) == 2:
            two.set()

    listener = SpeechPipeline(slow, report, 0.5)
    try:
        listener.add_audio(speak("pick up the red cube"))
        assert slow.asked.wait(30)
        stop = speak("stop")
        for start in range(0, len(stop), 1600):
            listener.add_audio(stop[start : start + 1600])
        while not reports:
            two.wait(0.05)
        assert reports[0].send
        assert reports[0].heard.text == "stop"
        slow.go.set()
        assert two.wait(30)
    finally:
        listener.close()
    assert reports[1].heard.text == "pick up the red cube"
    assert not reports[1].send
    assert reports[1].reason == "stop was said after it"


def _reports_of(sphinx, sound):
    reports = queue.Queue()
    listener = SpeechPipeline(sphinx, reports.put, 0.5)
    try:
        for start in range(0, len(sound), 1600):
            listener.add_audio(sound[start : start + 1600])
        listener.wait()
    finally:
        listener.close()
    return [(report.heard.text, report.send) for report in reports.queue]


@needs_flite
def test_what_was_taken_for_a_stop_in_a_sure_sentence_stops_and_then_the_sentence_counts(sphinx):
    sentence = "stack the pink cube on top of the blue cube"
    for stretch in (1.05, 1.03, 1.04, 1.06, 1.07):  # not in every way is it taken for one
        said = _reports_of(sphinx, speak(sentence, "awb", stretch))
        if len(said) > 1:
            break
    assert said == [("stop", True), (sentence, True)]


@needs_flite
def test_a_stop_in_the_midst_of_a_sentence_is_the_last_word(sphinx):
    said = _reports_of(sphinx, speak("stack the pink cube on top of the blue cube stop"))
    assert said == [("stop", True)]


def test_only_words_that_sound_like_a_stop_and_lie_there_explain_it():
    words = (TimedWord("stack", 0.3, 0.6), TimedWord("the", 0.6, 0.7), TimedWord("cube", 0.7, 1.2))
    heard = Transcript("stack the cube", 1.0, words)
    assert is_false_alarm((TimedWord("stop", 0.25, 0.6),), heard)
    assert not is_false_alarm((TimedWord("stop", 0.8, 1.2),), heard)
    assert not is_false_alarm((TimedWord("stop", 0.25, 0.6), TimedWord("stop", 0.8, 1.2)), heard)
    assert not is_false_alarm((), heard)
    assert not is_false_alarm((TimedWord("stop", 0.25, 0.6),), heard._replace(words=()))


def test_too_much_sound_is_refused():
    slow = _Slow()
    listener = SpeechPipeline(slow, lambda report: None, 0.5)
    taken = [listener.add_audio(np.zeros(10 * SAMPLE_RATE_HZ, np.int16)) for _ in range(40)]
    listener.close()
    assert not all(taken)


class _Broken:
    def transcribe(self, utterance):
        raise RuntimeError("no memory")


@needs_flite
def test_what_goes_wrong_is_told_and_a_stop_is_heard_still():
    reports = queue.Queue()
    listener = SpeechPipeline(_Broken(), reports.put, 0.5)
    try:
        listener.add_audio(speak("pick up the red cube"))
        failed = reports.get(timeout=60)
        assert (failed.send, failed.reason) == (
            False,
            "cannot understand: RuntimeError('no memory')",
        )
        listener.add_audio(speak("stop"))
        stop = reports.get(timeout=60)
        assert stop.send
        assert stop.heard.text == "stop"
    finally:
        listener.close()


@pytest.mark.long
def test_a_recogniser_that_dies_is_begun_again():
    recogniser = SubprocessRecogniser("pocketsphinx")
    quiet = np.zeros(SAMPLE_RATE_HZ, np.int16)
    try:
        first = recogniser.pid
        os.kill(first, signal.SIGKILL)
        assert recogniser.transcribe(Utterance(quiet, quiet, 0.5)).text == ""
        assert recogniser.pid != first
        assert recogniser.transcribe(Utterance(quiet, quiet, 0.5)).confidence < 0.5
    finally:
        recogniser.close()
    assert recogniser.transcribe(Utterance(quiet, quiet, 0.5)).text == ""


@pytest.mark.long
def test_a_recogniser_that_hangs_is_begun_anew():
    recogniser = SubprocessRecogniser("pocketsphinx", patience=1.0)
    before = recogniser.pid
    os.kill(before, signal.SIGSTOP)
    quiet = np.zeros(SAMPLE_RATE_HZ, np.int16)
    assert recogniser.transcribe(Utterance(quiet, quiet, 0.5)).text == ""
    assert recogniser.pid != before
    recogniser.close()
