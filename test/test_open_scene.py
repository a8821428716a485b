"""Whatever a sentence names, found by a detector and a depth camera."""

import dataclasses
import re
import threading

import numpy as np
import pytest
from small_detectors import save_owl

from vlm_robot_ros.data.camera_input import backproject_depth
from vlm_robot_ros.interfaces.detector import Detection, DetectorError
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import downward_pose
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.background_scene import BackgroundScene
from vlm_robot_ros.policies.transfer.open_scene import OpenScene, distinct
from vlm_robot_ros.policies.transfer.scene_perception import PerceptionError
from vlm_robot_ros.robot.loader import load_robot

ROBOT = load_robot("libero_rgbd")
SIDE, GROUND = 256, 0.9
FOCAL = SIDE / 2 / np.tan(np.deg2rad(22.5))
MATRIX = np.array([[FOCAL, 0, 127.5], [0, FOCAL, 127.5], [0, 0, 1.0]])
POSE = ROBOT.camera("front_depth").pose
AWAY = np.array([-0.25, -0.4, 1.3])


def rendered(boxes):
    """Return what a depth camera measures of boxes on a table, and which box each pixel shows."""
    rays = backproject_depth(np.ones((SIDE, SIDE)), MATRIX, POSE).astype(float)
    eye = np.array(POSE[:3])
    ways = rays - eye
    best = np.where(ways[..., 2] < 0, (GROUND - eye[2]) / ways[..., 2], 4.0)
    shown = np.zeros((SIDE, SIDE), int)
    for number, (low, high) in enumerate(boxes, 1):
        with np.errstate(divide="ignore"):
            ends = np.stack([(np.array(side) - eye) / ways for side in (low, high)])
        near, far = ends.min(0).max(-1), ends.max(0).min(-1)
        hit = (near < far) & (near > 0) & (near < best)
        best, shown = np.where(hit, near, best), np.where(hit, number, shown)
    return best.astype(np.float32), shown


class Boxes:
    """A detector that knows where things are."""

    def __init__(self, shown, names, masks=True, fails=False):
        self.shown, self.names, self.masks, self.fails = shown, names, masks, fails
        self.asked = []

    def detect(self, image, phrases):
        """Return the boxes of what is asked for."""
        self.asked.append(list(phrases))
        if self.fails:
            raise DetectorError("out of memory")
        found = []
        for number, name in enumerate(self.names, 1):
            mask = self.shown == number
            if name in phrases and mask.any():
                rows, columns = np.nonzero(mask)
                box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1.0])
                found.append(Detection(name, box, 0.9, mask if self.masks else None))
        return found


BLOCK = ((-0.1, -0.05, GROUND), (-0.05, 0.03, 0.96))
SHELF = ((0.0, 0.12, GROUND), (0.12, 0.22, 0.94))
NAMES = ["screwdriver", "tool case"]


def observation(boxes, words="", time=0.0):
    distances, shown = rendered(boxes)
    points = backproject_depth(distances, MATRIX, POSE)
    image = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    images = {"front": image, "front_depth": points}
    return Observation(images, downward_pose(AWAY, 0.0), 1.0, words, time=time), shown


@pytest.fixture(scope="module")
def parser():
    return load_sentence_parser()


@pytest.mark.parametrize("masks", [True, False])
def test_what_the_detector_finds_is_measured_in_the_base_frame(parser, masks):
    seen, shown = observation([BLOCK, SHELF])
    scene = OpenScene(Boxes(shown, NAMES, masks), ROBOT, parser)
    assert scene.cameras == ("front", "front_depth")
    found = {thing.noun: thing for thing in scene.look(seen, NAMES).things}
    for name, (low, high) in zip(NAMES, (BLOCK, SHELF), strict=True):
        box = found[name].geometry
        np.testing.assert_allclose(box.base[:2], np.add(low, high)[:2] / 2, atol=0.006)
        np.testing.assert_allclose(sorted(box.size), sorted(np.subtract(high, low)), atol=0.012)


