"""The cells of the obedience suite: each asks in its own way whether the arm does what is said."""

from collections.abc import Callable

import numpy as np

from vlm_robot_ros.evaluation.episode_spec import EpisodeSpec, InstructionStep
from vlm_robot_ros.evaluation.sentence_conditions import SENTENCE_CONDITIONS
from vlm_robot_ros.language.generator import USELESS, Split, generate_non_task, generate_sentence
from vlm_robot_ros.language.task_spec import ObjectReference, TaskSpec, describe_task
from vlm_robot_ros.tasks.objects import HELD_PAIRS, PAIRS, SEEN_PAIRS, UNNAMED_PAIRS, UNSEEN_PAIRS
from vlm_robot_ros.tasks.scene import Scene, sample_scene
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import (
    FAMILIES,
    FAMILY,
    SKILL_FAMILIES,
    SKILLS,
    feasible_tasks,
    refers_to,
)

_HANDLING = [family for family, skill in SKILL_FAMILIES.items() if skill.has_target]


def _task(
    rng: np.random.Generator,
    family: str,
    held: frozenset[tuple[str, str]] = frozenset(),
    shift: float = 0.0,
) -> tuple[Scene, Task]:
    """Return a scene and a feasible task of a family, of seen pairs.

    With `held` the target is of one of these pairs, and beside it lies one of its colour and one
    of its shape: neither word alone tells which is meant.
    """
    while True:
        skill = str(rng.choice(FAMILIES[family]))
        if not held:
            scene = sample_scene(rng, shift=shift)
            tasks = _seen_tasks(scene, skill)
        else:
            pair = sorted(held)[int(rng.integers(len(held)))]
            scene = sample_scene(rng, include=[pair, *_rivals(rng, pair)], shift=shift)
            things = [(thing.colour, thing.shape) for thing in scene.things]
            tasks = feasible_tasks(scene, skill, things.index(pair))
        if tasks:
            return scene, tasks[int(rng.integers(len(tasks)))]


def _seen_tasks(scene: Scene, skill: str) -> list[Task]:
    return [t for t in feasible_tasks(scene, skill) if not refers_to(t, scene, HELD_PAIRS)]


def _rivals(rng: np.random.Generator, pair: tuple[str, str]) -> list[tuple[str, str]]:
    colour = [other for other in SEEN_PAIRS if other[0] == pair[0]]
    shape = [other for other in SEEN_PAIRS if other[1] == pair[1]]
    return [some[int(rng.integers(len(some)))] for some in (colour, shape)]


def _episode_spec(rng: np.random.Generator, scene: Scene, task: Task, text: str) -> EpisodeSpec:
    jitter = rng.normal(0.0, 0.15 if task.skill == "home" else 0.02, 7)
    order = InstructionStep(text, task)
    return EpisodeSpec(
        scene, FAMILY[task.skill], (order,), jitter=jitter, closed=task.skill == "open"
    )


def _plain(split: Split, shift: float = 0.0) -> Callable[[np.random.Generator, int], EpisodeSpec]:
    def make(rng: np.random.Generator, index: int) -> EpisodeSpec:
        scene, task = _task(rng, list(FAMILIES)[index % len(FAMILIES)], shift=shift)
        return _episode_spec(
            rng, scene, task, generate_sentence(rng, describe_task(rng, task, scene), split)
        )

    return make


def _pairs(held: frozenset[tuple[str, str]]) -> Callable[[np.random.Generator, int], EpisodeSpec]:
    def make(rng: np.random.Generator, index: int) -> EpisodeSpec:
        scene, task = _task(rng, _HANDLING[index % len(_HANDLING)], held)
        # Both words are said: one alone would not test the pair.
        return _episode_spec(rng, scene, task, generate_sentence(rng, _full(task, scene), "seen"))

    return make


def _full(task: Task, scene: Scene) -> TaskSpec:
    """Return a task in words that name every thing by colour and shape."""

    def name(index: int | None) -> ObjectReference:
        if index is None:
            return ObjectReference()
        thing = scene.things[index]
        return ObjectReference(thing.colour or "any", thing.shape)

    return TaskSpec(task.skill, name(task.target), name(task.reference))


def _swap(rng: np.random.Generator, index: int) -> EpisodeSpec:
    """One scene, two sentences that differ in one word."""
    family = _HANDLING[index % len(_HANDLING)]
    while True:
        scene, task = _task(rng, family)
        others = [
            other
            for skill in SKILLS
            for other in _seen_tasks(scene, skill)
            if other.target is not None and _differs_once(task, other)
        ]
        seed = int(rng.integers(2**32))
        text = generate_sentence(np.random.default_rng(seed), _full(task, scene), "seen")
        for number in rng.permutation(len(others)):
            other = others[number]
            changed = generate_sentence(np.random.default_rng(seed), _full(other, scene), "seen")
            words, swapped = text.split(), changed.split()
            if len(words) == len(swapped) and _differing(words, swapped) == 1:
                orders = (InstructionStep(text, task), InstructionStep(changed, other))
                return EpisodeSpec(scene, family, orders, jitter=rng.normal(0.0, 0.02, 7))


def _differs_once(one: Task, other: Task) -> bool:
    return _differing(
        [one.skill, str(one.target), str(one.reference)],
        [other.skill, str(other.target), str(other.reference)],
    ) == 1  # fmt: skip


