"""What distances, the past and a close-up are worth to the grounded policy.

    vlm-robot collect --robot panda_sim_rgbd --out runs/rgbd --episodes 600
    python benchmarks/adaptation.py --data runs/rgbd

Fits models that differ in one thing, with the same data, steps and seed, then asks them about
scenes that none of them saw: how far are the points from where things are, and does the arm obey?
Also with the camera moved to where it never was while the contract says so: who reads distances
knows it, who does not cannot. What is there already is not done again.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from vlm_robot_ros.cli.main import main as vlm_robot
from vlm_robot_ros.contract.kinematics import to_vector, transform
from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.models.robot_model import VisionLanguageRobotModel
from vlm_robot_ros.models.text import Slots
from vlm_robot_ros.models.words import Tokenizer
from vlm_robot_ros.policy.base import Observation
from vlm_robot_ros.policy.gaze import Gaze
from vlm_robot_ros.sim.scene import Scene, sample_scene
from vlm_robot_ros.sim.simulator import Simulator

WAYS: dict[str, list[str]] = {
    "one picture": [],
    "depth": ["--depth", "front_depth"],
    "history": ["--history", "2"],
    "close-up": ["--close-up"],
    "all": ["--depth", "front_depth", "--history", "2", "--close-up"],
}
FEW = 8
"""Tokens of a thing below which it counts as mostly hidden."""
FOUND = 0.5
"""As of the policy: agreement above which a thing is there."""


def moved(robot: Robot, shift: np.ndarray) -> Robot:
    """Return a contract whose depth camera was moved [m]: it says so, as after a calibration."""
    cameras = tuple(
        replace(c, pose=(*np.add(c.pose[:3], shift), *c.pose[3:])) if c.depth else c
        for c in robot.cameras
    )
    return replace(robot, cameras=cameras)


def scenes(shift: float, count: int) -> Iterator[tuple[Simulator, Scene, np.random.Generator]]:
    """Lay scenes by seed, seen from beside where the camera stands; the arm goes where it likes."""
    robot = load_robot("panda_sim_rgbd")
    for seed in tqdm(range(4_000_000, 4_000_000 + count), f"scenes, camera {shift:.2f} m off"):
        rng = np.random.default_rng(seed)
        scene, way = sample_scene(rng), rng.normal(size=3)
        off = shift * way / np.linalg.norm(way)
        look = replace(scene.look, camera_shift=tuple(np.add(scene.look.camera_shift, off)))
        sim = Simulator(moved(robot, off))
        sim.reset(replace(scene, look=look))
        yield sim, scene, rng
        sim.close()


def asked(model: VisionLanguageRobotModel, colour: str, shape: str) -> Slots:
    """Return slots that ask for one thing, as if words had been read without a doubt."""
    config = model.config
    slots = model.text(torch.tensor([Tokenizer(config.vocabulary)("pick it up")]))
    sure = {
        "colour": 30.0 * torch.eye(len(config.colours))[config.colours.index(colour or "any")],
        "noun": 30.0 * torch.eye(len(config.nouns))[config.nouns.index(shape)],
    }
    return slots._replace(**{name: value.expand(1, 2, -1) for name, value in sure.items()})


@torch.inference_mode()
def errors(models: dict[str, VisionLanguageRobotModel], shift: float, count: int) -> list[dict]:
    """Return of each model and visible thing how far it is seen from where it is [m]."""
    gazes = {name: Gaze(model.config, "cpu") for name, model in models.items()}
    found = []
    for sim, scene, rng in scenes(shift, count):
        for gaze in gazes.values():
            gaze.reset()
        for step in range(12):
            # Some way to a random place above the table, as an arm at work.
            if step % 4 == 0:
                box = sim.robot.workspace
                place = rng.uniform(np.add(box.min, [0.05, 0.1, 0.02]), np.subtract(box.max, 0.1))
                goal = np.eye(4)
                goal[:3, :3] = Rotation.from_euler("x", np.pi).as_matrix()
                goal[:3, 3] = place
                sim.command_pose(goal)
            for _ in range(10):
                sim.step()
            shown = sim.render_things()
            pose = to_vector(sim.kinematics.forward(sim.joint_positions))
            images = {name: sim.view(name) for name in ("front", "front_depth")}
            seen = Observation(images, pose, sim.opening, "", time=sim.time)
            for name, model in models.items():
                picture, beside = gazes[name].look(seen)
                if step % 4 != 3:
                    continue
                for number, thing in enumerate(scene.things):
                    tokens = int((shown == number + 1).sum() / 16)
                    if not tokens:
                        continue
                    slots = asked(model, thing.colour, thing.shape)
                    tool = torch.tensor(pose[None, :3], dtype=torch.float32)
                    opening = torch.tensor([sim.opening], dtype=torch.float32)
                    given = model.see(picture, tool, opening, slots, beside)
                    off = float(np.linalg.norm(given.point[0, 0].numpy() - sim.positions[number]))
                    found.append({"model": name, "shift": shift, "hidden": tokens < FEW, "off": off,
                                  "found": float(given.present[0, 0]) > FOUND})  # fmt: skip
    return found


def rate(model: VisionLanguageRobotModel) -> float:
    """Return the median time of a look [ms]."""
    config, robot = model.config, load_robot("panda_sim_rgbd")
    images = {"front": np.zeros((512, 512, 3), np.uint8),
              "front_depth": np.zeros((256, 256, 3), np.float32)}  # fmt: skip
    slots, gaze, times = asked(model, "red", "cube"), Gaze(config, "cpu"), []
    pose = to_vector(transform((0.0,) * 6))
    assert robot.cameras[0].width == 512
    with torch.inference_mode():
        for step in range(60):
            begun = time.perf_counter()
            seen = Observation(images, pose, 1.0, "", time=0.1 * step)
            picture, beside = gaze.look(seen)
            model.see(picture, torch.zeros(1, 3), torch.ones(1), slots, beside)
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
    parser.add_argument("--words", type=Path, default=Path("checkpoints/panda_sim"))
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
    rows = [row for shift in (0.0, 0.1) for row in errors(models, shift, args.scenes)]
    for name in args.ways if args.episodes else []:
        play = ["evaluate", "--suite", "obedience", "--robot", "panda_sim_rgbd", "--seed", "500000",
                "--checkpoint", str(args.out / name), "--episodes", str(args.episodes),
                "--cells", args.cells, "--json", str(args.out / f"{name}.json")]  # fmt: skip
        assert vlm_robot(play) == 0
    told = table(rows, models, args.out)
    (args.out / "table.md").write_text(told + "\n")
    print(told)


if __name__ == "__main__":
    main()
