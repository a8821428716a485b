"""Words that correct the instruction before them, and images that cannot be trusted."""

import numpy as np
import pytest
from odd_policies import Own, Wary

from vlm_robot_ros.interfaces.instruction import EMPTY_INSTRUCTION, InstructionKind
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.language.corrections import Correction, read_correction
from vlm_robot_ros.policies.factory import load_policy_class
from vlm_robot_ros.policies.grounded.policy import GroundedPolicy
from vlm_robot_ros.policies.image_monitor import ImageGuard, ImageMonitor
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.runtime.instructions import next_instruction
from vlm_robot_ros.tasks.objects import COLOURS
from vlm_robot_ros.tasks.scene import Scene, SceneObject, VisualConditions


@pytest.mark.parametrize(
    ("text", "correction"),
    [
        ("no, the blue one", Correction("other thing", "the blue one")),
        ("Not that one, the green bottle!", Correction("other thing", "the green bottle")),
        ("I meant the lemon that is red", Correction("other thing", "the lemon that is red")),
        ("no, to the right", Correction("other way", "right")),
        ("no push it away", Correction("other way", "away")),
        ("a bit more to the left", Correction("nudge", "left")),
        ("slightly closer please", Correction("nudge", "closer")),
        ("undo that", Correction("undo")),
        ("push the red cube to the left", None),
        ("the red cube", None),
        ("no", None),
        ("left", None),
        ("", None),
    ],
)
def test_what_is_a_correction(text, correction):
    assert read_correction(text) == correction


def test_the_pace_changes_and_the_instruction_stays():
    said = next_instruction(EMPTY_INSTRUCTION, "pick up the cube")
    slow = next_instruction(said, "slower")
    assert (slow.text, slow.number, slow.pace) == ("pick up the cube", 1, 0.5)
    for _ in range(5):
        slow = next_instruction(slow, "Slow down!")
    assert slow.pace == 0.25
    assert next_instruction(next_instruction(slow, "faster"), "faster").pace == 1.0
    assert next_instruction(slow, "faster than that stop").kind is InstructionKind.STOP
    assert next_instruction(slow, "push it").pace == 0.25


@pytest.fixture(scope="module")
def image(sim):
    names = list(COLOURS)
    sim.reset(
        Scene(
            (SceneObject(names[0], "cube", 0.45, 0.15, 0.0),
             SceneObject(names[5], "cube", 0.5, -0.1, 0.0),
             SceneObject(names[2], "lemon", 0.6, 0.05, 0.0)), VisualConditions()
        )
    )  # fmt: skip
    return sim.render("front")


class Listener:
    """The shipped policy, told one thing after the other before one image."""

    def __init__(self, policy, image):
        self.policy, self.image = policy, image

    def tell(self, text):
        self.policy.next_instruction()
        pose = np.array([0.45, 0, 0.3, 1, 0, 0, 0])
        return self.policy.infer(Observation({"front": self.image}, pose, 1.0, text))

    def heads_to(self):
        """Where the target of the last instruction is taken to be. Shape (2,), [m]."""
        return self.policy.grounding.point[0, 0, :2].numpy()


@pytest.fixture
def listener(shipped, image):
    return Listener(GroundedPolicy(shipped), image)


def test_the_other_one_is_meant(listener):
    listener.tell("pick up the red cube")
    np.testing.assert_allclose(listener.heads_to(), [0.45, 0.15], atol=0.02)
    assert listener.tell("no, the blue one").label == "pick up the cube"
    np.testing.assert_allclose(listener.heads_to(), [0.5, -0.1], atol=0.02)
    listener.tell("no, the yellow lemon")
    np.testing.assert_allclose(listener.heads_to(), [0.6, 0.05], atol=0.02)


@pytest.mark.parametrize("text", ["no, the violet one", "no, the weather", "I meant the gizmo"])
def test_a_correction_in_words_that_nobody_taught_is_a_hold(listener, text):
    listener.tell("pick up the red cube")
    assert "I do not know what" in listener.tell(text).hold


def test_the_other_way_is_meant(listener):
    listener.tell("push the red cube to the left")
    assert listener.tell("no, to the right").label == "push the cube right"
    listener.tell("turn the red cube left")
    assert "I do not know how to do 'turn closer'" in listener.tell("no, closer").hold


def test_undo_is_the_opposite(listener):
    listener.tell("push the red cube to the left")
    assert listener.tell("undo").label == "push the cube right"
    listener.tell("open the gripper")
    assert listener.tell("undo").label == "close the gripper"


@pytest.mark.parametrize("text", ["push the red cube to the left", "turn the red cube left"])
def test_what_was_not_begun_cannot_be_undone(listener, text):
    listener.policy.reset()
    listener.policy.next_instruction()
    blank = np.zeros((256, 256, 3), np.uint8)
    seen = Observation({"front": blank}, np.array([0.45, 0, 0.3, 1, 0, 0, 0]), 1.0, text)
    assert "blank" in listener.policy.infer(seen).hold
    assert "nothing was done yet" in listener.tell("undo").hold


@pytest.mark.parametrize("text", ["undo", "no, the blue one", "a bit more to the left"])
def test_a_correction_of_nothing_is_a_hold(listener, text):
    assert "no instruction to be corrected" in listener.tell(text).hold


def test_what_is_not_there_is_a_hold_that_says_so(listener):
    assert listener.tell("pick up the green bottle").hold == "I see no green bottle"
    assert listener.tell("put the red cube in the bowl").hold == "I see no bowl"
    assert "to itself" in listener.tell("stack the red cube on the red cube").hold


def test_blank_and_frozen_images_are_not_trusted():
    watch, rng = ImageMonitor(), np.random.default_rng(0)
    one, other = rng.integers(0, 255, (2, 64, 64, 3), np.uint8)
    here, there = np.array([0.4, 0.0, 0.3]), np.array([0.4, 0.03, 0.3])
    assert watch.check(np.full_like(one, 17), here) == "the image is blank"
    assert watch.check(one, here) == ""
    assert watch.check(one, here) == ""  # nothing moves, nothing need change
    assert "frozen" in watch.check(one, there)
    assert watch.check(other, there) == ""
    barely = other.copy()
    barely[-1, -1, -1] ^= 1
    assert watch.check(barely, here) == ""
    assert "frozen" in watch.check(barely.copy(), there)


def test_frozen_distances_are_not_trusted():
    watch, rng = ImageMonitor(), np.random.default_rng(0)
    here, there = np.array([0.4, 0.0, 0.3]), np.array([0.4, 0.03, 0.3])
    for shape in ((64, 64), (64, 64, 3)):
        one = rng.uniform(0.5, 1.0, shape).astype(np.float32)
        assert watch.check(one, here) == ""
        assert "frozen" in watch.check(one.copy(), there)
        for place in (there, here):
            assert watch.check(np.full_like(one, np.nan), place) == ""  # nothing is near


def test_who_watches_its_images_is_not_watched_twice():
    own, wary = (
        load_policy_class(f"odd_policies:{name}", load_robot("panda_sim"))
        for name in ("Own", "Wary")
    )
    assert type(own) is ImageGuard
    assert type(wary) is Wary
    assert [type(each.within) for each in (own, wary)] == [Own, Own]


def test_what_does_not_say_which_object_is_held(shipped, image):
    choosy = Listener(GroundedPolicy(shipped), image)
    for text in ("pick up the object", "put the thing in the bowl", "push that one to the left"):
        assert "Which object do you mean" in choosy.tell(text).hold
    anything = GroundedPolicy(shipped, any_object=True)
    assert not Listener(anything, image).tell("pick up the object").hold
