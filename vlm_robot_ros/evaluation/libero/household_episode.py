"""One household episode: the policy acts on colour and distance images, in lockstep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.data.camera_input import backproject_depth
from vlm_robot_ros.evaluation.libero.episode import follow_chunk
from vlm_robot_ros.evaluation.libero.household import (
    PHRASES,
    TAKING,
    TOO_LARGE,
    HouseholdTask,
    task_file,
)
from vlm_robot_ros.interfaces.detector import Detection
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.robot.config import Camera, RobotConfig
from vlm_robot_ros.sim.libero.controller import controller_actions
from vlm_robot_ros.sim.libero.environment import ArmState, LiberoEnvironment

FIELD_OF_VIEW_DEG = 45.0
"""Of the benchmark's front camera, from top to bottom."""
_COLOUR, _DEPTH = "front", "front_depth"
_STEPS_A_DECISION, _MOST_DECISIONS, _MOST_HOLDS = 4, 75, 8
"""The benchmark's steps (0.05 s) from one decision to the next; decisions, and holds in a row,
after which an episode ends."""
_LIFTED_M, _MOVED_M, _NEAR_M = 0.05, 0.01, 0.03
"""How high a thing is that was picked up; how far one that stood still has moved at most; how far
above the bottom of what takes it, besides its height, one stands that was put there."""
_PUSHED_M, _STANDS = 0.05, 0.8
"""How far a thing is pushed at least [m]; part of its height that one that has not fallen has."""
_LOOKED_AT = 5
"""Decisions at the end of which a thing must be where it is to be."""


@dataclass(frozen=True)
class HouseholdOutcome:
    """An episode, and what came of it."""

    skill: str
    number: int
    target: str
    instruction: str
    success: bool
    moved: bool
    """Whether the tool has moved."""
    hold: str
    decisions: int


class SegmentDetector:
    """Finds phrases by the simulator's own segmentation: it stands for a perfect detector."""

    def __init__(self, env: LiberoEnvironment, categories: Sequence[str]) -> None:
        """Take the things of a scene, by the benchmark's categories."""
        names = {**PHRASES, **TAKING, **TOO_LARGE}
        self._env = env
        self._category = {names[each]: each for each in categories}

    def detect(self, image: np.ndarray, phrases: Sequence[str]) -> list[Detection]:
        """Return boxes and masks of what the phrases name; an image is not looked at."""
        bodies, names = self._env.segments(image.shape[0])
        found = []
        for phrase in phrases:
            category = self._category.get(phrase)
            numbers = [number for number, name in enumerate(names)
                       if category and name.startswith(f"{category}_1_")]  # fmt: skip
            mask = np.isin(bodies, numbers)
            if mask.any():
                rows, columns = np.nonzero(mask)
                box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                found.append(Detection(phrase, box.astype(float), 1.0, mask))
        return found


