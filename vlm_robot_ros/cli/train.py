"""`vlm-robot train`: fit the fusion model to recorded episodes."""

import argparse
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("train", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument(
        "--data", type=Path, nargs="+", default=[Path("data/demos")], help="episodes"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/train"), help="checkpoint folder")
    parser.add_argument("--words", type=Path, help="checkpoint to take words and actions from")
    parser.add_argument("--images", type=Path, help="checkpoint to begin with for the images")
    parser.add_argument("--fusion", default="slots", help="slots, early, late, cross or pooled")
    parser.add_argument("--encoder", default="", help="pretrained, to see instead of the compact")
    parser.add_argument("--tune", default="frozen", help="of the encoder: frozen, lora or full")
    parser.add_argument(
        "--rank", type=int_at_least(1), default=8, help="of the encoder's adapters"
    )
    parser.add_argument("--depth", default="", help="depth camera whose distances are used")
    parser.add_argument("--history", type=int, default=0, help="images of before to look at")
    parser.add_argument(
        "--close-up", action="store_true", help="look again, in the camera's own resolution"
    )
    parser.add_argument("--text-steps", type=int_at_least(0), default=4000, help="for the words")
    parser.add_argument(
        "--action-steps", type=int_at_least(0), default=12000, help="for the action head"
    )
    parser.add_argument("--image-steps", type=int_at_least(0), default=5000, help="for the images")
    parser.add_argument("--batch", type=int_at_least(1), default=48, help="images a step")
    parser.add_argument("--seed", type=int_at_least(0), default=0)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; an interrupted run in `--out` goes on where it was."""
    from vlm_robot_ros.training.train_grounded import TrainConfig, train

    config = TrainConfig(
        fusion=args.fusion,
        encoder=args.encoder,
        tune=args.tune,
        rank=args.rank,
        depth=args.depth,
        history=args.history,
        close_up=args.close_up,
        text_steps=args.text_steps,
        action_steps=args.action_steps,
        image_steps=args.image_steps,
        image_batch=args.batch,
        seed=args.seed,
    )
    print(f"checkpoint in {train(args.data, args.out, config, args.words, args.images)}")
    return 0
