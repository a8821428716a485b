"""Task labels from a pretrained encoder, for policies that have none of their own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.models.encoders.registry import load_encoder
from vlm_robot_ros.models.zero_shot.classification import ScoreCalibration, Scorer
from vlm_robot_ros.models.zero_shot.localization import PhraseLocalizer
from vlm_robot_ros.viz.overlay import overlay_heatmaps

NO_LABEL = "none of these"
"""The label of an image that shows none of the phrases; listed after them."""


def with_zero_shot_labels(
    policy: Policy,
    camera: str,
    encoder: str,
    phrases: Sequence[str],
    calibration: Path | None,
    device: str,
) -> "ZeroShotLabelPolicy":
    """Give a policy the labels of an encoder by name.

    Raises:
        EncoderError: there is no such encoder.
        ValueError: phrases or calibration are not valid.
    """
    sure = ScoreCalibration.load(calibration) if calibration else ScoreCalibration()
    scorer = Scorer(load_encoder(encoder, device), phrases, calibration=sure)
    return ZeroShotLabelPolicy(policy, scorer, camera)


class ZeroShotLabelPolicy:
    """Acts as the policy within, and labels what it sees with the likeliest of some phrases."""

    def __init__(self, policy: Policy, scorer: Scorer, camera: str) -> None:
        """Wrap a policy.

        Args:
            policy: What it plans stays as it is; labels of its own, too.
            scorer: Of images and phrases.
            camera: Name of the camera whose images are labelled.
        """
        self._policy, self._scorer, self._camera = policy, scorer, camera
        self._seen: Observation | None = None
        self._looker: tuple[str, PhraseLocalizer] | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those of the policy within, and the one whose images are labelled."""
        return tuple(dict.fromkeys((*self._policy.cameras, self._camera)))

    def reset(self) -> None:
        """Let the policy within forget."""
        self._seen = None
        self._policy.reset()

    def next_instruction(self) -> None:
        """Tell the policy within."""
        self._policy.next_instruction()

    def infer(self, observation: Observation) -> ActionChunk:
        """Return the plan of the policy within, with labels."""
        self._seen = observation
        chunk = self._policy.infer(observation)
        if chunk.scores:
            return chunk
        image = torch.from_numpy(observation.images[self._camera].copy())[None]
        shown, none = (part[0].tolist() for part in self._scorer(image))
        scores = {**dict(zip(self._scorer.phrases, shown, strict=True)), NO_LABEL: none}
        return replace(chunk, label=max(scores, key=scores.__getitem__), scores=scores)

    def draw(self) -> np.ndarray | None:
        """Return where what was said is in the image, if the policy within draws nothing."""
        drawn, seen = self._policy.draw(), self._seen
        if drawn is not None or seen is None or not seen.instruction.strip():
            return drawn
        said, image = seen.instruction, seen.images[self._camera]
        if self._looker is None or self._looker[0] != said:
            self._looker = said, PhraseLocalizer(self._scorer.encoder, [said])
        (found,) = self._looker[1](torch.from_numpy(image.copy()))
        return overlay_heatmaps(image, [found.heat.numpy()])
