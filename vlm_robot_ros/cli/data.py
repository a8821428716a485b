"""`vlm-robot data`: look into recorded episodes of any robot."""

import argparse
from pathlib import Path

from vlm_robot_ros.cli.argument_types import int_at_least
from vlm_robot_ros.cli.dataset_options import add_reading_options


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("data", help=(__doc__ or "").split(": ", 1)[1])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    inspect = actions.add_parser("inspect", help="print what is in a dataset, and image it")
    inspect.add_argument(
        "path", type=Path, help="folder of a LeRobotDataset, an RLDS set, or bags"
    )
    inspect.add_argument("--split", default="train", help="of an RLDS set")
    add_reading_options(inspect)
    inspect.add_argument(
        "--episodes", type=int_at_least(1), default=20, help="to read, evenly spread"
    )
    inspect.add_argument("--out", type=Path, default=Path("episodes.png"), help="contact sheet")
    inspect.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it."""
    import numpy as np
    from tqdm import tqdm

    from vlm_robot_ros.cli.dataset_options import open_dataset_with_warnings
    from vlm_robot_ros.data.action_space import (
        describe_mapping,
        infer_action_space,
        read_actions,
        state_space,
    )
    from vlm_robot_ros.data.dataset import DataError
    from vlm_robot_ros.data.joint_units import UnknownUnitError
    from vlm_robot_ros.evaluation.data_report import contact_sheet, describe

    if args.episodes < 1:
        raise DataError(f"--episodes is {args.episodes}; valid: 1 or more")
    data = open_dataset_with_warnings(args.path, args.split)
    if not len(data):
        raise DataError(f"'{args.path}' has no episodes")
    numbers = np.linspace(0, len(data) - 1, min(args.episodes, len(data))).round().astype(int)
    tables = [data.table(int(number)) for number in tqdm(numbers, "reading")]
    said = [data.instruction(int(number)) for number in numbers]
    drawn = [data.episode(int(number)) for number in numbers[:6]]
    try:
        states, actions = zip(*tables, strict=True)
        read = read_actions(data.info, args.arm, actions, states, args.units)
        notes = describe_mapping(data.info, *read)
    except UnknownUnitError as error:
        read = infer_action_space(data.info, args.arm), state_space(data.info, args.arm)
        notes = [*describe_mapping(data.info, *read), f"cannot be fine-tuned on yet: {error}"]
    except DataError as error:
        notes = [f"cannot be fine-tuned on: {error}", *(f"- {note}" for note in data.info.notes)]
    print(describe(data, tables, said, drawn[0].images, notes))
    if not data.info.cameras:
        print("\nno cameras, no image")
        return 0
    contact_sheet(drawn).save(args.out)
    print(f"\nimage {args.out}")
    return 0
