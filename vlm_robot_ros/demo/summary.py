"""The demo's results: as a summary for programs and as a table for people."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlm_robot_ros.success_rate import wilson_interval
from vlm_robot_ros.tasks.tasks import FAMILIES


@dataclass
class DemoResult:
    """What came of one command. Times are simulated seconds."""

    instruction: str
    family: str
    label: str
    success: bool
    seconds: float
    scene_seed: int
    hold_reason: str
    stop_time: float | None = None
    """From the word to the arm's stillness [s]."""
    motion: float | None = None
    """How far the tool went after a stop or a meaningless command [m]."""


def summarize_results(
    seed: int, results: list[DemoResult], latencies: list[float]
) -> dict[str, Any]:
    """Return the summary, of plain types.

    Args:
        seed: Of the demo.
        results: One a command.
        latencies: From camera frame to action [s].
    """
    tasks = [result.success for result in results if result.family in FAMILIES]
    low, high = wilson_interval(sum(tasks), len(tasks)) if tasks else (0.0, 1.0)
    percentiles: list[float | None] = [None] * 3
    if latencies:
        percentiles = (1e3 * np.percentile(latencies, [50, 95, 99])).round(2).tolist()
    return {
        "seed": seed,
        "commands": [asdict(result) for result in results],
        "manipulation": {
            "commands": len(tasks),
            "successes": sum(tasks),
            "rate": round(sum(tasks) / len(tasks), 4) if tasks else None,
            "wilson_95": [round(low, 4), round(high, 4)],
        },
        "stop_time_s": _first(results, "stop", "stop_time"),
        "meaningless_motion_m": _first(results, "meaningless", "motion"),
        "absent_motion_m": _first(results, "absent", "motion"),
        "camera_to_action_ms": {
            "actions": len(latencies),
            **dict(zip(("p50", "p95", "p99"), percentiles, strict=True)),
        },
    }


def save(summary: dict[str, Any], path: Path) -> None:
    """Write a summary as JSON."""
    path.write_text(json.dumps(summary, indent=2) + "\n")


def table(summary: dict[str, Any]) -> str:
    """Return a summary as text."""
    width = max([len(command["instruction"]) for command in summary["commands"]] + [11])
    lines = [f"{'instruction':<{width}}  {'family':<12} {'label':<18} {'':<4} {'seconds':>7}"]
    for command in summary["commands"]:
        mark = "ok" if command["success"] else "FAIL"
        lines.append(
            f"{command['instruction']:<{width}}  {command['family']:<12} {command['label']:<18} "
            f"{mark:<4} {command['seconds']:>7.2f}"
        )
    tasks, latency = summary["manipulation"], summary["camera_to_action_ms"]
    if tasks["commands"]:
        low, high = tasks["wilson_95"]
        lines.append(
            f"\nmanipulation    {tasks['successes']} of {tasks['commands']} "
            f"({tasks['rate']:.0%}; 95 % interval {low:.0%} to {high:.0%})"
        )
    if summary["stop_time_s"] is not None:
        lines.append(f"stop            still after {summary['stop_time_s']:.2f} s")
    if summary["meaningless_motion_m"] is not None:
        lines.append(f"meaningless     moved {100 * summary['meaningless_motion_m']:.2f} cm")
    if summary["absent_motion_m"] is not None:
        lines.append(f"absent          moved {100 * summary['absent_motion_m']:.2f} cm")
    if latency["actions"]:
        lines.append(
            f"camera->action  p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms, "
            f"p99 {latency['p99']:.0f} ms ({latency['actions']} frames)"
        )
    return "\n".join(lines)


def _first(results: list[DemoResult], family: str, field: str) -> float | None:
    values = [getattr(result, field) for result in results if result.family == family]
    return round(values[0], 4) if values else None
