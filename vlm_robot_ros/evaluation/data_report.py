"""What is in a dataset, as tables and as an image."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from vlm_robot_ros.data.dataset import Episode, EpisodeDataset
from vlm_robot_ros.viz.image_grid import image_grid

_THUMBNAIL_SIDE = 256
"""Of an image of the contact sheet [px]."""


def describe(
    data: EpisodeDataset,
    tables: Sequence[tuple[np.ndarray, np.ndarray]],
    said: Sequence[str],
    images: Mapping[str, np.ndarray],
    notes: Sequence[str],
) -> str:
    """Return what is in a dataset, as markdown.

    Args:
        data: The dataset.
        tables: States, shape (T, S), and actions, (T, A), of some of its episodes.
        said: Their instructions.
        images: Of one of them, by camera. Shape (T, H, W, 3).
        notes: How actions and states are read.
    """
    info = data.info
    lengths = [len(action) for _, action in tables]
    lines = [
        f"{info.format} '{info.path}'" + (f", robot {info.robot}" if info.robot else ""),
        f"{len(data)} episodes; in the {len(tables)} that were read {min(lengths)} to "
        f"{max(lengths)} frames, {sum(lengths)} in all, "
        + (f"{info.fps:g} a second" if info.fps else "how many a second is not said"),
        "",
        "| camera | height | width |",
        "|---|---|---|",
    ]
    for name, frames in images.items():
        lines.append(f"| {name} | {frames.shape[1]} | {frames.shape[2]} |")
    states, actions = (np.concatenate(part) for part in zip(*tables, strict=True))
    lines += ["", "| | name | lowest | mean | highest | deviation |", "|---|---|---|---|---|---|"]
    for kind, names, values in (
        ("action", info.action_names, actions),
        ("state", info.state_names, states),
    ):
        for name, column in zip(names, values.T, strict=False):
            row = (column.min(), column.mean(), column.max(), column.std())
            lines.append(f"| {kind} | {name} | " + " | ".join(f"{v:.4g}" for v in row) + " |")
    counts = Counter(said)
    lines += ["", *notes, "", "| instruction | episodes |", "|---|---|"]
    lines += [f"| {text or '(none)'} | {count} |" for text, count in counts.most_common(20)]
    if len(counts) > 20:
        lines.append(f"| and {len(counts) - 20} others | |")
    return "\n".join(lines)


def contact_sheet(episodes: Sequence[Episode]) -> Image.Image:
    """Return the first, the middle and the last image of each episode, by its first camera."""
    panels = []
    for number, episode in enumerate(episodes):
        name, frames = next(iter(episode.images.items()))
        for at in (0, len(frames) // 2, len(frames) - 1):
            small = Image.fromarray(frames[at]).resize((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
            panels.append(
                (np.asarray(small), episode.instruction, f"{number}: {name}, frame {at}")
            )
    return image_grid(panels)
