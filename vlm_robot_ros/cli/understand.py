"""`vlm-robot understand`: tell what sentences mean to the arm."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlm_robot_ros.file_limits import read_bytes

if TYPE_CHECKING:
    from vlm_robot_ros.policies.sentence_parsing import SentenceParser


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = commands.add_parser("understand", help=(__doc__ or "").split(": ", 1)[1])
    parser.add_argument("text", nargs="?", help='as in "put the lemon in the bowl"')
    parser.add_argument("--after", default="", help="the sentence that TEXT corrects")
    parser.add_argument(
        "--file", type=Path,
        help="one sentence per line; a tab stands between a sentence and its correction",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.add_argument(
        "--parser",
        default="",
        help="folder that `vlm-robot train-parser` wrote; the shipped one if not given",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what each sentence means."""
    from vlm_robot_ros.policies.sentence_parsing import OWN_WORDS, load_sentence_parser

    if (args.text is None) == (args.file is None):
        raise ValueError("give a sentence or --file, and not both")
    if args.file and args.after:
        raise ValueError("--after does not go with --file; a line may be SENTENCE<TAB>CORRECTION")
    parser = load_sentence_parser(args.parser)
    if parser is None:
        raise ValueError(f"--parser {OWN_WORDS!r}; valid: a folder, or nothing")
    for text, after in _sentences(args):
        row = interpret(parser, text, after)
        print(json.dumps(row) if args.json else _shown(row), flush=True)
    return 0


def _sentences(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    if args.file is None:
        yield args.text, args.after
        return
    for line in read_bytes(args.file).decode("utf-8", "replace").splitlines():
        first, _, correction = line.partition("\t")
        if correction.strip():
            yield correction.strip(), first.strip()
        elif first.strip():
            yield first.strip(), ""


def interpret(parser: "SentenceParser", text: str, after: str = "") -> dict[str, Any]:
    """Return what a sentence means, as JSON types.

    Args:
        parser: Reads it.
        text: The sentence.
        after: The sentence before it, which it may correct.
    """
    from vlm_robot_ros.language.interpretation import Interpretation
    from vlm_robot_ros.language.replies import describe_step, what_to_ask, why_hold
    from vlm_robot_ros.runtime.instructions import is_stop

    meaning, confidence, _ = parser.parse(text, after)
    if is_stop(text):
        meaning, confidence = Interpretation("stop"), 1.0
    holds = why_hold(meaning, text, confidence)
    asks = "" if holds else what_to_ask(meaning)
    acts = not holds and not asks
    row: dict[str, Any] = {"text": text}
    if after:
        row["after"] = after
    row["act"] = "unclear" if meaning.act == "command" and asks else meaning.act
    if meaning.effect:
        row["effect"] = meaning.effect
    row["steps"] = [_step(step) for step in meaning.steps] if acts else []
    row |= {"holds": holds, "asks": asks, "confidence": round(confidence, 4)}
    row["says"] = "; then ".join(map(describe_step, meaning.steps)) if acts else ""
    return row


def _step(step: Any) -> dict[str, Any]:
    from vlm_robot_ros.language.notation import ARGUMENTS

    things = [step.target, step.reference][: ARGUMENTS[step.skill]]
    named = [_object(thing) for thing in things] + [None, None]
    row = {"skill": step.skill, "target": named[0], "reference": named[1]}
    return row | ({"amount": step.amount} if step.amount else {})


def _object(thing: Any) -> dict[str, Any]:
    row = {"colour": thing.colour, "noun": thing.noun}
    if thing.selector:
        row["selector"] = thing.selector
    if thing.landmark:
        row |= {"relation": thing.relation, "landmark": _object(thing.landmark)}
    if thing.excluded:
        row["excluded"] = _object(thing.excluded)
    return row


def _shown(row: dict[str, Any]) -> str:
    effect = f" ({row['effect']})" if row.get("effect") else ""
    told = row["says"] or (
        f"holds: {row['holds']}" if row["holds"] else row["asks"] or "nothing more"
    )
    return f"{row['text']}\n  {row['act']}{effect}, confidence {row['confidence']:.2f}: {told}"
