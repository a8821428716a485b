"""The simulated arm, what lies there and how it is seen, in real physics."""

import numpy as np
import pytest

from vlm_robot_ros.sim.demonstrations import DemonstrationRecorder
from vlm_robot_ros.tasks.objects import COLOURS, SEEN_PAIRS, UNNAMED_PAIRS, UNSEEN_PAIRS
from vlm_robot_ros.tasks.scene import sample_scene


def test_one_seed_gives_one_episode(sim):
    demonstrator = DemonstrationRecorder(sim.robot)
    first = demonstrator.demonstrate(np.random.default_rng(3))
    second = demonstrator.demonstrate(np.random.default_rng(3))
    np.testing.assert_array_equal(first.things, second.things)
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
    fastest = np.zeros(7)
    for _ in range(50):
        sim.step()
        fastest = np.maximum(fastest, np.abs(sim.joint_velocities))
    assert np.all(fastest <= sim.robot.velocity)
    assert fastest[0] > 0.9 * sim.robot.velocity[0]


def test_a_command_that_is_not_finite_is_refused_and_changes_nothing(sim):
    sim.reset(sample_scene(np.random.default_rng(0)))
    before = sim.joint_positions
    with pytest.raises(ValueError, match="must be finite"):
        sim.command_joints(np.full(7, np.nan))
    for _ in range(20):
        sim.step()
    np.testing.assert_allclose(sim.joint_positions, before, atol=2e-3)


def test_things_come_to_rest_where_they_are_laid(sim):
    for seed in range(5):
        sim.reset(sample_scene(np.random.default_rng(seed)))
        for _ in range(50):
            sim.step()
        laid = np.array([thing.position for thing in sim.scene.things])
        np.testing.assert_allclose(sim.positions, laid, atol=0.006)


def test_pixels_that_show_an_object_have_its_colour(sim):
    for seed in range(5):
        sim.reset(sample_scene(np.random.default_rng(seed)))
        image, shown = sim.render("front").astype(float), sim.render_things()
        for index, thing in enumerate(sim.scene.things):
            pixels = image[shown == index + 1]
            assert len(pixels) > 50, thing.name
            if thing.movable:
                mean, wanted = pixels.mean(axis=0), np.array(COLOURS[thing.colour])
                agreement = mean @ wanted / np.linalg.norm(mean) / np.linalg.norm(wanted)
                assert agreement > 0.97, thing.name


def test_held_out_pairs_do_not_lie_on_the_training_table():
    rng = np.random.default_rng(0)
    there = {
        (t.colour, t.shape) for _ in range(300) for t in sample_scene(rng).things if t.movable
    }
    assert there == set(SEEN_PAIRS) | UNNAMED_PAIRS
    assert not there & UNSEEN_PAIRS
