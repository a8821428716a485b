"""A policy of LeRobot's on LIBERO: learned from the scripted expert, through the same benchmark.

    python benchmarks/libero_lerobot.py --lerobot-python ~/lerobot/bin/python [--device cuda]

Each stage is kept in `--out` and not done again, as in `lerobot_round.py`. The expert does tasks
of a suite from the places that their files draw, none of the published initial states; what it
saw and did becomes a LeRobotDataset, and LeRobot's trainer makes a policy of it: a Multi-Task DiT,
which reads the task's instruction, or ACT, which sees images alone. Images are rendered once for
each decision of the expert, and stand for the steps until the next. At the end the command is
printed that measures the checkpoint.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import yaml
from lerobot_five_tasks import make_dit
from lerobot_round import ACT, train
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from vlm_robot_ros.bags.dataset_map import CONTRACT_FILE, MAP_FILE
from vlm_robot_ros.data.dataset import DatasetInfo, Episode, check_episode_index
from vlm_robot_ros.data.formats.lerobot_parts import write_part
from vlm_robot_ros.data.formats.lerobot_writer import merge_shards
from vlm_robot_ros.evaluation.libero.expert import LiberoExpert, moves_of
from vlm_robot_ros.image_resize import resize_image
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.robot.loader import contract_file, load_robot
from vlm_robot_ros.sim.libero.controller import controller_actions, pose_changes
from vlm_robot_ros.sim.libero.environment import STEP_DT, ArmState, LiberoEnvironment
from vlm_robot_ros.sim.libero.suites import MAX_STEPS, contract_of

_STEPS_A_DECISION = 4
"""The benchmark's steps from one decision of the expert to the next."""
_STATE = ("x", "y", "z", "rx", "ry", "rz", "gripper")
_ACTION = (*(f"delta_{name}" for name in _STATE[:6]), "gripper")
_SEED = 40_000_000


def record(
    env: LiberoEnvironment, task: int, seed: int, out: Path, args: argparse.Namespace
) -> bool:
    """Record one demonstration into a file; tells whether the expert did the task."""
    suite, size, cameras = args.suite, args.size, args.cameras
    said = env.open(f"libero_{suite}", task)
    expert = LiberoExpert(load_robot(contract_of(suite)))
    expert.watch(env)
    env.scatter(seed, {})
    state = env.step(controller_actions(np.zeros((1, 6)), 1.0), cameras)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in (*cameras, "state", "action")}
    goal, done = env.goal(), False  # what is scattered does not end by itself
    while not done and len(rows["action"]) < MAX_STEPS[suite]:
        chunk = expert.infer(_observation(state, said))
        seen = {name: resize_image(state.images[name], size, size, "pad") for name in cameras}
        for number in range(_STEPS_A_DECISION):
            move = pose_changes(np.vstack([state.pose, chunk.values[0]]))
            action = controller_actions(move, chunk.gripper[0])
            for name in cameras:
                rows[name].append(seen[name])
            rows["state"].append(_state(state))
            rows["action"].append(action[0])
            state = env.step(action, cameras if number + 1 == _STEPS_A_DECISION else ())
        done = env.set_goal(goal)
    if done:
        arrays = {name: np.stack(each) for name, each in rows.items()}
        with out.with_suffix(".part").open("wb") as file:
            np.savez_compressed(file, **arrays, said=np.array(said))  # type: ignore[arg-type]
        out.with_suffix(".part").replace(out)
    return done


def _observation(state: ArmState, said: str) -> Observation:
    return Observation(state.images, state.pose, state.opening, said, state.joints)


def _state(state: ArmState) -> np.ndarray:
    turn = Rotation.from_quat(state.pose[3:]).as_rotvec()
    return np.array([*state.pose[:3], *turn, state.opening])


def record_number(number: int, args: argparse.Namespace) -> None:
    """Record a demonstration, unless it is there; the tasks take turns."""
    file = args.out / "demonstrations" / f"{number:05d}.npz"
    if file.exists():
        return
    env = _environment(args.libero_python)
    task = args.tasks[number % len(args.tasks)]
    if not record(env, task, _SEED + number, file, args):
        tqdm.write(f"{file.stem}: the expert failed in task {task}")


@cache
def _environment(python: str) -> LiberoEnvironment:
    """Return the one of this process."""
    return LiberoEnvironment(python)


