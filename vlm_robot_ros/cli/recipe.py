"""`vlm-robot recipe`: make the shipped policy from nothing: data, training, DAgger; resumes."""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("recipe", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("--out", type=Path, default=Path("runs/recipe"), help="folder for it all")
    parser.add_argument("--workers", type=int, default=2, help="processes that record")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="part of all amounts; less to try"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; what `--out` holds is not done again."""
    from vlm_robot_ros.cli.main import main

    def amount(number: int) -> str:
        return str(max(1, round(number * args.scale)))

    demos, rollouts, first, last = (
        str(args.out / name) for name in ("demos", "rollouts", "first", "policy")
    )
    workers = ["--workers", str(args.workers)]
    steps = [
        ["collect", "--out", demos, "--episodes", amount(1000), *workers],
        ["train", "--data", demos, "--out", first, "--text-steps", amount(4500),
         "--action-steps", amount(10000), "--image-steps", amount(3000)],
        ["collect", "--out", rollouts, "--episodes", amount(500), "--seed", "2000000",
         "--checkpoint", first, *workers],
        ["train", "--data", demos, rollouts, "--out", last, "--start", first,
         "--text-steps", "0", "--action-steps", "0", "--image-steps", amount(4000)],
    ]  # fmt: skip
    for step in steps:
        print(f"\nvlm-robot {' '.join(step)}", flush=True)
        status = main(step)
        if status:
            return status
    return 0
