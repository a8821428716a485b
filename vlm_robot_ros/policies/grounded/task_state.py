"""What the learned policy knows since an instruction came, and what a correction makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vlm_robot_ros.language.task_spec import TaskSpec

NUDGE_M = 0.05
"""How far "a bit" is [m]."""
AMOUNTS_M = {"small": NUDGE_M, "large": 0.15}
"""How far "a bit" and "a lot" are [m]."""
_MAX_AMOUNT_M = 0.2
DIRECTIONS = {"left": (0.0, 1.0), "right": (0.0, -1.0), "away": (1.0, 0.0), "closer": (-1.0, 0.0)}
_OPPOSITE = {
    "push left": "push right", "push right": "push left", "push away": "push closer",
    "push closer": "push away", "turn left": "turn right", "turn right": "turn left",
    "open": "close", "close": "open",
}  # fmt: skip
PUT_DOWN = "place left"
"""Any skill of placing: where to is given by the goal."""
_RECEPTACLE_FLOOR_M = 0.01
"""How much higher things stand in a receptacle than on the table [m]."""
_CONTACT, _LOW = 0.033, 0.06
"""How near the tool comes to the middle of what it pushes, and how low it must be [m]."""
_MAX_JUMP_M = 0.02
"""What seems to have gone farther since the last image is not believed at once [m]."""
_AGAIN, _AGAIN_HIDDEN = 6, 20
"""Images in a row that must show it where it seems to have gone; with the hand before it."""


@dataclass
class ObjectTrack:
    """Where one thing of the instruction is."""

    point: Tensor | None = None
    """Shape (1, 3), base frame [m]; None until it was seen."""
    height: float = 0.0
    """Of its middle where it stands [m]."""
    unseen: int = 0
    """Images since it was seen."""
    elsewhere: Tensor | None = None
    """Where it seemed to have gone in the last image, which is not believed yet."""
    confirmations: int = 0
    """Images in a row that showed it there."""
    placed: bool = False
    """Whether the arm has put it there itself: it may be hidden in something, or on top of it."""

    def update(self, place: Tensor, eye: Tensor | None, clear: bool) -> None:
        """Take note of where it is seen.

        One camera cannot tell how far away a thing is, but what stands somewhere has a height:
        of the line of sight it is the point at that height.

        Args:
            place: Where it seems to be. Shape (1, 3), base frame [m].
            eye: Where the camera is, shape (3,), [m]; None where distances are measured.
            clear: Whether the hand is far enough aside not to hide it.
        """
        self.unseen = 0
        if self.point is None:
            self.point, self.height = place, float(place[0, 2])
            return
        seen = place
        if eye is not None:
            place = eye + (seen - eye) * (self.height - eye[2]) / (seen[:, 2:] - eye[2])
        if _horizontal_distance(place, self.point) < _MAX_JUMP_M:
            self.point = self.point + (0.3 if clear else 0.1) * (place - self.point)
            self.confirmations = 0
        elif _horizontal_distance(seen, self.point) < _MAX_JUMP_M:
            self.confirmations = 0
        else:
            same = (
                self.elsewhere is not None
                and _horizontal_distance(place, self.elsewhere) < _MAX_JUMP_M
            )
            self.elsewhere, self.confirmations = place, self.confirmations + 1 if same else 0
            if self.confirmations >= (_AGAIN if clear else _AGAIN_HIDDEN):
                self.point, self.confirmations = place, 0


def _horizontal_distance(one: Tensor, other: Tensor) -> float:
    return float((one - other)[:, :2].norm())


@dataclass
class TaskState:
    """What is known since a step was begun."""

    step: TaskSpec
    problem: str = ""
    """Why the words cannot be followed, or nothing."""
    confidence: float = 1.0
    """How sure it is that the words mean this step, 0 to 1."""
    unknown_word: tuple[str, str] = ("", "")
    """Of target and reference a word that is not known, and may be colour or shape; or nothing."""
    target: ObjectTrack = field(default_factory=ObjectTrack)
    reference: ObjectTrack = field(default_factory=ObjectTrack)
    start: Tensor | None = None
    """Where the target was first. Shape (1, 3), [m]."""
    held: bool = False
    """Whether the fingers are closed on the target."""
    was_held: bool = False
    """Whether they were, before."""
    images_done: int = 0
    """Images in a row for which the step was done."""
    finished: bool = False
    """Whether it is done, and the last step."""
    full: Tensor | None = None
    """Where the tool was with something else in it that must be put down. Shape (1, 3), [m]."""
    goal: Tensor | None = None
    """Where the target shall be. Shape (1, 3), [m]."""
    opening: float = 1.0
    """Of the gripper at the last image, 0 closed to 1 open."""
    fingers_still: bool = False
    """Whether the opening did not change between the last two images."""
    undoes: bool = False
    """Whether it takes `step` back."""
    turned: float = 0.0
    """How far what is held was turned [rad]."""
    yaw: float | None = None
    """Of the tool at the last image [rad]."""
    grip_yaw: float = 0.0
    """Of the tool when it last held the target [rad]."""
    is_straight: float = 0.0
    """Yaw at which the target is gripped [rad]."""
    nudge: Tensor | None = None
    """By how much the step moves the target, where it says so. Shape (3,), [m]."""
    back_to: Tensor | None = None
    """The goal itself, instead of the skill's. Shape (1, 3), [m]."""

    @property
    def points(self) -> dict[str, np.ndarray]:
        """What is known of where things are, and shall be. Shape (3,) each, base frame [m]."""
        known = {"target": self.target.point, "reference": self.reference.point,
                 "goal": self.goal}  # fmt: skip
        return {
            name: point[0].double().cpu().numpy()
            for name, point in known.items()
            if point is not None
        }

    def remember(self, before: "TaskState") -> None:
        """Take over where the step before has put the thing that this step refers to."""
        let_go = before.was_held and not before.held
        if let_go and self.step.reference == before.step.target:
            self.reference = replace(before.target, unseen=0, placed=True)

    def put_down(self, skill: str) -> None:
        """Take note that the fingers have opened: the target stands where they let go of it.

        Args:
            skill: What is being done.
        """
        sight = self.target
        assert sight.point is not None
        assert self.start is not None
        height = float(self.start[0, 2])
        if (
            self.goal is not None
            and _horizontal_distance(sight.point, self.goal) < _MAX_JUMP_M
            and skill != "pick up"
        ):
            # What is put into something is let go of above the rim, and falls.
            height = height + _RECEPTACLE_FLOOR_M if skill == "put" else float(self.goal[0, 2])
        sight.height = sight.point[:, 2] = height

    def push(self, tool: Tensor, way: str) -> None:
        """Take note that what stands in the way of closed fingers goes along with them.

        Args:
            tool: Shape (1, 3), base frame [m].
            way: "left", "right", "away" or "closer".
        """
        point = self.target.point
        assert point is not None
        along = torch.tensor([*DIRECTIONS[way], 0.0]).to(point)
        offset = point - tool
        ahead = float(offset @ along)
        sideways = float((offset - ahead * along)[:, :2].norm())
        if float(tool[0, 2]) < _LOW and sideways < _CONTACT and 0 < ahead < _CONTACT:
            self.target.point = point + (_CONTACT - ahead) * along


