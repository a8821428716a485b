"""What the console knows stays small, and faults go when nobody reports them."""

import json
import math
import random

import pytest

pytest.importorskip("vlm_robot_ros.console.state")

from vlm_robot_ros.console.state import ConsoleState
from vlm_robot_ros.interfaces.action import StepInfo

WARN, ERROR, OK = 1, 2, 0
EVIL = "<b>\x1b[2J\u202e\ud800" + "x" * 1_000_000


class Clock:
    """A time that the test sets."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def state(clock):
    return ConsoleState("arm/policy_node", clock)


def faults(state):
    return {fault["name"]: fault["text"] for fault in state.as_dict()["faults"]}


def test_a_fault_is_shown_while_it_is_reported_and_ends_with_ok(state, clock):
    state.on_diagnostics([("arm: camera", WARN, "late"), ("arm: joints", OK, "fine")])
    assert faults(state) == {"arm: camera": "late"}
    clock.now += 4.0
    state.on_diagnostics([("arm: camera", ERROR, "gone")])
    clock.now += 4.0
    assert faults(state) == {"arm: camera": "gone"}
    state.on_diagnostics([("arm: camera", OK, "fine")])
    assert faults(state) == {}


def test_a_fault_that_nobody_reports_any_more_goes(state, clock):
    state.on_diagnostics([("arm: camera", WARN, "late")])
    clock.now += 4.9
    assert faults(state)
    clock.now += 0.2
    assert faults(state) == {}


def test_a_flood_of_names_does_not_grow_the_state_nor_hide_the_policy_nodes_faults(state):
    for number in range(1000):
        state.on_diagnostics([(f"{number}", ERROR, EVIL)] * 3)
    state.on_diagnostics([("arm/policy_node: policy", ERROR, "tripped")])
    for number in range(1000):
        state.on_diagnostics([(f"x{number}", ERROR, "")])
    assert len(faults(state)) == 20
    assert faults(state)["arm/policy_node: policy"] == "tripped"
    for number in range(1000):  # somebody may take the policy node's name, too
        state.on_diagnostics([(f"arm/policy_node: {number}", ERROR, "")])
    assert len(faults(state)) == 20


def test_a_message_of_very_many_statuses_is_not_read_to_its_end(state):
    read = []

    def statuses():
        for number in range(10**6):
            read.append(number)
            yield f"{number}", OK, ""

    state.on_diagnostics(statuses())
    assert len(read) <= 100


def test_texts_are_cut_and_escaped(state):
    for _ in range(100):
        state.on_instruction(EVIL)
        state.on_action(EVIL, True, EVIL)
        state.on_label(EVIL, EVIL, 0.5)
        state.on_diagnostics([(EVIL, ERROR, EVIL)])
    known = state.as_dict()
    told = json.dumps(known, ensure_ascii=False)
    assert len(told) < 50_000
    assert told.isprintable()
    assert len(known["episodes"]) == 30
    assert known["label"].startswith("<b>\\x1b[2J\\u202e\\ud800xxx")
    assert known["episodes"][0]["hold"] == known["hold"]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -1.0, 7.0])
def test_numbers_that_are_none_do_not_reach_the_page(state, score):
    state.on_label("", "", score)
    state.on_latency({"p50": 0.01, "p95": score, "p99": 0.02})
    told = json.dumps(state.as_dict(), allow_nan=False)
    assert 0.0 <= json.loads(told)["score"] <= 1.0


def test_a_program_of_several_steps_shows_which_one_is_done(state):
    state.on_instruction("push it left and go home")
    state.on_action("push it left and go home", False, "", StepInfo(1, 2, "go home"))
    assert state.as_dict()["step"] == "step 2 of 2: go home"
    state.on_instruction("go home")
    assert state.as_dict()["step"] == ""
    state.on_action("go home", False, "", StepInfo(0, 1, "go home"))
    assert state.as_dict()["step"] == ""


def test_an_episode_has_what_became_of_its_instruction(state):
    state.on_instruction("pick up the red cube")
    state.on_label("pick up the red cube", "pick", 0.9)
    state.on_action("pick up the red cube", False, "")
    state.on_action("something else", True, "no plan")
    state.on_instruction("stop")
    state.on_judgement(True)
    stop, pick = state.as_dict()["episodes"]
    assert (pick["label"], pick["moved"], pick["hold"], pick["success"]) == (
        "pick",
        True,
        "",
        True,
    )
    assert (stop["task"], stop["success"]) == (False, None)


def test_what_is_seen_is_listed_in_centimetres_and_goes_with_a_new_instruction(state):
    state.on_objects([("red mug", (0.08, 0.091, 0.1), 0.934, ""),
                      (EVIL, (0.3, 0.3, 0.3), 0.5, "30 cm wide"),
                      ("ghost", (math.nan, 0.1, 0.1), 0.5, "")])  # fmt: skip
    mug, evil = state.as_dict()["objects"]
    assert mug == {"phrase": "red mug", "size": "8 x 9 x 10 cm", "score": 0.93, "problem": ""}
    assert len(evil["phrase"]) < 300
    assert "\x1b" not in evil["phrase"]
    state.on_instruction("pick up the fork")
    assert state.as_dict()["objects"] == []


def test_what_the_policy_proposes_can_be_answered_while_it_holds(state, clock):
    state.on_action("is the mug on the tray yet?", True, "Shall I put it there?", proposes=True)
    assert state.as_dict()["proposes"]
    clock.now += 2.0  # the node is silent
    assert not state.as_dict()["proposes"]
    state.on_action("yes", False, "")
    assert not state.as_dict()["proposes"]


def test_no_more_things_are_listed_than_can_be_read(state):
    state.on_objects([("mug", (0.1, 0.1, 0.1), 0.9, "")] * 1000)
    assert len(state.as_dict()["objects"]) == 30


def test_random_garbage_of_every_kind_is_taken(state, clock):
    draw = random.Random(0)

    def text():
        return "".join(chr(draw.randrange(0x110000)) for _ in range(draw.randrange(50)))

    for _ in range(2000):
        clock.now += draw.random()
        state.on_instruction(text())
        state.on_action(text(), draw.random() < 0.5, text())
        state.on_label(text(), text(), draw.uniform(-1, 2))
        state.on_diagnostics([(text(), draw.randrange(256), text()) for _ in range(5)])
        json.dumps(state.as_dict()).encode()
    assert len(json.dumps(state.as_dict())) < 100_000
