"""The language of the table: judge, expert, grammar, and that they speak of the same."""

import re
from dataclasses import replace

import numpy as np
import pytest
import yaml

from vlm_robot_ros.language import generator
from vlm_robot_ros.language.generator import (
    USELESS,
    generate_incomplete,
    generate_non_task,
    generate_sentence,
    generate_tagged_sentence,
    vocabulary,
)
from vlm_robot_ros.language.lexicon import Paraphrases, placement_phrases, templates, verbs
from vlm_robot_ros.language.role_tags import MARKS, strip_tags
from vlm_robot_ros.language.task_spec import (
    ObjectReference,
    TaskSpec,
    describe_task,
    sample_meaning,
)
from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.sim.demonstrations import AssignedTask, execute_action, simulated_expert_action
from vlm_robot_ros.sim.expert import expert_action
from vlm_robot_ros.tasks.objects import HELD_PAIRS
from vlm_robot_ros.tasks.scene import Scene, SceneObject, VisualConditions, sample_scene
from vlm_robot_ros.tasks.skill import DIRECTIONS, ExpertInput, Task, WorldState
from vlm_robot_ros.tasks.tasks import SKILLS, all_labels, feasible_tasks, is_done, sample_task

SCENE = Scene(
    (SceneObject("red", "cube", 0.5, 0.0, 0.0), SceneObject("blue", "cube", 0.4, 0.2, 0.0),
     SceneObject("", "bowl", 0.6, -0.2, 0.0)), VisualConditions()
)  # fmt: skip
START = WorldState(
    np.array([thing.position for thing in SCENE.things]), np.zeros(3), np.array([0.4, 0, 0.3]), 1.0
)


def after(index, position=None, turn=0.0, **changes):
    """What is true when one thing has moved or turned."""
    positions, yaws = START.positions.copy(), START.yaws.copy()
    if position is not None:
        positions[index] = position
    yaws[index] += turn
    return START._replace(positions=positions, yaws=yaws, **changes)


@pytest.mark.parametrize(
    ("task", "done", "not_done"),
    [
        (Task("pick up", 0), after(0, [0.5, 0, 0.08]), after(0, [0.5, 0.1, 0.0215])),
        (Task("push left", 0), after(0, [0.5, 0.08, 0.0215]), after(0, [0.5, -0.08, 0.0215])),
        (Task("push away", 0), after(0, [0.58, 0, 0.0215]), after(0, [0.56, 0.08, 0.0215])),
        (Task("put", 0, 2), after(0, [0.61, -0.2, 0.028]), after(0, [0.61, -0.2, 0.12])),
        (Task("place left", 0, 1), after(0, [0.4, 0.33, 0.0215]), after(0, [0.4, 0.07, 0.0215])),
        (Task("place behind", 0, 1), after(0, [0.53, 0.2, 0.0215]), after(0, [0.27, 0.2, 0.0215])),
        (Task("stack", 0, 1), after(0, [0.41, 0.2, 0.0645]), after(0, [0.46, 0.2, 0.0215])),
        (Task("turn left", 0), after(0, turn=1.6), after(0, turn=-1.6)),
        (Task("turn right", 0), after(0, turn=-1.5), after(0, turn=-0.7)),
        (Task("open"), START, START._replace(opening=0.4)),
        (Task("close"), START._replace(opening=0.0), START),
        (Task("home"), START._replace(tool=np.array([0.507, 0, 0.327])), START),
    ],
)
def test_the_judge_tells_what_was_done(task, done, not_done):
    assert is_done(task, SCENE, START, done) is True
    assert is_done(task, SCENE, START, not_done) is False


@pytest.mark.parametrize(
    "task", [Task("push left", 0), Task("place left", 0, 1), Task("stack", 0, 1)]
)
def test_what_has_tipped_over_does_not_stand(task):
    place = {"push left": [0.5, 0.08], "place left": [0.4, 0.33], "stack": [0.41, 0.2]}[task.skill]
    height = 0.0645 if task.skill == "stack" else 0.0215
    assert is_done(task, SCENE, START, after(0, [*place, height]))
    assert not is_done(task, SCENE, START, after(0, [*place, height - 0.008]))


@pytest.mark.parametrize("skill", ["put", "stack", "place left", "turn left"])
def test_what_is_still_in_the_hand_is_not_put_down(skill):
    task = Task(skill, 0, 2 if skill == "put" else 1)
    where = {
        "put": [0.6, -0.2, 0.03],
        "stack": [0.4, 0.2, 0.0645],
        "place left": [0.4, 0.33, 0.0215],
        "turn left": [0.5, 0, 0.0215],
    }[skill]
    there = after(0, where, turn=np.pi / 2)
    assert is_done(task, SCENE, START, there)
    assert not is_done(task, SCENE, START, there._replace(tool=np.array(where)))


