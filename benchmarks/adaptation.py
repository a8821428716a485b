"""What distances, the past and a close-up are worth to the grounded policy.

    vlm-robot collect --robot panda_sim_rgbd --out runs/rgbd --episodes 600
    python benchmarks/adaptation.py --data runs/rgbd

Fits models that differ in one thing, with the same data, steps and seed, then asks them about
scenes that none of them saw: how far are the points from where things are, and does the arm obey?
Both also with the camera moved to where it never was while the contract says so: who reads
distances knows it, who does not cannot. Models and episodes of the suite that are there already
are not made again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from vlm_robot_ros.cli.main import main as vlm_robot
from vlm_robot_ros.evaluation.run_episode import run_episode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import (
    downward_pose,
    pose7_to_transform,
    transform_to_pose7,
)
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.models.grounded.image import AuxiliaryInputs
from vlm_robot_ros.models.grounded.model import VisionLanguageRobotModel
from vlm_robot_ros.models.grounded.text import InstructionSlots
from vlm_robot_ros.models.tokenizer import Tokenizer
from vlm_robot_ros.paths import share_dir
from vlm_robot_ros.policies.factory import load_checkpoint_policy
from vlm_robot_ros.policies.grounded.preprocessor import ObservationPreprocessor
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.simulator import Simulator
from vlm_robot_ros.success_rate import wilson_interval
from vlm_robot_ros.tasks.scene import Scene, sample_scene

WAYS: dict[str, list[str]] = {
    "one image": [],
    "depth": ["--depth", "front_depth"],
    "history": ["--history", "2"],
    "close-up": ["--close-up"],
    "all": ["--depth", "front_depth", "--history", "2", "--close-up"],
}
OFF = 0.1
"""How far the camera is moved [m]."""
SEED = 4_000_000
"""Of scenes that neither demonstrations nor suite have."""
FEW = 8
"""Tokens of a thing below which it counts as mostly hidden."""
FOUND = 0.5
"""As of the policy: agreement above which a thing is there."""


def moved(robot: RobotConfig, shift: np.ndarray) -> RobotConfig:
    """Return a contract whose depth camera was moved [m]: it says so, as after a calibration."""
    cameras = tuple(
        replace(c, pose=(*np.add(c.pose[:3], shift), *c.pose[3:])) if c.depth else c
        for c in robot.cameras
    )
    return replace(robot, cameras=cameras)


class Elsewhere(Simulator):
    """Its front camera stands beside where it was in training, and its contract says so."""

    def __init__(self, off: np.ndarray) -> None:
        """Move it by `off` [m]."""
        super().__init__(moved(load_robot("panda_sim_rgbd"), off))
        self._off = off

    def reset(self, scene: Scene, home: np.ndarray | None = None) -> None:
        """As of the simulator."""
        look = replace(scene.look, camera_shift=tuple(np.add(scene.look.camera_shift, self._off)))
        super().reset(replace(scene, look=look), home)


def direction(rng: np.random.Generator) -> np.ndarray:
    """Return a random unit vector. Shape (3,)."""
    way = rng.normal(size=3)
    return way / np.linalg.norm(way)


def frames(shift: float, count: int) -> Iterator[tuple[Simulator, Scene, Observation, bool]]:
    """See scenes by seed from `shift` beside where the camera stands, while the arm goes about.

    Yields:
        What the simulator is in, what is seen, and whether it is to be asked about.
    """
    robot = load_robot("panda_sim_rgbd")
    for seed in tqdm(range(SEED, SEED + count), f"scenes, camera {shift:.2f} m off"):
        rng = np.random.default_rng(seed)
        scene = sample_scene(rng)
        sim = Elsewhere(shift * direction(rng))
        sim.reset(scene)
        for step in range(12):
            if step % 4 == 0:  # another place to go to
                box = robot.workspace
                place = rng.uniform(np.add(box.min, [0.05, 0.1, 0.02]), np.subtract(box.max, 0.1))
                sim.command_pose(pose7_to_transform(downward_pose(place, 0.0)))
            for _ in range(10):
                sim.step()
            pose = transform_to_pose7(sim.kinematics.forward(sim.joint_positions))
            images = {name: sim.observe(name) for name in ("front", "front_depth")}
            yield (
                sim,
                scene,
                Observation(images, pose, sim.opening, "", time=sim.time),
                step % 4 == 3,
            )
        sim.close()


def asked(model: VisionLanguageRobotModel, colour: str, shape: str) -> InstructionSlots:
    """Return slots that ask for one thing, as if words had been read without a doubt."""
    config = model.config
    slots = model.text(torch.tensor([Tokenizer(config.vocabulary)("pick it up")]))
    sure = {
        "colour": 30.0 * torch.eye(len(config.colours))[config.colours.index(colour or "any")],
        "noun": 30.0 * torch.eye(len(config.nouns))[config.nouns.index(shape)],
    }
    return slots._replace(**{name: value.expand(1, 2, -1) for name, value in sure.items()})


def find(
    model: VisionLanguageRobotModel,
    looked: tuple[torch.Tensor, AuxiliaryInputs],
    seen: Observation,
    colour: str,
    shape: str,
) -> tuple[np.ndarray, bool]:
    """Return where a thing is seen, shape (3,) [m], and whether it is seen at all."""
    tool = torch.tensor(seen.pose[None, :3], dtype=torch.float32)
    opening = torch.tensor([seen.opening], dtype=torch.float32)
    given = model.ground(looked[0], tool, opening, asked(model, colour, shape), looked[1])
    return given.point[0, 0].numpy(), float(given.present[0, 0]) > FOUND


@torch.inference_mode()
def errors(models: dict[str, VisionLanguageRobotModel], shift: float, count: int) -> list[dict]:
    """Return of each model and visible thing how far it is seen from where it is [m]."""
    gazes = {name: ObservationPreprocessor(model.config, "cpu") for name, model in models.items()}
    rows: list[dict] = []
    for sim, scene, seen, ask in frames(shift, count):
        looks = {name: gaze.preprocess(seen) for name, gaze in gazes.items()}
        shown = sim.render_things() if ask else np.zeros(0)
        for number, thing in enumerate(scene.things):
            tokens = int((shown == number + 1).sum() / 16)
            for name, model in models.items() if tokens else ():
                place, there = find(model, looks[name], seen, thing.colour, thing.shape)
                row = {"model": name, "shift": shift, "hidden": tokens < FEW, "found": there}
                rows.append({**row, "off": float(np.linalg.norm(place - sim.positions[number]))})
    return rows


def obeyed(checkpoint: Path, count: int) -> list[bool]:
    """Return of each episode, the camera moved, whether it succeeds."""
    policy = load_checkpoint_policy(checkpoint, load_robot("panda_sim_rgbd"))
    results = []
    for index in tqdm(range(count), f"{checkpoint.name}, camera {OFF:.2f} m off"):
        sim = Elsewhere(OFF * direction(np.random.default_rng(SEED - 1 - index)))
        results.append(run_episode(sim, policy, "seen", 500_000, index)[0].success)
        sim.close()
    return results


@torch.inference_mode()
def rate(model: VisionLanguageRobotModel) -> float:
    """Return the median time of a look [ms]."""
    gaze, times = ObservationPreprocessor(model.config, "cpu"), []
    for _, _, seen, _ in frames(0.0, 4):
        begun = time.perf_counter()
        find(model, gaze.preprocess(seen), seen, "red", "cube")
        times.append(time.perf_counter() - begun)
    return 1e3 * float(np.median(times[10:]))


def table(rows: list[dict], models: dict[str, VisionLanguageRobotModel], out: Path) -> str:
    """Return what was found, as Markdown."""
    shifts = sorted({row["shift"] for row in rows})
    head = ["", "ms a look"]
    head += [f"{what}, camera {shift * 100:.0f} cm off" for shift in shifts
             for what in ("mm p50 / p90", "hidden mm p50 / p90", "found")]  # fmt: skip
    reports = {name: out / f"{name}.json" for name in models}
    cells = {name: json.loads(path.read_text())["cells"] for name, path in reports.items()
             if path.exists()}  # fmt: skip
    for path in out.glob("*.moved.json"):
        results = json.loads(path.read_text())
        cells[path.name.split(".")[0]][f"seen, camera {100 * OFF:.0f} cm off"] = {
            "successes": sum(results),
            "episodes": len(results),
            "wilson_95": wilson_interval(sum(results), len(results)),
        }
    names = list(next(iter(cells.values()))) if cells else []
    lines = ["| " + " | ".join([*head, *names]) + " |", "|---" * (len(head) + len(names)) + "|"]
    for name, model in models.items():
        line = [name, f"{rate(model):.1f}"]
        for shift in shifts:
            mine = [row for row in rows if row["model"] == name and row["shift"] == shift]
            for hidden in (False, True):
                off = [1e3 * row["off"] for row in mine if row["hidden"] == hidden]
                line.append("{:.1f} / {:.1f}".format(*np.percentile(off, [50, 90])))
            line.append(f"{np.mean([row['found'] for row in mine]):.1%}")
        for cell in names:
            each = cells[name][cell]
            low, high = each["wilson_95"]
            line.append(f"{each['successes']} of {each['episodes']} ({low:.0%} to {high:.0%})")
        lines.append("| " + " | ".join(line) + " |")
    return "\n".join(lines)


def main() -> None:
    """Fit, ask, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="RGB-D episodes")
    parser.add_argument("--words", type=Path, default=share_dir() / "checkpoints" / "panda_sim")
    parser.add_argument("--out", type=Path, default=Path("runs/adaptation"))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--episodes", type=int, default=24, help="a cell")
    parser.add_argument("--cells", default="seen,visual shift", help="with commas between")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    args = parser.parse_args()
    models = {}
    for name in args.ways:
        fit = ["train", "--data", str(args.data), "--out", str(args.out / name), "--words",
               str(args.words), "--image-steps", str(args.steps), *WAYS[name]]  # fmt: skip
        assert vlm_robot(fit) == 0
        models[name] = load_checkpoint(args.out / name)
    rows = [row for shift in (0.0, OFF) for row in errors(models, shift, args.scenes)]
    for name in args.ways if args.episodes else []:
        play = ["evaluate", "--suite", "obedience", "--seed", "500000", "--robot",
                "panda_sim_rgbd", "--checkpoint", str(args.out / name), "--episodes",
                str(args.episodes), "--cells", args.cells,
                "--json", str(args.out / f"{name}.json")]  # fmt: skip
        assert vlm_robot(play) == 0
        results = obeyed(args.out / name, args.episodes)
        (args.out / f"{name}.moved.json").write_text(json.dumps(results))
    told = table(rows, models, args.out)
    (args.out / "table.md").write_text(told + "\n")
    print(told)


if __name__ == "__main__":
    main()
