"""Sees the things that a checkpoint has learned, and reads their names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.manipulation.camera_view import camera_view
from vlm_robot_ros.manipulation.geometry import ObjectGeometry, corners
from vlm_robot_ros.models.checkpoint import CheckpointError
from vlm_robot_ros.models.transfer.model import TransferModel
from vlm_robot_ros.policies.sentence_parsing import SentenceParser
from vlm_robot_ros.policies.transfer.named_things import NamedThings
from vlm_robot_ros.policies.transfer.scene import (
    TABLE_CENTRE,
    SeenThing,
    place_in_front,
    things_of,
)
from vlm_robot_ros.policies.transfer.scene_perception import Sight
from vlm_robot_ros.policies.transfer.thing_steps import ReadSentence
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.viz.scene_boxes import draw_boxes

_CENTRE_NAMES = ("table center", "center of the table", "centre of the table",
                 "middle of the table", "table middle")  # fmt: skip

_FLAT_M = 0.03
"""Height below which a thing is flat [m]."""


class LearnedScene:
    """What a checkpoint's detector sees through one camera."""

    def __init__(
        self,
        model: TransferModel,
        checkpoint: Path,
        robot: RobotConfig,
        device: str,
        parser: SentenceParser,
    ) -> None:
        """Take a model.

        Args:
            model: Of the checkpoint.
            checkpoint: The folder, for messages.
            robot: Its contract says where the camera is, and how high the ground: the lowest
                height of the workspace.
            device: Where to compute.
            parser: Of sentences.

        Raises:
            CheckpointError: the robot has no such camera.
        """
        self._detector, self._device = model.detector.to(device), device
        config = self._config = model.config
        camera = {each.name: each for each in robot.cameras}.get(config.camera)
        if camera is None:
            known = ", ".join(each.name for each in robot.cameras) or "none"
            raise CheckpointError(
                f"'{checkpoint}' needs camera '{config.camera}'; robot '{robot.name}' has {known}"
            )
        if camera.width != camera.height or camera.crop:
            raise CheckpointError(
                f"'{checkpoint}' needs square images of all that camera '{camera.name}' sees; "
                f"robot '{robot.name}' has {camera.width} x {camera.height}"
                f"{', cropped' if camera.crop else ''}"
            )
        try:
            self._view = camera_view(camera, config.image, config.field_of_view_deg)
        except ValueError as error:
            raise CheckpointError(f"'{checkpoint}': {error}") from error
        self._ground = robot.workspace.min[2]
        self._shown: tuple[np.ndarray, list[SeenThing]] | None = None
        names = {thing.noun: thing.names for thing in config.things}
        fixed = [thing.noun for thing in config.things if not thing.movable]
        flat = [thing.noun for thing in config.things if thing.movable and thing.size[2] < _FLAT_M]
        self._reader = NamedThings(
            {**names, TABLE_CENTRE: _CENTRE_NAMES}, parser, (*fixed, TABLE_CENTRE), flat=flat
        )

    @property
    def cameras(self) -> tuple[str, ...]:
        """The one that the detector was trained with."""
        return (self._config.camera,)

    def reset(self) -> None:
        """Nothing: each image is looked at anew."""

    def read(self, text: str, observation: Observation) -> ReadSentence:
        """Return what a sentence says of the things that were learned.

        What it does not name clearly is told by what is there.
        """
        read = self._reader.read(text)
        if not read.problem:
            return read
        there = {thing.noun for thing in self.look(observation, ()).things}
        again = self._reader.among({*there, TABLE_CENTRE}).read(text)
        is_clear = not (again.problem or read.asks_nothing)
        return again if is_clear or (again.proposed and not read.proposed) else read

    @torch.inference_mode()
    def look(self, observation: Observation, nouns: Sequence[str]) -> Sight:
        """Return all that is seen, whatever is looked for."""
        image = np.array(observation.images[self._config.camera])
        seen = torch.from_numpy(image).to(self._device)
        light = seen.permute(2, 0, 1)[None].float() / 255
        if light.shape[2:] != (self._config.image, self._config.image):
            light = F.interpolate(
                light, (self._config.image, self._config.image), mode="bilinear", antialias=True
            )
        found = things_of(self._detector(light), self._config.things, self._view, self._ground)
        self._shown = (image, found)
        return Sight(found, observation.time, observation.pose[:3])

    def draw(self) -> np.ndarray | None:
        """Return the image that was looked at last with what was seen in it; None before."""
        if self._shown is None:
            return None
        image, things = self._shown
        scale = image.shape[1] / self._config.image
        boxes = []
        for thing in things:
            pixels = self._view.project(corners(thing.geometry)) * scale
            boxes.append((np.concatenate([pixels.min(0), pixels.max(0)]), thing.words))
        return draw_boxes(image, boxes)

    def place_beside(
        self, thing: SeenThing, target: ObjectGeometry, way: np.ndarray
    ) -> np.ndarray:
        """Return where the base of a target comes to be that is put beside a thing. Shape (3,)."""
        kind = self._config.things[self._config.nouns.index(thing.noun)]
        return place_in_front(thing, kind, target, way, self._ground)
