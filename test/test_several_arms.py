"""Several arms as one robot: their contract, the map of a policy of both, and their holds."""

import dataclasses

import numpy as np
import pytest
import yaml
from observations import FRONT
from plans import plan

from vlm_robot_ros.cli.main import main
from vlm_robot_ros.interfaces.action import ActionMode, chunk_of_arm, validate_chunk
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.observation import ArmObservation, Observation
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.policies.remote.action_mapping import map_actions
from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.policy_map_loader import (
    PolicyMapError,
    load_policy_map,
    parse_policy_map,
)
from vlm_robot_ros.robot.contract_yaml import ContractError
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.loop_group import LoopGroup, hold_of_others

ROBOT = load_robot("two_ur5e_sim", several_arms=True)
ARM = load_robot("ur5e_sim")
HOME = np.array(ARM.home)
MAP = load_policy_map("aloha", ROBOT)


def _seen():
    images = {camera.name: FRONT for camera in ROBOT.colour_cameras}
    pose = np.array([0.5, 0, 0.3, 1, 0, 0, 0])
    right = ArmObservation(pose, 0.5, HOME + 0.1)
    return Observation(images, pose, 1.0, "fold the towel", HOME, others={"right": right})


def test_topics_and_cameras_begin_with_the_name_of_the_arm():
    left, right = ROBOT.arms
    assert (ROBOT.name, left.arm, right.arm) == ("two_ur5e_sim", "left", "right")
    names = ["left_front", "left_wrist", "right_front", "right_wrist"]
    assert [camera.name for camera in left.cameras] == names
    assert left.cameras[2].topic == "right/camera/front/image_raw"
    assert right.cameras == ()
    assert all(sink.topic.startswith("right/") for sink in right.sinks)
    assert right.topic("joint_states") == "right/joint_states"
    assert ARM.topic("joint_states") == "joint_states"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arms": [{"name": "left", "robot": "ur5e_sim"}]}, "arms"),
        ({"arms": [{"name": "a", "robot": "ur5e_sim"}] * 2}, "arm 'a' is of two arms"),
        ({"arms": [{"name": "a", "robot": "ur5e_sim"}, {"name": "b", "robot": "ur5"}]},
         "no robot 'ur5'"),
        ({"arms": [{"name": "a", "robot": "ur5e_sim"}, {"name": "b", "robot": "ur5e"}]},
         "a simulated, b not simulated; valid: all simulated, or none"),
        ({"arms": [{"name": "A b", "robot": "ur5e_sim"}, {"name": "b", "robot": "ur5e"}]}, "name"),
        ({"joints": []}, "joints"),
    ],
)  # fmt: skip
def test_a_group_that_cannot_be_is_refused(tmp_path, changes, problem):
    path = tmp_path / "two.yaml"
    both = [{"name": name, "robot": "ur5e_sim"} for name in ("left", "right")]
    path.write_text(yaml.safe_dump({"name": "two", "arms": both, **changes}))
    with pytest.raises(ContractError, match=problem):
        load_robot(path, several_arms=True)


def test_contract_check_prints_each_arm(capsys):
    assert main(["contract", "check", "two_ur5e_sim"]) == 0
    said = capsys.readouterr().out
    assert "arm left" in said
    assert "camera right_wrist: right/camera/wrist/image_raw" in said


def test_what_moves_one_arm_refuses_several():
    with pytest.raises(ContractError, match="only policy_node moves"):
        load_robot("two_ur5e_sim")


def test_alohas_fourteen_values_go_to_both_arms():
    message = map_observation(MAP, _seen())
    np.testing.assert_allclose(message["state"], [*HOME, 1.0, *(HOME + 0.1), 0.5], atol=1e-6)
    assert message["images"]["cam_right_wrist"].shape == (3, 224, 224)
    table = np.tile([*(HOME + 0.2), 0.25, *(HOME - 0.2), 0.75], (50, 1))
    chunk = validate_chunk(map_actions(MAP.actions, ROBOT, _seen(), table))
    np.testing.assert_allclose(chunk.values, table[:, :6])
    right = chunk_of_arm(chunk, "right")
    np.testing.assert_allclose(right.values, table[:, 7:13])
    assert (chunk.gripper[0], right.gripper[0]) == (0.25, 0.75)
    assert right.mode == ActionMode.JOINT_POSITION


