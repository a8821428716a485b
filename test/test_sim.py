"""The simulated arm, its tasks, its judge and its expert, in real physics."""

import numpy as np
import pytest

from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.sim.collect import demonstrate
from vlm_robot_ros.sim.expert import plan
from vlm_robot_ros.sim.language import say, vocabulary
from vlm_robot_ros.sim.scene import sample_scene
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.sim.tasks import SKILLS, Task, is_done, sample_task
from vlm_robot_ros.sim.world import project_front


@pytest.fixture(scope="module")
def sim():
    simulator = Simulator(load_robot("panda_sim"))
    yield simulator
    simulator.close()


def test_one_seed_gives_one_episode(sim):
    first = demonstrate(sim, np.random.default_rng(3))
    second = demonstrate(sim, np.random.default_rng(3))
    np.testing.assert_array_equal(first.objects, second.objects)
    np.testing.assert_array_equal(first.image, second.image)


def test_without_commands_the_arm_holds_still(sim):
    sim.reset(sample_scene(np.random.default_rng(0)))
    before = sim.joint_positions
    for _ in range(100):
        sim.step()
    np.testing.assert_allclose(sim.joint_positions, before, atol=2e-3)


def test_a_jump_of_the_joint_command_is_driven_within_the_speed_limits(sim):
    sim.reset(sample_scene(np.random.default_rng(0)))
    sim.command_joints(np.add(sim.robot.home, np.eye(7)[0] * 1.5))
    for _ in range(50):
        sim.step()
        assert np.all(np.abs(sim.joint_velocities) < sim.robot.velocity * 1.2)


def test_a_command_that_is_not_finite_is_refused_and_changes_nothing(sim):
    sim.reset(sample_scene(np.random.default_rng(0)))
    before = sim.joint_positions
    with pytest.raises(ValueError, match="must be finite"):
        sim.command_joints(np.full(7, np.nan))
    for _ in range(20):
        sim.step()
    np.testing.assert_allclose(sim.joint_positions, before, atol=2e-3)


def test_objects_are_seen_where_the_projection_says(sim):
    sim.reset(sample_scene(np.random.default_rng(5)))
    image = sim.render("front").astype(int)
    for item, spot in zip(sim.scene.objects, project_front(sim.object_positions), strict=True):
        row, column = ((spot + 1) / 2 * 256).astype(int)
        patch = image[row - 1 : row + 2, column - 1 : column + 2].mean(axis=(0, 1))
        # Coloured objects stand out from the grey table.
        assert patch.max() - patch.min() > 50, item.name


def test_the_judge_tells_pick_and_push_apart():
    start = np.zeros((1, 3))
    lifted, pushed = np.array([[0.0, 0.0, 0.06]]), np.array([[0.0, 0.06, 0.0]])
    assert is_done(Task("pick up", 0), start, lifted)
    assert not is_done(Task("pick up", 0), start, pushed)
    assert is_done(Task("push left", 0), start, pushed)
    assert not is_done(Task("push right", 0), start, pushed)
    assert not is_done(Task("push left", 0), start, pushed + np.array([0.07, 0.0, 0.0]))


def test_sentences_name_the_target_and_use_known_words():
    rng = np.random.default_rng(0)
    known = set(vocabulary())
    for _ in range(200):
        scene = sample_scene(rng)
        task = sample_task(rng, scene)
        if task is not None:
            words = say(rng, task, scene).split()
            assert scene.objects[task.target].colour in words
            assert set(words) <= known


def test_the_expert_imagines_a_pick_that_descends_grips_and_lifts():
    tool, item = np.array([[0.5, 0.0, 0.15]]), np.array([[0.5, 0.0, 0.02]])
    skill = np.array([SKILLS.index("pick up")])
    moves, grips = plan(skill, tool, np.array([1.0]), item, item, 40)
    heights = tool[0, 2] + moves[0, :, 2]
    assert heights.min() < 0.035
    assert heights[-1] > 0.15
    assert grips[0, 0] == 1.0
    assert grips[0, -1] == 0.0
