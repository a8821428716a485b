"""What is in a dataset, as tables and as a picture."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image

from vlm_robot_ros.data.action_space import ActionSpace
from vlm_robot_ros.data.robot_data import RobotData, RobotEpisode
from vlm_robot_ros.evaluation.page import sheet

_SIDE = 256
"""Of a picture of the contact sheet [px]."""


def describe(data: RobotData, space: ActionSpace, episodes: Sequence[RobotEpisode]) -> str:
    """Return what is in a dataset, as markdown.

    Args:
        data: The dataset.
        space: How its actions are read.
        episodes: Some of it, or all; the statistics are over these.
    """
    info = data.info
    lengths = [len(episode.action) for episode in episodes]
    lines = [
        f"{info.format} '{info.path}'" + (f", robot {info.robot}" if info.robot else ""),
        f"{len(data)} episodes; in the {len(episodes)} that were read {min(lengths)} to "
        f"{max(lengths)} frames, {sum(lengths)} in all, "
        + (f"{info.fps:g} a second" if info.fps else "how many a second is not said"),
        "",
        "| camera | height | width |",
        "|---|---|---|",
    ]
    for name, pictures in episodes[0].images.items():
        lines.append(f"| {name} | {pictures.shape[1]} | {pictures.shape[2]} |")
    actions = np.concatenate([episode.action for episode in episodes])
    states = np.concatenate([episode.state for episode in episodes])
    lines += ["", "| | name | lowest | mean | highest | deviation |", "|---|---|---|---|---|---|"]
    for kind, names, values in (
        ("action", info.action_names, actions),
        ("state", info.state_names, states),
    ):
        for name, column in zip(names, values.T, strict=True):
            row = (column.min(), column.mean(), column.max(), column.std())
            lines.append(f"| {kind} | {name} | " + " | ".join(f"{v:.4g}" for v in row) + " |")
    lines += ["", f"Read as {space.mode.name}, columns {space.columns}, gripper {space.gripper}."]
    lines += [f"- {note}" for note in (*space.notes, *info.notes)]
    said = Counter(episode.instruction for episode in episodes)
    lines += ["", "| instruction | episodes |", "|---|---|"]
    lines += [f"| {text or '(none)'} | {count} |" for text, count in said.most_common(20)]
    if len(said) > 20:
        lines.append(f"| and {len(said) - 20} others | |")
    return "\n".join(lines)


def contact_sheet(episodes: Sequence[RobotEpisode]) -> Image.Image:
    """Return the first, the middle and the last picture of each episode, by its first camera."""
    panels = []
    for number, episode in enumerate(episodes):
        name, pictures = next(iter(episode.images.items()))
        for at in (0, len(pictures) // 2, len(pictures) - 1):
            small = Image.fromarray(pictures[at]).resize((_SIDE, _SIDE))
            panels.append(
                (np.asarray(small), episode.instruction, f"{number}: {name}, frame {at}")
            )
    return sheet(panels)
