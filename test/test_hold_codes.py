"""Hold codes: in messages, in processes, and what the executor gives them for."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from vlm_robot_ros.interfaces.action import validate_chunk
from vlm_robot_ros.interfaces.hold import HOLD_RULES, MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.control_loop import ControlLoop

ROOT = Path(__file__).parent.parent
ROBOT = load_robot("panda_sim")
HOME = np.array(ROBOT.home)


def test_constants_of_the_message_are_the_codes():
    text = (ROOT / "msg" / "VlmAction.msg").read_text()
    constants = dict(re.findall(r"^uint8 HOLD_(\w+)=(\d+)$", text, re.MULTILINE))
    assert {name: int(value) for name, value in constants.items()} == {
        code.name: int(code) for code in HoldCode
    }


def test_every_code_has_a_rule():
    assert set(HOLD_RULES) == set(HoldCode) - {HoldCode.NONE}


def test_reason_keeps_its_code_between_processes():
    reason = HoldReason(HoldCode.INPUT_FROZEN, "front camera: the image is frozen")
    chunk = hold_chunk(Observation({}, np.zeros(7), 1.0, ""), 0.1, reason)
    received = validate_chunk(pickle.loads(pickle.dumps(chunk))).hold
    assert (received, received.code) == (reason, HoldCode.INPUT_FROZEN)
    assert validate_chunk(
        hold_chunk(Observation({}, np.zeros(7), 1.0, ""), 0.1, "no")
    ).hold.code is (HoldCode.POLICY_HOLD)
    assert not MAY_MOVE
    assert MAY_MOVE.code is HoldCode.NONE


@pytest.mark.parametrize(
    ("texts", "code"),
    [
        ([], HoldCode.NO_INSTRUCTION),
        (["pick up the cube", ""], HoldCode.NO_INSTRUCTION),
        (["?!"], HoldCode.EMPTY_INSTRUCTION),
        (["pick up the cube"], HoldCode.WAITING_FOR_CHUNK),
        (["pick up the cube", "stop"], HoldCode.STOP_WORD),
    ],
)
def test_loop_gives_the_code_of_its_hold(texts, code):
    loop = ControlLoop(ROBOT, 0.02)
    for number, text in enumerate(texts):
        loop.set_instruction(text, 1.0 + number)
    assert loop.step(9.0, RobotState(9.0, HOME, 1.0)).action.hold_reason.code is code