def test_what_is_not_asked_for_is_an_obstacle_without_a_name(parser):
    seen, shown = observation([BLOCK, SHELF])
    scene = OpenScene(Boxes(shown, NAMES), ROBOT, parser)
    found = scene.look(seen, ["screwdriver"]).things
    assert [thing.noun for thing in found] == ["screwdriver", ""]
    np.testing.assert_allclose(found[1].geometry.base[:2], [0.06, 0.17], atol=0.01)


def test_a_sentence_is_read_with_whatever_it_names(parser):
    scene, (seen, _) = OpenScene(Boxes(None, NAMES), ROBOT, parser), observation([])
    (step,) = scene.read("could you put the screwdriver in the tool case?", seen).steps
    assert (step.skill, step.target.noun, step.reference.noun) == ("put", *NAMES)
    (step,) = scene.read("put screwdriver in tool case", seen).steps
    assert (step.skill, step.target.noun, step.reference.noun) == ("put", *NAMES)
    (step,) = scene.read("pick up the small brass hinge", seen).steps
    assert step.target.noun == "small brass hinge"
    for text in ("stop that", "what is the time", "do not touch the screwdriver", "pick up"):
        assert scene.read(text, seen).problem


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("pick up the hammer", "I see no hammer"),
        ("pick up the tool case", "9.* cm wide, and the gripper takes 6.8 cm"),
        ("turn the screwdriver left", "I have not learned to turn left"),
    ],
)
def test_what_cannot_be_done_is_a_hold_that_says_why(parser, words, problem):
    seen, shown = observation([BLOCK, SHELF], words)
    policy = policy_with(OpenScene(Boxes(shown, NAMES), ROBOT, parser))
    assert re.search(problem, str(policy.infer(seen).hold))


def policy_with(scene):
    policy = load_policy("fusion", load_robot("libero"), "libero").within
    policy._scene = scene
    policy.reset()
    return policy


def test_a_detector_that_fails_is_a_hold(parser):
    seen, shown = observation([BLOCK], "pick up the screwdriver")
    detector = Boxes(shown, NAMES, fails=True)
    policy = policy_with(OpenScene(detector, ROBOT, parser))
    assert "out of memory" in policy.infer(seen).hold
    detector.fails = False
    assert not policy.infer(seen).hold


def test_what_the_camera_sees_in_part_has_no_shape(parser):
    edge = ((-0.05, 0.36, GROUND), (0.05, 0.6, 0.98))
    seen, shown = observation([edge])
    assert (shown[:, -1] == 1).any()
    found = OpenScene(Boxes(shown, NAMES), ROBOT, parser).look(seen, ["screwdriver"])
    assert found.problems == {"screwdriver": "the image ends in the middle of it"}
    policy = policy_with(OpenScene(Boxes(shown, NAMES), ROBOT, parser))
    chunk = policy.infer(dataclasses.replace(seen, instruction="pick up the screwdriver"))
    assert "but not its shape: the image ends in the middle of it" in chunk.hold


def test_two_phrases_of_one_thing_are_not_told_apart(parser):
    seen, shown = observation([BLOCK], "put the pen on the screwdriver")
    both = np.stack([shown, shown * 2])

    class Twice(Boxes):
        def detect(self, image, phrases):
            found = []
            for self.shown in both:
                found += super().detect(image, phrases)
            return found

    policy = policy_with(OpenScene(Twice(shown, ["pen", "screwdriver"]), ROBOT, parser))
    assert "I cannot tell the screwdriver from the pen" in policy.infer(seen).hold


def test_what_the_hand_hides_is_where_it_was(parser):
    seen, shown = observation([BLOCK])
    detector = Boxes(shown, NAMES)
    scene = OpenScene(detector, ROBOT, parser)
    (first,) = scene.look(seen, ["screwdriver"]).things
    detector.shown = np.zeros_like(shown)
    hand = dataclasses.replace(seen, pose=downward_pose(first.point + np.array([0, 0, 0.08]), 0.0))
    ghost = scene.look(hand, ["screwdriver"]).things[0]
    assert ghost.geometry is first.geometry
    assert not ghost.cells  # no new sight of it
    later = dataclasses.replace(hand, time=11.0)
    assert not [each for each in scene.look(later, ["screwdriver"]).things if each.noun]


