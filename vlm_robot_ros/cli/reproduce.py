"""`vlm-robot reproduce`: make the shipped policy from nothing: data, training, DAgger; resumes."""

import argparse
import time
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least

_VARIANTS = ("slots", "early", "late", "cross", "pooled")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("reproduce", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--out", type=Path, default=Path("runs/recipe"), help="folder for it all")
    parser.add_argument("--workers", type=int_at_least(1), default=2, help="processes that record")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="part of all amounts; less to try"
    )
    parser.add_argument(
        "--variants", action="store_true",
        help="then fit the other fusions to the same data in as many steps, and compare them",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; what `--out` holds is not done again."""
    from vlm_robot_ros.cli.main import main

    steps = _policy(args.out, args.scale, args.workers)
    if args.variants:
        steps += _variants(args.out, args.scale, args.workers)
    args.out.mkdir(parents=True, exist_ok=True)
    for step in steps:
        line = f"vlm-robot {' '.join(step)}"
        print(f"\n{line}", flush=True)
        begun = time.monotonic()
        status = main(step)
        with (args.out / "minutes.log").open("a") as log:
            log.write(f"{(time.monotonic() - begun) / 60:.1f} {line}\n")
        if status:
            return status
    return 0


def _policy(out: Path, scale: float, workers: int) -> list[list[str]]:
    demos, rollouts, first = (str(out / name) for name in ("demos", "rollouts", "first"))
    record = ["--workers", str(workers), "--episodes"]
    return [
        ["collect", "--out", demos, *record, _scaled(1000, scale)],
        ["train", "--data", demos, "--out", first, "--text-steps", _scaled(6000, scale),
         "--action-steps", _scaled(10000, scale), "--image-steps", _scaled(3000, scale)],
        ["collect", "--out", rollouts, *record, _scaled(500, scale), "--seed", "2000000",
         "--checkpoint", first],
        ["train", "--data", demos, rollouts, "--out", str(out / "policy"), "--words", first,
         "--images", first, "--image-steps", _scaled(4000, scale)],
    ]  # fmt: skip


def _variants(out: Path, scale: float, workers: int) -> list[list[str]]:
    """Return what fits and measures each fusion, with the words and actions of the first one."""
    measure = ["evaluate", "--suite", "obedience", "--seed", "500000", "--workers", str(workers),
               "--episodes", _scaled(56, scale), "--checkpoint"]  # fmt: skip
    steps, reports = [], []
    for kind in _VARIANTS:
        folder, report = str(out / kind), str(out / f"measured-{kind}.json")
        steps += [
            ["train", "--data", str(out / "demos"), "--out", folder, "--fusion", kind,
             "--words", str(out / "first"), "--image-steps", _scaled(1500, scale)],
            [*measure, folder, "--json", report, "--out", str(out / f"measured-{kind}")],
        ]  # fmt: skip
        reports.append(f"{kind}={report}")
    blind = str(out / "measured-blind.json")
    steps.append([*measure, str(out / "slots"), "--policy", "blind", "--json", blind,
                  "--out", str(out / "measured-blind")])  # fmt: skip
    reports.append(f"blind={blind}")
    return [*steps, ["compare", *reports, "--out", str(out / "variants.md")]]


def _scaled(number: int, scale: float) -> str:
    return str(max(1, round(number * scale)))
