"""The loop, closed: demo, bag, report, lessons, a new checkpoint, and the same again.

    python benchmarks/closed_loop.py [--out runs/loop] [--each 2] [--seed 1]

A person calls red things "ruby" and plates "platter": ten words that the policy does not know.
Each sentence is said so, and then in known words; nodes, physics and recorder are those of the
demo. `vlm-robot learn-words` reads the bag: what failed first and was then done is a lesson. All
are said again to the policy before and after, and others with the same words, in scenes of no
lesson.
"""

import argparse
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vlm_robot_ros.cli.main import main as command
from vlm_robot_ros.cli.node_processes import (
    parameter_override,
    prepare_domain,
    start_node,
    stop_nodes,
    write_bag_report,
)
from vlm_robot_ros.demo.demo_node import demo_node_context
from vlm_robot_ros.demo.runner import DemoRunner
from vlm_robot_ros.demo.script import DemoCommand, sample_item
from vlm_robot_ros.demo.sim_client import SimulationClient
from vlm_robot_ros.models.tokenizer import split
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.success_rate import wilson_interval
from vlm_robot_ros.tasks.tasks import FAMILIES

WORDS = {
    "ruby": "red", "mint": "green", "magenta": "pink", "cuboid": "cube", "pipe": "cylinder",
    "sourdough": "bread", "platter": "plate", "hopper": "bin", "snatch": "grab", "scoot": "push",
}  # fmt: skip
"""A person's words, and what they mean by them. Neither training nor the suite has them."""


def main() -> None:
    """Go round once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/loop"), help="new folder")
    parser.add_argument("--each", type=int, default=2, help="lessons a word, and fresh sentences")
    parser.add_argument("--seed", type=int, default=1, help="of scenes and sentences")
    args = parser.parse_args()
    if args.out.exists():
        raise SystemExit(f"'{args.out}' is there already; give another --out")
    prepare_domain()
    drawn = list(_draw(args.seed, 2 * args.each))
    pairs, fresh = [p for p, old in drawn if old], [p[0] for p, old in drawn if not old]
    failing, again = [said for said, _ in pairs], args.out / "taught"
    said = [item for pair in pairs for item in pair]
    done = _perform(said, args.out / "lessons")
    before = done[::2], _perform(fresh, args.out / "fresh-before")
    write_bag_report(args.out / "lessons")
    if status := command(["learn-words", str(args.out / "lessons" / "bag"), "--out", str(again)]):
        raise SystemExit(status)
    after = (
        _perform(failing, args.out / "after", again),
        _perform(fresh, args.out / "fresh-after", again),
    )
    print("\n| sentences with new words | before | after |\n| --- | --- | --- |")
    for name, *results in zip(("of the lessons", "others"), before, after, strict=True):
        print(f"| {name} | {' | '.join(map(_rate, results))} |")
    print(f"\nthe lessons in other words: {_rate(done[1::2])}; report in {args.out / 'lessons'}")


def _draw(seed: int, each: int) -> Iterator[tuple[tuple[DemoCommand, DemoCommand], bool]]:
    """Draw commands with each new word, and beside them the same in known words.

    Half of them, the first of each word, are for lessons.
    """
    rng = np.random.default_rng([seed, 30])
    for new, known in WORDS.items():
        count = 0
        while count < each:
            item = sample_item(rng, str(rng.choice([f for f in FAMILIES if f != "arm"])))
            words = split(item.instruction)
            if words.count(known) == 1:
                text = " ".join(new if word == known else word for word in words)
                yield (replace(item, instruction=text), item), count < each // 2
                count += 1


def _perform(
    items: Sequence[DemoCommand], out: Path, checkpoint: Path | None = None
) -> list[bool]:
    """Give commands to the demo's nodes; returns which were obeyed. Leaves a bag in `out`."""
    out.mkdir(parents=True)
    policy = {"checkpoint": checkpoint.resolve()} if checkpoint else {}
    settings = {
        "arm_sim": {"seed": 1},
        "policy": {"use_sim_time": True, **policy},
        "recorder": {"use_sim_time": True, "bag": (out / "bag").resolve(), "robot": "panda_sim"},
    }
    processes: dict[str, subprocess.Popen] = {}
    results = []
    with (
        (out / "nodes.log").open("w") as log,
        demo_node_context(["--ros-args", *parameter_override({})]) as node,
    ):
        try:
            for name, given in settings.items():
                processes[name] = start_node(name, given, log)
            stage = SimulationClient(node, load_robot("panda_sim"), lambda: "")
            stage.bring_up()
            for item in (bar := tqdm(items, out.name)):
                bar.set_postfix_str(f"'{item.instruction}'")
                results.append(DemoRunner(stage).run_command(item).success)
        finally:
            stop_nodes(processes)
    return results


def _rate(results: Sequence[bool]) -> str:
    low, high = wilson_interval(sum(results), len(results))
    return f"{sum(results)} of {len(results)} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
