"""Programs of several steps, and what corrections and answers make of them."""

import pytest

from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.notation import format_step, parse_program
from vlm_robot_ros.policies.grounded.program import Program
from vlm_robot_ros.policies.sentence_parsing import ParsedSentence


class TableParser:
    """A parser that knows sentences by heart; it notes after which sentence each was said."""

    def __init__(self, **meanings):
        self.meanings, self.after = meanings, []

    def parse(self, text, after=""):
        self.after.append(after)
        act, effect, steps = self.meanings[text]
        return ParsedSentence(Interpretation(act, tuple(parse_program(steps)), effect), 0.9)


TWO = ("command", "", "push left(red cube) | home()")


def program_of(**meanings):
    parser = TableParser(**meanings)
    return Program(parser, lambda step: "", any_object=False), parser


def tell(program, text):
    program.expect_instruction()
    return program.state(text)


def steps(program):
    """Return the steps from the running one on."""
    found = [format_step(program.state("").step)]
    while program.advance():
        found.append(format_step(program.state("").step))
    return found


def test_steps_run_one_after_the_other_and_are_counted():
    program, _ = program_of(two=TWO)
    tell(program, "two")
    assert program.progress() == (0, 2, "push the red cube left", False)
    assert program.advance()
    assert program.progress() == (1, 2, "go home", False)
    assert not program.advance()


@pytest.mark.parametrize(
    ("effect", "said", "then"),
    [
        ("replace", "push left(blue cube)", ["push left(blue cube)", "home()"]),
        ("repeat", "push left(red cube)", ["push left(red cube)", "home()"]),
        ("add", "push left(red cube) | open()", ["push left(red cube)", "open()", "home()"]),
        ("continue", "push left(red cube)", ["push left(red cube)", "home()"]),
        ("slower", "push left(red cube)", ["push left(red cube)", "home()"]),
        ("undo", "", ["push right(red cube)"]),
    ],
)
def test_a_correction_applies_to_the_running_step(effect, said, then):
    program, parser = program_of(two=TWO, no=("correction", effect, said))
    state = tell(program, "two")
    state.start = "somewhere"
    tell(program, "no")
    assert parser.after[:2] == ["", "push the red cube left"]
    assert steps(program) == then


def test_slower_and_faster_change_the_pace_within_its_bounds():
    push = "push left(red cube)"
    slower, faster = ("correction", "slower", push), ("correction", "faster", push)
    program, _ = program_of(two=TWO, slower=slower, faster=faster)
    tell(program, "two")
    told = [(tell(program, word), program.pace)[1] for word in ["slower"] * 3 + ["faster"] * 3]
    assert told == [0.5, 0.25, 0.25, 0.5, 1.0, 1.0]


def test_what_is_undone_is_told_as_that():
    program, _ = program_of(two=TWO, undo=("correction", "undo", ""))
    tell(program, "two").start = "somewhere"
    tell(program, "undo")
    assert program.progress().text == "undo: push the red cube left"


def test_a_step_that_goes_on_keeps_what_is_known_of_it():
    program, _ = program_of(two=TWO, yes=("correction", "continue", "push left(red cube)"))
    state = tell(program, "two")
    assert tell(program, "yes") is state


def test_what_is_cancelled_is_not_done_and_cannot_be_corrected():
    program, _ = program_of(
        two=TWO, leave=("correction", "cancel", ""), no=("correction", "replace", "home()")
    )
    tell(program, "two")
    assert "is cancelled" in tell(program, "leave").problem
    assert not program.advance()
    assert "no instruction to be corrected" in tell(program, "no").problem


def test_a_question_of_the_arm_is_answered_by_the_next_sentence():
    program, parser = program_of(
        milk=("command", "", "place ?(red cube; any milk)"),
        left=("correction", "replace", "place left(red cube; any milk)"),
    )
    assert "Shall I place the red cube left of" in tell(program, "milk").problem
    assert program.progress().of == 0
    tell(program, "left")
    assert parser.after == ["", "milk"]
    assert steps(program) == ["place left(red cube; any milk)"]


def test_a_question_of_a_person_leaves_the_program_to_be_corrected():
    program, _ = program_of(
        two=TWO, what=("question", "", ""), no=("correction", "replace", "push left(blue cube)")
    )
    tell(program, "two")
    assert "is a question" in tell(program, "what").problem
    assert not program.advance()
    tell(program, "no")
    assert steps(program) == ["push left(blue cube)", "home()"]


def test_a_step_that_the_policy_cannot_do_holds_the_whole_program():
    program = Program(
        TableParser(two=TWO), lambda step: "no home" * (step.skill == "home"), any_object=False
    )
    assert tell(program, "two").problem == "no home"
    assert not program.advance()


def test_a_correction_of_nothing_is_a_hold():
    program, _ = program_of(no=("correction", "repeat", "home()"))
    assert "no instruction to be corrected" in tell(program, "no").problem


def test_a_whole_command_ends_the_steps_of_the_one_before():
    meanings = {
        ("two", ""): TWO,
        ("open up", ""): ("command", "", "open()"),
        ("open up", "push the red cube left"): ("correction", "replace", "open()"),
    }

    class Reader:
        """Reads sentences as they are said alone, or after others."""

        def parse(self, text, after=""):
            act, effect, program = meanings[text, after]
            return ParsedSentence(Interpretation(act, tuple(parse_program(program)), effect), 0.9)

    program = Program(Reader(), lambda step: "", any_object=False)
    tell(program, "two")
    tell(program, "open up")
    assert steps(program) == ["open()"]


def test_the_last_step_is_told_as_done():
    program, _ = program_of(two=TWO)
    tell(program, "two")
    program.advance()
    assert not program.progress().done
    program.advance()
    assert program.progress() == (1, 2, "go home", True)


def test_an_answer_settles_one_step_and_leaves_the_others():
    program, _ = program_of(
        open=("command", "", "open() | push ?(red cube) | home()"),
        left=("correction", "replace", "push left(red cube)"),
    )
    assert "Which way" in tell(program, "open").problem
    tell(program, "left")
    assert steps(program) == ["open()", "push left(red cube)", "home()"]