def test_what_the_hand_does_not_hide_is_not_remembered(parser):
    seen, shown = observation([BLOCK])
    detector = Boxes(shown, NAMES)
    scene = OpenScene(detector, ROBOT, parser)
    scene.look(seen, ["screwdriver"])
    detector.shown = np.zeros_like(shown)
    assert not [each for each in scene.look(seen, ["screwdriver"]).things if each.noun]


def test_what_comes_to_stand_beside_a_thing_is_an_obstacle_then(parser):
    seen, shown = observation([BLOCK], "pick up the screwdriver")
    detector = Boxes(shown, NAMES)
    policy = policy_with(OpenScene(detector, ROBOT, parser))
    policy.infer(seen)
    before = len(policy._task.others)
    seen, detector.shown = observation([BLOCK, SHELF], "pick up the screwdriver", time=0.2)
    policy.infer(seen)
    assert len(policy._task.others) == before + 1


def test_boxes_of_one_phrase_that_overlap_are_one_thing():
    boxes = [np.array([0, 0, 10, 10.0]), np.array([1, 0, 11, 10.0]), np.array([20, 0, 30, 10.0])]
    found = [
        Detection("cup", box, score) for box, score in zip(boxes, (0.5, 0.9, 0.4), strict=True)
    ]
    assert [each.score for each in distinct(found)] == [0.9, 0.4]
    other = Detection("mug", boxes[0], 0.1)
    assert len(distinct([*found, other])) == 3


def test_a_robot_without_a_depth_camera_is_refused(parser):
    with pytest.raises(ValueError, match=r"robot 'libero' has cameras front, wrist; valid"):
        OpenScene(Boxes(None, NAMES), load_robot("libero"), parser)


class SlowScene:
    """Looks when it is allowed to."""

    cameras = ("front",)

    def __init__(self):
        self.allowed, self.times = threading.Semaphore(0), []

    def reset(self):
        """Nothing."""

    def look(self, observation, nouns):
        """Wait until looking is allowed."""
        self.allowed.acquire()
        self.times.append(observation.time)
        if observation.time > 7:
            raise PerceptionError("it is dark")
        return [nouns[0]]


def test_a_slow_detector_delays_nothing_and_old_sights_do_not_count():
    slow = SlowScene()
    scene = BackgroundScene(slow, oldest=2.0)

    def look(time, nouns=("mug",)):
        return scene.look(observation([], time=time)[0], nouns)

    with pytest.raises(PerceptionError, match="looking for the mug"):
        look(0.0)
    with pytest.raises(PerceptionError, match="looking for the mug"):
        look(1.0)  # the first image is still being looked at
    slow.allowed.release()
    scene._job[2].result()
    assert look(1.5) == ["mug"]
    with pytest.raises(PerceptionError, match=r"last looked 2\.5 s ago; valid: 2 s"):
        look(2.5)
    with pytest.raises(PerceptionError, match="looking for the bowl"):
        look(1.6, ("bowl",))
    slow.allowed.release()
    scene._job[2].result()
    assert slow.times == [0.0, 1.5]
    look(2.0)
    slow.allowed.release(2)
    scene._job[2].result()
    with pytest.raises(PerceptionError, match="looking for the bowl"):
        look(8.0, ("bowl",))
    scene._job[2].exception()
    with pytest.raises(PerceptionError, match="it is dark"):
        look(8.1, ("bowl",))


def test_a_policy_of_a_saved_detector_looks_for_what_it_is_told(tmp_path):
    save_owl(tmp_path / "owl", "owlv2")
    policy = load_policy("fusion", ROBOT, "libero", detector=f"hf:{tmp_path / 'owl'}")
    assert policy.cameras == ("front", "front_depth")
    seen, _ = observation([BLOCK], "pick up the red cube")
    assert "I am looking for the red cube" in policy.infer(seen).hold


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("hold", {"detector": "hf:/x"}, "policy is 'hold'; valid: none, or policy:=fusion"),
        ("fusion", {"detector": "hf:/no/such"}, "/no/such"),
        ("fusion", {"segmenter": "hf:/x"}, "without a detector"),
    ],
)
def test_a_detector_that_cannot_be_used_is_refused(name, options, problem):
    with pytest.raises(ValueError, match=problem):
        load_policy(name, ROBOT, "libero" if name == "fusion" else None, **options)
