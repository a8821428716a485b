"""Entry point of the `vlm-robot` command."""

import argparse
import importlib
import os
import sys

from vlm_robot_ros.printable import printable_output

_SHOW = "VLM_ROBOT_TRACEBACK"
_COMMANDS = (
    "demo",
    "ground",
    "score",
    "collect",
    "train",
    "recipe",
    "evaluate",
    "compare",
    "contract",
    "data",
    "finetune",
    "merge",
    "teach",
    "look",
    "console",
    "record",
    "view",
    "bag",
)


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run one subcommand; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="vlm-robot", description="An arm that does what a person says."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in _COMMANDS:
        importlib.import_module(f"vlm_robot_ros.cli.{name}").add_parser(commands)
    mask = os.umask(0o077)
    os.umask(mask)
    try:
        with printable_output():
            return _run(parser.parse_args(argv))
    finally:
        os.umask(mask)  # commands narrow it; who calls this function may be no command


def _run(args: argparse.Namespace) -> int:
    try:
        return int(args.run(args))
    except (ValueError, OSError) as error:
        print(f"vlm-robot: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("vlm-robot: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # nobody foresaw it; who is no programmer needs no traceback
        if os.environ.get(_SHOW):
            raise
        print(f"vlm-robot: unexpected {error!r}; {_SHOW}=1 shows where", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