def test_changes_are_added_to_where_each_arm_is():
    actions = MAP.actions.model_copy(update={"mode": "joint_delta"})
    chunk = map_actions(actions, ROBOT, _seen(), np.full((4, 14), 0.01))
    np.testing.assert_allclose(chunk.values[-1], HOME + 0.04)
    np.testing.assert_allclose(chunk.others["right"].values[-1], HOME + 0.14)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            lambda c: c["actions"]["arms"].pop("right"),
            r"actions of arms \['left'\]; robot 'two_ur",
        ),
        (lambda c: c["actions"]["arms"]["right"].update(first_column=6), "column 6 is of the gri"),
        (
            lambda c: c["actions"]["arms"]["right"].update(first_column=3),
            "column 3 is of 6 joints",
        ),
        (lambda c: c["actions"]["arms"]["right"].pop("gripper"), "no gripper"),
        (lambda c: c["actions"].update(first_column=0), "beside arms"),
        (lambda c: c["state"][0]["parts"][0].update(arm="middle"), "part of arm 'middle'"),
    ],
)
def test_a_map_that_does_not_fit_the_arms_is_refused(change, problem):
    content = MAP.model_dump(exclude_unset=True)
    change(content)
    with pytest.raises(PolicyMapError, match=problem):
        parse_policy_map(content, ROBOT)


def test_a_map_of_two_arms_is_refused_for_one():
    with pytest.raises(PolicyMapError, match="robot 'ur5e_sim' has one arm: name none"):
        load_policy_map("aloha", ARM)


def test_an_arm_of_which_the_policy_says_nothing_holds():
    alone = chunk_of_arm(plan([0.5, 0, 0.3]), "right")
    assert alone.hold.code is HoldCode.INVALID_CHUNK
    assert "says nothing of the right arm" in alone.hold


@pytest.mark.parametrize(
    ("code", "holds"),
    [
        (HoldCode.NONE, False), (HoldCode.WAITING_FOR_CHUNK, False),
        (HoldCode.WAITING_FOR_MOTION_START, False), (HoldCode.OTHER_ARM, False),
        (HoldCode.TRIPPED, True), (HoldCode.INPUT_STALE, True), (HoldCode.INVALID_CHUNK, True),
    ],
)  # fmt: skip
def test_an_arm_holds_with_another_unless_that_ends_by_itself(code, holds):
    reason = hold_of_others([("left", HoldReason(code, "so it is") if code else MAY_MOVE)])
    assert reason.code is (HoldCode.OTHER_ARM if holds else HoldCode.NONE)
    assert reason == ("the left arm holds: so it is" if holds else "")


def test_what_one_arm_is_told_all_are():
    loops = [ControlLoop(arm, 0.02) for arm in ROBOT.arms]
    group = LoopGroup(loops)
    said = group.set_instruction("fold the towel", 1.0)
    assert [loop.instruction for loop in loops] == [said, said]
    group.stop()
    assert all(loop.blocked.code is HoldCode.STOP_SERVICE for loop in loops)
    assert group.reset()
    assert not any(loop.blocked for loop in loops)
    group.enable(False)
    assert group.blocked.code is HoldCode.DISABLED
    group.enable(True)
    group.set_instruction("fold the towel again", 2.0)
    group.min_confidence = 0.7
    assert [loop.min_confidence for loop in loops] == [0.7, 0.7]
    loops[1].gate.tripped = "a fault"
    assert group.blocked.code is HoldCode.TRIPPED
    state = RobotState(2.0, HOME, 1.0)
    assert loops[1].step(2.0, state).action.hold_reason.code is HoldCode.TRIPPED
    group.forget_instruction()
    assert all(not loop.instruction.text for loop in loops)


def test_an_arm_of_several_is_otherwise_the_arm_of_its_contract():
    same = dataclasses.replace(ROBOT, arm="", others=(), cameras=ARM.cameras, sinks=ARM.sinks,
                               name=ARM.name)  # fmt: skip
    assert same == ARM
