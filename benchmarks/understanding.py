"""How well a parser understands sentences that it was not trained with, by kind and register.

    python benchmarks/understanding.py FILE.tsv ... [--parser FOLDER] [--show]

A sentence is read correctly if the steps and, of a correction, the effect are the labelled ones,
or if nothing is done where nothing is to be done. It is refused if nothing is done where something
is. All else is wrong.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from vlm_robot_ros.cli.understand import interpret
from vlm_robot_ros.language.interpretation import Interpretation
from vlm_robot_ros.language.notation import format_program
from vlm_robot_ros.language.sentence_file import LabelledSentence, read_sentences
from vlm_robot_ros.policies.sentence_parsing import LearnedSentenceParser, ParsedSentence
from vlm_robot_ros.success_rate import wilson_interval


class _Recorder:
    """A parser that keeps what it said last."""

    def __init__(self, parser: LearnedSentenceParser) -> None:
        self._parser = parser
        self.last: ParsedSentence | None = None

    def parse(self, text: str, after: str = "") -> ParsedSentence:
        self.last = self._parser.parse(text, after)
        return self.last


def judge(said: Interpretation, acts: bool, sentence: LabelledSentence) -> str:
    """Return "correct", "refused" or "wrong".

    Args:
        said: What the parser makes of the sentence.
        acts: Whether the arm would act on it.
        sentence: With the labelled meaning.
    """
    wanted = sentence.meaning
    if wanted.act != "correction" and (not wanted.steps or wanted.is_open):
        return "wrong" if acts else "correct"
    if not acts:
        return "refused"
    return "correct" if (said.effect, said.steps) == (wanted.effect, wanted.steps) else "wrong"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--parser", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--show", action="store_true", help="print what is not correct")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recorder, times = _Recorder(LearnedSentenceParser(args.parser)), []
    print("| file | register | sentences | correct | refused | wrong |\n|---|---|---|---|---|---|")
    for path in args.files:
        counts: dict[str, list[str]] = defaultdict(list)
        for sentence in read_sentences(path):
            begin = time.perf_counter()
            row = interpret(recorder, sentence.text, sentence.after)
            times.append(time.perf_counter() - begin)
            assert recorder.last is not None
            said = recorder.last.meaning
            # A correction without steps, such as "undo", is acted on, too.
            acts = bool(row["steps"]) or (said.act == "correction" and not row["holds"])
            verdict = judge(said, acts, sentence)
            for key in ("all", sentence.register):
                counts[key].append(verdict)
            if args.show and verdict != "correct":
                print(
                    f"{verdict} {recorder.last.confidence:.2f}: {sentence.after} > {sentence.text}"
                )
                print(f"   {_shown(sentence.meaning)}\n   {_shown(said)}")
        for key, verdicts in counts.items():
            print(f"| {path.stem} | {key} | {len(verdicts)} |" + "".join(
                f" {_rate(verdicts.count(each), len(verdicts))} |"
                for each in ("correct", "refused", "wrong")))  # fmt: skip
    median, p99 = np.percentile(times, [50, 99]) * 1e3
    print(f"\n{len(times)} sentences, {args.threads} threads: {median:.1f} ms, p99 {p99:.1f} ms")


def _rate(count: int, of: int) -> str:
    low, high = wilson_interval(count, of)
    return f"{count / of:.1%} ({low:.1%} to {high:.1%})"


def _shown(meaning: Interpretation) -> str:
    return (
        f"{meaning.act} {meaning.effect} {meaning.obstacle} {format_program(list(meaning.steps))}"
    )


if __name__ == "__main__":
    main()
