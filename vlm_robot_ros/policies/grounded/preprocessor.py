"""What a grounded model looks at: its part of an image, and what it wants besides."""

from collections import deque

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.models.grounded.config import GroundedModelConfig
from vlm_robot_ros.models.grounded.image import AuxiliaryInputs

_HISTORY_TOLERANCE_S = 0.04
"""How much younger than wanted an image of before may be [s]."""


class ObservationPreprocessor:
    """Prepares observations for a model; keeps the images of before that it wants."""

    def __init__(self, config: GroundedModelConfig, device: str) -> None:
        self._config, self._device = config, device
        self.reset()

    def reset(self) -> None:
        """Forget the images of before."""
        self._seen: deque[tuple[float, Tensor]] = deque()

    def preprocess(self, observation: Observation) -> tuple[Tensor, AuxiliaryInputs]:
        """Return the part that the model looks at, shape (1, 3, H, W), and what is beside it."""
        config = self._config
        image = observation.images[config.camera]
        crop = self.crop(image)
        return crop, AuxiliaryInputs(
            self._image_history(crop, observation.time) if config.history else None,
            self._token_points(observation.images[config.depth]) if config.depth else None,
            _as_tensor(image, self._device).float() / 255 if config.close_up else None,
        )

    def crop(self, image: np.ndarray) -> Tensor:
        """Return the part of an image that the model looks at. Shape (1, 3, H, W)."""
        top, left, height, width = self._config.crop
        if image.shape[:2] == self._config.image:
            part = image[top : top + height, left : left + width]
            return _as_tensor(part, self._device).float() / 255
        seen = _as_tensor(image, self._device)
        # As bytes, where torch can: six times as fast, and less than one of 255 apart.
        whole = F.interpolate(
            seen if seen.device.type == "cpu" else seen.float(),
            self._config.image,
            mode="bilinear",
            antialias=True,
            align_corners=False,
        )
        return whole[:, :, top : top + height, left : left + width].float() / 255

    def _image_history(self, crop: Tensor, time: float) -> Tensor:
        """Return the images of before, shape (1, P, 3, H, W), and keep this one.

        Where it has not looked for so long, the oldest stands for what was before; what is much
        older than is wanted is forgotten.
        """
        config, seen = self._config, self._seen
        wanted = [time - config.history_dt * (1 + back) for back in range(config.history)]
        while seen and seen[0][0] < wanted[-1] - config.history_dt:
            seen.popleft()
        while seen and seen[-1][0] >= time:  # it is asked again; or it is another world
            seen.pop()
        past = []
        for moment in wanted:
            old = [kept for at, kept in seen if at <= moment + _HISTORY_TOLERANCE_S]
            past.append(old[-1] if old else seen[0][1] if seen else crop)
        while len(seen) > 1 and seen[1][0] <= wanted[-1] + _HISTORY_TOLERANCE_S:
            seen.popleft()
        seen.append((time, crop))
        return torch.stack(past, 1)

    def _token_points(self, places: np.ndarray) -> Tensor:
        """Return where what is in the middle of each token is. Shape (1, 3, n), [m]."""
        (top, left, _, _), (height, width) = self._config.crop, self._config.image
        rows, columns = (np.arange(count) for count in self._config.grid)
        rows = ((top + 4 * rows + 2.5) * len(places) / height).astype(int)
        columns = (left + 4 * columns + 2.5) * places.shape[1] / width
        chosen = places[rows[:, None], columns.astype(int)]
        return torch.from_numpy(chosen.reshape(-1, 3).T.copy())[None].to(self._device)


def _as_tensor(image: np.ndarray, device: str) -> Tensor:
    """Return an image of shape (H, W, 3) as one of shape (1, 3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)[None]
