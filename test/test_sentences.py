"""Generated sentences: known words, held-out phrasings, role tags, incomplete commands."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scenes import SCENE

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
from vlm_robot_ros.tasks.objects import HELD_PAIRS
from vlm_robot_ros.tasks.scene import SceneObject, sample_scene
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import sample_task


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
