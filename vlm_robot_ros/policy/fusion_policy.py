"""The learned policy: a fusion model behind the seam."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.contract.action import ActionChunk, ActionMode
from vlm_robot_ros.models.checkpoint import load_checkpoint
from vlm_robot_ros.models.words import encode
from vlm_robot_ros.policy.base import Observation, hold_chunk

_HELD = (0.25, 0.8)
"""Gripper openings at which the fingers may be closed on something."""
_AT_HAND = 0.07
"""How far from the tool the object may seem and be the one that is held [m]."""


class FusionPolicy:
    """Acts as a checkpoint has learned to.

    It remembers one thing, where the object was when the instruction came, to know how far a push
    has gone.
    """

    def __init__(self, checkpoint: Path, device: str = "cpu") -> None:
        """Load a checkpoint folder.

        Raises:
            CheckpointError: it is missing or corrupt.
        """
        self._model = load_checkpoint(checkpoint).to(device)
        self._device = device
        self._vocabulary = list(self._model.config.vocabulary)
        self._start: Tensor | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """The camera that it was trained with."""
        return (self._model.config.camera,)

    def reset(self) -> None:
        """Forget where the object was."""
        self._start = None

    @torch.inference_mode()
    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next; a hold when the words ask for nothing the arm can do."""
        config = self._model.config
        words = torch.tensor([encode(observation.instruction, self._vocabulary)])
        picture = self._picture(observation.images[config.camera])
        tool = observation.pose[:3]
        state = torch.tensor(tool[None], dtype=torch.float32, device=self._device)
        opening = torch.tensor([observation.opening], dtype=torch.float32, device=self._device)
        seen = self._model.ground(picture, words.to(self._device), state, opening)
        reject = float(seen.reject.sigmoid()[0])
        if reject > 0.5:
            reason = f"'{observation.instruction}' asks for nothing that I know how to do"
            return hold_chunk(observation, config.step_dt, reason)
        if self._start is None:
            self._start = seen.point
        point = seen.point.clone()
        if not _HELD[0] < observation.opening < _HELD[1]:
            # Fingers that are open, or closed on nothing, hold nothing: the object stands as high
            # as it did, which is hard to see with the hand around it.
            point[:, 2] = self._start[:, 2]
        elif float((point - state).norm()) < _AT_HAND:
            # What keeps the fingers apart is between them, nearer than one camera can tell.
            point = state
        task = seen.task.softmax(-1)
        moves, grips = self._model.act(task, point, state, opening, self._start)
        chunk = moves[0].double().cpu().numpy()
        if not np.all(np.isfinite(chunk)):
            return hold_chunk(observation, config.step_dt, "the model's output is not finite")
        scores = task[0].tolist()
        best = int(np.argmax(scores))
        turn = np.broadcast_to(config.orientation, (len(chunk), 4))
        return ActionChunk(
            ActionMode.END_EFFECTOR_POSE,
            np.hstack([tool + chunk, turn]),
            (grips[0] > 0).double().cpu().numpy(),
            config.step_dt,
            config.labels[best],
            dict(zip(config.labels, scores, strict=True)),
            scores[best] * (1 - reject),
            "",
        )

    def _picture(self, image: np.ndarray) -> Tensor:
        size = self._model.config.image_size
        tensor = torch.from_numpy(image).to(self._device).permute(2, 0, 1)[None].float() / 255
        return F.adaptive_avg_pool2d(tensor, (size, size))