def covered_tasks(suite: str, python: str) -> tuple[int, ...]:
    """Return the tasks of a suite that carrying things fulfils."""
    env, tasks = LiberoEnvironment(python), []
    for task in range(len(env.tasks(f"libero_{suite}"))):
        env.open(f"libero_{suite}", task, 64)
        tasks += [task] if moves_of(env.goal()) else []
    env.close()
    return tuple(tasks)


class Demonstrations:
    """Recorded files as data."""

    def __init__(self, files: Sequence[Path], robot: str, cameras: Sequence[str]) -> None:
        self._files, self._cameras = files, tuple(cameras)
        self.info = DatasetInfo(files[0].parent, "demonstrations on LIBERO", robot, 1 / STEP_DT,
                                self._cameras, _STATE, _ACTION)  # fmt: skip

    def __len__(self) -> int:
        return len(self._files)

    def instruction(self, number: int) -> str:
        """Return what is said in an episode."""
        return self.episode(number).instruction

    def table(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return states and actions of one."""
        found = self.episode(number)
        return found.state, found.action

    def episode(self, number: int, cameras: Sequence[str] | None = None) -> Episode:
        """Read one."""
        check_episode_index(number, len(self), self.info.path)
        with np.load(self._files[number], allow_pickle=False) as file:
            wanted = self._cameras if cameras is None else cameras
            images = {name: file[name] for name in self._cameras if name in wanted}
            state, action = (file[name].astype(np.float32) for name in ("state", "action"))
            return Episode(str(file["said"]), images, state, action)


def policy_map(size: int, cameras: Sequence[str]) -> str:
    """Return the YAML of the map of policies that learned from such data."""
    parts = [{"values": "position"}, {"values": "rotation_vector"}, {"values": "gripper"}]
    content = {
        "about": "policies that learned from demonstrations on LIBERO",
        "cameras": [{"key": f"observation.images.{name}", "camera": name, "size": [size, size]}
                    for name in cameras],
        "state": [{"key": "observation.state", "parts": parts}],
        "prompt": {"key": "task"},
        "actions": {
            "key": "action", "mode": "pose_delta", "clip": 1.0, "scale": 0.05,
            "rotation_scale": 0.5, "rate": 1 / STEP_DT,
            "gripper": {"column": 6, "closed": 1.0, "open": -1.0, "threshold": 0.0},
        },
    }  # fmt: skip
    return str(yaml.safe_dump(content, sort_keys=False))


def main() -> int:
    """Do what is left, and print how to measure it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lerobot-python", required=True, help="interpreter that has LeRobot")
    parser.add_argument("--libero-python", default="", help="interpreter that has LIBERO")
    parser.add_argument("--out", type=Path, default=Path("runs/libero_lerobot"))
    parser.add_argument("--suite", default="goal")
    parser.add_argument("--episodes", type=int, default=20, help="to record of each task")
    parser.add_argument("--workers", type=int, default=1, help="processes that record")
    parser.add_argument("--policy", choices=("dit", "act"), default="dit")
    parser.add_argument("--cameras", nargs="+", default=["front", "wrist"])
    parser.add_argument("--size", type=int, default=96, help="of the images [px]")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu", help="of LeRobot's torch")
    args = parser.parse_args()
    out = args.out = args.out.resolve()
    folder, dataset = out / "demonstrations", out / "dataset"
    folder.mkdir(parents=True, exist_ok=True)
    args.tasks = covered_tasks(args.suite, args.libero_python)
    jobs = [(number,) for number in range(args.episodes * len(args.tasks))]
    recorded = map_in_processes(partial(record_number, args=args), jobs, args.workers)
    for _ in tqdm(recorded, "recording", len(jobs)):
        pass
    robot = contract_of(args.suite)
    if not (dataset / "meta" / "info.json").exists():
        meta = {
            MAP_FILE: policy_map(args.size, args.cameras),
            CONTRACT_FILE: contract_file(robot).read_text(),
        }
        write_part(Demonstrations(sorted(folder.glob("*.npz")), robot, args.cameras), out / "part",
                   meta_files=meta)  # fmt: skip
        merge_shards([out / "part"], dataset)
    checkpoint = out / args.policy / "checkpoints" / "last" / "pretrained_model"
    if args.policy == "dit":
        make_dit(dataset, out, args)
    elif not checkpoint.exists():
        train(dataset, out / "act", args, ACT)
    print(f"vlm-robot evaluate --env libero --suite {args.suite},{args.suite}_task "
          f"--policy lerobot:{checkpoint} --map {dataset / 'meta' / MAP_FILE}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
