"""Tasks: the judge tells what was done, and the expert does every skill."""

import numpy as np
import pytest
from scenes import SCENE

from vlm_robot_ros.sim.demonstrations import AssignedTask, execute_action, simulated_expert_action
from vlm_robot_ros.sim.expert import expert_action
from vlm_robot_ros.tasks.scene import sample_scene
from vlm_robot_ros.tasks.skill import DIRECTIONS, ExpertInput, Task, WorldState
from vlm_robot_ros.tasks.tasks import SKILLS, all_labels, feasible_tasks, is_done, sample_task

START = WorldState(
    np.array([thing.position for thing in SCENE.things]), np.zeros(3), np.array([0.4, 0, 0.3]), 1.0
)


def after(index, position=None, turn=0.0, **changes):
    """What is true when one thing has moved or turned."""
    positions, yaws = START.positions.copy(), START.yaws.copy()
    if position is not None:
        positions[index] = position
    yaws[index] += turn
    return START._replace(positions=positions, yaws=yaws, **changes)


@pytest.mark.parametrize(
    ("task", "done", "not_done"),
    [
        (Task("pick up", 0), after(0, [0.5, 0, 0.08]), after(0, [0.5, 0.1, 0.0215])),
        (Task("push left", 0), after(0, [0.5, 0.08, 0.0215]), after(0, [0.5, -0.08, 0.0215])),
        (Task("push away", 0), after(0, [0.58, 0, 0.0215]), after(0, [0.56, 0.08, 0.0215])),
        (Task("put", 0, 2), after(0, [0.61, -0.2, 0.028]), after(0, [0.61, -0.2, 0.12])),
        (Task("place left", 0, 1), after(0, [0.4, 0.33, 0.0215]), after(0, [0.4, 0.07, 0.0215])),
        (Task("place behind", 0, 1), after(0, [0.53, 0.2, 0.0215]), after(0, [0.27, 0.2, 0.0215])),
        (Task("stack", 0, 1), after(0, [0.41, 0.2, 0.0645]), after(0, [0.46, 0.2, 0.0215])),
        (Task("turn left", 0), after(0, turn=1.6), after(0, turn=-1.6)),
        (Task("turn right", 0), after(0, turn=-1.5), after(0, turn=-0.7)),
        (Task("open"), START, START._replace(opening=0.4)),
        (Task("close"), START._replace(opening=0.0), START),
        (Task("home"), START._replace(tool=np.array([0.507, 0, 0.327])), START),
    ],
)
def test_the_judge_tells_what_was_done(task, done, not_done):
    assert is_done(task, SCENE, START, done) is True
    assert is_done(task, SCENE, START, not_done) is False


@pytest.mark.parametrize(
    "task", [Task("push left", 0), Task("place left", 0, 1), Task("stack", 0, 1)]
)
def test_what_has_tipped_over_does_not_stand(task):
    place = {"push left": [0.5, 0.08], "place left": [0.4, 0.33], "stack": [0.41, 0.2]}[task.skill]
    height = 0.0645 if task.skill == "stack" else 0.0215
    assert is_done(task, SCENE, START, after(0, [*place, height]))
    assert not is_done(task, SCENE, START, after(0, [*place, height - 0.008]))


@pytest.mark.parametrize("skill", ["put", "stack", "place left", "turn left"])
def test_what_is_still_in_the_hand_is_not_put_down(skill):
    task = Task(skill, 0, 2 if skill == "put" else 1)
    where = {
        "put": [0.6, -0.2, 0.03],
        "stack": [0.4, 0.2, 0.0645],
        "place left": [0.4, 0.33, 0.0215],
        "turn left": [0.5, 0, 0.0215],
    }[skill]
    there = after(0, where, turn=np.pi / 2)
    assert is_done(task, SCENE, START, there)
    assert not is_done(task, SCENE, START, there._replace(tool=np.array(where)))


@pytest.mark.parametrize("skill", SKILLS)
def test_the_expert_does_every_skill(sim, skill):
    rng, task = np.random.default_rng(11), None
    while task is None:
        scene = sample_scene(rng)
        task = sample_task(rng, scene, skill)
    sim.reset(scene)
    if skill == "open":
        sim.command_gripper(0.0)
        for _ in range(25):
            sim.step()
    given = AssignedTask(task, sim.world_state)
    for _ in range(90):
        execute_action(sim, simulated_expert_action(sim, given))
    assert is_done(task, scene, given.start, sim.world_state)


@pytest.mark.parametrize("turn", [-np.pi / 2, np.pi / 2])
@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill.startswith("push")])
def test_the_expert_pushes_a_bottle_whichever_way_its_hand_was_turned(sim, skill, turn):
    rng, tasks = np.random.default_rng(3), []
    while not tasks:
        scene = sample_scene(rng, include=[("pink", "bottle")])
        names = [thing.name for thing in scene.things]
        tasks = feasible_tasks(scene, skill, names.index("pink bottle"))
    sim.reset(scene, np.array(sim.robot.home) + np.eye(7)[6] * turn)
    assert abs(abs(sim.tool_yaw) - np.pi / 2) < 0.1
    given = AssignedTask(tasks[0], sim.world_state)
    for _ in range(75):
        execute_action(sim, simulated_expert_action(sim, given))
    assert is_done(tasks[0], scene, given.start, sim.world_state)


@pytest.mark.parametrize("way", ["left", "right", "away", "closer"])
def test_a_push_ends_slowly_and_the_hand_goes_back_before_it_goes_up(way):
    along, item = np.array([*DIRECTIONS[way], 0.0]), np.array([0.5, 0.0, 0.043])

    def move(left, behind):
        """Decide with so much way left, so far behind the middle; returns forward and up."""
        tool = (item - behind * along) * [1, 1, 0] + [0, 0, 0.022]
        yaw = np.pi / 2 * (way in ("left", "right"))
        skill, goal = np.array([SKILLS.index(f"push {way}")]), item + left * along
        turned, closed = np.array([yaw]), np.zeros(1)
        state = ExpertInput(skill, tool[None], turned, closed, item[None], goal[None], np.zeros(1))
        step = expert_action(state).tool[0]
        return step @ along, step[2]

    ways = [move(left, 0.033)[0] for left in (0.08, 0.04, 0.02, 0.001)]
    assert ways[0] == pytest.approx(0.022)
    assert ways == sorted(ways, reverse=True)
    assert 0 < ways[-1] < 0.01
    back, up = move(-0.001, 0.033)
    assert back < -0.01
    assert up == 0
    back, up = move(-0.001, 0.05)
    assert back == 0
    assert up > 0.02


def test_task_labels_differ():
    labels = all_labels()
    assert len(set(labels)) == len(labels) >= 100
    assert {"pick up the object", "put the cube on the plate", "go home", "stop"} <= set(labels)