def run_household_episode(
    env: LiberoEnvironment,
    policy: Policy,
    robot: RobotConfig,
    task: HouseholdTask,
    number: int,
    disturb: Callable[[np.ndarray], np.ndarray] = lambda distances: distances,
) -> HouseholdOutcome:
    """Let a policy act in the scene of a task.

    Args:
        env: Any; the task is opened in it.
        policy: Looks through the cameras `front` and `front_depth`.
        robot: Its contract has these, and says where they are: they are put there.
        task: What is to be done.
        number: Of the task.
        disturb: What is made of the measured distances, shape (H, W), [m].
    """
    open_task(env, task)
    env.place_camera(robot.camera(_DEPTH).pose)
    state = env.step(controller_actions(np.zeros((1, 6)), 1.0), [_COLOUR])
    began, start = env.scene().boxes, state.pose[:3].copy()
    camera = robot.camera(_DEPTH)
    policy.reset()
    holds, opening, good, hold = 0, 1.0, 0, ""
    moved, decision = False, 0
    for decision in range(_MOST_DECISIONS):
        points = measured_points(disturb(env.distances(camera.width)), camera)
        seen = Observation(
            {**state.images, _DEPTH: points}, state.pose, state.opening, task.instruction,
            state.joints, decision * _STEPS_A_DECISION * 0.05,
        )  # fmt: skip
        chunk = policy.infer(seen)
        hold = str(chunk.hold)
        holds = holds + 1 if hold else 0
        if hold:
            still = controller_actions(np.zeros((_STEPS_A_DECISION, 6)), opening)
            state = env.step(still, [_COLOUR])
        else:
            chunk = replace(chunk, values=chunk.values[:2], gripper=chunk.gripper[:2])
            state = follow_chunk(env, chunk, state, _STEPS_A_DECISION, [_COLOUR])
            opening = float(chunk.gripper[0])
        boxes = env.scene().boxes
        moved = moved or bool(np.linalg.norm(state.pose[:3] - start) > _MOVED_M)
        good = good + 1 if _is_fulfilled(task, began, boxes, state) else 0
        if holds == _MOST_HOLDS or good == _LOOKED_AT:
            break
    done = not moved if task.skill == "too large" else good >= _LOOKED_AT
    return HouseholdOutcome(
        task.skill, number, task.categories[0], task.instruction, done, moved, hold, decision + 1
    )


def open_task(env: LiberoEnvironment, task: HouseholdTask) -> None:
    """Make the scene of a task, and let things come to rest."""
    env.open_file(task_file(task))
    env.scatter(task.seed, {})


def moved_camera(robot: RobotConfig, rng: np.random.Generator) -> RobotConfig:
    """Return a contract whose front camera was moved by 5 cm and turned by 5 degrees."""
    way, axis = (each / np.linalg.norm(each) for each in rng.normal(size=(2, 3)))
    pose = np.array(robot.camera(_DEPTH).pose)
    turn = Rotation.from_rotvec(np.deg2rad(5.0) * axis) * Rotation.from_euler("xyz", pose[3:])
    moved = (*(pose[:3] + 0.05 * way), *turn.as_euler("xyz"))
    cameras = tuple(
        replace(each, pose=tuple(map(float, moved))) if each.name == _DEPTH else each
        for each in robot.cameras
    )
    return replace(robot, cameras=cameras)


def measured_points(distances: np.ndarray, camera: Camera) -> np.ndarray:
    """Return where what a camera of the contract measures is. Shape (H, W, 3), base frame [m]."""
    side = distances.shape[0]
    focal = side / 2 / np.tan(np.deg2rad(FIELD_OF_VIEW_DEG) / 2)
    middle = (side - 1) / 2
    matrix = np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]])
    return backproject_depth(distances, matrix, camera.pose)


def _is_fulfilled(
    task: HouseholdTask,
    began: Mapping[str, np.ndarray],
    boxes: Mapping[str, np.ndarray],
    state: ArmState,
) -> bool:
    """Tell whether what is asked for is so now."""
    box = boxes[task.target]
    if task.skill == "push":
        moved = (box - began[task.target]).mean(0)
        along = float(moved[:2] @ np.array(task.way))
        aside = abs(float(moved[0] * task.way[1] - moved[1] * task.way[0]))
        heights = [float(np.ptp(each[:, 2])) for each in (box, began[task.target])]
        stands = heights[0] > _STANDS * heights[1] and abs(moved[2]) < _NEAR_M
        return along > _PUSHED_M and aside < along / 2 and stands
    if not task.place:
        return bool(box[0, 2] > began[task.target][0, 2] + _LIFTED_M)
    place = boxes[task.place]
    middle = box.mean(0)[:2]
    inside = bool(((middle > place[0, :2]) & (middle < place[1, :2])).all())
    # It is no higher than the rim or top of what takes it, and has been let go of.
    stands = bool(place[0, 2] - 0.005 < box[0, 2] < place[1, 2] + _NEAR_M)
    away = float(np.linalg.norm(state.pose[:3] - box.mean(0)))
    return inside and stands and state.opening > 0.6 and away > 0.06
