"""Meanings in writing and as tokens, and the written sentences themselves."""

import json
import re
from pathlib import Path

import pytest

from vlm_robot_ros.language.generator import Paraphrases
from vlm_robot_ros.language.interpretation import Interpretation, parse_interpretation
from vlm_robot_ros.language.lexicon import COLOUR_WORDS, NOUNS, placement_phrases, templates, verbs
from vlm_robot_ros.language.notation import format_program, parse_program
from vlm_robot_ros.language.program_tokens import (
    END,
    TOKENS,
    decode,
    encode,
    find_measures,
    next_tokens,
)
from vlm_robot_ros.language.replies import describe_step, what_to_ask, why_hold
from vlm_robot_ros.language.sentence_file import COLUMNS, LabelledSentence, read_sentences
from vlm_robot_ros.language.task_spec import ObjectReference, TaskSpec
from vlm_robot_ros.tasks.tasks import SKILLS
from vlm_robot_ros.training.sentence_sampler import SENTENCES

TRAINING_FILES = sorted((SENTENCES / "train").glob("*.tsv"))
TRAINING_LISTS = (
    Path(SENTENCES).parent / "everyday_words.py",
    SENTENCES.parent.parent / "training" / "sentence_frames.yaml",
    SENTENCES.parent.parent / "training" / "sentence_patterns.yaml",
)


def training_sentences() -> list[LabelledSentence]:
    return [each for path in TRAINING_FILES for each in read_sentences(path)]


@pytest.mark.parametrize(
    "text",
    [
        "pick up(red cube)",
        "put(any lemon; any bowl) | push left(any cube, not red object)[small]",
        "stack(blue cube; ?)",
        "pick up(any bottle, leftmost)",
        "push ?(red cube, next to any bowl or green cube)",
        "turn left(any milk)[45 deg] | home()",
    ],
)
def test_a_program_is_read_as_it_is_written(text):
    assert format_program(parse_program(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fly(red cube)", "skill 'fly'; valid: pick up"),
        ("put(red cube)", "has 1 things; put needs 2"),
        ("pick up(crimson cube)", "thing 'crimson cube'; valid"),
        ("pick up(red cube, tallest)", "'tallest' of"),
        ("push left(red cube)[5 miles]", "amount '5 miles'; valid: small"),
        ("pick up red cube", "valid: skill(target; reference)[amount]"),
    ],
)
def test_a_program_that_is_not_in_the_notation_is_refused_with_what_is_valid(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_program(text)


@pytest.mark.parametrize(
    "columns",
    [
        ("shout", "", "", ""),
        ("command", "", "", ""),
        ("question", "", "home()", ""),
        ("correction", "", "home()", ""),
        ("command", "", "home()", "unknown action"),
    ],
)
def test_a_meaning_that_contradicts_itself_is_refused(columns):
    with pytest.raises(ValueError, match=r"valid|has"):
        parse_interpretation(*columns)


def test_written_sentences_are_read_and_their_meanings_survive_the_tokens():
    sentences = training_sentences()
    assert len(sentences) > 3000
    for each in sentences:
        tokens = encode(each.meaning)
        for number, token in enumerate(tokens):
            assert token in next_tokens(tokens[:number]), (each.text, tokens)
        assert next_tokens(tokens) == ()
        again = decode(tokens, f"{each.text} {each.after}", each.meaning.part)
        amounts = [step.amount for step in again.steps]
        if any(amount not in ("", "small", "large") for amount in amounts):
            continue  # a measure is read from the words, as people write them
        assert again == each.meaning, each.text


def test_words_held_out_for_the_synonyms_cell_are_in_no_training_sentence_or_list():
    wordings: list[Paraphrases | None] = [*NOUNS.values(), *COLOUR_WORDS.values()]
    for skill in SKILLS:
        wordings += [templates(skill), verbs(skill), placement_phrases(skill),
                     placement_phrases(skill, "on")]  # fmt: skip
    held = {text for wording in wordings if wording for text in wording.synonyms}
    forms = "|".join(re.escape(re.sub(r"\{.\}", "", word).strip()) for word in held)
    pattern = re.compile(rf"\b(?:{forms})(?:s|es|ed|d|ing)?\b", re.IGNORECASE)
    for path in (*TRAINING_FILES, *TRAINING_LISTS):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert not pattern.search(line), f"{path.name}:{number}: {line}"


def test_no_held_out_sentence_is_a_training_sentence():
    def said(each: LabelledSentence) -> tuple[str, str]:
        return tuple(re.sub(r"[^a-z0-9 ]", "", text.lower()).strip()
                     for text in (each.text, each.after))  # fmt: skip

    held = {said(each) for path in (SENTENCES / "heldout").glob("*.tsv")
            for each in read_sentences(path)}  # fmt: skip
    assert len(held) > 1000
    assert not held & {said(each) for each in training_sentences()}


def test_a_random_walk_through_the_grammar_ends_in_a_meaning():
    import numpy as np

    rng = np.random.default_rng(1)
    for _ in range(300):
        tokens: list[str] = []
        while not tokens or tokens[-1] != END:
            allowed = next_tokens(tokens)
            assert set(allowed) <= set(TOKENS)
            ends = END in allowed and len(tokens) > 12
            tokens.append(END if ends else allowed[int(rng.integers(len(allowed)))])
        meaning = decode(tokens, "push it 5 cm and turn it 45 degrees")
        assert isinstance(why_hold(meaning, "text") or what_to_ask(meaning), str)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("push it 5 cm left, then three centimetres on", ["5 cm", "3 cm"]),
        ("half a turn, or 45 degrees", ["180 deg", "45 deg"]),
        ("two inches to the right", ["5.08 cm"]),
        ("10 mm", ["1 cm"]),
        ("six more centimetres", ["6 cm"]),
        ("pick up two cubes", []),
        ("push it 5 cm, no, make it 8", ["8 cm"]),
        ("thirty degrees, no sorry, forty degrees to the left", ["40 deg"]),
        ("the cube by 5 cm and the lemon by 8", ["5 cm", "8 cm"]),
        ("turn it by 45 degrees, no, the other one", ["45 deg"]),
    ],
)
def test_measures_are_found_in_words(text, found):
    assert find_measures(text) == found