def _differing(one: list[str], other: list[str]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def _absent(rng: np.random.Generator, index: int) -> EpisodeSpec:
    """A thing that is not there, though its colour and its shape often are."""
    family = _HANDLING[index % len(_HANDLING)]
    while True:
        scene, task = _task(rng, family)
        meaning = _full(task, scene)
        there = {(thing.colour, thing.shape) for thing in scene.things}
        missing = [pair for pair in PAIRS if pair not in there]
        colours, shapes = ({pair[i] for pair in there} for i in (0, 1))
        near = [pair for pair in missing if pair[0] in colours and pair[1] in shapes]
        if near and rng.random() < 0.7:
            missing = near
        thing = ObjectReference(*missing[int(rng.integers(len(missing)))])
        if SKILL_FAMILIES[family].reference == "object" and rng.random() < 0.3:
            meaning = TaskSpec(meaning.skill, meaning.target, thing)
        else:
            meaning = TaskSpec(meaning.skill, thing, meaning.reference)
        order = InstructionStep(generate_sentence(rng, meaning, "seen"), None)
        return EpisodeSpec(scene, family, (order,), jitter=rng.normal(0.0, 0.02, 7))


def _meaningless(rng: np.random.Generator, index: int) -> EpisodeSpec:
    """Words about things that are there, and nothing that could be done."""
    kind = USELESS[index % len(USELESS)]
    scene, task = _task(rng, _HANDLING[index // len(USELESS) % len(_HANDLING)])
    text = generate_non_task(rng, kind, describe_task(rng, task, scene), "held")
    return EpisodeSpec(scene, kind, (InstructionStep(text, None),))


def _changed(rng: np.random.Generator, index: int) -> EpisodeSpec:
    """Another order while the arm does the first."""
    while True:
        family = _HANDLING[index % len(_HANDLING)]
        scene, task = _task(rng, family)
        first = str(rng.choice(["pick", "push", "put", "place"]))
        earlier = [
            other
            for other in _seen_tasks(scene, str(rng.choice(FAMILIES[first])))
            if other.target not in (task.target, task.reference)
        ]
        if earlier:
            before = earlier[int(rng.integers(len(earlier)))]
            texts = (
                generate_sentence(rng, describe_task(rng, one, scene)) for one in (before, task)
            )
            orders = tuple(
                InstructionStep(*pair) for pair in zip(texts, (before, task), strict=True)
            )
            return EpisodeSpec(scene, family, orders, change=float(rng.uniform(0.3, 3.0)))


def _fault(kind: str) -> Callable[[np.random.Generator, int], EpisodeSpec]:
    def make(rng: np.random.Generator, index: int) -> EpisodeSpec:
        scene, task = _task(rng, _HANDLING[index % len(_HANDLING)])
        order = InstructionStep(generate_sentence(rng, describe_task(rng, task, scene)), None)
        change = float(rng.uniform(0.5, 2.0))
        return EpisodeSpec(scene, FAMILY[task.skill], (order,), change=change, fault=kind)

    return make


def _correction(rng: np.random.Generator, index: int) -> EpisodeSpec:
    """Words that only mean something because of those before."""
    kind = ("other thing", "other way", "nudge", "undo")[index % 4]
    while True:
        skills = {"other way": "push", "nudge": "push"}.get(kind)
        family = skills or str(rng.choice(_HANDLING))
        scene, task = _task(rng, family)
        first = InstructionStep(generate_sentence(rng, _full(task, scene)), task)
        if kind == "other thing":
            others = [t for t in _seen_tasks(scene, task.skill) if t.target != task.target]
            others = [t for t in others if t.reference == task.reference]
            if not others:
                continue
            other = others[int(rng.integers(len(others)))]
            assert other.target is not None
            second = InstructionStep(f"no, the {scene.things[other.target].name}", other)
        elif kind == "other way":
            opposite = {"left": "right", "right": "left", "away": "closer", "closer": "away"}
            way = opposite[task.skill.split()[1]]
            other = Task(f"push {way}", task.target)
            if not feasible_tasks(scene, other.skill, task.target):
                continue
            phrase = f"to the {way}" if way in ("left", "right") else way
            second = InstructionStep(f"no, {phrase}", other)
        else:
            way = task.skill.split()[-1]
            more = f"to the {way}" if way in ("left", "right") else way
            second = InstructionStep("undo" if kind == "undo" else f"a bit more {more}", None)
        jitter = rng.normal(0.0, 0.02, 7)
        if second.task:
            # Before the object is touched: a moved one is not where the judge says it shall be.
            change = float(rng.uniform(0.3, 0.9))
            return EpisodeSpec(scene, kind, (first, second), change=change, jitter=jitter)
        correction = "undo" if kind == "undo" else task.skill.split()[1]
        return EpisodeSpec(scene, kind, (first, second), correction=correction, jitter=jitter)


CONDITIONS: dict[str, Callable[[np.random.Generator, int], EpisodeSpec]] = {
    "seen": _plain("seen"),
    "pairs a": _pairs(UNNAMED_PAIRS),
    "pairs b": _pairs(UNSEEN_PAIRS),
    "phrasings": _plain("held"),
    "synonyms": _plain("synonyms"),
    "swap": _swap,
    "absent": _absent,
    "meaningless": _meaningless,
    "changed": _changed,
    "corrected": _correction,
    "blank camera": _fault("blank"),
    "frozen camera": _fault("frozen"),
    "visual shift": _plain("seen", shift=1.0),
    **SENTENCE_CONDITIONS,
}
"""What is measured, by name: the episode's random numbers and its number in, the case out."""


def make_episode_spec(cell: str, seed: int, index: int) -> EpisodeSpec:
    """Return episode `index` of a cell; the same for the same seed."""
    number = list(CONDITIONS).index(cell)
    return CONDITIONS[cell](np.random.default_rng([seed, number, index]), index)
