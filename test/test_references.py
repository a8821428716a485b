"""Which thing is meant: leftmost, next to, other, anything but; and when the arm asks."""

import numpy as np
import pytest

from vlm_robot_ros.evaluation.scene_references import program_of, sample_program_scene
from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.notation import format_object, parse_program
from vlm_robot_ros.language.task_spec import ObjectReference, TaskSpec
from vlm_robot_ros.policies.grounded.object_detection import DetectedObject
from vlm_robot_ros.policies.grounded.program import Program
from vlm_robot_ros.policies.grounded.reference_resolution import (
    AmbiguousReference,
    is_resolved,
    resolve,
    resolve_steps,
)
from vlm_robot_ros.policies.sentence_parsing import ParsedSentence


def seen(colour, noun, x, y, confidence=0.99):
    return DetectedObject(colour, noun, np.array([x, y, 0.02]), confidence)


# Left is +y, away from the robot is +x.
TABLE = (
    seen("red", "cube", 0.4, 0.2), seen("green", "cube", 0.5, -0.2),
    seen("blue", "cube", 0.6, 0.0), seen("red", "lemon", 0.5, 0.05),
    seen("yellow", "bottle", 0.45, -0.1),
    seen("any", "bowl", 0.5, 0.06), seen("any", "plate", 0.62, -0.22),
)  # fmt: skip


def thing(words):
    return parse_program(f"pick up({words})")[0].target


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("any cube, leftmost", "red cube"),
        ("any cube, rightmost", "green cube"),
        ("any cube, nearest", "red cube"),
        ("any object, farthest", "blue cube"),
        ("any cube, middle", "blue cube"),
        ("any object, next to plate", "green cube"),
        ("any object, in bowl", "red lemon"),
        ("any cube, left of yellow bottle", "blue cube"),
        ("any cube, behind yellow bottle", "green cube"),
        ("any object, in front of blue cube", "red lemon"),
        ("red object, not any cube", "red lemon"),
        ("any lemon", "red lemon"),
        ("yellow object", "yellow bottle"),
    ],
)
def test_words_lead_to_one_thing(words, meant):
    assert format_object(resolve(thing(words), TABLE)) == meant


@pytest.mark.parametrize(
    ("words", "question"),
    [
        ("any cube", "The red cube, the green cube or the blue cube?"),
        ("red object", "The red cube or the red lemon?"),
        ("any lemon, next to any cube", "The red cube, the green cube or the blue cube?"),
    ],
)
def test_where_several_fit_the_arm_asks(words, question):
    with pytest.raises(AmbiguousReference) as error:
        resolve(thing(words), TABLE)
    assert str(error.value) == question


def test_what_is_hardly_seen_raises_no_question():
    table = (seen("red", "cube", 0.4, 0.2), seen("green", "cube", 0.5, -0.2, 0.6))
    assert format_object(resolve(thing("any cube"), table)) == "red cube"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("pink object", "I see no pink one"),
        ("any lemon, not red object", "I see no lemon that is not the red one"),
        ("any cube, next to any milk", "I see no milk"),
        ("red object, middle", "I see 2 such things, and none is the middle red one"),
    ],
)
def test_what_is_not_there_is_said(words, message):
    with pytest.raises(LookupError) as error:
        resolve(thing(words), TABLE)
    assert str(error.value) == message


def test_the_other_one_is_none_of_those_before():
    table = (seen("red", "lemon", 0.4, 0.2), seen("green", "lemon", 0.5, -0.2),
             seen("any", "bowl", 0.6, 0.0))  # fmt: skip
    both = parse_program("put(any lemon; bowl) | put(any lemon, other; bowl)")
    steps = resolve_steps(both, table, None, any_object=False)
    assert [format_object(step.target) for step in steps] == ["red lemon", "green lemon"]
    before = TaskSpec("pick up", ObjectReference("red", "lemon"))
    (step,) = resolve_steps(parse_program("pick up(any lemon, other)"), table, before, False)
    assert format_object(step.target) == "green lemon"


def test_only_names_of_colour_and_kind_need_no_image():
    wanted = {"put(red cube; bowl)": True, "home()": True, "put(any cube; bowl)": False,
              "pick up(red object)": False, "put(red cube; bowl, leftmost)": False}  # fmt: skip
    assert {text: is_resolved(parse_program(text)[0]) for text in wanted} == wanted


class OneSentenceParser:
    """Reads every sentence as the same command, and every answer as the blue cube."""

    def __init__(self, steps):
        self.steps, self.after = steps, []

    def parse(self, text, after=""):
        self.after.append(after)
        act, effect = ("correction", "replace") if after else ("command", "")
        steps = self.steps if not after else "pick up(blue cube)"
        return ParsedSentence(Interpretation(act, tuple(parse_program(steps)), effect), 0.9)


def test_the_answer_to_a_question_settles_the_command():
    parser = OneSentenceParser("pick up(any cube)")
    program = Program(parser, lambda step: "", any_object=False, detects=True)
    program.state("pick up the cube")
    assert program.unresolved
    question = program.resolve(TABLE)
    assert question == "The red cube, the green cube or the blue cube?"
    assert program.state("pick up the cube").problem == question
    program.expect_instruction()
    state = program.state("the blue one")
    assert parser.after[-1] == "pick up the cube"
    assert not state.problem
    assert format_object(state.step.target) == "blue cube"


def test_no_step_is_begun_while_a_later_one_lacks_its_thing():
    program = Program(OneSentenceParser("pick up(red cube) | push left(pink milk)"),
                      lambda step: "", any_object=False, detects=True)  # fmt: skip
    program.state("two steps")
    assert program.resolve(TABLE) == "I see no pink milk"
    assert program.unresolved
    assert program.resolve((*TABLE, seen("pink", "milk", 0.4, -0.1))) == ""
    assert not program.unresolved


@pytest.mark.parametrize(
    "text",
    [
        "put(any lemon; bowl)",
        "push left(red object) | push right(red object)",
        "pick up(any cube, not red object)",
        "place left(any cube, leftmost; any milk)",
    ],
)
def test_a_scene_is_found_in_which_the_words_mean_what_they_say(text):
    steps = parse_program(text)
    found = sample_program_scene(np.random.default_rng(0), steps)
    assert found is not None
    scene, program = found
    assert program == program_of(scene, steps)
    for step, tasks in zip(steps, program, strict=True):
        for task in tasks:
            target = scene.things[task.target]
            assert task.skill == step.skill
            assert step.target.colour in ("any", target.colour)
            assert step.target.noun in ("object", target.shape)
            if step.target.excluded:
                assert target.colour != "red"


def test_there_is_no_scene_for_what_the_judge_cannot_tell():
    rng = np.random.default_rng(0)
    for text in (
        "push left(red cube)[small]",
        "put(any cube; bin) | put(any cube, other; bin)",
        "push ?(red cube)",
        "turn left(red cylinder)",
    ):
        assert sample_program_scene(rng, parse_program(text)) is None
