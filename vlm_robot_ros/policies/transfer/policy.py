"""The policy that carries what a sentence names to where it says, as a checkpoint has learned."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vlm_robot_ros.interfaces.action import ActionChunk, StepInfo
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.interfaces.scene_object import SceneObject
from vlm_robot_ros.manipulation.geometry import GraspError
from vlm_robot_ros.manipulation.push_task import PushTask
from vlm_robot_ros.manipulation.transfer import STEP_DT, TransferAction
from vlm_robot_ros.manipulation.transfer_task import TransferTask, transfer_chunk
from vlm_robot_ros.models.transfer.transfer_head import TransferHead, TransferHeadInput
from vlm_robot_ros.policies.transfer.places import WAYS, place_for
from vlm_robot_ros.policies.transfer.proposals import agrees
from vlm_robot_ros.policies.transfer.scene import (
    TABLE_CENTRE,
    SeenThing,
    is_one,
    resolve,
    scene_object,
)
from vlm_robot_ros.policies.transfer.scene_perception import (
    PerceptionError,
    ScenePerception,
    Sight,
)
from vlm_robot_ros.policies.transfer.thing_steps import ReadSentence, ThingStep
from vlm_robot_ros.robot.config import RobotConfig

PUSHED = {"push left": (0.0, 1.0), "push right": (0.0, -1.0), "push away": (1.0, 0.0),
          "push closer": (-1.0, 0.0)}  # fmt: skip
"""Where skills push to."""
_SAME_M = 0.08
"""How far a thing is seen from where it was, at most [m]."""
_LEFT_M, _LIFTED_M = 0.08, 0.03
"""How far the tool is from what it has let go of when the step is done; how near the height that
a thing is lifted to [m]."""
_ANSWER_S = 60.0
"""How long a "yes" answers what was proposed [s]."""
_EMPTY, _OPEN = 0.015, 0.95
"""Openings between which the hand may hold something."""


class TransferPolicy:
    """Acts as a checkpoint has learned to."""

    def __init__(
        self, head: TransferHead, scene: ScenePerception, robot: RobotConfig, device: str
    ) -> None:
        """Take the parts.

        Args:
            head: Decides on the next steps.
            scene: Reads sentences, and sees what they name.
            robot: That acts.
            device: Where to compute.
        """
        self._head, self._scene, self._device = head.to(device), scene, device
        self._workspace = robot.workspace
        self._middle = np.add(robot.workspace.min, robot.workspace.max)[:2] / 2
        self.reset()

    replan_steps = 2

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those that it looks through."""
        return self._scene.cameras

    def reset(self) -> None:
        """Forget everything."""
        self._scene.reset()
        self._seen: Sight | None = None
        self._proposed: tuple[ReadSentence, float] | None = None
        """What "yes" asks for, and when this was proposed [s]."""
        self._agreed: ReadSentence | None = None
        """What is being done because "yes" was said."""
        self._said_since = 0
        """How many instructions came since one was read last."""
        self._carried: tuple[str, TransferTask] | None = None
        """What the hand still holds of the instruction before."""
        self._task: TransferTask | None = None
        self._noun = ""
        self._changed = -np.inf
        """When the hand took or left something last [s]."""
        self.next_instruction()

    def next_instruction(self) -> None:
        """Wait for another instruction; what the hand holds it keeps."""
        self._said_since += 1
        if self._task is not None:
            is_kept = self._task.held and not isinstance(self._task, PushTask)
            self._carried = (self._noun, self._task) if is_kept else None
        self._steps: tuple[ThingStep, ...] = ()
        self._index = 0
        self._problem = ""
        self._confidence = 0.0
        self._is_read = False
        self._task = None
        self._noun = ""
        self._state = (False, False)
        self._followed: Sight | None = None

    def draw(self) -> np.ndarray | None:
        """Return what the camera sees, with a box for each thing; None before it has looked."""
        return self._scene.draw()

    @property
    def objects(self) -> list[SceneObject]:
        """What was seen last of what was looked for."""
        things = () if self._seen is None else self._seen.things
        return [scene_object(thing) for thing in things if thing.noun]

    @torch.inference_mode()
    def infer(self, observation: Observation) -> ActionChunk:
        """Return what to do next; a hold that says why where nothing is to be done."""
        if not self._is_read:
            read = self._read(observation)
            self._steps, self._problem, self._confidence = read[:3]
            self._problem = self._problem or _refusal_of_steps(self._steps)
            self._is_read = True
        if self._carried and not _EMPTY < observation.opening < _OPEN:
            self._carried = None  # it is not there any more
        if self._problem:
            return hold_chunk(observation, STEP_DT, self._problem)
        try:
            sight = self._seen = self._scene.look(observation, _nouns(self._steps))
            task = self._task = self._task or self._begin(sight)
            self._follow(task, sight)
            plan = self._plan(task, observation)
        except (LookupError, GraspError, PerceptionError) as error:
            return hold_chunk(observation, STEP_DT, str(error))
        if (task.held, task.placed) != self._state:
            self._state, self._changed = (task.held, task.placed), observation.time
        if not (np.isfinite(plan.move).all() and np.isfinite(plan.turn).all()):
            return hold_chunk(observation, STEP_DT, "the model's output is not finite")
        task.commanded(plan)
        step = self._steps[self._index]
        label = f"{step.skill} {step.target.noun}".replace(" ", "_")
        chunk = transfer_chunk(observation, plan, label, self._confidence)
        info = StepInfo(self._index, len(self._steps), _describe(step), self._advance(observation))
        self._agreed = None if info.done else self._agreed
        return replace(chunk, step=info)

    def _read(self, observation: Observation) -> ReadSentence:
        """Return what the instruction says, which may answer what was proposed before."""
        said_since, self._said_since = self._said_since, 0
        proposed, self._proposed = self._proposed, None
        agreed, self._agreed = self._agreed, None
        if said_since == 1 and agrees(observation.instruction):
            if agreed is not None:  # it is said again
                self._agreed = agreed
                return agreed
            if proposed is not None and 0 <= observation.time - proposed[1] < _ANSWER_S:
                self._agreed = proposed[0]._replace(
                    steps=proposed[0].proposed, problem="", proposed=()
                )
                return self._agreed
        read = self._scene.read(observation.instruction, observation)
        if refusal := _refusal_of_steps(read.proposed):
            return read._replace(problem=refusal, proposed=())
        if read.proposed:
            self._proposed = read, observation.time
            return read._replace(problem=HoldReason(HoldCode.POLICY_PROPOSES, read.problem))
        return read

    def _begin(self, sight: Sight) -> TransferTask:
        """Return the task of the step that runs.

        Raises:
            LookupError: what it is about is not there, or not clear.
            GraspError: it cannot be gripped.
            PerceptionError: it was not looked at since the step before.
        """
        step, seen = self._steps[self._index], list(sight.things)
        if sight.time < self._changed:
            raise PerceptionError("I am looking where things are now")
        for noun in (step.target.noun, step.reference.noun):
            if noun in sight.problems:
                raise PerceptionError(f"I see the {noun}, but not its shape: "
                                      f"{sight.problems[noun]}")  # fmt: skip
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
            reference = resolve(step.reference, others, self._middle)
            if not self._carried and is_one(reference, target):
                raise LookupError(f"I cannot tell the {reference.noun} from the {target.noun}")
            place = place_for(step.skill, target, reference, seen, self._scene, self._workspace)
        self._noun = target.noun
        around = [thing.geometry for thing in seen if thing is not target]
        if step.skill in PUSHED:
            if self._carried:
                raise LookupError(f"I hold the {self._carried[0]}: say where to put it first")
            return PushTask(target.geometry, None, around, self._workspace, way=PUSHED[step.skill])
        if self._carried:
            held = self._carried[1]
            self._carried, held.place, held.others = None, place, around
            return held
        return TransferTask(target.geometry, place, around, self._workspace)

    def _follow(self, task: TransferTask, sight: Sight) -> None:
        """Take note of where the target is seen now: once for each sight."""
        if sight is self._followed or sight.time < self._changed:
            return
        self._followed = sight
        if not task.held:
            task.others = [
                thing.geometry for thing in sight.things if thing.noun != self._noun
                or np.linalg.norm(thing.point - task.expected) > _SAME_M
            ]  # fmt: skip
        # What was not where it was put has stayed where it was; so has what the hand lost.
        for expected in (task.expected, task.target.base):
            near = [
                (float(np.linalg.norm(thing.point - expected)), thing.geometry)
                for thing in sight.things if thing.noun == self._noun and thing.cells > 0
            ]  # fmt: skip
            apart, geometry = min(near, key=lambda each: each[0], default=(np.inf, task.target))
            if apart < _SAME_M:
                task.see(geometry, sight.tool)
                return

    def _plan(self, task: TransferTask, observation: Observation) -> TransferAction:
        state = task.state(observation)
        plan = self._head(TransferHeadInput(*map(self._tensor, state)))
        move, turn, grip = (part.double().cpu().numpy() for part in plan)
        return TransferAction(move * task.pace, turn, (grip > 0).astype(float))

    def _advance(self, observation: Observation) -> bool:
        """Go on with the next step where this one is done; tells whether all are."""
        task = self._task
        if task is not None and task.keeps:
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


