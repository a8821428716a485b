"""Record demonstrations on LIBERO and train the policy of transfers on them; resumable.

It takes LIBERO in an interpreter of its own (docs/how-to/libero.md). No published initial state
and no sentence is used: the labels are the simulator's, and sentences are read by the shipped
parser.
"""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from vlm_robot_ros.evaluation.libero.demonstrations import SCENES, record_episode
from vlm_robot_ros.manipulation.camera_view import camera_view
from vlm_robot_ros.models.transfer.config import TransferModelConfig
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.libero.environment import LiberoEnvironment
from vlm_robot_ros.sim.libero.suites import contract_of
from vlm_robot_ros.training.scene_dataset import SceneDataset
from vlm_robot_ros.training.scene_things import measured_things
from vlm_robot_ros.training.train_transfer import TransferTrainConfig, train_transfer

_environment: LiberoEnvironment | None = None


def main() -> int:
    """Record what is missing, and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/libero_policy"))
    parser.add_argument("--libero-python", default="")
    parser.add_argument("--episodes", type=int, default=240, help="of 36 labelled images each")
    parser.add_argument("--steps", type=int, default=TransferTrainConfig.image_steps)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    folder = args.out / "demonstrations"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [
        (number, args.seed, folder)
        for number in range(args.episodes)
        if not (folder / f"{number:05d}.npz").exists()
    ]
    given = (args.libero_python,)
    results = map_in_processes(_record, missing, args.workers, _begin, given)
    for _ in tqdm(results, "recording", len(missing)):
        pass
    environment = LiberoEnvironment(args.libero_python)
    scenes = []
    for suite, task in dict.fromkeys(SCENES):
        environment.open(f"libero_{suite}", task, 64)
        environment.scatter(args.seed, {})
        scenes.append(environment.scene())
    environment.close()
    config = TransferModelConfig(measured_things(scenes))
    views = {}
    for suite in dict(SCENES):
        robot = load_robot(contract_of(suite))
        camera = {each.name: each for each in robot.cameras}[config.camera]
        views[suite] = (
            camera_view(camera, config.image, config.field_of_view_deg), robot.workspace.min[2]
        )  # fmt: skip
    frames = SceneDataset(folder, views, args.seed)
    train = TransferTrainConfig(image_steps=args.steps, seed=args.seed)
    print(train_transfer(frames, config, args.out / "checkpoint", train))
    return 0


def _begin(python: str) -> None:
    global _environment
    _environment = LiberoEnvironment(python)


def _record(item: tuple[int, int, Path]) -> int:
    assert _environment is not None
    number, seed, folder = item
    return record_episode(_environment, number, seed, load_robot("libero").workspace, folder)


if __name__ == "__main__":
    sys.exit(main())
