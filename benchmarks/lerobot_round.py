"""A round with LeRobot: record a task, train ACT with LeRobot's trainer, let it drive the arm.

    python benchmarks/lerobot_round.py --lerobot-python ~/lerobot/bin/python [--device cuda]

Each stage is kept in `--out` and not done again. The simulated arm does "push the red cube to the
left" in scenes whose cube stands in a small region, and the bag becomes a LeRobotDataset. What
LeRobot's trainer makes of it acts in new scenes, the same for both: by `select_action` in the bare
simulator, one action an image and no time for thought; and as policy:=lerobot:... of the policy
node over DDS, in real time.
"""

import argparse
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vlm_robot_ros.bags.bag_dataset import BagOptions
from vlm_robot_ros.bags.dataset_map import MAP_FILE
from vlm_robot_ros.bags.to_lerobot import convert_to_lerobot
from vlm_robot_ros.cli.node_processes import (
    exited_nodes,
    parameter_override,
    prepare_domain,
    start_node,
    stop_nodes,
)
from vlm_robot_ros.demo.demo_node import demo_node_context
from vlm_robot_ros.demo.node_list import demo_nodes
from vlm_robot_ros.demo.runner import DemoRunner
from vlm_robot_ros.demo.script import DemoCommand, sample_seeded_scene
from vlm_robot_ros.demo.sim_client import SimulationClient
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.kinematics.kinematics import transform_to_pose7
from vlm_robot_ros.policies.lerobot.policy_process import PYTHON_VARIABLE, LerobotProcess
from vlm_robot_ros.policies.remote.action_mapping import find_actions, map_actions
from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator
from vlm_robot_ros.success_rate import wilson_interval
from vlm_robot_ros.tasks.skill import Task
from vlm_robot_ros.tasks.tasks import FAMILY, is_done, is_feasible

ROBOT, SKILL, COLOUR, SHAPE = "panda_sim", "push left", "red", "cube"
INSTRUCTION = "push the red cube to the left"
REGION = np.array([[0.42, -0.06], [0.54, 0.06]])
"""Where the cube stands, x and y in the base frame: two corners [m]."""
RECORD_SEED, TEST_SEED = 20_000_000, 30_000_000
TIME_LIMIT_S, LASTS_S = 15.0, 0.8
_SAVE_STEPS = 1000
"""Steps of training from one checkpoint to the next."""


def commands(
    first_seed: int, count: int, skill: str = SKILL, instruction: str = INSTRUCTION
) -> list[DemoCommand]:
    """Return a task in scenes of which none is of training: seeds from `first_seed`."""

    def found() -> Iterator[DemoCommand]:
        seed = first_seed
        while True:
            seed += 1
            scene = sample_seeded_scene(seed)
            pairs = [(thing.colour, thing.shape) for thing in scene.things]
            if pairs.count((COLOUR, SHAPE)) != 1:
                continue
            target = pairs.index((COLOUR, SHAPE))
            place, task = scene.things[target].position[:2], Task(skill, target)
            if (
                (REGION[0] <= place).all()
                and (place <= REGION[1]).all()
                and is_feasible(task, scene)
            ):
                yield DemoCommand(seed, instruction, FAMILY[skill], task)

    scenes = found()
    return [next(scenes) for _ in tqdm(range(count), "scenes")]


def run_nodes(out: Path, programme: list[DemoCommand], **policy: str) -> list[bool]:
    """Give each command to the policy node beside the simulated arm; returns what succeeded."""
    settings = demo_nodes(out, 1, ROBOT)
    settings["policy"].update(policy)
    own = parameter_override({"robot": ROBOT, "out": out})
    processes: dict[str, subprocess.Popen] = {}
    with (out / "nodes.log").open("w") as log, demo_node_context(["--ros-args", *own]) as node:
        try:
            for name, given in settings.items():
                processes[name] = start_node(name, given, log)
            stage = SimulationClient(node, load_robot(ROBOT), partial(exited_nodes, processes))
            stage.bring_up()
            runner = DemoRunner(stage)
            return [runner.run_command(each).success for each in tqdm(programme, out.name)]
        finally:
            stop_nodes(processes)


