"""Household objects on LIBERO's table: scenes, depth noise, and episodes in physics."""

import os
from collections import Counter

import numpy as np
import pytest

from vlm_robot_ros.evaluation.libero.depth_noise import stereo_noise
from vlm_robot_ros.evaluation.libero.household import (
    PHRASES,
    SKILLS,
    STACKED,
    household_task,
    task_file,
)
from vlm_robot_ros.evaluation.libero.household_episode import (
    SegmentDetector,
    measured_points,
    moved_camera,
    open_task,
    run_household_episode,
)
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.open_scene import OpenScene
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.libero.environment import PYTHON_VARIABLE, LiberoEnvironment

ROBOT = load_robot("libero_rgbd")


@pytest.mark.parametrize("skill", SKILLS)
def test_targets_take_turns_and_things_stand_apart(skill):
    tasks = [household_task(skill, number, 3) for number in range(60)]
    counts = Counter(task.categories[0] for task in tasks)
    assert max(counts.values()) - min(counts.values()) <= 1
    for task in tasks:
        assert len(set(task.categories)) == len(task.categories) == len(task.spots)
        places = np.array(task.spots)[:, :2]
        apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(len(places))
        assert apart.min() > 0.16
        assert bool(task.place) == (skill in ("put", "stack"))
        assert task.instruction in task_file(task)
    assert household_task(skill, 5, 3) == tasks[5]
    assert household_task(skill, 5, 4) != tasks[5]


def test_there_are_as_many_objects_as_the_table_says():
    assert len(PHRASES) == len(set(PHRASES.values())) >= 25
    assert set(STACKED) <= set(PHRASES)


def test_the_noise_of_a_stereo_camera_grows_with_the_square_of_the_distance():
    rng = np.random.default_rng(0)
    errors = []
    for distance in (0.5, 1.0, 2.0):
        flat = np.full((200, 200), distance)
        measured = stereo_noise(flat, rng)
        assert 0.001 < np.isnan(measured).mean() < 0.03
        errors.append(np.nanstd(measured - flat))
    np.testing.assert_allclose(np.divide(errors, errors[0]), [1, 4, 16], rtol=0.15)
    assert 0.003 < errors[1] < 0.006  # about 4 mm at 1 m


def test_beside_a_jump_nothing_is_measured():
    step = np.full((50, 50), 1.0)
    step[:, 25:] = 1.3
    measured = stereo_noise(step, np.random.default_rng(1))
    assert np.isnan(measured[:, 24:27]).all()
    assert np.isfinite(measured[:, :20]).mean() > 0.95


def test_a_moved_camera_is_five_centimetres_and_degrees_away():
    moved = moved_camera(ROBOT, np.random.default_rng(0))
    before, after = (np.array(each.camera("front_depth").pose) for each in (ROBOT, moved))
    assert np.linalg.norm(after[:3] - before[:3]) == pytest.approx(0.05)
    assert moved.camera("front") == ROBOT.camera("front")


@pytest.fixture(scope="module")
def env():
    if not os.environ.get(PYTHON_VARIABLE):
        pytest.skip(f"{PYTHON_VARIABLE} names no interpreter that has LIBERO")
    environment = LiberoEnvironment()
    yield environment
    environment.close()


def test_a_moved_camera_measures_the_same_places(env):
    task = household_task("pick", 3, 3)
    for robot in (ROBOT, moved_camera(ROBOT, np.random.default_rng(5))):
        camera = robot.camera("front_depth")
        open_task(env, task)
        env.place_camera(camera.pose)
        points = measured_points(env.distances(), camera)
        found = SegmentDetector(env, task.categories).detect(
            np.zeros((256, 256, 3), np.uint8), [PHRASES[task.categories[0]]]
        )
        box = env.scene().boxes[task.target]
        inside = points[found[0].mask]
        assert ((inside > box[0] - 0.01) & (inside < box[1] + 0.01)).all(1).mean() > 0.95


@pytest.mark.parametrize(("skill", "number"), [("pick", 8), ("put", 5), ("too large", 0)])
def test_an_object_is_carried_by_name_without_the_checkpoints_detector(env, skill, number):
    task = household_task(skill, number, 1)
    policy = load_policy("fusion", load_robot("libero"), "libero").within
    scene = SegmentDetector(env, task.categories)
    policy._scene = OpenScene(scene, ROBOT, load_sentence_parser())
    outcome = run_household_episode(env, policy, ROBOT, task, number)
    assert outcome.success, outcome
    assert outcome.moved == (skill != "too large")
