"""Cells of the obedience suite that are asked for in held-out sentences, which people may say."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

import vlm_robot_ros.language
from vlm_robot_ros.evaluation.episode_spec import EpisodeSpec, InstructionStep
from vlm_robot_ros.evaluation.scene_references import sample_program_scene
from vlm_robot_ros.language.sentence_file import LabelledSentence, read_sentences
from vlm_robot_ros.tasks.scene import sample_scene
from vlm_robot_ros.tasks.tasks import FAMILY

_FOLDER = Path(vlm_robot_ros.language.__file__).parent / "sentences" / "heldout"
_OWN_CELL = ("typos", "contrast")
"""Registers that `natural` leaves out: they have cells of their own."""


@cache
def _sentences(*files: str) -> list[LabelledSentence]:
    """Return held-out sentences, in an order that mixes the kinds."""
    found = [each for file in files for each in read_sentences(_FOLDER / f"{file}.tsv")]
    return [found[i] for i in np.random.default_rng(len(found)).permutation(len(found))]


def _natural(each: LabelledSentence) -> bool:
    return len(each.meaning.steps) == 1 and each.register not in _OWN_CELL


def _told(
    files: Sequence[str], wanted: Callable[[LabelledSentence], bool]
) -> Callable[[np.random.Generator, int], EpisodeSpec]:
    """Return what makes an episode of a held-out sentence; those that fit no scene are passed."""

    def make(rng: np.random.Generator, index: int) -> EpisodeSpec:
        sentences = [each for each in _sentences(*files) if wanted(each) and each.meaning.steps]
        while True:
            sentence = sentences[index % len(sentences)]
            if found := sample_program_scene(rng, sentence.meaning.steps):
                break
            index += 1
        scene, program = found
        first = sentence.meaning.steps[0].skill
        family = FAMILY[first] if len(program) == 1 else f"{len(program)} steps"
        said = tuple(filter(None, (sentence.after, sentence.text)))
        jitter = rng.normal(0.0, 0.15 if first == "home" else 0.02, 7)
        return EpisodeSpec(
            scene, family, tuple(InstructionStep(text, None) for text in said),
            jitter=jitter, closed=first == "open", program=program,
        )  # fmt: skip

    return make


def _idle(rng: np.random.Generator, index: int) -> EpisodeSpec:
    """A sentence that asks for nothing, or for something that nobody can do here."""
    sentences = [each for each in _sentences("not_tasks") if not each.meaning.steps]
    sentence = sentences[index % len(sentences)]
    family = sentence.meaning.obstacle or sentence.meaning.act
    return EpisodeSpec(sample_scene(rng), family, (InstructionStep(sentence.text, None),))


SENTENCE_CONDITIONS: dict[str, Callable[[np.random.Generator, int], EpisodeSpec]] = {
    "natural": _told(("commands",), _natural),
    "steps": _told(("multistep",), lambda each: len(each.meaning.steps) > 1),
    "repairs": _told(("contrasts_and_repairs",), lambda each: each.register == "spoken"),
    "exclusions": _told(
        ("contrasts_and_repairs", "commands"), lambda each: each.register == "contrast"
    ),
    "questions": _idle,
    "typos": _told(("commands",), lambda each: each.register == "typos"),
    "asks": _told(("answers",), lambda each: True),
}
"""As `conditions.CONDITIONS`. In `asks` the arm is to ask first; the second sentence answers."""
