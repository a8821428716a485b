"""Spoken commands to a moving arm: are they obeyed, and how soon does a spoken stop stop it?

    python benchmarks/voice.py [--commands 20] [--snr 20 10] [--noise 600] [--sentences 60]

Sentences of `flite` and `espeak-ng` (`sudo apt-get install flite espeak-ng`), with white noise, go
over a topic into voice_node; the policy acts in the simulated arm's scenes. The sentences of
`_SEED` were used for tuning; others are only read.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Int16MultiArray
from tqdm import tqdm

from vlm_robot_ros.cli.node_processes import prepare_domain, start_node, stop_nodes
from vlm_robot_ros.demo.demo_node import demo_node_context
from vlm_robot_ros.demo.runner import DemoRunner
from vlm_robot_ros.demo.script import DemoCommand, sample_seeded_scene
from vlm_robot_ros.demo.sim_client import SimulationClient
from vlm_robot_ros.interfaces.hold import HoldCode
from vlm_robot_ros.language.distractors import CHATTER_HELD
from vlm_robot_ros.language.generator import generate_sentence
from vlm_robot_ros.language.task_spec import describe_task
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.msg import Heard
from vlm_robot_ros.paths import share_dir
from vlm_robot_ros.policies.grounded.instruction_parser import InstructionParser
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.instructions import is_stop
from vlm_robot_ros.speech.audio_sources import read_wav
from vlm_robot_ros.speech.pipeline import SpeechPipeline, SpeechResult
from vlm_robot_ros.speech.recognition import SphinxRecogniser
from vlm_robot_ros.speech.subprocess_recogniser import SubprocessRecogniser
from vlm_robot_ros.speech.voice_activity import SAMPLE_RATE_HZ, VoiceActivity
from vlm_robot_ros.success_rate import wilson_interval
from vlm_robot_ros.tasks.tasks import FAMILIES, sample_task

_SEED = 910000
VOICES = (("flite", "slt", 1.0), ("flite", "awb", 0.9), ("espeak-ng", "en-gb", 1.1))
"""Program, voice and speed: American, Scottish, English."""
MORE_VOICES = (
    ("flite", "rms", 1.0), ("flite", "kal16", 0.9), ("espeak-ng", "en-us", 1.0),
    ("espeak-ng", "en-gb-scotland", 0.9),
)  # fmt: skip
"""The first three said the pushes by which noise reduction was tuned; the last said none."""
_LOUDNESS, _PATIENCE = 3000.0, 12.0  # [s]


def synthesise(text: str, program: str, voice: str, speed: float) -> np.ndarray:
    """Return a spoken sentence at `SAMPLE_RATE_HZ`. Shape (N,), float."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "said.wav"
        command = {
            "flite": ["flite", "-voice", voice, "--setf", f"duration_stretch={1 / speed}",
                      "-t", text, "-o", wav],
            "espeak-ng": ["espeak-ng", "-v", voice, "-s", str(round(160 * speed)),
                          "-w", wav, text],
        }[program]  # fmt: skip
        subprocess.run(command, check=True)
        return read_wav(wav).astype(float)


class SpokenStage(SimulationClient):
    """Says what it is to say aloud, in noise that never ends."""

    snr = 20.0
    """[dB]"""

    def __init__(self, node: Node, voices: tuple) -> None:
        """Connect; `voices` take turns."""
        super().__init__(node, load_robot("panda_sim"), lambda: "")
        self._audio = node.create_publisher(Int16MultiArray, "audio", 100)
        self.heard: list[Heard] = []
        node.create_subscription(Heard, "heard", self.heard.append, 10)
        self.turn, self._voices = 0, voices
        self._rng = np.random.default_rng(_SEED)
        self._left = np.zeros(0)
        self.ended = 0.0
        """When the last sound of what was said was sent, by the steady clock [s]."""
        node.create_timer(0.1, self._play)
        self.bring_up()
        if not self.wait(lambda: self._audio.get_subscription_count() > 0, 60.0):
            raise SystemExit("voice_node does not come up")

    def say(self, text: str) -> None:
        """Speak, and wait until it is understood, or nothing is.

        Nothing is what it always was: the words are taken back, in writing. A stop is not waited
        for.
        """
        if not text:
            super().publish_instruction(text)
            return
        program, voice, speed = self._voices[self.turn % len(self._voices)]
        spoken = synthesise(text, program, voice, speed)
        self._left = spoken * _LOUDNESS / np.sqrt(np.mean(spoken**2))
        if not is_stop(text):
            self.wait(lambda: any(not is_stop(heard.text) for heard in self.heard), _PATIENCE)

    def _play(self) -> None:
        size = SAMPLE_RATE_HZ // 10
        block, had = np.zeros(size), len(self._left)
        block[: min(size, had)] = self._left[:size]
        self._left = self._left[size:]
        if 0 < had <= size:
            self.ended = time.monotonic() - (size - had) / SAMPLE_RATE_HZ
        block += self._rng.normal(0, _LOUDNESS / 10 ** (self.snr / 20), size)
        samples = block.round().clip(-32768, 32767).astype(np.int16)
        self._audio.publish(Int16MultiArray(data=samples.tolist()))