def displacement(step: TaskSpec) -> Tensor | None:
    """Return how far a step moves its target, shape (3,), [m]; None without a usable amount."""
    if step.amount in AMOUNTS_M:
        length = AMOUNTS_M[step.amount]
    elif step.amount.endswith(" cm"):
        length = float(step.amount.split()[0]) / 100
    else:
        return None
    family, _, way = step.skill.partition(" ")
    if length > _MAX_AMOUNT_M or family not in ("push", "pick"):
        return None
    along = DIRECTIONS[way] if family == "push" else (0.0, 0.0)
    return torch.tensor([*along, float(family == "pick")]) * length


def adjusted(before: TaskState, step: TaskSpec) -> TaskState:
    """Return the state to go on with when the target is to be moved by an amount.

    Args:
        before: Of the step that is corrected.
        step: A push or a lift, with an amount.
    """
    if before.target.point is None:
        return TaskState(step, "there is nothing to be moved a bit")
    return TaskState(step, target=before.target, nudge=displacement(step))


def undone(before: TaskState) -> TaskState:
    """Return the state to go on with when a step is to be undone."""
    step, skill = before.step, before.step.skill
    if skill == "home":
        return TaskState(step, "I cannot undo going home")
    if skill in ("open", "close"):
        return TaskState(TaskSpec(_OPPOSITE[skill]))
    if before.start is None:
        return TaskState(step, "nothing was done yet that could be undone")
    if skill in _OPPOSITE:
        opposite = replace(step, skill=_OPPOSITE[skill], amount="")
        if not skill.startswith("turn"):
            return TaskState(opposite, back_to=before.start)
        # No farther back than it was turned; and gripped as it was let go of, for what is longer
        # than wide slips when it is gripped lengthwise.
        turned = before.turned + (-np.pi / 2 if skill == "turn left" else np.pi / 2)
        straight = before.grip_yaw - turned
        return TaskState(opposite, target=before.target, turned=turned, is_straight=straight)
    back = TaskSpec(PUT_DOWN, step.target)
    return TaskState(back, target=before.target, back_to=before.start)


def one_skill(name: str, skills: Sequence[str], like: Tensor) -> Tensor:
    """Return a skill as a one-hot row, shape (1, K), on the device of another tensor."""
    chosen = torch.tensor([list(skills).index(name)], device=like.device)
    return F.one_hot(chosen, len(skills)).float()
