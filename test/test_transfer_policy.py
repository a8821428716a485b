"""The policy of transfers: what it sees, which thing it takes, and when it tries again."""

import dataclasses

import numpy as np
import pytest
import torch

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import downward_pose
from vlm_robot_ros.manipulation.camera_view import camera_view
from vlm_robot_ros.manipulation.geometry import ObjectGeometry, Place
from vlm_robot_ros.manipulation.transfer import TransferAction
from vlm_robot_ros.manipulation.transfer_task import TransferTask
from vlm_robot_ros.models.checkpoint import (
    CheckpointError,
    load_checkpoint,
    load_model,
    save_checkpoint,
)
from vlm_robot_ros.models.transfer.config import ThingConfig, TransferModelConfig
from vlm_robot_ros.models.transfer.model import TransferModel
from vlm_robot_ros.models.transfer.scene_detector import SceneVotes
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.transfer.scene import SeenThing, resolve, things_of
from vlm_robot_ros.policies.transfer.thing_steps import ThingReference
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("libero")
FRONT = next(camera for camera in ROBOT.cameras if camera.name == "front")
VIEW = camera_view(FRONT, 256, 45.0)
MUG = ThingConfig("mug", ("cup",), (0.05, 0.05, 0.08), True, False, (), False)
TRAY = ThingConfig("tray", (), (0.2, 0.2, 0.02), False, True, (0.0, 0.0, 0.01), True)


def _votes(*shown, cells=6, sure=6.0):
    """Return the votes of cells for nouns at points, `cells` each."""
    noun, pixel, height = torch.zeros(1, 3, 64 * 64), torch.zeros(1, 2, 64 * 64), []
    noun[:, 0] = sure
    height = torch.zeros(1, 64 * 64)
    for number, (which, point) in enumerate(shown):
        rows = slice(number * cells, (number + 1) * cells)
        noun[0, :, rows] = 0.0
        noun[0, which + 1, rows] = sure
        pixel[0, :, rows] = torch.tensor(VIEW.project(np.array([point]))[0])[:, None]
        height[0, rows] = point[2] - 0.9
    return SceneVotes(noun, pixel, height)


def test_a_view_projects_and_comes_back():
    points = np.random.default_rng(0).uniform([-0.3, -0.2, 0.9], [0.1, 0.2, 1.1], (50, 3))
    pixels = VIEW.project(points)
    assert ((pixels > 0) & (pixels < 256)).all()
    np.testing.assert_allclose(VIEW.at_height(pixels, points[:, 2]), points, atol=1e-9)


def test_votes_are_things_where_they_point_to():
    places = ([-0.1, 0.1, 0.9], [0.1, -0.2, 0.95], [0.0, 0.2, 0.9])
    votes = _votes((0, places[0]), (0, places[1]), (1, places[2]))
    found = things_of(votes, (MUG, TRAY), VIEW, 0.9)
    assert sorted(thing.noun for thing in found) == ["mug", "mug", "tray"]
    for place in places:
        assert min(np.linalg.norm(thing.point - place) for thing in found) < 1e-4
    tray = next(thing for thing in found if thing.noun == "tray")
    np.testing.assert_allclose(tray.geometry.place, places[2], atol=1e-4)


def test_few_cells_are_no_thing():
    assert not things_of(_votes((0, [0.0, 0.0, 0.9]), cells=1), (MUG, TRAY), VIEW, 0.9)


@pytest.mark.parametrize(("sure", "count"), [(1.2, 1), (6.0, 2)])
def test_unsure_cells_in_the_place_of_a_thing_are_no_other_thing(sure, count):
    both = _votes((0, [0.0, 0.0, 0.9]), (1, [0.0, 0.0, 0.9]), cells=8)
    both.noun[0, 2, 8:16] = sure
    assert len(things_of(both, (MUG, TRAY), VIEW, 0.9)) == count


def _seen(noun, x, y, z=0.9, cells=20.0):
    point = np.array([x, y, z])
    return SeenThing(noun, ObjectGeometry(point, np.array([0.05, 0.05, 0.08])), 0.9, point, cells)


SCENE = (
    _seen("mug", 0.0, 0.1), _seen("mug", 0.1, -0.2), _seen("mug", -0.2, 0.3, 0.95),
    _seen("tray", 0.05, 0.1), _seen("box", -0.2, 0.3), _seen("shelf", 0.1, -0.02),
)  # fmt: skip
MIDDLE = np.array([-0.1, 0.0])


