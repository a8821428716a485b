"""Things as boxes: where they are gripped and put, and the expert that carries them."""

import numpy as np
import pytest

from vlm_robot_ros.manipulation.geometry import (
    GraspError,
    ObjectGeometry,
    place_on,
    plan_grasp,
    tool_goal,
    travel_height,
)
from vlm_robot_ros.manipulation.transfer import TransferState, expert_action, rollout
from vlm_robot_ros.robot.config import Workspace


def _box(at=(0.0, 0.0, 0.0), size=(0.06, 0.04, 0.08), **more):
    return ObjectGeometry(np.array(at), np.array(size), **more)


def test_a_box_is_gripped_across_its_narrow_side_wherever_it_is_turned():
    for yaw in np.linspace(-1.4, 1.4, 15):
        grasp = plan_grasp(_box(yaw=yaw))
        across = np.array([-np.sin(grasp.yaw), np.cos(grasp.yaw)])
        narrow = np.array([-np.sin(yaw), np.cos(yaw)])
        assert abs(across @ narrow) == pytest.approx(1.0)


def test_what_is_too_wide_is_refused_with_the_reason_and_a_bowl_is_taken_at_its_rim():
    wide = (0.11, 0.11, 0.05)
    with pytest.raises(GraspError, match=r"11\.0 cm wide, and the gripper takes 6\.8 cm"):
        plan_grasp(_box(size=wide))
    grasp = plan_grasp(_box(size=wide, hollow=True))
    assert np.linalg.norm(grasp.point[:2]) == pytest.approx(0.049)
    assert 0.02 < grasp.point[2] < 0.05


@pytest.mark.parametrize("height", [0.012, 0.03, 0.08, 0.2])
def test_fingers_reach_neither_the_ground_nor_the_hand_the_top(height):
    point = plan_grasp(_box(size=(0.04, 0.04, height))).point
    assert 0.0 < point[2] <= height
    assert height - point[2] < 0.03 or point[2] >= height / 2


def test_a_grasp_avoids_what_stands_beside():
    thing = _box(size=(0.05, 0.05, 0.1))
    beside = _box(at=(0.0, 0.075, 0.0), size=(0.06, 0.06, 0.1))
    assert abs(plan_grasp(thing).yaw) == pytest.approx(0.0)
    assert abs(plan_grasp(thing, [beside]).yaw) == pytest.approx(np.pi / 2)


def test_a_grasp_avoids_what_the_arm_cannot_reach():
    bowl = _box(at=(0.5, 0.0, 0.0), size=(0.11, 0.11, 0.05), hollow=True)
    near = plan_grasp(bowl, workspace=Workspace((0, -1, 0), (0.52, 1, 1), 1.0))
    assert near.point[0] <= 0.5


def test_what_is_put_into_something_deep_is_let_go_of_above_its_rim():
    butter, basket = _box(size=(0.07, 0.04, 0.02)), _box(size=(0.15, 0.17, 0.14), hollow=True,
                                                         spot=np.array([0, 0, 0.02]))  # fmt: skip
    place, grasp = place_on(basket), plan_grasp(butter)
    assert tool_goal(butter, grasp, place)[2] > 0.11
    assert travel_height(butter, grasp, place) > 0.14 + grasp.point[2]


def _state(tool, item, goal, held=0.0, **more):
    fields = {"turn": 0.0, "held": held, "stopped": 0.0, "travel": 0.2, "keep": 0.0, "placed": 0.0}
    fields.update(more)
    arrays = {key: np.array([value]) for key, value in fields.items()}
    return TransferState(
        tool=np.array([tool]), item=np.array([item]), goal=np.array([goal]), **arrays
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_expert_fetches_carries_and_lets_go_from_anywhere(seed):
    rng = np.random.default_rng(seed)
    item, goal, tool = rng.uniform([-0.3, -0.3, 0.02], [0.3, 0.3, 0.2], (3, 3))
    travel, turn, held, placed = max(item[2], goal[2]) + 0.08, float(rng.uniform(-1.5, 1.5)), 0, 0
    highest = 0.0
    for _ in range(400):
        state = _state(tool, item, goal, float(held), turn=turn, travel=travel, placed=placed)
        action = expert_action(state)
        tool = tool + action.move[0] * 0.5
        turn = turn - action.turn[0]
        if held and action.grip[0] > 0.5:
            held, placed = 0, 1.0
            assert np.linalg.norm(tool - goal) < 0.02
        elif not held and not placed and action.grip[0] < 0.5:
            held = 1
            assert np.linalg.norm(tool - item) < 0.02
            assert abs(turn) < 0.15
        highest = max(highest, tool[2])
    assert placed
    assert tool[2] > goal[2] + 0.05
    assert (
        highest > min(travel, max(item[2], goal[2]) + 0.05) or np.linalg.norm(item - goal) < 0.05
    )


def test_the_expert_keeps_what_is_only_picked_up_and_stops_where_it_cannot_get_on():
    goal = np.array([0.0, 0.0, 0.3])
    kept = expert_action(_state(goal, [0, 0, 0.1], goal, 1.0, keep=1.0))
    assert kept.grip[0] == 0
    stuck = np.array([0.012, 0.0, 0.03])
    assert expert_action(_state(stuck, [0, 0, 0.01], goal)).grip[0] == 1
    assert expert_action(_state(stuck, [0, 0, 0.01], goal, stopped=1.0)).grip[0] == 0


def test_a_rollout_begins_as_the_expert_does():
    state = _state([0.2, 0.1, 0.3], [0.0, 0.0, 0.05], [0.1, 0.2, 0.05], turn=0.5)
    first, plan = expert_action(state), rollout(state, 3)
    np.testing.assert_allclose(plan.move[:, 0], first.move)
    np.testing.assert_allclose(plan.turn[0], np.cumsum([0.2, 0.2, 0.1]))
    assert plan.grip.shape == (1, 3)