@pytest.mark.parametrize("skill", SKILLS)
def test_the_expert_does_every_skill(sim, skill):
    rng, task = np.random.default_rng(11), None
    while task is None:
        scene = sample_scene(rng)
        task = sample_task(rng, scene, skill)
    sim.reset(scene)
    if skill == "open":
        sim.command_gripper(0.0)
        for _ in range(25):
            sim.step()
    given = AssignedTask(task, sim.world_state)
    for _ in range(90):
        execute_action(sim, simulated_expert_action(sim, given))
    assert is_done(task, scene, given.start, sim.world_state)


@pytest.mark.parametrize("turn", [-np.pi / 2, np.pi / 2])
@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill.startswith("push")])
def test_the_expert_pushes_a_bottle_whichever_way_its_hand_was_turned(sim, skill, turn):
    rng, tasks = np.random.default_rng(3), []
    while not tasks:
        scene = sample_scene(rng, include=[("pink", "bottle")])
        names = [thing.name for thing in scene.things]
        tasks = feasible_tasks(scene, skill, names.index("pink bottle"))
    sim.reset(scene, np.array(sim.robot.home) + np.eye(7)[6] * turn)
    assert abs(abs(sim.tool_yaw) - np.pi / 2) < 0.1
    given = AssignedTask(tasks[0], sim.world_state)
    for _ in range(75):
        execute_action(sim, simulated_expert_action(sim, given))
    assert is_done(tasks[0], scene, given.start, sim.world_state)


@pytest.mark.parametrize("way", ["left", "right", "away", "closer"])
def test_a_push_ends_slowly_and_the_hand_goes_back_before_it_goes_up(way):
    along, item = np.array([*DIRECTIONS[way], 0.0]), np.array([0.5, 0.0, 0.043])

    def move(left, behind):
        """Decide with so much way left, so far behind the middle; returns forward and up."""
        tool = (item - behind * along) * [1, 1, 0] + [0, 0, 0.022]
        yaw = np.pi / 2 * (way in ("left", "right"))
        skill, goal = np.array([SKILLS.index(f"push {way}")]), item + left * along
        turned, closed = np.array([yaw]), np.zeros(1)
        state = ExpertInput(skill, tool[None], turned, closed, item[None], goal[None], np.zeros(1))
        step = expert_action(state).tool[0]
        return step @ along, step[2]

    ways = [move(left, 0.033)[0] for left in (0.08, 0.04, 0.02, 0.001)]
    assert ways[0] == pytest.approx(0.022)
    assert ways == sorted(ways, reverse=True)
    assert 0 < ways[-1] < 0.01
    back, up = move(-0.001, 0.033)
    assert back < -0.01
    assert up == 0
    back, up = move(-0.001, 0.05)
    assert back == 0
    assert up > 0.02


def test_the_labels_are_those_of_the_configuration():
    listed = yaml.safe_load((config_dir() / "tasks.yaml").read_text())["labels"]
    assert listed == all_labels()
    assert len(set(listed)) == len(listed) >= 100


def test_training_sentences_use_known_words_and_name_what_they_mean():
    rng, known = np.random.default_rng(0), set(vocabulary())
    for _ in range(300):
        scene = sample_scene(rng)
        task = sample_task(rng, scene)
        if task is None:
            continue
        meaning = describe_task(rng, task, scene)
        words = generate_sentence(rng, meaning).split()
        assert set(words) <= known
        for thing in (meaning.target, meaning.reference):
            assert thing.colour in ("any", "cyan") or thing.colour in words


def test_held_out_phrasings_use_known_words_in_unknown_ways():
    rng, known = np.random.default_rng(0), set(vocabulary())
    meanings = [sample_meaning(rng) for _ in range(300)]
    seen = {generate_sentence(rng, meaning) for meaning in meanings for _ in range(20)}
    held = [generate_sentence(rng, meaning, "held") for meaning in meanings]
    assert {word for text in held for word in text.split()} <= known
    assert not seen & set(held)


def test_every_held_out_synonym_is_a_word_that_training_never_hears():
    rng, known = np.random.default_rng(0), set(vocabulary())
    for _ in range(300):
        words = generate_sentence(rng, sample_meaning(rng), "synonyms").split()
        assert set(words) - known, words


def test_a_thing_is_named_by_one_word_only_where_that_is_enough():
    rng = np.random.default_rng(0)
    scene = replace(SCENE, things=(*SCENE.things, SceneObject("red", "lemon", 0.6, 0.2, 0.0)))
    for _ in range(200):
        thing = describe_task(rng, Task("pick up", 0), scene).target
        assert (thing.colour, thing.noun) == ("red", "cube")  # a blue cube, a red lemon are there


