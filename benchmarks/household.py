"""Household objects, picked up and put down by name without having learned them; resumable.

    python benchmarks/household.py --libero-python ~/libero/bin/python

What a sentence names is found by the simulator's own segmentation, which stands for a perfect
detector; all else comes from the distances that the depth camera measures. The action head is that
of checkpoint `libero`, which learned from random states and knows no objects; the checkpoint's
detector, which has learned some of them, is not used.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vlm_robot_ros.evaluation.libero.depth_noise import stereo_noise
from vlm_robot_ros.evaluation.libero.household import SKILLS, household_task
from vlm_robot_ros.evaluation.libero.household_episode import (
    HouseholdOutcome,
    SegmentDetector,
    moved_camera,
    run_household_episode,
)
from vlm_robot_ros.models.checkpoint import load_model
from vlm_robot_ros.models.transfer.model import TransferModel
from vlm_robot_ros.paths import checkpoint_folder
from vlm_robot_ros.policies.sentence_parsing import load_sentence_parser
from vlm_robot_ros.policies.transfer.open_scene import OpenScene
from vlm_robot_ros.policies.transfer.policy import TransferPolicy
from vlm_robot_ros.process_pool import map_in_processes
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.sim.libero.environment import LiberoEnvironment
from vlm_robot_ros.success_rate import wilson_interval

CONDITIONS = ("exact", "noise", "moved")
"""Distances as they are; as a stereo camera has them; and with the camera moved by 5 cm and 5
degrees, with its new place in the contract."""
ROBOT = "libero_rgbd"
_environment: LiberoEnvironment | None = None


def main() -> int:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/household"))
    parser.add_argument("--libero-python", default="")
    parser.add_argument("--episodes", type=int, default=300, help="of each skill")
    parser.add_argument("--skills", default=",".join(SKILLS))
    parser.add_argument("--conditions", default="exact", help=", ".join(CONDITIONS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    unknown = [*(set(args.conditions.split(",")) - {*CONDITIONS}),
               *(set(args.skills.split(",")) - {*SKILLS})]  # fmt: skip
    if unknown:
        parser.error(f"{unknown[0]!r}; valid: conditions {', '.join(CONDITIONS)}; skills "
                     f"{', '.join(SKILLS)}")  # fmt: skip
    file = args.out / f"episodes-seed-{args.seed}.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    done = {(each["condition"], each["skill"], each["number"]): each
            for each in map(json.loads, lines)}  # fmt: skip
    wanted = [
        (condition, skill, number, args.seed)
        for condition in args.conditions.split(",")
        for number in range(args.episodes) for skill in args.skills.split(",")
    ]  # fmt: skip
    missing = [item for item in wanted if item[:3] not in done]
    results = map_in_processes(_run, missing, args.workers, _begin, (args.libero_python,))
    with file.open("a") as out:
        for item, outcome in tqdm(results, "episodes", len(missing)):
            row = {"condition": item[0], **dataclasses.asdict(outcome)}
            done[item] = row
            out.write(json.dumps(row) + "\n")
            out.flush()
    print("| condition | skill | success | 95 % interval |\n|---|---|---|---|")
    for condition in args.conditions.split(","):
        for skill in args.skills.split(","):
            rows = [row for key, row in done.items() if key[:2] == (condition, skill)]
            good = sum(row["success"] for row in rows)
            low, high = wilson_interval(good, len(rows))
            print(f"| {condition} | {skill} | {good} of {len(rows)} | {low:.1%} to {high:.1%} |")
    return 0


def _begin(python: str) -> None:
    global _environment
    _environment = LiberoEnvironment(python)


def _run(
    condition: str, skill: str, number: int, seed: int
) -> tuple[tuple[str, str, int], HouseholdOutcome]:
    assert _environment is not None
    rng = np.random.default_rng([seed, number, 9])
    task, robot = household_task(skill, number, seed), load_robot(ROBOT)
    if condition == "moved":
        robot = moved_camera(robot, rng)
    model = load_model(checkpoint_folder("libero"))
    assert isinstance(model, TransferModel)
    sentences = load_sentence_parser()
    assert sentences is not None
    scene = OpenScene(SegmentDetector(_environment, task.categories), robot, sentences)
    policy = TransferPolicy(model.head, scene, robot, "cpu")

    def disturb(distances: np.ndarray) -> np.ndarray:
        return stereo_noise(distances, rng) if condition == "noise" else distances

    outcome = run_household_episode(_environment, policy, robot, task, number, disturb)
    return (condition, skill, number), outcome


if __name__ == "__main__":
    sys.exit(main())
