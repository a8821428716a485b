"""Record demonstrations of the scripted expert, in parallel and resumably."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vlm_robot_ros.data.sim_episode import (
    IMAGE,
    SimEpisode,
    crop,
    crop_around_token,
    downscale,
    sample_at_tokens,
    save_episode,
)
from vlm_robot_ros.kinematics.kinematics import downward_pose, pose7_to_transform, wrap_to_pi
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.sim.expert import STEP_DT, expert_action
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator
from vlm_robot_ros.tasks.objects import UNNAMED_PAIRS
from vlm_robot_ros.tasks.scene import sample_scene
from vlm_robot_ros.tasks.skill import ExpertAction, ExpertInput, Task, WorldState
from vlm_robot_ros.tasks.tasks import SKILLS, goal_positions, refers_to, sample_task

_EPISODE_STEPS = 84
_FRAME_STRIDE = 2  # steps from one recorded frame to the next
_ACTION_NOISE_M = 0.008
_CLOSE = 2
"""Tokens of each frame that are looked at closely."""
_demonstrator: "DemonstrationRecorder | None" = None


def collect(
    folder: Path,
    episodes: int,
    seed: int,
    workers: int,
    make_demonstrator: Callable[[], "DemonstrationRecorder"],
) -> int:
    """Record episodes `seed` to `seed + episodes - 1` that are not in `folder` yet.

    Args:
        folder: Where to.
        episodes: How many there shall be.
        seed: Of the first.
        workers: Processes.
        make_demonstrator: Called once in each process; must be picklable.

    Returns:
        How many episodes were recorded by this call.

    Raises:
        ValueError: as of `make_demonstrator`.
        OSError: a worker died; what was recorded is kept.
    """
    wanted = [(folder / f"{number:06d}.npz", number) for number in range(seed, seed + episodes)]
    missing = [item for item in wanted if not item[0].exists()]
    if missing:  # what is wrong with it is said before workers start
        make_demonstrator().sim.close()
    folder.mkdir(parents=True, exist_ok=True)
    bar = tqdm(total=episodes, initial=episodes - len(missing), desc="episodes")
    recorded = map_in_processes(_record, missing, workers, _begin, (make_demonstrator,))
    with bar, closing(recorded):
        try:
            for _ in recorded:
                bar.update()
        except ChildProcessError as error:
            raise OSError(f"{error}; {folder} keeps what was recorded") from error
    return len(missing)


def _begin(make_demonstrator: Callable[[], "DemonstrationRecorder"]) -> None:
    global _demonstrator
    _demonstrator = make_demonstrator()


def _record(path: Path, seed: int) -> None:
    assert _demonstrator is not None
    save_episode(_demonstrator.demonstrate(np.random.default_rng(seed)), path)


@dataclass
class AssignedTask:
    """A task, and what was true when it was given."""

    task: Task
    start: WorldState


def simulated_expert_action(sim: Simulator, given: AssignedTask) -> ExpertAction:
    """Ask the expert what to do now; arrays of one row."""
    task, now = given.task, sim.world_state
    item = start = now.tool
    reference, turned = np.zeros(3), 0.0
    if task.target is not None:
        item, start = now.positions[task.target], given.start.positions[task.target]
        gap = now.yaws[task.target] - given.start.yaws[task.target]
        turned = wrap_to_pi(gap)
    if task.reference is not None:
        reference = now.positions[task.reference]
    skill = np.array([SKILLS.index(task.skill)])
    return expert_action(
        ExpertInput(
            skill,
            now.tool[None],
            np.array([sim.tool_yaw]),
            np.array([now.opening]),
            item[None],
            goal_positions(skill, start[None], reference[None]),
            np.array([turned]),
        )
    )


def execute_action(sim: Simulator, move: ExpertAction, bias: np.ndarray | float = 0.0) -> None:
    """Do a move of one row, off by `bias` (shape (3,), [m]), and let `STEP_DT` pass."""
    box = sim.robot.workspace
    goal = np.clip(sim.tool_position + move.tool[0] + bias, box.min, box.max)
    sim.command_pose(pose7_to_transform(downward_pose(goal, sim.tool_yaw + float(move.yaw[0]))))
    sim.command_gripper(float(move.grip[0]))
    for _ in range(round(STEP_DT / CONTROL_PERIOD)):
        sim.step()


class DemonstrationRecorder:
    """Lets the expert act in random scenes, and records what is seen."""

    def __init__(self, robot: RobotConfig) -> None:
        self.sim = Simulator(robot)
        front = robot.camera("front")
        depth = [c for c in robot.cameras if c.depth and c.frame == front.frame]
        self._depth = depth[0].name if depth else ""
        whole = [c for c in (front, *depth[:1]) if c.crop or c.width != c.height]
        if whole or front.width not in (IMAGE, 2 * IMAGE):
            raise ValueError(
                f"robot '{robot.name}': front camera {front.width}x{front.height}; valid for "
                f"recording: {IMAGE}x{IMAGE} or twice that, depth square, both without a crop"
            )
        self._bias = np.zeros(3)

    def assign_task(self, given: AssignedTask, rng: np.random.Generator) -> None:
        """Take a new task."""
        self._bias = np.zeros(3)

    def step(self, given: AssignedTask, rng: np.random.Generator) -> None:
        """Let `STEP_DT` pass, with noise in what is executed, from which there is a way back."""
        if rng.random() < 0.2:
            self._bias = rng.normal(0.0, _ACTION_NOISE_M, 3) * (rng.random() < 0.6)
        execute_action(self.sim, simulated_expert_action(self.sim, given), self._bias)

    def demonstrate(self, rng: np.random.Generator) -> SimEpisode:
        """Act in a random scene, with changes of task.

        The labels are not recorded: the expert can be asked again for any task at any frame.
        """
        sim, scene = self.sim, sample_scene(rng)
        sim.reset(scene, np.array(sim.robot.home) + rng.normal(0.0, 0.08, len(sim.robot.joints)))
        if rng.random() < 0.2:
            sim.command_gripper(0.0)
        given, change = None, 0
        frames: list[tuple] = []
        for step in range(_EPISODE_STEPS):
            if step == change:
                task = None
                while task is None or refers_to(task, scene, UNNAMED_PAIRS):
                    task = sample_task(rng, scene)
                given = AssignedTask(task, sim.world_state)
                self.assign_task(given, rng)
                change = step + int(rng.integers(15, 70))
            if step % _FRAME_STRIDE == 0:
                arm = (sim.tool_position, sim.tool_yaw, sim.opening)
                frames.append((self._capture(rng), *arm, sim.positions))
            assert given is not None
            self.step(given, rng)
        names = np.array([[thing.colour, thing.shape] for thing in scene.things])
        seen, *columns = zip(*frames, strict=True)
        arrays = {name: np.stack([frame[name] for frame in seen]) for name in seen[0]}
        tool, yaw, opening, things = (np.stack(column).astype(np.float32) for column in columns)
        return SimEpisode(
            **arrays, tool=tool, yaw=yaw, opening=opening, things=things, names=names
        )

    def _capture(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return what an `Episode` keeps of what is seen now."""
        sim, whole = self.sim, self.sim.render("front")
        found = {"image": crop(downscale(whole)), "shown": sample_at_tokens(sim.render_things())}
        if self._depth:
            found["surface"] = sample_at_tokens(sim.observe(self._depth)).astype(np.float16)
        if len(whole) > IMAGE:
            found["close_at"] = _choose_task(rng, found["shown"].ravel())
            found["close"] = np.stack([crop_around_token(whole, at) for at in found["close_at"]])
        return found


def _choose_task(rng: np.random.Generator, shown: np.ndarray) -> np.ndarray:
    """Return some tokens, mostly of things. Shape (K,)."""
    weight = np.where(shown > 0, 1.0, 0.1 * max(1, (shown > 0).sum()) / len(shown))
    return rng.choice(len(shown), _CLOSE, False, weight / weight.sum())
