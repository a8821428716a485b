"""`vlm-robot merge`: add a checkpoint's adapters to the weights that they adapt."""

import argparse
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("merge", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("checkpoint", type=Path, help="folder, with adapters")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it."""
    from vlm_robot_ros.models.checkpoint import (
        CheckpointError,
        ensure_no_checkpoint,
        load_model,
        save_checkpoint,
    )
    from vlm_robot_ros.models.encoders.finetuning import merge_adapters

    ensure_no_checkpoint(args.out)
    model = load_model(args.checkpoint)
    if model.encoder is None or not model.encoder.adapted:
        raise CheckpointError(f"'{args.checkpoint}' has no adapters")
    merge_adapters(model.encoder)
    save_checkpoint(model, args.out, {"merged_from": str(args.checkpoint)})
    print(f"checkpoint in {args.out}")
    return 0