@pytest.mark.parametrize("split", ["seen", "held"])
@pytest.mark.parametrize("kind", USELESS)
def test_useless_sentences_are_said_without_end(kind, split):
    rng = np.random.default_rng(0)
    meaning = TaskSpec("put", ObjectReference("red", "cube"), ObjectReference("any", "bowl"))
    said = {generate_non_task(rng, kind, meaning, split) for _ in range(300)}
    assert len(said) > (40 if kind in ("chatter", "bare") else 150)
    assert not said & {generate_sentence(rng, meaning) for _ in range(3000)}


def test_training_asks_no_question_that_is_held_out(monkeypatch):
    meaning, question = (
        TaskSpec("pick up", ObjectReference("red", "cube")),
        "is there the red cube",
    )

    def asked():
        rng = np.random.default_rng(0)
        return {generate_non_task(rng, "chatter", meaning) for _ in range(5000)}

    assert question in asked()
    monkeypatch.setattr(generator, "CHATTER_HELD", ("what is for dinner", question))
    assert question not in asked()


@pytest.mark.parametrize("split", ["seen", "held"])
def test_an_incomplete_command_says_what_is_missing(split):
    rng = np.random.default_rng(0)
    cube, bowl = ObjectReference("red", "cube"), ObjectReference("any", "bowl")
    for skill, reference in (("put", bowl), ("push left", None), ("pick up", None)):
        meaning = TaskSpec(skill, cube, reference or ObjectReference())
        placed = []
        for _ in range(300):
            text, said, skilled = generate_incomplete(rng, meaning, split)
            words = strip_tags(text)[0].split()
            assert ("red" in words) == (said.target == cube)
            assert ("bowl" in words) == (said.reference == bowl)
            assert said.target != cube or said.reference != bowl
            if skill == "pick up":
                assert said.target != cube
                assert skilled
            if skill == "push left":
                assert skilled == any(word.startswith("left") for word in words)
                assert skilled != (said.target == cube)
            placed.append(skilled)
        assert any(placed)


def test_marks_tell_whose_a_word_is():
    rng = np.random.default_rng(0)
    red, blue = (
        ObjectReference("red", "cube"),
        ObjectReference("blue", "bread"),
    )
    for _ in range(500):
        text, owner = strip_tags(generate_tagged_sentence(rng, TaskSpec("stack", red, blue)))
        whose = dict(zip(text.split(), owner, strict=True))
        assert whose["red"] == 1
        assert whose["blue"] == 2
        assert not any(mark in text for mark in MARKS)


def test_jostled_sentences_keep_what_they_say_and_whose_it_is():
    from vlm_robot_ros.models.tokenizer import Tokenizer
    from vlm_robot_ros.training.instruction_dataset import InstructionSampler

    source, tokenizer = InstructionSampler(0), Tokenizer(vocabulary())
    text, owner = strip_tags("stack the\x01 red\x01 cube\x01 on the\x02 blue\x02 bread\x02")
    ids = tokenizer(text)
    owner = [*owner, *[-1] * (len(ids) - len(owner))]
    said = {tokenizer(word)[0] for word in ("stack", "red", "cube", "on", "blue", "bread")}
    lengths = set()
    for _ in range(300):
        words, whose = source._insert_and_drop_words(ids, owner)
        assert said <= set(words)
        assert whose[words.index(tokenizer("red")[0])] == 1
        assert whose[words.index(tokenizer("bread")[0])] == 2
        assert all((word == 0) == (mark == -1) for word, mark in zip(words, whose, strict=True))
        lengths.add(sum(word != 0 for word in words))
    assert min(lengths) < 8 < max(lengths)


def test_training_never_speaks_of_a_held_out_pair():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        meaning = sample_meaning(rng)
        for thing in (meaning.target, meaning.reference):
            assert (thing.colour, thing.noun) not in HELD_PAIRS


def test_no_loose_sentence_has_a_held_out_construction(monkeypatch):
    assert "go {v} {o} {d}" in templates("push away").held
    monkeypatch.setattr(generator, "LINKS", ("go",))
    monkeypatch.setattr(generator, "POLITE", Paraphrases(("{s}",)))
    monkeypatch.setattr(generator, "_LOOSE_FRACTION", 1.0)
    rng, meaning = (
        np.random.default_rng(0),
        TaskSpec("push away", ObjectReference("red", "cube")),
    )
    said = [generate_sentence(rng, meaning) for _ in range(5000)]
    verb, place = (
        "|".join(wording.seen) for wording in (verbs("push away"), placement_phrases("push away"))
    )
    held = re.compile(rf"go ({verb}) (?!.*\bgo\b).* ({place})")
    assert any(re.fullmatch(held.pattern.replace("go ", "go go ", 1), text) for text in said)
    assert not [text for text in said if held.fullmatch(text)]
