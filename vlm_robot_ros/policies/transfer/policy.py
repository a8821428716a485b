"""The policy that carries what a sentence names to where it says, as a checkpoint has learned."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.interfaces.action import ActionChunk, StepInfo
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.manipulation.camera_view import camera_view
from vlm_robot_ros.manipulation.geometry import GraspError, Place, place_on
from vlm_robot_ros.manipulation.transfer import STEP_DT, TransferAction
from vlm_robot_ros.manipulation.transfer_task import TransferTask, transfer_chunk
from vlm_robot_ros.models.checkpoint import CheckpointError, load_model
from vlm_robot_ros.models.transfer.model import TransferModel
from vlm_robot_ros.models.transfer.transfer_head import TransferHeadInput
from vlm_robot_ros.policies.sentence_parsing import SentenceParser
from vlm_robot_ros.policies.transfer.named_things import NamedThings, ThingStep
from vlm_robot_ros.policies.transfer.scene import (
    TABLE_CENTRE,
    SeenThing,
    place_in_front,
    resolve,
    things_of,
)
from vlm_robot_ros.robot.config import RobotConfig

_CENTRE_NAMES = ("table center", "center of the table", "centre of the table",
                 "middle of the table", "table middle")  # fmt: skip
_WAYS = {"left": (0.0, 1.0), "right": (0.0, -1.0), "in front": (-1.0, 0.0), "behind": (1.0, 0.0)}
"""Unit vectors of the base frame; in front of a thing is where the robot is."""
_SAME_M = 0.08
"""How far a thing is seen from where it was, at most [m]."""
_LEFT_M, _LIFTED_M = 0.08, 0.03
"""How far the tool is from what it has let go of when the step is done; how near the height that
a thing is lifted to [m]."""
_EMPTY, _OPEN = 0.015, 0.95
"""Openings between which the hand may hold something."""


class TransferPolicy:
    """Acts as a checkpoint has learned to."""

    def __init__(
        self, checkpoint: Path, robot: RobotConfig, device: str, parser: SentenceParser
    ) -> None:
        """Load a checkpoint folder.

        Args:
            checkpoint: The folder.
            robot: Its contract says where the camera is, and how high the ground: the lowest
                height of the workspace.
            device: Where to compute.
            parser: Of sentences.

        Raises:
            CheckpointError: it is missing or corrupt, or the robot has no such camera.
        """
        model = load_model(checkpoint)
        if not isinstance(model, TransferModel):
            raise CheckpointError(f"'{checkpoint}' is no checkpoint of transfers")
        self._model, self._device = model.to(device), device
        config = self.config = model.config
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
        self._workspace = robot.workspace
        self._ground = robot.workspace.min[2]
        self._middle = np.add(robot.workspace.min, robot.workspace.max)[:2] / 2
        names = {thing.noun: thing.names for thing in config.things}
        fixed = [thing.noun for thing in config.things if not thing.movable]
        self._reader = NamedThings(
            {**names, TABLE_CENTRE: _CENTRE_NAMES}, parser, (*fixed, TABLE_CENTRE)
        )
        self.reset()

    replan_steps = 2

    @property
    def cameras(self) -> tuple[str, ...]:
        """The camera that it was trained with."""
        return (self.config.camera,)

    def reset(self) -> None:
        """Forget everything."""
        self._carried: tuple[str, TransferTask] | None = None
        """What the hand still holds of the instruction before."""
        self._task: TransferTask | None = None
        self._noun = ""
        self.next_instruction()

    def next_instruction(self) -> None:
        """Wait for another instruction; what the hand holds it keeps."""
        if self._task is not None:
            self._carried = (self._noun, self._task) if self._task.held else None
        self._steps: tuple[ThingStep, ...] = ()
        self._index = 0
        self._problem = ""
        self._confidence = 0.0
        self._is_read = False
        self._task = None
        self._noun = ""

    def draw(self) -> np.ndarray | None:
        """Return nothing yet."""
        return None

    @torch.inference_mode()
    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next; a hold that says why where nothing is to be done."""
        if not self._is_read:
            self._is_read = True
            self._steps, self._problem, self._confidence = self._reader.read(
                observation.instruction
            )
            self._problem = self._problem or next(filter(None, map(_refusal, self._steps)), "")
            self._problem = self._problem or _refusal_of_order(self._steps)
        if self._carried and not _EMPTY < observation.opening < _OPEN:
            self._carried = None  # it is not there any more
        if self._problem:
            return hold_chunk(observation, STEP_DT, self._problem)
        seen = self._look(observation.images[self.config.camera])
        try:
            task = self._task = self._task or self._begin(seen)
            if not task.held:
                self._follow(task, seen, observation)
        except (LookupError, GraspError) as error:
            return hold_chunk(observation, STEP_DT, str(error))
        plan = self._plan(task, observation)
        if not (np.isfinite(plan.move).all() and np.isfinite(plan.turn).all()):
            return hold_chunk(observation, STEP_DT, "the model's output is not finite")
        task.commanded(plan)
        step = self._steps[self._index]
        label = f"{step.skill} {step.target.noun}".replace(" ", "_")
        chunk = transfer_chunk(observation, plan, label, self._confidence)
        info = StepInfo(self._index, len(self._steps), _describe(step), self._advance(observation))
        return replace(chunk, step=info)

    def _look(self, image: np.ndarray) -> list[SeenThing]:
        seen = torch.from_numpy(np.ascontiguousarray(image)).to(self._device)
        light = seen.permute(2, 0, 1)[None].float() / 255
        if light.shape[2:] != (self.config.image, self.config.image):
            light = F.interpolate(
                light, (self.config.image, self.config.image), mode="bilinear", antialias=True
            )
        votes = self._model.detector(light)
        return things_of(votes, self.config.things, self._view, self._ground)

    def _begin(self, seen: list[SeenThing]) -> TransferTask:
        """Return the task of the step that runs; raises LookupError, GraspError."""
        step = self._steps[self._index]
        if self._carried and step.target.noun != self._carried[0]:
            raise LookupError(f"I hold the {self._carried[0]}: say where to put it first")
        if self._carried:
            before = self._carried[1].target
            target = SeenThing(self._carried[0], before, 1.0, before.base, 0.0)
        else:
            target = resolve(step.target, seen, self._middle)
        place = None
        if step.reference.noun:
            others = [thing for thing in seen if thing is not target]
            place = self._place(step, resolve(step.reference, others, self._middle), target)
        self._noun = target.noun
        around = [thing.geometry for thing in seen if thing is not target]
        if self._carried:
            held = self._carried[1]
            self._carried, held.place, held.others = None, place, around
            return held
        return TransferTask(target.geometry, place, around, self._workspace)

    def _place(self, step: ThingStep, reference: SeenThing, target: SeenThing) -> Place:
        if not step.skill.startswith("place "):
            return place_on(reference.geometry)
        kind = self.config.things[self.config.nouns.index(reference.noun)]
        way = np.array(_WAYS[step.skill.removeprefix("place ")])
        return Place(place_in_front(reference, kind, target.geometry, way, self._ground))

    def _follow(self, task: TransferTask, seen: list[SeenThing], observation: Observation) -> None:
        """Take note of where the target is seen now."""
        # What was not where it was put has stayed where it was.
        for expected in (task.expected, task.target.base):
            near = [
                (float(np.linalg.norm(thing.point - expected)), thing.geometry)
                for thing in seen if thing.noun == self._noun
            ]  # fmt: skip
            apart, geometry = min(near, key=lambda each: each[0], default=(np.inf, task.target))
            if apart < _SAME_M:
                task.see(geometry, observation.pose[:3])
                return

    def _plan(self, task: TransferTask, observation: Observation) -> TransferAction:
        state = task.state(observation)
        plan = self._model.head(TransferHeadInput(*map(self._tensor, state)))
        move, turn, grip = (part.double().cpu().numpy() for part in plan)
        return TransferAction(move, turn, (grip > 0).astype(float))

    def _advance(self, observation: Observation) -> bool:
        """Go on with the next step where this one is done; tells whether all are."""
        task = self._task
        if task is not None and task.place is None:
            return task.held and bool(observation.pose[2] > task.goal[2] - _LIFTED_M)
        if task is None or not task.placed:
            return False
        if observation.pose[2] - task.goal[2] < _LEFT_M:
            return False
        if self._index + 1 == len(self._steps):
            return True
        self._index, self._task = self._index + 1, None
        return False

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self._device)


def _refusal(step: ThingStep) -> str:
    """Return why a step cannot be done; empty if it can."""
    if step.reference.noun == TABLE_CENTRE or step.target.noun == TABLE_CENTRE:
        return f"I do not put things in the {TABLE_CENTRE}: say what to put them on or beside"
    known = step.skill.startswith("place ") and step.skill.removeprefix("place ") in _WAYS
    if step.skill in ("put", "stack", "pick up") or known:
        return ""
    return f"I have not learned to {step.skill}: only to pick up and to put things somewhere"


def _refusal_of_order(steps: Sequence[ThingStep]) -> str:
    """Return why steps cannot be done one after the other; empty if they can."""
    kept = next((step for step in steps[:-1] if step.skill == "pick up"), None)
    if kept is None:
        return ""
    return f"I cannot hold the {kept.target.noun} and do something else: say where to put it"


def _describe(step: ThingStep) -> str:
    where = f" at the {step.reference.noun}" if step.reference.noun else ""
    return f"{step.skill} the {step.target.noun}{where}"
