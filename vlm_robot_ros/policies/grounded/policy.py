"""The learned policy: a fusion model behind the seam."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.kinematics.kinematics import downward_pose, tool_yaw, wrap_to_pi
from vlm_robot_ros.language.task_spec import TaskSpec
from vlm_robot_ros.models.checkpoint import load_checkpoint, prepare_for_inference
from vlm_robot_ros.models.grounded.action_head import ActionHeadInput
from vlm_robot_ros.models.grounded.model import Grounding
from vlm_robot_ros.policies.grounded.instruction_parser import InstructionParser
from vlm_robot_ros.policies.grounded.object_detection import detect_objects
from vlm_robot_ros.policies.grounded.preprocessor import ObservationPreprocessor
from vlm_robot_ros.policies.grounded.program import Program
from vlm_robot_ros.policies.grounded.step_progress import is_step_done
from vlm_robot_ros.policies.grounded.step_slots import StepSlots, is_named, object_name
from vlm_robot_ros.policies.grounded.task_state import PUT_DOWN, TaskState, one_skill
from vlm_robot_ros.policies.image_monitor import ImageMonitor
from vlm_robot_ros.policies.sentence_parsing import SentenceParser
from vlm_robot_ros.viz.overlay import draw_trajectory, overlay

_HELD_OPENINGS = (0.25, 0.8)
"""Gripper openings at which the fingers may be closed on something."""
_STOPPED_OPENING_CHANGE = 0.04
"""What the opening may change from image to image if something stops the fingers."""
_IN_HAND_M = 0.07
"""How far from the tool the object may seem and be the one that is held [m]."""
_PRESENT, _FOUND = 0.3, 0.5
"""Agreement of words and image above which a thing is there still; is there at all."""
_CLEAR_OF_REFERENCE_M = 0.12
"""How far the tool must be aside of a reference not to hide it [m]."""
_LOOK_AGAIN, _RISE = 0.2, 0.02
"""How high the hand goes to see what it may hide, and how far in a step of a chunk [m]."""
_PUT_DOWN_HEIGHT_M = 0.045
"""How low the tool goes to put down what is in the way in the hand [m]."""
_DONE_IMAGES = 3
"""Images in a row that must show that a step is done before the next one is begun."""
_MAX_UNSEEN_IMAGES = 40
"""Images in a row that need not show what was there."""


class GroundedPolicy:
    """Acts as a checkpoint has learned to; remembers what it saw since the instruction came."""

    def __init__(
        self,
        checkpoint: Path,
        device: str = "cpu",
        any_object: bool = False,
        parser: SentenceParser | None = None,
    ) -> None:
        """Load a checkpoint folder.

        Args:
            checkpoint: The folder.
            device: Where to compute.
            any_object: Whether to take some object where the words do not say which.
            parser: Of sentences; the checkpoint's own words where none is given.

        Raises:
            CheckpointError: it is missing or corrupt.
        """
        self.model = prepare_for_inference(load_checkpoint(checkpoint), device)
        self._device = device
        config = self.model.config
        self._eye = None if config.depth else torch.tensor(config.eye, device=device)
        words = InstructionParser(self.model, device)
        self._slots = StepSlots(self.model, words)
        self._program = Program(
            parser or words, self._slots.refusal, any_object, self._slots.detects
        )
        self._gaze = ObservationPreprocessor(self.model.config, device)
        self.reset()
        self._warm_up()

    @property
    def cameras(self) -> tuple[str, ...]:
        """The camera that it was trained with."""
        config = self.model.config
        return (config.camera, config.depth) if config.depth else (config.camera,)

    def reset(self) -> None:
        """Forget everything."""
        self._program.reset()
        self._memory: TaskState | None = None
        self._watches = {name: ImageMonitor() for name in self.cameras}
        self._gaze.reset()
        self._crop: Tensor | None = None
        self._way: np.ndarray | None = None
        self.grounding: Grounding | None = None
        """What was seen last: for images of it."""

    def next_instruction(self) -> None:
        """Wait for another instruction; what the last one was is kept for corrections of it."""
        self._program.expect_instruction()
        self._memory = None
        self.grounding = None

    @torch.inference_mode()
    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next; a hold that says why where nothing is to be done."""
        config = self.model.config
        memory = self._memory = self._program.state(observation.instruction)
        problem = memory.problem or self._image_problem(observation)
        (self._crop, beside), self._way = self._gaze.preprocess(observation), None
        if problem:
            return hold_chunk(observation, config.step_dt, problem)
        tool = self._tensor(observation.pose[None, :3])
        opening = self._tensor(np.array([observation.opening]))
        view = (self._crop, tool, opening)
        if self._program.unresolved:
            problem = self._program.resolve(
                detect_objects(self.model, *view, self._slots(memory.step), beside)
            )
        if not problem:
            self.grounding = self.model.ground(*view, self._slots(memory.step), beside)
            problem = self._update_tracks(memory, self.grounding, tool, observation.opening)
        if not problem:
            return self._plan_chunk(observation, memory, tool, opening)
        sights = (memory.target, memory.reference)
        hidden = any(
            is_named(memory.step, i) and sight.point is None for i, sight in enumerate(sights)
        )
        if hidden and observation.pose[2] < _LOOK_AGAIN:
            # The hand may be before it.
            return self._raise_hand(observation, memory)
        return hold_chunk(observation, config.step_dt, problem)

    def _image_problem(self, observation: Observation) -> str:
        """Return why what is seen cannot be trusted; empty when it can."""
        for name, watch in self._watches.items():
            if problem := watch.check(observation.images[name], observation.pose[:3]):
                return problem if name == self.model.config.camera else f"{name} camera: {problem}"
        return ""

    def draw(self) -> np.ndarray | None:
        """Return what was looked at last: red the target, blue what it is related to."""
        if self._crop is None:
            return None
        crop = (self._crop[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        image = overlay(crop, self.grounding, self.model.config)
        return image if self._way is None else draw_trajectory(image, self._way, self.model.config)

    @property
    def points(self) -> dict[str, np.ndarray]:
        """Where what the words mean is, and where it is to go. Shape (3,) each, base frame [m]."""
        return {} if self._memory is None else self._memory.points

    @torch.inference_mode()
    def _warm_up(self) -> None:
        """Look once at nothing: torch loads much, for seconds, when it first computes."""
        one, black = self._tensor(np.zeros(1)), np.zeros((480, 640, 3), np.uint8)
        nowhere = np.zeros((480, 640, 3), np.float32)
        images = {name: nowhere if number else black for number, name in enumerate(self.cameras)}
        image, beside = self._gaze.preprocess(Observation(images, np.zeros(7), 0.0, ""))
        self.model.ground(image, one.expand(1, 3), one, self._slots(TaskSpec("home")), beside)
        self._gaze.reset()

    def _update_tracks(
        self, memory: TaskState, seen: Grounding, tool: Tensor, opening: float
    ) -> str:
        """Remember where things are; tells what is not there, or nothing."""
        closed = _HELD_OPENINGS[0] < opening < _HELD_OPENINGS[1]
        sights = (memory.target, memory.reference)
        skill = memory.step.skill
        for which, sight in enumerate(sights):
            if not is_named(memory.step, which):
                continue
            strange = memory.unknown_word[which]
            if strange and sight.point is None and float(seen.elsewhere[0, which]) > _PRESENT:
                name = object_name(memory.step, which)
                return f"I do not know the word '{strange}', and see more than one {name}"
            if float(seen.present[0, which]) > (_FOUND if sight.point is None else _PRESENT):
                around = tool if sight.point is None else sight.point
                clear = float((around - tool)[:, :2].norm()) > _CLEAR_OF_REFERENCE_M
                sight.update(seen.point[:, which].clone(), self._eye, clear)
            else:
                sight.unseen += 1
            if sight.point is None:
                return f"I see no {object_name(memory.step, which)}"
        point = memory.target.point
        if point is not None:
            if memory.start is None:
                memory.start = point.clone()
                memory.start[:, 2] = memory.target.height  # it may be in the hand
                before = self._program.before
                carries = before is not None and before.held and closed
                apart = float((point - tool).norm()) > _IN_HAND_M
                memory.full = tool.clone() if carries and apart else None
            near = memory.target.unseen > 0 or float((point - tool).norm()) < _IN_HAND_M
            # Fingers that something stops are closed on it; then until they are open, or empty.
            stopped = abs(opening - memory.opening) < _STOPPED_OPENING_CHANGE
            held, memory.held = memory.held, closed and (memory.held or (near and stopped))
            if memory.held:
                # What keeps the fingers apart is between them, nearer than one camera can tell.
                memory.target.point, memory.target.unseen = tool.clone(), 0
            elif held:
                memory.put_down(skill)
            memory.was_held |= held
            if skill.startswith("push"):
                memory.push(tool, skill.split()[1])
        memory.fingers_still = abs(opening - memory.opening) < _STOPPED_OPENING_CHANGE
        memory.opening = opening
        for which, sight in enumerate(sights):
            if sight.unseen > _MAX_UNSEEN_IMAGES and not sight.placed:
                return f"I lost sight of the {object_name(memory.step, which)}"
        return ""

    def _plan_chunk(
        self, observation: Observation, memory: TaskState, tool: Tensor, opening: Tensor
    ) -> ActionChunk:
        config = self.model.config
        yaw = tool_yaw(observation.pose)
        if memory.held and memory.yaw is not None:
            memory.turned += wrap_to_pi(yaw - memory.yaw)
        memory.yaw = yaw
        if memory.held:
            memory.grip_yaw = yaw
        item = tool if memory.target.point is None else memory.target.point
        start = tool if memory.start is None else memory.start
        reference = start if memory.reference.point is None else memory.reference.point
        skill = one_skill(memory.step.skill, config.skills, tool)
        if memory.full is not None and observation.opening > _HELD_OPENINGS[1]:
            memory.full = None
        goal = self.model.goal(skill, start, reference)
        if memory.nudge is not None:
            goal = (goal if memory.step.skill == "pick up" else start) + memory.nudge.to(start)
        elif memory.back_to is not None:
            goal = memory.back_to
        memory.goal = goal
        if memory.full is not None:
            skill, item = one_skill(PUT_DOWN, config.skills, tool), tool
            goal = memory.full * goal.new_tensor([1.0, 1.0, 0.0]) + goal.new_tensor(
                [0, 0, _PUT_DOWN_HEIGHT_M]
            )
        chunk = self.model.predict_actions(
            ActionHeadInput(
                skill,
                tool,
                self._tensor(np.array([wrap_to_pi(yaw - memory.is_straight)])),
                opening,
                item,
                goal,
                self._tensor(np.array([memory.turned])),
            )
        )
        moves, turns, grips = (part[0].double().cpu().numpy() for part in chunk)
        if not (np.all(np.isfinite(moves)) and np.all(np.isfinite(turns))):
            return hold_chunk(observation, config.step_dt, "the model's output is not finite")
        openings = (grips > 0).astype(float)
        answer = self._to_chunk(observation, memory, moves, yaw + turns, openings)
        done = is_step_done(memory, tool, observation.opening, moves)
        memory.images_done = memory.images_done + 1 if done else 0
        if memory.images_done >= _DONE_IMAGES:
            self._program.advance()
        return answer

    def _raise_hand(self, observation: Observation, memory: TaskState) -> ActionChunk:
        """Move the hand up, to see what it may hide."""
        horizon = self.model.config.horizon
        moves = np.outer(np.arange(1, horizon + 1), [0.0, 0.0, _RISE])
        yaws = np.full(horizon, tool_yaw(observation.pose))
        grips = np.full(horizon, float(observation.opening > _HELD_OPENINGS[1]))
        return self._to_chunk(observation, memory, moves, yaws, grips)

    def _to_chunk(
        self,
        observation: Observation,
        memory: TaskState,
        moves: np.ndarray,
        yaws: np.ndarray,
        grips: np.ndarray,
    ) -> ActionChunk:
        config = self.model.config
        places = observation.pose[:3] + moves
        self._way = np.concatenate([observation.pose[None, :3], places])
        scores = self.model.label(self._slots(memory.step))[0].tolist()
        return ActionChunk(
            ActionMode.END_EFFECTOR_POSE,
            np.stack([downward_pose(p, yaw) for p, yaw in zip(places, yaws, strict=True)]),
            grips,
            config.step_dt,
            config.labels[int(np.argmax(scores))],
            dict(zip(config.labels, scores, strict=True)),
            memory.confidence,
            "",
            self._program.progress(),
            gripper_at_once=True,
            pace=self._program.pace,
        )

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self._device)