@pytest.mark.parametrize(
    ("program", "question"),
    [
        ("pick up(?)", "What shall I pick up?"),
        ("put(red lemon; ?)", "Where shall I put the red lemon?"),
        ("push ?(red cube)", "Which way shall I push the red cube: left, right, away or closer?"),
        ("pick up(red cube or green cube)", "The red cube or the green cube?"),
        ("push left(any object)", "Which object do you mean, to push the object left?"),
        ("push left(red cube)", ""),
    ],
)
def test_what_a_command_leaves_open_is_asked(program, question):
    assert what_to_ask(Interpretation("command", tuple(parse_program(program)))) == question


@pytest.mark.parametrize(
    ("meaning", "reason"),
    [
        (Interpretation("question"), "is a question"),
        (Interpretation("command", obstacle="unknown action", part="cut"), "how to do 'cut'"),
        (Interpretation("command", tuple(parse_program("push left(any bowl)"))), "stays where it"),
        (
            Interpretation("command", tuple(parse_program("home() | stack(red cube; red cube)"))),
            "to itself",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_as_a_whole_with_the_reason(meaning, reason):
    assert reason in why_hold(meaning, "text")


def test_a_meaning_that_is_not_sure_is_not_acted_on():
    meaning = Interpretation("command", tuple(parse_program("home()")))
    assert why_hold(meaning, "text", 0.9) == ""
    assert "not sure" in why_hold(meaning, "text", 0.2)


def test_a_skill_of_a_package_that_is_not_installed_is_told_by_its_name():
    assert describe_step(TaskSpec("fly to", ObjectReference("red", "cube"))) == "fly to"
    assert what_to_ask(Interpretation("command", (TaskSpec("fly to"),))) == ""


def test_a_step_is_told_in_plain_words():
    steps = parse_program("place left(red cube; any milk)[5 cm] | pick up(any bottle, leftmost)")
    assert [describe_step(step) for step in steps] == [
        "place the red cube to the left of the milk by 5 cm",
        "pick up the leftmost bottle",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("go home\t\tcommand\t\thome()", "5 columns; valid: 8"),
        ("go home\t\tcommand\t\thome()\t\t\tloud", "register 'loud'; valid: plain"),
        ("cut it\t\tcommand\t\t\tunknown action\tslice\tplain", "part 'slice' is not in the text"),
        ("no\t\tcorrection\tcancel\t\t\t\tplain", "a correction of nothing"),
    ],
)
def test_a_line_of_sentences_that_is_not_valid_is_refused_with_its_number(tmp_path, line, message):
    path = tmp_path / "sentences.tsv"
    path.write_text("\t".join(COLUMNS) + "\n" + line + "\n")
    with pytest.raises(ValueError, match=f"sentences.tsv:2: .*{re.escape(message)}"):
        read_sentences(path)


def test_a_file_of_other_columns_is_refused(tmp_path):
    path = tmp_path / "sentences.tsv"
    path.write_text(json.dumps({"text": "go home"}) + "\n")
    with pytest.raises(ValueError, match="valid: text, after"):
        read_sentences(path)
