"""What the policy remembers between images: where things stand, what is in the hand."""

import numpy as np
import pytest
import torch

from vlm_robot_ros.evaluation.closed_loop import ClosedLoopRunner
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.policies.grounded.task_state import ObjectTrack
from vlm_robot_ros.tasks.scene import Scene, SceneObject, VisualConditions

EYE = torch.tensor([1.2, 0.4, 0.8])
STOOD = torch.tensor([[0.5, 0.1, 0.02]])
AWAY = torch.tensor([[0.6, -0.1, 0.02]])


@pytest.fixture
def sight():
    made = ObjectTrack()
    made.update(STOOD.clone(), EYE, clear=True)
    return made


def test_what_seems_to_have_jumped_is_believed_when_it_stays_there(sight):
    for _ in range(5):
        sight.update(AWAY, EYE, clear=True)
        torch.testing.assert_close(sight.point, STOOD)
    for _ in range(5):
        sight.update(AWAY, EYE, clear=True)
    torch.testing.assert_close(sight.point, AWAY)


def test_jumps_to_here_and_there_are_never_believed(sight):
    for number in range(40):
        sight.update(AWAY if number % 2 else AWAY + 0.1, EYE, clear=True)
    torch.testing.assert_close(sight.point, STOOD)


def test_of_the_line_of_sight_the_point_at_its_height_is_meant(sight):
    sight.point, sight.height = torch.tensor([[0.5, 0.1, 0.1]]), 0.1
    on_table = EYE + (sight.point - EYE) * (EYE[2] - 0.02) / (EYE[2] - 0.1)
    assert float((on_table - sight.point)[:, :2].norm()) > 0.05
    for _ in range(40):
        sight.update(on_table, EYE, clear=True)
    torch.testing.assert_close(sight.point, torch.tensor([[0.5, 0.1, 0.1]]))


def test_where_distances_are_measured_it_is_where_it_is_seen(sight):
    near = STOOD + torch.tensor([[0.01, 0.0, 0.01]])
    for _ in range(40):
        sight.update(near, None, clear=True)
    torch.testing.assert_close(sight.point, near, atol=1e-4, rtol=0.0)


def test_a_low_hand_rises_to_look_before_it_says_that_nothing_is_there(shipped):
    grey = {"front": np.full((256, 256, 3), 128, np.uint8)}
    grey["front"][::2] = 140
    low, high = (np.array([0.45, 0.0, z, 1, 0, 0, 0]) for z in (0.06, 0.3))
    words = "pick up the red cube"
    policy = GroundedPolicy(shipped)
    rising = policy.infer(Observation(grey, low, 1.0, words))
    assert not rising.hold
    assert np.all(np.diff(rising.values[:, 2]) > 0)
    np.testing.assert_allclose(rising.values[:, :2], low[None, :2].repeat(len(rising.values), 0))
    blank = {"front": np.zeros((256, 256, 3), np.uint8)}
    assert "blank" in policy.infer(Observation(blank, low, 1.0, words)).hold
    held = GroundedPolicy(shipped).infer(Observation(grey, high, 1.0, words))
    assert "I see no red cube" in held.hold


def test_what_is_in_the_hand_is_put_down_before_another_task(sim, shipped):
    things = (
        SceneObject("red", "cube", 0.45, -0.12, 0.0),
        SceneObject("blue", "cube", 0.5, 0.12, 0.0),
    )
    sim.reset(Scene(things, VisualConditions()))
    player = ClosedLoopRunner(sim, GroundedPolicy(shipped))
    player.set_instruction("pick up the red cube")
    player.run(8.0, lambda: sim.positions[0, 2] > 0.12)
    assert sim.positions[0, 2] > 0.12
    player.set_instruction("push the blue cube to the left")
    player.run(14.0, lambda: sim.positions[1, 1] > 0.17)
    assert sim.positions[1, 1] > 0.17
    assert sim.positions[0, 2] < 0.03
    assert np.linalg.norm(sim.positions[0, :2] - [0.45, -0.12]) < 0.08


@pytest.mark.long
@pytest.mark.parametrize(("into", "kind"), [("in", "bowl"), ("on", "plate")])
def test_what_was_put_somewhere_is_taken_back(sim, shipped, into, kind):
    first = np.array([0.52, -0.16])
    sim.reset(
        Scene(
            (SceneObject("purple", "cube", *first, 0.0), SceneObject("", kind, 0.42, 0.2, 0.0)),
            VisualConditions(),
        )
    )
    player = ClosedLoopRunner(sim, GroundedPolicy(shipped))
    player.set_instruction(f"put the purple cube {into} the {kind}")
    player.run(10.0)
    assert np.linalg.norm(sim.positions[0, :2] - [0.42, 0.2]) < 0.05
    player.set_instruction("undo")
    player.run(14.0)
    assert np.linalg.norm(sim.positions[0, :2] - first) < 0.04


def test_what_was_half_turned_is_turned_no_farther_back(sim, shipped):
    sim.reset(Scene((SceneObject("pink", "bread", 0.5, 0.04, 0.0),), VisualConditions()))
    player = ClosedLoopRunner(sim, GroundedPolicy(shipped))
    player.set_instruction("turn the pink bread to the right")
    player.run(10.0, lambda: np.cos(sim.yaws[0]) < 0.75)
    assert 0.5 < np.cos(sim.yaws[0]) < 0.75
    player.set_instruction("undo")
    player.run(10.0)
    assert np.cos(sim.yaws[0]) > 0.95


@pytest.mark.long
def test_what_was_turned_is_gripped_as_it_was_and_turned_back(sim, shipped):
    sim.reset(Scene((SceneObject("pink", "bread", 0.5, 0.04, 0.0),), VisualConditions()))
    player = ClosedLoopRunner(sim, GroundedPolicy(shipped))
    player.set_instruction("turn the pink bread to the right")
    player.run(10.0)
    turned = sim.yaws[0]
    assert np.cos(turned) < 0.4
    player.set_instruction("undo")
    player.run(14.0)
    assert np.cos(sim.yaws[0]) > 0.95
