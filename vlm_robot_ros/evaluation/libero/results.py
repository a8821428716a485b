"""Episodes of LIBERO on disk, and their table."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vlm_robot_ros.success_rate import wilson_interval

PUBLISHED = {
    "_task": "OpenVLA 0 %, pi0.5 0 to 1 %, X-VLA at most 10 % [1]",
    "_lan": "74 to 98 % [1]",
    "para": "76.1 % at best [2]",
}
"""Success of other policies, by the end of a suite's name."""
SOURCES = (
    "[1] leaderboard of LIBERO-PRO (arXiv:2510.03827)",
    "[2] LIBERO-Para (arXiv:2603.28301): computed from the log of Xiaomi-Robotics-0, all tasks",
)


@dataclass(frozen=True)
class LiberoOutcome:
    """An episode and what came of it."""

    suite: str
    task: int
    state: int
    """Number of the initial state."""
    name: str
    instruction: str
    success: bool
    steps: int
    hold: str
    fulfilled: bool
    """Whether the task was fulfilled before anything was done; such episodes do not count."""
    covered: bool = True
    """Whether carrying known things fulfils the task."""
    kind: str = ""
    """Of a paraphrase."""
    skipped: bool = False
    """Whether there was nothing to be run; such episodes do not count."""
    confirmed: bool = False
    """Whether the policy asked if it shall do something, and was told "yes"."""


def read_outcomes(out: Path) -> dict[tuple[str, int, int], LiberoOutcome]:
    """Return the episodes of all shards in a folder; a line that was cut off does not count."""
    found = {}
    for path in sorted(out.glob("episodes-*-of-*.jsonl")):
        for line in path.read_text().splitlines():
            try:
                outcome = LiberoOutcome(**json.loads(line))
            except (json.JSONDecodeError, TypeError):
                continue
            found[outcome.suite, outcome.task, outcome.state] = outcome
    return found


def benchmark_table(outcomes: Iterable[LiberoOutcome]) -> str:
    """Return successes with 95 % intervals (Wilson) as Markdown.

    By suite and by task, or by kind of paraphrase; those of tasks that carrying fulfils, and of
    all.
    """
    rows: dict[tuple[str, str], list[LiberoOutcome]] = {}
    for outcome in outcomes:
        if outcome.skipped:
            continue
        part = outcome.kind or f"{outcome.task}: {outcome.instruction}"
        for key in ((outcome.suite, ""), (outcome.suite, part)):
            rows.setdefault(key, []).append(outcome)
    told = "after a yes: the policy asked whether it shall do something, and was told yes"
    notes = [*SOURCES, *([told] if any(each.confirmed for row in rows.values() for each in row)
                         else [])]  # fmt: skip
    lines = [
        "| suite | task | covered tasks | 95 % interval | all tasks | 95 % interval | published |",
        "|---|---|---|---|---|---|---|",
    ]
    for (suite, task), members in sorted(rows.items()):
        counted = [outcome for outcome in members if not outcome.fulfilled]
        left_out = len(members) - len(counted)
        note = f" ({left_out} fulfilled at the start)" if left_out else ""
        asked = [outcome.success for outcome in counted if outcome.confirmed]
        note += f" ({sum(asked)} of {len(asked)} after a yes)" if asked else ""
        published = "" if task else _published(suite)
        covered = _rate([outcome for outcome in counted if outcome.covered])
        lines.append(
            f"| {suite} | {task or 'all'}{note} | {covered} | {_rate(counted)} | {published} |"
        )
    return "\n".join([*lines, "", *(f"{source}  " for source in notes)])


def _rate(outcomes: list[LiberoOutcome]) -> str:
    """Return two cells: how many are successes, and the interval."""
    if not outcomes:
        return "| "
    successes = sum(outcome.success for outcome in outcomes)
    low, high = wilson_interval(successes, len(outcomes))
    return f"{successes} of {len(outcomes)} | {low:.1%} to {high:.1%}"


def _published(suite: str) -> str:
    return next((told for end, told in PUBLISHED.items() if suite.endswith(end)), "")