def spoken_items(count: int, seed: int = _SEED) -> list[DemoCommand]:
    """Return tasks of all families, each said plainly."""
    rng = np.random.default_rng(seed)
    names = ("pick", "push", "put", "place", "stack", "rotate")
    items: list[DemoCommand] = []
    while len(items) < count:
        family, number = names[len(items) % len(names)], int(rng.integers(10_000_000, 2**40))
        scene = sample_seeded_scene(number)
        task = sample_task(rng, scene, str(rng.choice(FAMILIES[family])))
        if task is not None:
            words = generate_sentence(rng, describe_task(rng, task, scene), "plain")
            items.append(DemoCommand(number, words, family, task))
    return items


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=20)
    parser.add_argument("--seed", type=int, default=_SEED, help="of the commands")
    parser.add_argument("--snr", type=float, nargs="+", default=[20.0, 10.0])
    parser.add_argument("--noise", type=float, default=600.0)
    parser.add_argument("--stops", type=int, default=6)
    parser.add_argument("--others", type=int, default=40, help="sentences that are no commands")
    parser.add_argument(
        "--sentences", type=int, default=60, help="of each voice, to be understood"
    )
    args = parser.parse_args()
    if args.sentences:
        _understood(args.sentences)
    if args.others:
        _not_for_the_arm(args.noise, args.others)
    if not args.commands:
        return
    prepare_domain()
    processes = {}
    with tempfile.TemporaryFile("w+") as log, demo_node_context() as node:
        try:
            for name, given in (
                ("arm_sim", {}),
                ("policy", {"use_sim_time": True}),
                ("voice", {"source": "topic"}),
            ):
                processes[name] = start_node(name, given, log)
            stage = SpokenStage(node, VOICES)
            for stage.snr in args.snr:
                _measure(stage, args)
        finally:
            stop_nodes(processes)


