"""`vlm-robot compare`: print the reports of some evaluations side by side."""

import argparse
import json
from pathlib import Path


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("compare", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument(
        "reports", nargs="+", metavar="NAME=FILE", help="what to call it, and its report.json"
    )
    parser.add_argument("--out", type=Path, help="file to write the table to, too")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a table of cells by policies."""
    from vlm_robot_ros.evaluation.suite_report import side_by_side
    from vlm_robot_ros.file_limits import read_json
    from vlm_robot_ros.paths import user_path

    tables = {}
    for item in args.reports:
        name, sign, path = item.partition("=")
        if not sign:
            raise ValueError(f"'{item}' is not NAME=FILE, as in early=runs/early/report.json")
        if name in tables:
            raise ValueError(f"two reports are called '{name}'; give each a name of its own")
        try:
            tables[name] = read_json(user_path(path))["cells"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"'{path}' is no report of `vlm-robot evaluate`: {error}") from error
    text = side_by_side(tables)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")
    return 0
