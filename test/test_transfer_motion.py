"""The policy of transfers moves things: an arm and things that obey it exactly, and see no camera.

The shipped action head moves them; LIBERO's own physics is in test_libero.py.
"""

import numpy as np
import pytest

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import downward_pose, tool_yaw
from vlm_robot_ros.manipulation.geometry import ObjectGeometry
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.transfer.scene import SeenThing
from vlm_robot_ros.policies.transfer.scene_perception import Sight
from vlm_robot_ros.robot.loader import load_robot

SIZES = {"milk": (0.05, 0.05, 0.12), "butter": (0.07, 0.04, 0.02), "plate": (0.14, 0.14, 0.02)}


class Table:
    """Things on a table, and an arm whose tool goes 2 cm in 0.1 s."""

    def __init__(self, slips=0):
        self.things = {"milk": np.array([-0.1, 0.1, 0.9]), "butter": np.array([0.0, -0.15, 0.9]),
                       "plate": np.array([0.05, 0.15, 0.9])}  # fmt: skip
        self.tool, self.yaw, self.opening = np.array([-0.2, 0.0, 1.17]), 0.0, 1.0
        self.slips, self.held, self.time = slips, None, 0.0
        self.dropped = []

    def look(self, observation, nouns):
        """Return what the detector would see."""
        seen = []
        for noun, place in self.things.items():
            spot = np.array([0, 0, 0.008]) if noun == "plate" else None
            box = ObjectGeometry(place.copy(), np.array(SIZES[noun]), 0.0, noun == "plate", spot)
            seen.append(SeenThing(noun, box, 0.9, place.copy(), 20.0))
        return Sight(seen, observation.time, observation.pose[:3])

    def observe(self, words):
        """Return an observation; its image changes."""
        image = np.random.default_rng(round(self.time * 100)).integers(0, 255, (256, 256, 3))
        pose = downward_pose(self.tool, self.yaw)
        return Observation({"front": image.astype(np.uint8)}, pose, self.opening, words)

    def follow(self, chunk):
        """Follow two steps of a chunk."""
        for row in chunk.values[:2]:
            gap = row[:3] - self.tool
            move = gap * min(1.0, 0.02 / max(np.linalg.norm(gap), 1e-9))
            self.tool, self.yaw, self.time = self.tool + move, tool_yaw(row), self.time + 0.1
            self._grip(chunk.gripper[0], move)

    def _grip(self, wanted, move):
        if self.held:
            self.things[self.held] = self.things[self.held] + move
        if wanted > 0.5:
            if self.held:
                place = self.things[self.held]
                self.dropped.append(float(place[2] - 0.9))
                place[2], self.held = 0.9, None
            self.opening = min(1.0, self.opening + 0.5)
            return
        near = [
            noun for noun in ("milk", "butter")
            if np.linalg.norm((self.things[noun] - self.tool)[:2]) < 0.02
            and 0 < self.tool[2] - self.things[noun][2] < SIZES[noun][2]
        ]  # fmt: skip
        least = 0.0
        if near and self.slips:
            self.slips -= self.opening > 0.9
        elif near and not self.slips:
            least, self.held = 0.5, near[0]
        self.opening = max(least, self.opening - 0.5)


@pytest.fixture
def policy():
    return load_policy("fusion", load_robot("libero"), "libero")


def _run(policy, table, words, decisions=120):
    policy.next_instruction()
    policy.within._scene.look = table.look
    steps = []
    for _ in range(decisions):
        chunk = policy.infer(table.observe(words))
        steps.append((chunk.step.number, chunk.step.done, str(chunk.hold)))
        if chunk.hold or chunk.step.done:
            break
        table.follow(chunk)
    return steps


def test_a_thing_is_put_where_the_sentence_says(policy):
    table = Table()
    steps = _run(policy, table, "put the milk on the plate")
    assert steps[-1][1:] == (True, "")
    np.testing.assert_allclose(table.things["milk"][:2], table.things["plate"][:2], atol=0.02)
    assert table.dropped[0] < 0.04
    assert table.opening == 1.0


def test_two_things_are_put_one_after_the_other(policy):
    table = Table()
    steps = _run(
        policy,
        table,
        "put the milk on the plate and then put the butter in front of the milk",
        240,
    )
    assert steps[-1] == (1, True, "")
    assert {number for number, _, _ in steps} == {0, 1}
    milk, butter = table.things["milk"], table.things["butter"]
    assert butter[0] < milk[0] - 0.04
    assert abs(butter[1] - milk[1]) < 0.03


def test_a_grasp_that_slips_is_done_again(policy):
    table = Table(slips=1)
    steps = _run(policy, table, "put the butter on the plate", 200)
    assert table.slips == 0
    assert steps[-1][1]
    np.testing.assert_allclose(table.things["butter"][:2], table.things["plate"][:2], atol=0.02)


def test_what_is_picked_up_is_kept_and_then_put_down_and_never_dropped(policy):
    table = Table()
    assert _run(policy, table, "pick up the milk")[-1][1:] == (True, "")
    assert table.held == "milk"
    assert table.tool[2] > 1.1
    other = _run(policy, table, "put the butter on the plate")
    assert "I hold the milk" in other[-1][2]
    assert table.held == "milk"
    assert _run(policy, table, "put the milk on the plate")[-1][1:] == (True, "")
    assert max(table.dropped) < 0.04
    np.testing.assert_allclose(table.things["milk"][:2], table.things["plate"][:2], atol=0.02)


def test_holding_one_thing_and_doing_another_is_refused(policy):
    (step,) = _run(policy, Table(), "pick up the milk, then put the butter on the plate")
    assert "I cannot hold the milk and do something else" in step[2]
