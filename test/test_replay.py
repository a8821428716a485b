"""Recordings thought through again: the same answers, the same actions, and what differs."""

import json
import shutil

import numpy as np
import pytest
from bags import HOME, ROBOT, BagWriter, moving_bag
from safetensors.numpy import load_file, save_file

from vlm_robot_ros.bags.action_replay import compare_actions, replay_actions
from vlm_robot_ros.bags.recording import read_recording
from vlm_robot_ros.bags.replay import RECORDED, compare, replay
from vlm_robot_ros.cli.main import main
from vlm_robot_ros.policies.factory import load_policy

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")


@pytest.fixture(scope="module")
def recorded(demo):
    """The bag of a demo."""
    return demo[0] / "bag"


def test_a_replay_answers_as_the_node_did_to_the_last_bit(recorded):
    recording = read_recording(recorded)
    policies = {name: load_policy("fusion", recording.robot) for name in ("again", "second")}
    found = replay(recording, policies)
    live = compare(found, RECORDED, "again")
    assert live["compared"] > 100
    assert live["identical"] == live["compared"]
    both = compare(found, "again", "again")
    assert both["identical"] == both["compared"] == len(found.times)
    assert found.missed == 0


def test_a_replay_executes_the_answers_as_the_node_did(recorded):
    recording = read_recording(recorded)
    found = replay(recording, {"again": load_policy("fusion", recording.robot), "held": _Hold()})
    actions = replay_actions(recording, found, "again")
    figures = compare_actions(recording, "again", actions)
    assert figures["actions"] == len(recording.actions)
    assert figures["both_move"] > 0.5 * figures["actions"]
    # The bag tells to some milliseconds when the node took an answer.
    assert figures["one_holds"] < 0.05 * figures["actions"]
    assert figures["mean_distance"] < 0.002
    held = replay_actions(recording, found, "held")
    assert all(action.hold_reason for action in held)


@pytest.mark.long
def test_a_replay_finds_a_planted_difference(recorded, shipped, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(shipped, other)
    weights = load_file(other / "model.safetensors")
    name = next(n for n in sorted(weights) if n.startswith("action.") and n.endswith("bias"))
    weights[name] = weights[name].copy()
    weights[name][0] += 0.01
    save_file(weights, other / "model.safetensors")
    figures = tmp_path / "figures.json"
    command = ["bag", "replay", str(recorded), "--policy", "shipped", "--policy", str(other)]
    assert main([*command, "--json", str(figures)]) == 0
    live, planted, apart, *executed = json.loads(figures.read_text())
    assert live["identical"] == live["compared"]
    assert planted["identical"] < planted["compared"]
    assert apart["identical"] < apart["compared"]
    assert apart["same_label"] == apart["compared"]
    assert max(apart["largest_error"]) > 0
    assert apart["part_at"] > 0
    assert [row["policy"] for row in executed] == ["shipped", str(other)]
    assert executed[1]["mean_distance"] > executed[0]["mean_distance"]
    assert apart["part_in"] in capsys.readouterr().out


def test_a_bag_of_another_recorder_is_asked_image_by_image(tmp_path):
    moving_bag(tmp_path / "bag")
    found = replay(read_recording(tmp_path / "bag"), {"hold": _Hold()})
    assert len(found.times) == 27
    assert found.instructions[0] == "pick up the red cube"
    assert compare(found, RECORDED, "hold")["compared"] == 0


class _Hold:
    cameras = ("front",)

    def reset(self):
        pass

    next_instruction = draw = reset

    def infer(self, observation):
        raise RuntimeError("out of order")


def test_an_image_that_was_never_recorded_costs_one_answer(tmp_path):
    bag, blank = BagWriter(tmp_path / "bag"), np.zeros((256, 256, 3), np.uint8)
    for number in range(5):
        stamp = 1.0 + 0.1 * number
        if number != 1:
            bag.image(stamp, blank)
        at = bag.header(stamp)
        bag.add(
            "/policy_input", "vlm_robot_ros/msg/PolicyInput", stamp + 0.03, header=at,
            cameras=["front"], image_stamps=[at.stamp], names=list(ROBOT.joint_names),
            joints=HOME, opening=1.0,
            instruction="go home", instruction_id=1, first=number == 0,
        )  # fmt: skip
        bag.joints(stamp)
    bag.close()
    found = replay(read_recording(tmp_path / "bag"), {"hold": _Hold()})
    assert len(found.times) == 4
    assert found.missed == 1