@pytest.mark.parametrize(
    ("reference", "which"),
    [
        (ThingReference("mug", "leftmost"), 2),
        (ThingReference("mug", "rightmost"), 1),
        (ThingReference("mug", "", "next to", ("tray",)), 0),
        (ThingReference("mug", "", "on", ("box",)), 2),
        (ThingReference("mug", "", "between", ("shelf", "tray")), 0),
        (ThingReference("mug", "", "between", ("box", "tray"), negated=True), 1),
        (ThingReference("mug", "", "right of", ("shelf",)), 1),
        (ThingReference("mug", "", "on", ("table centre",)), 0),
        (ThingReference("tray"), 3),
    ],
)
def test_words_tell_which_of_several_is_meant(reference, which):
    assert resolve(reference, SCENE, MIDDLE) is SCENE[which]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        (ThingReference("mug"), "I see 3 things called mug"),
        (ThingReference("jug"), "I see no jug"),
        (ThingReference("mug", "", "on", ("jug",)), "I see no jug"),
        (ThingReference("tray", "", "on", ("box",)), "I see no tray on the box"),
    ],
)
def test_what_is_not_there_or_not_clear_is_said(reference, problem):
    with pytest.raises(LookupError, match=problem):
        resolve(reference, SCENE, MIDDLE)


def _observe(at, opening, words="put the mug on the tray"):
    image = np.random.default_rng(int(abs(at[0]) * 1e6)).integers(0, 255, (256, 256, 3), np.uint8)
    return Observation({"front": image}, downward_pose(np.array(at), 0.0), opening, words)


def _grip(value):
    return TransferAction(np.zeros((1, 2, 3)), np.zeros((1, 2)), np.full((1, 2), value))


def test_fingers_that_something_stops_hold_it_and_those_that_close_hold_nothing():
    for width, holds in ((0.6, True), (0.005, False)):
        task = TransferTask(_seen("mug", 0.0, 0.1).geometry, Place(np.array([0.1, -0.2, 0.9])))
        for opening in (1.0, 0.8, width, width, width):
            state = task.state(_observe([0.0, 0.1, 0.94], opening))
            task.commanded(_grip(0.0))
        assert bool(state.held[0]) is holds
    task = TransferTask(_seen("mug", 0.0, 0.1).geometry, Place(np.array([0.1, -0.2, 0.9])))
    task.held, task._commanded = True, 1.0
    task.state(_observe([0.1, -0.2, 0.94], 1.0))
    assert task.placed
    assert not task.held


def test_what_stayed_where_it_was_is_fetched_again():
    task = TransferTask(_seen("mug", 0.0, 0.1).geometry, Place(np.array([0.1, -0.2, 0.9])))
    task.placed = True
    here, tool = _seen("mug", 0.0, 0.1).geometry, np.array([0.1, -0.2, 1.1])
    task.see(dataclasses.replace(here, base=np.array([0.11, -0.19, 0.9])), tool)
    assert task.placed
    for _ in range(6):
        task.see(here, tool)
    assert not task.placed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer")
    save_checkpoint(TransferModel(TransferModelConfig((MUG, TRAY))), folder, {})
    return folder


def test_a_checkpoint_comes_back_as_it_was(folder):
    model = load_model(folder)
    assert isinstance(model, TransferModel)
    assert model.config == TransferModelConfig((MUG, TRAY))
    with pytest.raises(CheckpointError, match="kind 'transfer'; valid here: grounded"):
        load_checkpoint(folder)


def test_what_is_seen_is_drawn(folder):
    policy = load_policy("fusion", ROBOT, folder)
    assert policy.draw() is None
    policy.infer(_observe([0.0, 0.0, 1.1], 1.0, "put the mug on the tray"))
    assert policy.draw().shape[2] == 3


def test_what_is_not_seen_is_a_hold_that_says_so(folder):
    policy = load_policy("fusion", ROBOT, folder)
    assert policy.cameras == ("front",)
    for words, problem in (
        ("put the mug on the tray", "I see no mug"),
        ("put the jug on the tray", "jug"),
        ("turn the mug left", "I have not learned to turn left"),
    ):
        policy.next_instruction()
        policy.within._scene._detector.heads[-1].weight.data.zero_()
        policy.within._scene._detector.heads[-1].bias.data.zero_()
        policy.within._scene._detector.heads[-1].bias.data[0] = 9.0
        chunk = policy.infer(_observe([0.0, 0.0, 1.1], 1.0, words))
        assert problem in chunk.hold


def test_a_robot_without_the_camera_or_its_place_is_refused(folder):
    with pytest.raises(CheckpointError, match="has no 'pose' in the contract"):
        load_policy("fusion", load_robot("panda_sim"), folder)
    none = dataclasses.replace(ROBOT, cameras=())
    with pytest.raises(CheckpointError, match="needs camera 'front'; robot 'libero' has none"):
        load_policy("fusion", none, folder)
