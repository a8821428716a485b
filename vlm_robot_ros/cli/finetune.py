"""`vlm-robot finetune`: fit a pretrained encoder to demonstrations of your robot."""

import argparse
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least
from vlm_robot_ros.cli.dataset_options import add_reading_options


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("finetune", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("data", type=Path, help="a LeRobotDataset's folder, an RLDS set's, bags'")
    parser.add_argument("--out", type=Path, default=Path("runs/finetune"), help="checkpoint")
    parser.add_argument(
        "--encoder",
        default="open_clip:ViT-B-32/laion2b_s34b_b79k",
        help="see docs/how-to/pretrained_encoders.md",
    )
    parser.add_argument("--fusion", default="cross", help="early, late or cross")
    parser.add_argument("--tune", default="frozen", help="of the encoder: frozen, lora or full")
    parser.add_argument(
        "--rank", type=int_at_least(1), default=8, help="of the encoder's adapters"
    )
    parser.add_argument("--steps", type=int_at_least(0), default=5000)
    parser.add_argument("--batch", type=int_at_least(1), default=32, help="moments a step")
    parser.add_argument("--rate", type=float, default=5e-4, help="of learning")
    parser.add_argument("--horizon", type=int_at_least(1), default=8, help="actions in a chunk")
    parser.add_argument("--cameras", nargs="+", default=[], help="all if none is named")
    parser.add_argument("--split", default="train", help="of an RLDS set")
    add_reading_options(parser)
    parser.add_argument("--fps", type=float, default=0.0, help="where the data does not say")
    parser.add_argument("--held-out", type=float, default=0.1, help="part of the episodes")
    parser.add_argument(
        "--correction-weight", type=float, default=1.0,
        help="how often episodes of bags count that succeeded soon after a failure",
    )  # fmt: skip
    parser.add_argument(
        "--intervention-weight", type=float, default=1.0,
        help="how often moments count in which a person moved the arm by ~/takeover",
    )  # fmt: skip
    parser.add_argument("--seed", type=int_at_least(0), default=0)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it; an interrupted run in `--out` goes on where it was."""
    from vlm_robot_ros.cli.dataset_options import open_dataset_with_warnings
    from vlm_robot_ros.training.train_finetuned import FinetuneConfig, finetune

    config = FinetuneConfig(
        encoder=args.encoder,
        fusion=args.fusion,
        tune=args.tune,
        rank=args.rank,
        steps=args.steps,
        batch=args.batch,
        rate=args.rate,
        horizon=args.horizon,
        fps=args.fps,
        arm=args.arm,
        units=args.units,
        cameras=tuple(args.cameras),
        held_out=args.held_out,
        correction_weight=args.correction_weight,
        intervention_weight=args.intervention_weight,
        seed=args.seed,
    )
    finetune(open_dataset_with_warnings(args.data, args.split), args.out, config)
    print(f"checkpoint in {args.out}")
    return 0
