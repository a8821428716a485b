"""New words, learned from bags in which they had to be said differently."""

import pytest
import torch

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.models.tokenizer import Tokenizer
from vlm_robot_ros.policies.grounded.instruction_parser import InstructionParser
from vlm_robot_ros.training.synonym_learning import learn_synonyms

pytest.importorskip("rosbags", reason="needs rosbags: pip install 'vlm_robot_ros[bags]'")

from bags import HOME, BagWriter

RUBY = [
    ("pick up the ruby cube", "pick up the red cube"),
    ("push the ruby lemon to the left", "push the red lemon to the left"),
]
SNATCH = [
    ("snatch the green bottle", "grab the green bottle"),
    ("snatch the ruby bread", "grab the red bread"),
]


@pytest.fixture(scope="module")
def model(shipped):
    return load_checkpoint(shipped)


def likes(learned):
    return {each.word: each.similar_to for each in learned}


def test_a_new_word_is_a_synonym_everywhere_and_nothing_else_is_read_otherwise(model):
    taught, learned = learn_synonyms(model, RUBY)
    assert likes(learned) == {"ruby": "red"}
    words = InstructionParser(taught, "cpu")
    with torch.no_grad():
        slots = words.read("stack the ruby bread on the blue cylinder")
    assert words.problem("", slots, any_object=False) == ""
    assert words.name(slots, 0) == "red bread"
    for sentence in (
        "put the green lemon on the plate",
        "sing me a song",
        "take the scarlet cube",
    ):
        before = model.text(torch.tensor([Tokenizer(model.config.vocabulary)(sentence)]))
        after = taught.text(torch.tensor([Tokenizer(taught.config.vocabulary)(sentence)]))
        for old, new in zip(before, after, strict=True):
            assert torch.equal(old, new), sentence
    assert "ruby" not in model.config.vocabulary


def test_one_word_makes_the_next_one_clear(model):
    _, learned = learn_synonyms(model, [*SNATCH, *RUBY])
    assert likes(learned) == {"snatch": "grab", "ruby": "red"}


def test_a_word_that_changes_nothing_changes_nothing(model):
    lessons = [
        ("kindly turn the red cube left", "turn the red cube left"),
        ("kindly pick up the lemon", "pick up the lemon"),
    ]
    (learned,) = learn_synonyms(model, lessons)[1]
    assert learned.similar_to == ""
    assert "to ignore a word takes 3 lessons" in learned.refusal
    lessons.append(("kindly push the lemon left", "push the lemon left"))
    assert likes(learn_synonyms(model, lessons)[1]) == {"kindly": "please"}


@pytest.mark.parametrize(
    ("lessons", "why"),
    [
        (RUBY[:1], "1 lessons, at least 2 wanted"),
        ([RUBY[0], RUBY[0]], "1 lessons, at least 2 wanted"),
        ([("grab the huge cube", "grab the red cube"), ("take the huge lemon", "take the lemon")],
         "not clear"),
        ([("pick up the huge cube", "push the lemon left"), ("take the huge one", "go home")],
         "not clear"),
        ([("the glib thing is smug", "pick up the red cube"), ("glib smug", "go home")],
         "at least 2 wanted with no other new word"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_not_learned_and_why_is_said(model, lessons, why):
    taught, learned = learn_synonyms(model, lessons)
    assert learned
    for each in learned:
        assert not each.similar_to
        assert why in each.refusal
    assert taught.config.vocabulary == model.config.vocabulary


def test_what_was_meant_must_be_understood_itself(model):
    assert learn_synonyms(model, [("pick up the ruby cube", "sing me a ruby song")] * 2)[1] == []


def write(folder, said, apart=10.0, marked=True):
    """Write a bag: sentences, whether the arm moved, and what the judge said."""
    writer = BagWriter(folder)
    for number, (text, moved, success) in enumerate(said):
        begin = apart * number + 1.0
        if marked:
            writer.mark(begin, 0, note=text)
        writer.say(begin, text)
        for tick in range(40):
            at = begin + 0.1 + 0.05 * tick
            writer.joints(at)
            hold = "" if moved else "asks for nothing that I know how to do"
            writer.action(at, at, HOME, hold=hold, mode=0)
        if success is not None:
            writer.mark(begin + 3.0, 2 if success else 3)
        if marked:
            writer.mark(begin + 3.1, 1)
    writer.close()
    return folder


@pytest.mark.parametrize(
    ("first", "second"),
    [((False, False), (True, True)), ((True, False), (True, True)), ((False, None), (True, None))],
    ids=["refused", "did something else", "nobody judged"],
)
def test_a_bag_is_lessons_for_the_shipped_policy(tmp_path, first, second, capsys):
    said = [(text, *how) for pair in RUBY for text, how in zip(pair, (first, second), strict=True)]
    bag = write(tmp_path / "bag", said)
    assert main(["learn-words", str(bag), "--out", str(tmp_path / "taught")]) == 0
    assert "| ruby | red |" in capsys.readouterr().out
    assert "ruby" in load_checkpoint(tmp_path / "taught").config.vocabulary


@pytest.mark.parametrize(
    ("first_moved", "first_success", "second_success"),
    [(True, None, True), (True, True, True), (False, False, False), (False, None, False)],
)
def test_what_was_judged_otherwise_is_no_lesson(
    tmp_path, first_moved, first_success, second_success, capsys
):
    said = []
    for first, second in RUBY:
        said += [(first, first_moved, first_success), (second, True, second_success)]
    bag = write(tmp_path / "bag", said)
    assert main(["learn-words", str(bag), "--out", str(tmp_path / "taught")]) == 1
    assert "nothing was learned" in capsys.readouterr().out
    assert not (tmp_path / "taught").exists()


@pytest.mark.parametrize(("apart", "status"), [(20.0, 0), (600.0, 1)])
def test_who_says_it_much_later_means_something_else(tmp_path, apart, status):
    said = [
        (text, moved, None)
        for pair in RUBY
        for text, moved in zip(pair, (False, True), strict=True)
    ]
    bag = write(tmp_path / "bag", said, apart, marked=False)
    assert main(["learn-words", str(bag), "--out", str(tmp_path / "taught")]) == status


def test_a_word_needs_a_lesson(model):
    with pytest.raises(ValueError, match="at least one lesson, not 0"):
        learn_synonyms(model, RUBY, 0)


def test_what_is_no_bag_is_named(tmp_path, shipped, capsys):
    assert main(["learn-words", str(tmp_path), "--out", str(tmp_path / "taught")]) == 2
    assert f"no bag in '{tmp_path}'" in capsys.readouterr().err
    bag = write(tmp_path / "bag", [("pick up the red cube", True, True)])
    assert (
        main(["learn-words", str(bag), str(tmp_path / "typo"), "--out", str(tmp_path / "new")])
        == 2
    )
    assert "typo'; valid:" in capsys.readouterr().err
    assert main(["learn-words", str(bag), "--out", str(shipped)]) == 2
    assert "has a checkpoint already" in capsys.readouterr().err
