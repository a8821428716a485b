"""Entry point of the `vlm-robot` command."""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Any

from vlm_robot_ros.cli.terminal_output import (
    close_progress_bars,
    print_error,
    route_warnings,
)
from vlm_robot_ros.paths import user_path
from vlm_robot_ros.safe_import import exclude_working_directory
from vlm_robot_ros.terminal_text import escape_output

_SHOW = "VLM_ROBOT_TRACEBACK"
_COMMANDS = (
    "demo",
    "console",
    "visualize",
    "localize",
    "classify",
    "understand",
    "evaluate",
    "compare",
    "contract",
    "record",
    "bag",
    "rerun",
    "data",
    "finetune",
    "merge",
    "learn-words",
    "policy",
    "serve",
    "collect",
    "train",
    "train-parser",
    "reproduce",
)
_DEPRECATED = {
    "ground": "visualize",
    "look": "localize",
    "score": "classify",
    "view": "rerun",
    "teach": "learn-words",
    "recipe": "reproduce",
}
"""Old names of commands; they work with a warning until version 0.3."""


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run one subcommand; returns the exit status."""
    exclude_working_directory()
    route_warnings()
    parser = argparse.ArgumentParser(
        prog="vlm-robot", description="An arm that does what a person says."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in _COMMANDS:
        module = f"vlm_robot_ros.cli.{name.replace('-', '_')}"
        importlib.import_module(module).add_parser(commands)
    mask = os.umask(0o077)
    os.umask(mask)
    try:
        with escape_output():
            return _run(parser.parse_args(_current_names(argv)))
    finally:
        os.umask(mask)  # commands narrow it; who calls this function may be no command


def _current_names(argv: list[str] | None) -> list[str]:
    """Return a command line with the current name of its command; an old one is warned of."""
    given = sys.argv[1:] if argv is None else argv
    if given and (name := _DEPRECATED.get(given[0])):
        print_error(f"vlm-robot: '{given[0]}' is now called '{name}'; the old name ends with 0.3")
        return [name, *given[1:]]
    return given


def _run(args: argparse.Namespace) -> int:
    try:
        for name, value in vars(args).items():
            setattr(args, name, _expand_aliases(value))
        return int(args.run(args))
    except (ValueError, OSError) as error:
        print_error(f"vlm-robot: {error}")
        return 2
    except KeyboardInterrupt:
        print_error("vlm-robot: interrupted")
        return 130
    except Exception as error:  # nobody foresaw it; who is no programmer needs no traceback
        if os.environ.get(_SHOW):
            close_progress_bars()
            raise
        print_error(f"vlm-robot: unexpected {error!r}; {_SHOW}=1 shows where")
        return 3


def _expand_aliases(value: Any) -> Any:
    """Return an option's value with `~` expanded, where it is a path or a list of paths."""
    if isinstance(value, list):
        return [_expand_aliases(each) for each in value]
    return user_path(value) if isinstance(value, Path) else value


if __name__ == "__main__":
    sys.exit(main())
