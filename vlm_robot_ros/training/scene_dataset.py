"""Labelled images of scenes, with what each of their cells shows and where that stands."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from vlm_robot_ros.manipulation.camera_view import CameraView

_WEIGHTS, _NOTHING = (0.3, 4.0), 0.3
"""Weights of cells of things from, to; and of those that show nothing."""


class SceneBatch(NamedTuple):
    """Images and what their cells show."""

    image: Tensor
    """Shape (B, H, W, 3), uint8."""
    noun: Tensor
    """Class of each cell, 0 for nothing. Shape (B, n)."""
    pixel: Tensor
    """Where the place of what it shows is in the image. Shape (B, 2, n), [px]."""
    height: Tensor
    """Of that above the ground. Shape (B, n), [m]."""


class SceneDataset:
    """All frames of a folder of episodes, in memory (200 kB a frame)."""

    def __init__(
        self, folder: Path, views: Mapping[str, tuple[CameraView, float]], seed: int,
        hidden: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """Load them.

        Args:
            folder: Of `evaluation.libero.demonstrations`.
            views: Of each suite the camera and the height of the ground [m].
            seed: Of the draws.
            hidden: Numbers of nouns that are not learned.

        Raises:
            ValueError: there are no episodes.
        """
        files = sorted(folder.glob("*.npz"))
        if not files:
            raise ValueError(f"no episodes (*.npz) in '{folder}'")
        images, nouns, pixels, heights = [], [], [], []
        for file in tqdm(files, "loading"):
            episode = np.load(file, allow_pickle=False)
            view, ground = views[str(episode["scene"])]
            for image, labels, anchors in zip(
                episode["image"], episode["labels"], episode["anchors"], strict=True
            ):
                known = anchors[:, 0] >= 0
                kinds = np.where(known, anchors[:, 0] + 1, 0).astype(int)
                kinds[np.isin(kinds - 1, list(hidden))] = 0
                places = np.where(known[:, None], anchors[:, 1:], np.array([0.0, 0.0, ground]))
                seen = np.concatenate([np.zeros((1, 2)), view.project(places)])
                above = np.concatenate([[0.0], places[:, 2] - ground])
                number = labels.ravel().astype(int)
                images.append(image)
                nouns.append(np.concatenate([[0], kinds])[number].astype(np.uint8))
                pixels.append(seen[number].T.astype(np.float32))
                heights.append(above[number].astype(np.float32))
        self._images, self._nouns = np.stack(images), np.stack(nouns)
        self._pixels, self._heights = np.stack(pixels), np.stack(heights)
        self._rng = np.random.default_rng([seed, 5])

    def weights(self, nouns: int) -> Tensor:
        """Return how much a cell of each class counts: more where there are few. Shape (N + 1,).

        Args:
            nouns: Kinds of things, N.
        """
        count = np.bincount(self._nouns.ravel(), minlength=nouns + 1).astype(float)
        rare = np.sqrt(np.median(count[1:]) / count.clip(1.0)).clip(*_WEIGHTS)
        return torch.tensor(np.where(np.arange(nouns + 1) == 0, _NOTHING, rare)).float()

    def __len__(self) -> int:
        return len(self._images)

    def draw(self, size: int) -> SceneBatch:
        """Return `size` random frames."""
        at = self._rng.integers(0, len(self), size)
        return SceneBatch(
            torch.from_numpy(self._images[at]), torch.from_numpy(self._nouns[at]).long(),
            torch.from_numpy(self._pixels[at]), torch.from_numpy(self._heights[at]),
        )  # fmt: skip
