"""Record demonstrations of the scripted expert, in parallel and resumably."""

import multiprocessing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vlm_robot_ros.contract.kinematics import pose
from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.data.episode import Episode, save_episode
from vlm_robot_ros.sim.expert import STEP_DT, decide
from vlm_robot_ros.sim.scene import sample_scene
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator
from vlm_robot_ros.sim.tasks import SKILLS, TOOL_DOWN, sample_task

_FRAMES = 80
_NOISE = 0.008
_simulator: Simulator | None = None


def collect(robot: Robot, folder: Path, episodes: int, seed: int, workers: int) -> int:
    """Record episodes `seed` to `seed + episodes - 1` that are not in `folder` yet.

    Returns:
        How many episodes were recorded by this call.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(robot, folder / f"{number:06d}.npz", number) for number in
              range(seed, seed + episodes)]  # fmt: skip
    missing = [item for item in wanted if not item[1].exists()]
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        done = pool.imap_unordered(_record, missing)
        for _ in tqdm(done, total=episodes, initial=episodes - len(missing), desc="episodes"):
            pass
    return len(missing)


def _record(item: tuple[Robot, Path, int]) -> None:
    global _simulator
    robot, path, seed = item
    _simulator = _simulator or Simulator(robot)
    save_episode(demonstrate(_simulator, np.random.default_rng(seed)), path)


def demonstrate(sim: Simulator, rng: np.random.Generator) -> Episode:
    """Run the expert in a random scene, with noise in what it executes and a change of task.

    The labels are not recorded: the expert can be asked again for any instruction at any frame.
    """
    sim.reset(sample_scene(rng), np.array(sim.robot.home) + rng.normal(0.0, 0.06, 7))
    scene = sim.scene
    assert scene is not None
    images, tools, openings, objects = [], [], [], []
    task, start, change, bias = None, sim.object_positions, 0, np.zeros(3)
    for frame in range(_FRAMES):
        if frame == change:
            task = sample_task(rng, scene, str(rng.choice(SKILLS)))
            start, change = sim.object_positions, frame + int(rng.integers(20, 65))
        if rng.random() < 0.2:
            bias = rng.normal(0.0, _NOISE, 3) * (rng.random() < 0.6)
        tool, items = sim.tool_position, sim.object_positions
        opening = sim.opening
        images.append(shrink(sim.render("front")))
        tools.append(tool)
        openings.append(opening)
        objects.append(items)
        if task is not None:
            target = task.target
            move, grip = decide(
                np.array([SKILLS.index(task.skill)]),
                tool[None],
                np.array([opening]),
                items[target][None],
                start[target][None],
            )
            goal = np.clip(tool + move[0] + bias, sim.robot.workspace.min, sim.robot.workspace.max)
            sim.command_pose(pose(goal, TOOL_DOWN))
            sim.command_gripper(float(grip[0]))
        for _ in range(round(STEP_DT / CONTROL_PERIOD)):
            sim.step()
    names = np.array([[item.colour, item.shape] for item in scene.objects])
    return Episode(
        np.stack(images),
        np.stack(tools).astype(np.float32),
        np.array(openings, np.float32),
        np.stack(objects).astype(np.float32),
        names,
    )


def shrink(image: np.ndarray) -> np.ndarray:
    """Halve a picture by averaging 2x2 pixels. Shape (2H, 2W, 3) to (H, W, 3), uint8."""
    height, width, _ = image.shape
    blocks = image.reshape(height // 2, 2, width // 2, 2, 3)
    return ((blocks.sum(axis=(1, 3), dtype=np.uint16) + 2) // 4).astype(np.uint8)
