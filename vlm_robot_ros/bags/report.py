"""A page about one bag or several: opens in any browser, needs nothing beside it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from vlm_robot_ros.bags import plots
from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.metrics import summarize_recording
from vlm_robot_ros.bags.recording import (
    EpisodeInterval,
    Recording,
    contract_cameras,
    header_seconds,
)
from vlm_robot_ros.data.image_decoding import ImageError, to_rgb

_IMAGES = 6
"""How many images of an episode are shown."""
_DRAWN = 40
"""How many episodes of a bag are drawn; all are in the table."""


def write_report(recordings: Sequence[Recording], page: Path) -> list[dict[str, Any]]:
    """Write the page, and its figures as JSON beside it; returns these."""
    summaries = [summarize_recording(recording) for recording in recordings]
    shown = [
        {"summary": summary, "episodes": _episodes(recording), "joints": _joints(recording)}
        for summary, recording in zip(summaries, recordings, strict=True)
    ]
    loader = PackageLoader("vlm_robot_ros.bags", ".")
    environment = Environment(loader=loader, autoescape=select_autoescape(default=True))
    environment.filters["interval"] = _interval
    texts = list(dict.fromkeys(text for s in summaries for text in s["by_instruction"]))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(environment.get_template("report.html").render(bags=shown, texts=texts))
    page.with_suffix(".json").write_text(json.dumps(summaries, indent=2) + "\n")
    return summaries


def _episodes(recording: Recording) -> list[dict[str, Any]]:
    spans = recording.spans[:_DRAWN]
    images = _images(recording, spans)
    return [
        {
            "span": span,
            "strip": plots.data_uri(plots.image_strip(seen)) if seen else "",
            "timeline": plots.data_uri(plots.plot_timeline(recording, span)),
        }
        for span, seen in zip(spans, images, strict=True)
    ]


def _joints(recording: Recording) -> str:
    return plots.data_uri(plots.plot_joints(recording)) if recording.joints else ""


def _images(
    recording: Recording, spans: Sequence[EpisodeInterval]
) -> list[list[tuple[float, np.ndarray]]]:
    """Return of each episode some images of the first camera, and when they were seen in it."""
    found: list[list[tuple[float, np.ndarray]]] = [[] for _ in spans]
    if not recording.frames:
        return found
    try:
        topic = next(iter(contract_cameras(recording)))
    except BagError:
        topic = min(recording.frames)
    stamps = np.array(sorted(recording.frames[topic]))
    wanted: dict[float, tuple[int, float]] = {}
    for number, span in enumerate(spans):
        inside = stamps[(stamps >= span.start) & (stamps <= span.end)]
        picked = np.linspace(0, len(inside) - 1, min(_IMAGES, len(inside))).round().astype(int)
        wanted.update({float(inside[i]): (number, float(inside[i] - span.start)) for i in picked})
    for message in recording.bag.messages([topic]):
        place = wanted.pop(header_seconds(message.value), None)
        if place:
            try:
                found[place[0]].append((place[1], to_rgb(message.value)))
            except ImageError:
                continue  # an image that nobody can read is not shown
    return found


def _interval(success: dict[str, Any]) -> str:
    if not success["judged"]:
        return f"{success['episodes']} episodes, none judged"
    low, high = success["wilson_95"]
    return f"{success['successes']} of {success['judged']} ({100 * low:.0f} to {100 * high:.0f} %)"
