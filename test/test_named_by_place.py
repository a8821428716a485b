"""The shipped policy and parser together: things by their place, questions, several steps."""

import numpy as np
import pytest

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.language.task_spec import TaskSpec
from vlm_robot_ros.policies.factory import load_policy
from vlm_robot_ros.policies.grounded.object_detection import detect_objects
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.tasks.scene import Scene, SceneObject, VisualConditions, sample_scene

RED, BLUE, LEMON, BOWL = (0.45, 0.15), (0.5, -0.1), (0.6, 0.02), (0.42, -0.22)
TABLE = Scene(
    (SceneObject("red", "cube", *RED, 0.0), SceneObject("blue", "cube", *BLUE, 0.0),
     SceneObject("yellow", "lemon", *LEMON, 0.0), SceneObject("", "bowl", *BOWL, 0.0)),
    VisualConditions(),
)  # fmt: skip


class Person:
    """Tells the policy one thing after the other before one image."""

    def __init__(self, policy, image):
        self.policy, self.image = policy, image

    def tell(self, text, times=1):
        self.policy.next_instruction()
        pose = np.array([0.45, 0, 0.3, 1, 0, 0, 0])
        for _ in range(times):
            chunk = self.policy.infer(Observation({"front": self.image}, pose, 1.0, text))
        return chunk

    def target(self):
        return self.policy.points["target"][:2]


@pytest.fixture(scope="module")
def policy():
    return load_policy("fusion", load_robot("panda_sim"))


@pytest.fixture
def person(sim, policy):
    sim.reset(TABLE)
    policy.reset()
    return Person(policy, sim.render("front"))


def test_all_things_on_the_table_are_found(sim, policy):
    missed = []
    for seed in range(8):
        scene = sample_scene(np.random.default_rng(seed))
        sim.reset(scene)
        pose = np.array([0.45, 0, 0.4, 1, 0, 0, 0])
        image, beside = policy._gaze.preprocess(
            Observation({"front": sim.render("front")}, pose, 1.0, "")
        )
        tool, opening = policy._tensor(pose[None, :3]), policy._tensor(np.ones(1))
        seen = detect_objects(
            policy.model, image, tool, opening, policy._slots(TaskSpec("home")), beside
        )
        for thing in scene.things:
            near = [o for o in seen if (o.colour, o.noun) == (thing.colour or "any", thing.shape)]
            if not near or np.linalg.norm(near[0].point[:2] - thing.position[:2]) > 0.02:
                missed.append((seed, thing.name))
    assert len(missed) <= 1, missed


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("pick up the leftmost cube", RED),
        ("pick up the cube on the right", BLUE),
        ("grab any cube except the red one", BLUE),
        ("push the thing farthest from you to the left", LEMON),
    ],
)
def test_things_are_told_by_their_place_or_by_what_they_are_not(person, text, place):
    chunk = person.tell(text)
    assert chunk.hold == ""
    assert person.target() == pytest.approx(place, abs=0.02)


def test_where_two_fit_it_asks_and_the_answer_tells(person):
    assert person.tell("pick up the cube").hold in (
        "The red cube or the blue cube?", "The blue cube or the red cube?"
    )  # fmt: skip
    assert person.tell("the blue one").hold == ""
    assert person.target() == pytest.approx(BLUE, abs=0.02)
    assert person.tell("no, the other one").hold == ""
    assert person.target() == pytest.approx(RED, abs=0.02)


def test_steps_are_counted_and_all_are_there_before_the_first(person):
    chunk = person.tell("put the lemon in the bowl and then push the red cube to the left")
    assert chunk.hold == ""
    assert chunk.step.label() == "step 1 of 2: put the yellow lemon in the bowl"
    chunk = person.tell("put the lemon in the bowl and then push the green cube to the left")
    assert chunk.hold == "I see no green cube"


@pytest.mark.parametrize(
    ("text", "hold"),
    [
        ("did you put the lemon in the bowl?", "is a question; I only carry out commands"),
        ("don't touch the red cube", "says what not to do"),
        ("pick up the spoon", "I do not know what '"),
        ("put the lemon in the bowl and wipe the table", "I do not know how to do '"),
        ("push the red cube", "Which way shall I push the red cube"),
    ],
)
def test_it_holds_and_says_why(person, text, hold):
    assert hold in person.tell(text).hold