def _not_for_the_arm(seconds: float, others: int) -> None:
    """Let the node's ears hear what is meant for nobody, and count what they make of it."""
    reports: list[SpeechResult] = []
    recogniser = SubprocessRecogniser("pocketsphinx")
    listener = SpeechPipeline(recogniser, reports.append, 0.5)
    rng = np.random.default_rng(_SEED + 1)

    def hear(samples: np.ndarray) -> None:
        for start in range(0, len(samples), SAMPLE_RATE_HZ):
            block = (
                samples[start : start + SAMPLE_RATE_HZ]
                .round()
                .clip(-32768, 32767)
                .astype(np.int16)
            )
            while not listener.add_audio(block):
                time.sleep(0.05)

    def told(what: str) -> None:
        hear(rng.normal(0, _LOUDNESS / 10, 5 * SAMPLE_RATE_HZ))
        listener.wait()
        sent = [report.heard.text for report in reports if report.send]
        stops = sum(map(is_stop, sent))
        print(f"| {what} | {len(reports)} | {len(sent) - stops} | {stops} |", flush=True)
        for text in sent:
            tqdm.write(f"  '{text}'", file=sys.stderr)
        reports.clear()

    print("| not for the arm | taken for speech | sent | of stop |\n| --- | --- | --- | --- |")
    count = round(seconds * SAMPLE_RATE_HZ / 4)
    white = rng.normal(0, 1, count)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.arange(1, count // 2 + 2)), count)
    at = np.arange(count) / SAMPLE_RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * tone * at) / tone for tone in (1, 2, 3, 5))
    knocks = (
        0.05 * white * (1 + 100 * (np.arange(count) % (2 * SAMPLE_RATE_HZ) < SAMPLE_RATE_HZ // 50))
    )
    for noise in (white, pink, hum + 0.1 * white, knocks):
        hear(noise / np.std(noise) * _LOUDNESS)
    told(f"{seconds:.0f} s of noise: white, pink, hum, knocks")
    for number, text in enumerate(CHATTER_HELD[:others]):
        spoken = synthesise(text, *VOICES[number % len(VOICES)])
        said = np.pad(spoken * _LOUDNESS / np.sqrt(np.mean(spoken**2)), SAMPLE_RATE_HZ)
        hear(said + rng.normal(0, _LOUDNESS / 10, len(said)))
    told(f"{others} other sentences, 20 dB")
    listener.close()
    recogniser.close()


def _understood(count: int) -> None:
    """Let voices say sentences at 20 dB, and count what they are taken for."""
    words = InstructionParser(load_checkpoint(share_dir() / "checkpoints" / "panda_sim"), "cpu")
    recogniser, activity = SphinxRecogniser(), VoiceActivity()
    rng = np.random.default_rng(_SEED + 2)

    def meaning(text: str) -> tuple[str, ...]:
        slots = words.read(text)
        needed = [which for which in (0, 1) if words.argument_is_named(slots, which)]
        return words.skill(slots), *(words.name(slots, which) for which in needed)

    print("| voice at 20 dB | understood | something else | nothing |\n| --- | --- | --- | --- |")
    for number, voice in enumerate((*VOICES, *MORE_VOICES)):
        counts = [0, 0, 0]
        for item in tqdm(spoken_items(count, _SEED + 3 + number), voice[1], leave=False):
            spoken = synthesise(item.instruction, *voice)
            spoken *= _LOUDNESS / np.sqrt(np.mean(spoken**2))
            sound = np.pad(spoken, (2 * SAMPLE_RATE_HZ, SAMPLE_RATE_HZ))
            sound += rng.normal(0, _LOUDNESS / 10, len(sound))
            said = activity.feed(sound.round().clip(-32768, 32767).astype(np.int16))
            results = map(recogniser.transcribe, said)
            heard = [each.text for each in results if each.confidence >= 0.5]
            right = heard and meaning(heard[0]) == meaning(item.instruction)
            counts[0 if right else 1 if heard else 2] += 1
        low, high = wilson_interval(counts[0], count)
        name = " ".join(map(str, voice))
        row = f"{counts[0]} of {count} ({low:.0%} to {high:.0%}) | {counts[1]} | {counts[2]}"
        print(f"| {name} | {row} |", flush=True)


def _is_stopped(stage: SpokenStage) -> bool:
    return stage.action is not None and stage.action.hold_code == HoldCode.STOP_WORD


def _measure(stage: SpokenStage, args: argparse.Namespace) -> None:
    runner = DemoRunner(stage)
    obeyed, words, waits = [], [], []
    items = spoken_items(args.commands, args.seed)
    for number, item in enumerate(tqdm(items, f"{stage.snr:.0f} dB")):
        stage.turn = number + number // 6  # or a voice would say the same families always
        stage.heard.clear()
        result = runner.run_command(item)
        sent = [h for h in stage.heard if h.sent]
        told = sent[-1].text if sent else "; ".join(f"({h.text}: {h.reason})" for h in stage.heard)
        obeyed.append(result.success)
        words.append(told == item.instruction)
        waits += [h.seconds for h in sent[-1:]]
        if not (result.success and words[-1]):
            how = "obeyed" if result.success else "NOT obeyed"
            tqdm.write(f"  {how}: '{item.instruction}' -> '{told}' {result.hold_reason}")
    delays = []
    for number in range(args.stops):
        stage.turn = number
        item = spoken_items(1)[0]
        stage.new_scene(item.scene_seed)
        SimulationClient.publish_instruction(stage, item.instruction)
        stage.wait(lambda: stage.state is not None and stage.state.joint_speed > 0.1, 10.0)
        stage.ended = 0.0
        stage.say("stop")
        held = stage.wait(partial(_is_stopped, stage), 5.0)
        stood = time.monotonic()
        stage.wait(lambda: stage.ended > 0, 2.0)
        delays.append(max(0.0, stood - stage.ended) if held else float("nan"))
    low, high = wilson_interval(sum(obeyed), len(obeyed))
    rows = (
        ("obeyed", f"{sum(obeyed)} of {len(obeyed)} ({low:.0%} to {high:.0%})"),
        ("the very words heard", str(sum(words))),
        ("speech's end to instruction, p50 and longest",
         f"{np.median(waits):.1f}, {max(waits):.1f} s"),
        (f"spoken stop's end to hold, each of {len(delays)}",
         ", ".join(f"{delay:.2f}" for delay in delays) + " s"),
    )  # fmt: skip
    print(f"\n| {stage.snr:.0f} dB | |\n| --- | --- |")
    print("\n".join(f"| {name} | {value} |" for name, value in rows), flush=True)


if __name__ == "__main__":
    main()
