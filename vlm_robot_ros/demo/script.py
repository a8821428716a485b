"""What the demo asks for: a list of commands, each in a fresh scene, by seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.language.generator import generate_sentence
from vlm_robot_ros.language.task_spec import ObjectReference, TaskSpec, describe_task
from vlm_robot_ros.tasks.objects import RECEPTACLES, SEEN_PAIRS
from vlm_robot_ros.tasks.scene import Scene, sample_scene
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import FAMILIES, is_feasible, sample_task

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
    """Of the task; or "stop" (said while the arm does `instruction`), "absent", "meaningless",
    "two steps", "correction", or "question" (of the arm's)."""
    task: Task | None
    """None where the arm shall stay where it is."""
    then: str = ""
    """What is said next: a correction, or the answer to the arm's question."""
    next_task: Task | None = None
    """Of the second step."""

    @property
    def scene(self) -> Scene:
        """What is on the table."""
        return sample_seeded_scene(self.scene_seed)


def sample_seeded_scene(seed: int) -> Scene:
    """Return the scene that the simulated arm lays for a seed."""
    return sample_scene(np.random.default_rng(seed))


def demo_script(seed: int) -> list[DemoCommand]:
    """Return sixteen commands.

    Ten tasks in mixed order, a stop and two that cannot be done among them; then two steps, a
    correction, and a question of the arm's.
    """
    rng = np.random.default_rng([seed, 20])
    families = [str(family) for family in rng.permutation(_FAMILIES)]
    families.insert(4, "stop")
    families.insert(8, "meaningless")
    families.insert(11, "absent")
    families += ["two steps", "correction", "question"]
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
    if family in ("two steps", "correction", "question"):
        return _sample_dialogue(rng, family)
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


def _sample_dialogue(rng: np.random.Generator, family: str) -> DemoCommand:
    """Draw a command that needs two steps or two sentences, about two things on one table."""
    while True:
        scene_seed = int(rng.integers(10_000_000, 2**40))
        scene = sample_seeded_scene(scene_seed)
        put, push = (
            sample_task(rng, scene, str(rng.choice(FAMILIES[f]))) for f in ("put", "push")
        )
        if put is None or push is None or put.target == push.target:
            continue
        assert put.target is not None
        assert put.reference is not None
        assert push.target is not None
        first, second = scene.things[put.target].name, scene.things[push.target].name
        place, way = scene.things[put.reference].shape, push.skill.split()[1]
        way = f"to the {way}" if way in ("left", "right") else way
        put_first = f"put the {first} {RECEPTACLES[place].preposition} the {place}"
        if family == "two steps":
            text = f"{put_first} and then push the {second} {way}"
            return DemoCommand(scene_seed, text, family, put, next_task=push)
        if family == "question":
            return DemoCommand(scene_seed, f"push the {second}", family, push, then=way)
        # Another thing that the same can be done to.
        other = Task(put.skill, push.target, put.reference)
        if is_feasible(other, scene):
            return DemoCommand(scene_seed, put_first, family, other, then=f"no, the {second}")
