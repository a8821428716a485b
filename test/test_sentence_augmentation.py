"""Sentences that training makes of written ones: their meaning is known, and still true."""

import numpy as np
import pytest

from vlm_robot_ros.language.everyday_words import COLOURS
from vlm_robot_ros.language.interpretation import Interpretation, parse_interpretation
from vlm_robot_ros.language.notation import format_program, parse_program
from vlm_robot_ros.language.sentence_file import LabelledSentence
from vlm_robot_ros.language.task_spec import NONE
from vlm_robot_ros.runtime.instructions import is_stop
from vlm_robot_ros.training.meaningless_texts import garble
from vlm_robot_ros.training.sentence_composition import answer, leave_open, tell
from vlm_robot_ros.training.sentence_frames import FRAMES, SHORT_FORMS, SOUNDS
from vlm_robot_ros.training.sentence_patterns import (
    PATTERNS,
    fill_correction,
    fill_pattern,
    fill_steps,
)
from vlm_robot_ros.training.typing_mistakes import mistype


def command(text, steps):
    return LabelledSentence(
        text, "", Interpretation("command", tuple(parse_program(steps))), "plain"
    )


def test_frames_are_texts():
    for table in (FRAMES, SHORT_FORMS, SOUNDS):
        for name, texts in table.items():
            assert isinstance(name, str)
            assert texts
            assert all(isinstance(text, str) for text in texts), name


@pytest.mark.parametrize("pattern", PATTERNS["steps"])
def test_a_pattern_of_steps_has_steps_of_the_grammar_that_name_different_things(pattern):
    for seed in range(5):
        text, program = fill_pattern(np.random.default_rng(seed), pattern)
        steps = parse_interpretation("command", "", program).steps
        assert steps
        assert "{" not in text
        assert all(step.target != step.reference for step in steps if step.reference.noun != NONE)


@pytest.mark.parametrize("pattern", PATTERNS["corrections"])
def test_a_pattern_of_a_correction_has_an_effect_of_the_grammar(pattern):
    after, text, effect, program = fill_pattern(np.random.default_rng(1), pattern)
    assert parse_interpretation("correction", effect, program)
    assert not is_stop(text)
    assert "{" not in after + text


def test_filled_patterns_mean_what_they_name():
    rng = np.random.default_rng(0)
    for make in (fill_steps, fill_correction):
        made = [make(rng) for _ in range(200)]
        assert len({each.text for each in made}) > 100
        for each in made:
            for step in each.meaning.steps:
                for thing in (step.target, step.reference):
                    said = f"{each.after} {each.text}"
                    forms = [*COLOURS.get(thing.colour, ("",)), thing.colour]
                    assert thing.colour in ("any", "none") or any(form in said for form in forms)


def test_meaningless_texts_are_of_many_kinds_and_never_empty():
    rng = np.random.default_rng(0)
    made = [garble(rng, "push the red cube left", list("abcdefghij")) for _ in range(300)]
    assert all(made)
    assert len(set(made)) > 150  # two of the seven kinds are one text each
    assert "tfel ebuc der eht hsup" in made
    assert any("{" in text for text in made)


def test_mistakes_leave_most_letters_and_are_many():
    said = "put the yellow lemon to the left of the blue cylinder please"
    made = [mistype(np.random.default_rng(seed), said) for seed in range(300)]
    assert len(set(made)) > 180
    assert made.count(said) < 30
    for text in made:
        assert abs(len(text) - len(said)) < 25
    for word in ("a", "to", "the"):  # what is too short for a slip comes back
        assert mistype(np.random.default_rng(1), word)


def test_an_answer_leaves_nothing_open():
    rng = np.random.default_rng(3)
    skills = set()
    for _ in range(200):
        asked = leave_open(rng)
        assert asked.meaning.is_open
        told = answer(rng, asked)
        assert told is not None
        assert told.after == asked.text
        assert (told.meaning.act, told.meaning.effect) == ("correction", "replace")
        assert not told.meaning.is_open
        assert told.meaning.steps[0].target == asked.meaning.steps[0].target
        skills.add(told.meaning.steps[0].skill)
    assert {"push left", "push closer", "turn right", "place behind"} < skills


@pytest.mark.parametrize(
    ("steps", "answers"),
    [
        ("pick up(red cube or green cube)", {"pick up(red cube)", "pick up(green cube)"}),
        ("put(any lemon; ?)", {f"put(any lemon; any {n})" for n in ("plate", "bowl", "bin")}),
        (
            "push ?(any milk)",
            {f"push {way}(any milk)" for way in ("left", "right", "away", "closer")},
        ),
    ],
)
def test_answers_settle_what_is_open(steps, answers):
    rng = np.random.default_rng(4)
    told = {
        format_program(list(answer(rng, command("x", steps)).meaning.steps)) for _ in range(60)
    }
    assert told == answers


def test_what_says_all_has_no_answer():
    assert answer(np.random.default_rng(0), command("x", "pick up(red cube)")) is None


def test_who_tells_of_a_command_commands_nothing():
    rng = np.random.default_rng(5)
    told = [tell(rng, command("push the red cube left", "push left(red cube)")) for _ in range(40)]
    assert {each.meaning.act for each in told} == {"question", "statement"}
    assert all("push the red cube left" in each.text and not each.meaning.steps for each in told)