def run_bare(checkpoint: Path, map_file: Path, programme: list[DemoCommand], args) -> list[bool]:
    """Run LeRobot's own loop in the simulator, without ROS and without this package's control."""
    robot, found = load_robot(ROBOT), load_policy_map(map_file, load_robot(ROBOT))
    client = LerobotProcess(f"lerobot:{checkpoint}", args.lerobot_python, args.device, 60.0)
    sim, results = Simulator(robot), []
    for item in tqdm(programme, "bare"):
        client.reset()
        sim.reset(item.scene)
        start, since = sim.world_state, None
        while sim.time < TIME_LIMIT_S and (since is None or sim.time - since < LASTS_S):
            pose = transform_to_pose7(sim.kinematics.forward(sim.joint_positions))
            images = {each.camera: sim.observe(each.camera) for each in found.cameras}
            seen = Observation(images, pose, sim.opening, item.instruction, sim.joint_positions)
            table = find_actions(found.actions, client.select(map_observation(found, seen)))
            action = map_actions(found.actions, robot, seen, table)
            sim.command(action.mode, action.values[0], action.gripper[0])
            for _ in range(round(1 / (found.actions.rate * CONTROL_PERIOD))):
                sim.step()
            if not is_done(item.task, item.scene, start, sim.world_state):
                since = None
            elif since is None:
                since = sim.time
        results.append(since is not None)
    client.close()
    return results


ACT = {
    "policy.type": "act", "policy.chunk_size": 20, "policy.n_action_steps": 10,
    "policy.dim_model": 256, "policy.dim_feedforward": 1024,
    "policy.pretrained_backbone_weights": "null", "policy.optimizer_lr": 1e-4,
    "policy.optimizer_lr_backbone": 1e-4,
}  # fmt: skip


def train(dataset: Path, out: Path, args: argparse.Namespace, policy: dict[str, Any]) -> None:
    """Run LeRobot's trainer; `policy` has its options of the policy."""
    given = {
        "dataset.repo_id": "vlm_robot_ros/push", "dataset.root": dataset, "output_dir": out,
        "dataset.video_backend": "pyav", "policy.device": args.device, **policy,
        "policy.push_to_hub": "false", "batch_size": args.batch, "steps": args.steps,
        "save_freq": min(args.steps, _SAVE_STEPS), "num_workers": 1, "wandb.enable": "false",
        "seed": 1, "log_freq": 100,
    }  # fmt: skip
    command = [args.lerobot_python, "-m", "lerobot.scripts.lerobot_train"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    options = [f"--{name}={value}" for name, value in given.items()]
    subprocess.run([*command, *options], check=True, env=environment)


def stage(path: Path, make: Callable[[], list[bool]]) -> list[bool]:
    """Return the results in a file; makes them where it is not there."""
    if not path.exists():
        path.write_text(json.dumps(make()))
    results: list[bool] = json.loads(path.read_text())
    return results


def main() -> None:
    """Do what is left of the round, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lerobot-python", required=True, help="interpreter that has LeRobot")
    parser.add_argument("--out", type=Path, default=Path("runs/lerobot_round"))
    parser.add_argument("--episodes", type=int, default=50, help="to record")
    parser.add_argument("--test", type=int, default=50, help="episodes of each way")
    parser.add_argument("--size", type=int, default=96, help="of the images [px]")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--device", default="cpu", help="of LeRobot's torch")
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    os.environ[PYTHON_VARIABLE] = args.lerobot_python
    prepare_domain()
    recorded = stage(
        out / "recorded.json",
        lambda: run_nodes(out / "recording", commands(RECORD_SEED, args.episodes)),
    )
    dataset = out / "dataset"
    if not (dataset / "meta" / "info.json").exists():
        options = BagOptions(cameras=("front",), image_size=(args.size, args.size))
        convert_to_lerobot([out / "recording" / "bag"], dataset, options)
    checkpoint = out / "act" / "checkpoints" / "last" / "pretrained_model"
    if not checkpoint.exists():
        train(dataset, out / "act", args, ACT)
    map_file, tests = dataset / "meta" / MAP_FILE, commands(TEST_SEED, args.test)
    bare = stage(out / "bare.json", lambda: run_bare(checkpoint, map_file, tests, args))
    node = stage(
        out / "node.json",
        lambda: run_nodes(
            out / "node", tests, policy=f"lerobot:{checkpoint}", map=str(map_file),
            device=args.device,
        ),
    )  # fmt: skip
    print(f"{sum(recorded)} of {len(recorded)} recorded episodes are demonstrations\n")
    print("| the same checkpoint | success | 95 % interval |\n|---|---|---|")
    ways = {"LeRobot's select_action in the bare simulator": bare, "policy_node over DDS": node}
    for name, results in ways.items():
        low, high = wilson_interval(sum(results), len(results))
        print(f"| {name} | {sum(results)} of {len(results)} | {low:.0%} to {high:.0%} |")
    both = sum(one and other for one, other in zip(bare, node, strict=True))
    print(f"\nin the same scenes: both {both}, only bare {sum(bare) - both}, only the node "
          f"{sum(node) - both}")  # fmt: skip


if __name__ == "__main__":
    main()