def _nouns(steps: Sequence[ThingStep]) -> list[str]:
    """Return all things that steps are about, without doubles."""
    named = [
        noun
        for step in steps for thing in (step.target, step.reference)
        for noun in (thing.noun, *thing.landmarks)
    ]  # fmt: skip
    return [noun for noun in dict.fromkeys(named) if noun and noun != TABLE_CENTRE]


def _refusal(step: ThingStep) -> str:
    """Return why a step cannot be done; empty if it can."""
    if step.reference.noun == TABLE_CENTRE or step.target.noun == TABLE_CENTRE:
        return f"I do not put things in the {TABLE_CENTRE}: say what to put them on or beside"
    known = step.skill.startswith("place ") and step.skill.removeprefix("place ") in {*WAYS, "?"}
    if step.skill in ("put", "stack", "pick up", *PUSHED) or known:
        return ""
    return f"I have not learned to {step.skill}: only to pick up, push and put things somewhere"


def _refusal_of_steps(steps: Sequence[ThingStep]) -> str:
    """Return why steps cannot be done; empty if they can."""
    return next(filter(None, map(_refusal, steps)), "") or _refusal_of_order(steps)


def _refusal_of_order(steps: Sequence[ThingStep]) -> str:
    """Return why steps cannot be done one after the other; empty if they can."""
    kept = next((step for step in steps[:-1] if step.skill == "pick up"), None)
    if kept is None:
        return ""
    return f"I cannot hold the {kept.target.noun} and do something else: say where to put it"


def _describe(step: ThingStep) -> str:
    where = f" at the {step.reference.noun}" if step.reference.noun else ""
    return f"{step.skill} the {step.target.noun}{where}"
