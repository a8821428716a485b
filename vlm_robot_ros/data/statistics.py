"""What training normalises by: of each feature of an episode, and of many, as lerobot has it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vlm_robot_ros.data.dataset import Episode

_SAMPLED = 100
"""Images of an episode that statistics are of, at most."""
_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def statistics(episode: Episode, times: np.ndarray) -> dict[str, dict[str, Any]]:
    """Return of each feature what training normalises by; of images by channel, 0 to 1.

    Args:
        episode: With its images.
        times: Of its frames. Shape (T,), [s].
    """
    found = {
        "observation.state": _of_rows(episode.state),
        "action": _of_rows(episode.action),
        "timestamp": _of_rows(times[:, None]),
    }
    for camera, images in episode.images.items():
        chosen = np.linspace(0, len(images) - 1, min(_SAMPLED, len(images))).round()
        pixels = images[chosen.astype(int)][:, ::4, ::4].reshape(-1, 3) / 255.0
        values = {name: [[[number]] for number in row] for name, row in _of_rows(pixels).items()}
        found[camera] = {**values, "count": [len(chosen)]}
    return found


def _of_rows(rows: np.ndarray) -> dict[str, list[Any]]:
    rows = rows.astype(float)
    values = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    values |= {name: np.quantile(rows, q, axis=0) for name, q in _QUANTILES.items()}
    return {**{name: value.tolist() for name, value in values.items()}, "count": [len(rows)]}


def joined_statistics(
    rows: Sequence[dict[str, Any]], tables: Mapping[str, np.ndarray]
) -> dict[str, dict[str, Any]]:
    """Return the statistics of all episodes from those of each.

    Quantiles of features without a table, those of images, are the means of the episodes'.

    Args:
        rows: One an episode, with keys `stats/<feature>/<name>`.
        tables: All frames of features, by name. Shape (T, D) each.
    """
    features = dict.fromkeys(
        key.split("/")[1] for row in rows for key in row if key.startswith("stats/")
    )
    joined = {}
    for feature in features:

        def all_of(name: str, feature: str = feature) -> np.ndarray:
            return np.array([row[f"stats/{feature}/{name}"] for row in rows], float)

        count = all_of("count")
        weight = (count / count.sum()).reshape(-1, *[1] * (all_of("mean").ndim - 1))
        mean = (weight * all_of("mean")).sum(0)
        spread = (weight * (all_of("std") ** 2 + (all_of("mean") - mean) ** 2)).sum(0)
        values = {"min": all_of("min").min(0), "max": all_of("max").max(0), "mean": mean,
                  "std": np.sqrt(spread)}  # fmt: skip
        for name, part in _QUANTILES.items():
            if feature in tables:
                values[name] = np.quantile(tables[feature].astype(float), part, axis=0)
            else:
                values[name] = (weight * all_of(name)).sum(0)
        joined[feature] = {
            **{name: value.tolist() for name, value in values.items()},
            "count": [int(count.sum())],
        }
    return joined
