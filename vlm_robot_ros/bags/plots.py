"""Images of a recording, as PNG: what was done beside what was seen, and the joints' ways."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from vlm_robot_ros.bags.metrics import holds
from vlm_robot_ros.bags.recording import EpisodeInterval, Recording

_HELD, _TOOL = "#f0b446", ("#d1495b", "#2e8b57", "#3066be")
_THUMBNAIL = 150
"""Side of an image beside the time line [px]."""


def plot_timeline(recording: Recording, span: EpisodeInterval) -> bytes:
    """Return tool or joint actions, gripper, labels and holds of one episode over time."""
    figure = Figure((9, 3.2), dpi=90, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    inside = [a for a in recording.actions if span.start <= a.time <= span.end]
    times = np.array([a.time for a in inside]) - span.start
    if inside:
        values = np.array([a.values[:3] for a in inside])
        for column, colour, name in zip(values.T, _TOOL, inside[-1].names[:3], strict=True):
            upper.plot(times, column, color=colour, label=name, linewidth=1)
        lower.plot(times, [a.gripper for a in inside], color="#555", linewidth=1)
        upper.legend(loc="upper right", fontsize=7, ncols=3)
    for hold in holds(inside):
        for axes in (upper, lower):
            axes.axvspan(hold.start - span.start, hold.end - span.start, color=_HELD, alpha=0.3)
    labels = [label for label in recording.labels if span.start <= label.time <= span.end]
    before = ""
    for label in labels:
        if label.label and label.label != before:
            before = label.label
            upper.axvline(label.time - span.start, color="#999", linewidth=0.6)
            upper.annotate(
                f"{label.label} ({label.score:.0%})", (label.time - span.start, 1),
                xycoords=("data", "axes fraction"), xytext=(3, -10),
                textcoords="offset points", fontsize=7,
            )  # fmt: skip
    upper.set_ylabel("action [m or rad]", fontsize=8)
    lower.set_ylabel("gripper", fontsize=8)
    lower.set_ylim(-0.1, 1.1)
    lower.set_xlabel("time [s]; shaded: the arm holds", fontsize=8)
    return _png(figure)


def plot_joints(recording: Recording) -> bytes:
    """Return each joint's position over time, between its limits."""
    robot = recording.robot
    figure = Figure((9, 1.1 * len(robot.joints)), dpi=80, layout="constrained")
    rows = np.atleast_1d(figure.subplots(len(robot.joints), 1, sharex=True))
    times = np.array(recording.joint_times) - recording.bag.start
    places = np.array(recording.joints).reshape(len(times), len(robot.joints))
    step = max(1, len(times) // 4000)
    for axes, joint, place in zip(rows, robot.joints, places.T, strict=True):
        axes.plot(times[::step], place[::step], color=_TOOL[2], linewidth=0.8)
        for limit in joint.position:
            axes.axhline(limit, color=_TOOL[0], linewidth=0.8, linestyle="--")
        axes.set_ylabel(joint.name.rsplit("_", 1)[-1], fontsize=7)
        axes.tick_params(labelsize=6)
    rows[-1].set_xlabel("time [s]; dashed: limits [rad]", fontsize=8)
    return _png(figure)


def image_strip(images: Sequence[tuple[float, np.ndarray]]) -> bytes:
    """Return images side by side, each with its time [s]. Images: shape (H, W, 3), uint8."""
    page = Image.new("RGB", (max(1, len(images)) * _THUMBNAIL, _THUMBNAIL), (24, 24, 28))
    pen = ImageDraw.Draw(page)
    for number, (time, image) in enumerate(images):
        small = Image.fromarray(image)
        small.thumbnail((_THUMBNAIL - 2, _THUMBNAIL - 2))
        page.paste(small, (number * _THUMBNAIL, 0))
        pen.text((number * _THUMBNAIL + 4, 2), f"{time:.1f} s", (240, 240, 240))
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def data_uri(data: bytes) -> str:
    """Return an image's bytes as an address that a page can carry in itself."""
    kind = "png" if data[:4] == b"\x89PNG" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
