"""What the demo asks for: a list of commands, each in a fresh scene, by seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.language.generator import generate_sentence
from vlm_robot_ros.language.task_spec import ObjectReference, TaskSpec, describe_task
from vlm_robot_ros.tasks.objects import SEEN_PAIRS
from vlm_robot_ros.tasks.scene import Scene, sample_scene
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import FAMILIES, sample_task

GIBBERISH = "sing me a song"
_VERBS = {
    "pick up": ("pick up", "lift", "grab", "take"),
    "push": ("push", "slide", "move"),
    "put": ("put", "place"),
    "stack": ("stack", "put"),
    "turn": ("turn", "rotate"),
}
"""Verbs that a person would use, by that of the plain sentence."""
_FORMS = ("{s}", "{s}", "please {s}", "{s} please", "could you {s}", "now {s}")
_FAMILIES = ("pick", "push", "put", "place", "stack", "rotate", "pick", "push", "put", "place")


@dataclass(frozen=True)
class DemoCommand:
    """One command of the demo."""

    scene_seed: int
    instruction: str
    family: str
    """Of the task; or "stop" (said while the arm does `instruction`), "absent", "meaningless"."""
    task: Task | None
    """None where the arm shall stay where it is."""

    @property
    def scene(self) -> Scene:
        """What is on the table."""
        return sample_seeded_scene(self.scene_seed)


def sample_seeded_scene(seed: int) -> Scene:
    """Return the scene that the simulated arm lays for a seed."""
    return sample_scene(np.random.default_rng(seed))


def demo_script(seed: int) -> list[DemoCommand]:
    """Return thirteen commands: ten tasks in mixed order, a stop and two that cannot be done."""
    rng = np.random.default_rng([seed, 20])
    families = [str(family) for family in rng.permutation(_FAMILIES)]
    families.insert(4, "stop")
    families.insert(8, "meaningless")
    families.insert(11, "absent")
    return [sample_item(rng, family) for family in families]


def task_script(seed: int, families: Sequence[str], count: int) -> list[DemoCommand]:
    """Return `count` tasks of some families, in turn.

    Raises:
        ValueError: a family is unknown, or none is given.
    """
    unknown = [family for family in families if family not in FAMILIES]
    if unknown or not families:
        raise ValueError(f"family {unknown[0] if unknown else ''!r}; valid: {', '.join(FAMILIES)}")
    rng = np.random.default_rng([seed, 21])
    return [sample_item(rng, families[number % len(families)]) for number in range(count)]


def natural_sentence(rng: np.random.Generator, meaning: TaskSpec) -> str:
    """Return a sentence as a person would say it: plain, with one of a few verbs and forms."""
    sentence = generate_sentence(rng, meaning, "plain")
    for plain, verbs in _VERBS.items():
        if sentence.startswith(f"{plain} "):
            verb = verbs[int(rng.integers(len(verbs)))]
            sentence = verb + sentence.removeprefix(plain)
            break
    return _FORMS[int(rng.integers(len(_FORMS)))].format(s=sentence)


def sample_item(rng: np.random.Generator, family: str) -> DemoCommand:
    """Draw one command and a scene that no training has."""
    asked = family if family in FAMILIES else "pick"
    while True:
        # Scenes of seeds that no training has: demonstrations count up from a million.
        scene_seed = int(rng.integers(10_000_000, 2**40))
        scene = sample_seeded_scene(scene_seed)
        task = sample_task(rng, scene, str(rng.choice(FAMILIES[asked])))
        if task is not None:
            break
    if family == "meaningless":
        return DemoCommand(scene_seed, GIBBERISH, family, None)
    if family == "absent":
        there = {(thing.colour, thing.shape) for thing in scene.things}
        missing = [pair for pair in SEEN_PAIRS if pair not in there]
        thing = ObjectReference(*missing[int(rng.integers(len(missing)))])
        return DemoCommand(
            scene_seed, natural_sentence(rng, TaskSpec("pick up", thing)), family, None
        )
    return DemoCommand(
        scene_seed, natural_sentence(rng, describe_task(rng, task, scene)), family, task
    )
