"""What is seen of a scene: cells' votes to things, and which of these a sentence means."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.interfaces.scene_object import SceneObject
from vlm_robot_ros.manipulation.camera_view import CameraView
from vlm_robot_ros.manipulation.geometry import GraspError, ObjectGeometry, plan_grasp
from vlm_robot_ros.models.transfer.config import ThingConfig
from vlm_robot_ros.models.transfer.scene_detector import SceneVotes
from vlm_robot_ros.policies.transfer.thing_steps import ThingReference

_SURE = 0.5
"""Probability above which a cell shows a thing."""
_TOGETHER_PX, _ONE_PX = 5.0, 12.0
"""How near votes are that agree; how near those are that are of one thing."""
_LEAST_CELLS = 2.0
"""How many cells, weighed by how sure they are, a thing must have."""
_TWICE_M, _CERTAIN, _PART = 0.015, 0.75, 0.35
"""How near each other two names are that are seen of one thing [m]; how sure two things are that
stand there; how large a second thing of a kind must seem next to the first."""
_ON_M, _NEXT_TO_M, _ASIDE_M = 0.12, 0.35, 0.02
"""How near a landmark a thing is that is on it, next to it; how far aside one is that is left of
it [m]."""
_SUPPORT_M = 0.04
"""How wide a thing is at least that others can be put on [m]."""
_ONE_M = 0.01
"""How near each other two phrases are seen that mean one thing [m]."""
_BESIDE = {
    "left of": (1, 1.0), "right of": (1, -1.0), "in front of": (0, -1.0), "behind": (0, 1.0),
}  # fmt: skip
_ENDS = {"leftmost": (1, 1.0), "rightmost": (1, -1.0), "nearest": (0, -1.0), "farthest": (0, 1.0)}


@dataclass(frozen=True)
class SeenThing:
    """A thing that is seen."""

    noun: str
    geometry: ObjectGeometry
    confidence: float
    """0 to 1."""

    point: np.ndarray
    """Where it stands or, of a fixture, where things are put on it. Shape (3,), [m]."""
    cells: float
    """How much of the image shows it: cells, weighed by how sure they are."""

    @property
    def words(self) -> str:
        """What it is, how large, and how sure: "bowl 12 x 10 x 6 cm, 93 %"."""
        size = " x ".join(f"{100 * side:.0f}" for side in self.geometry.size)
        return f"{self.noun} {size} cm, {self.confidence:.0%}"


def scene_object(thing: SeenThing) -> SceneObject:
    """Return a thing as others are told of it, with what can be done with it."""
    box = thing.geometry
    try:
        plan_grasp(box)
        problem = ""
    except GraspError as error:
        problem = str(error)
    is_flat = not box.hollow and bool(min(box.size[:2]) > _SUPPORT_M)
    middle = np.array([*box.base[:2], box.base[2] + box.size[2] / 2])
    return SceneObject(thing.noun, middle, box.yaw, box.size, thing.confidence, box.hollow,
                       is_flat, problem)  # fmt: skip


def things_of(
    votes: SceneVotes, things: Sequence[ThingConfig], view: CameraView, ground: float
) -> list[SeenThing]:
    """Return the things that cells vote for, the surest of each kind first.

    Args:
        votes: Of one image; a batch of one.
        things: All kinds.
        view: Of the camera.
        ground: Height of what things stand on [m].
    """
    shown = votes.noun[0].softmax(0).double().cpu().numpy()
    best, sure = shown[1:].argmax(0), shown[1:].max(0)
    pixels, heights = (
        votes.pixel[0].double().cpu().numpy().T,
        votes.height[0].double().cpu().numpy(),
    )
    found = []
    for number, thing in enumerate(things):
        mine = (best == number) & (sure > _SURE)
        for rows in _clusters(pixels[mine], sure[mine]):
            at, height = pixels[mine][rows], heights[mine][rows]
            weight = sure[mine][rows][:, None]
            middle = (at * weight).sum(0) / weight.sum()
            above = float((height * weight[:, 0]).sum() / weight.sum())
            point = view.at_height(middle[None], np.array([ground + above]))[0]
            cells = float(weight.sum())
            confidence = float(weight.mean()) * min(1.0, cells / 4)
            found.append(SeenThing(thing.noun, _geometry(thing, point), confidence, point, cells))
    return _distinct(found)


def place_in_front(
    thing: SeenThing, kind: ThingConfig, target: ObjectGeometry, way: np.ndarray, ground: float
) -> np.ndarray:
    """Return where the base of a target is that is put beside a thing. Shape (3,), [m].

    Args:
        thing: What it is put beside.
        kind: Its kind: what has a front of its own is not asked where the robot is.
        target: What is put.
        way: Unit vector. Shape (2,).
        ground: Height of what things stand on [m].
    """
    if kind.front and way[0] < 0:
        return np.array([*(thing.point[:2] + np.array(kind.front)), ground])
    apart = (thing.geometry.size[:2] + target.size[:2]) / 2 @ np.abs(way) + 0.03
    return np.array([*(thing.geometry.base[:2] + way * apart), ground])


def resolve(reference: ThingReference, seen: Sequence[SeenThing], middle: np.ndarray) -> SeenThing:
    """Return the thing that a sentence means.

    Args:
        reference: As the sentence names it.
        seen: What there is.
        middle: Of the table or floor. Shape (2,), [m].

    Raises:
        LookupError: it is not there, or several fit; says which.
    """
    fitting = [thing for thing in seen if thing.noun == reference.noun]
    if not fitting:
        raise LookupError(f"I see no {reference.noun}")
    if reference.selector in _ENDS:
        axis, sign = _ENDS[reference.selector]
        return max(fitting, key=lambda thing: sign * float(thing.point[axis]))
    if reference.relation:
        return _related(reference, fitting, seen, middle)
    if len(fitting) > 1:
        raise LookupError(f"I see {len(fitting)} things called {reference.noun}: which one?")
    return fitting[0]


def _related(
    reference: ThingReference,
    fitting: Sequence[SeenThing],
    seen: Sequence[SeenThing],
    middle: np.ndarray,
) -> SeenThing:
    landmarks = []
    for noun in reference.landmarks:
        if noun == TABLE_CENTRE:
            landmarks.append(middle)
            continue
        found = [thing for thing in seen if thing.noun == noun]
        if not found:
            raise LookupError(f"I see no {noun}")
        landmarks.append(found[0].point[:2])
    place = np.mean(landmarks, 0)
    apart = [float(np.linalg.norm(thing.point[:2] - place)) for thing in fitting]
    if reference.negated:
        return fitting[int(np.argmax(apart))]
    limit = _NEXT_TO_M
    if reference.relation in ("on", "in") and TABLE_CENTRE not in reference.landmarks:
        limit = _ON_M
    if reference.relation == "next to":
        # What stands on the landmark, or in it, is not next to it.
        apart = [far if far > _ON_M / 3 else np.inf for far in apart]
    if reference.relation in _BESIDE:
        axis, sign = _BESIDE[reference.relation]
        apart = [
            far if sign * float(thing.point[axis] - place[axis]) > _ASIDE_M else np.inf
            for far, thing in zip(apart, fitting, strict=True)
        ]
    best = int(np.argmin(apart))
    if apart[best] > limit:
        where = " and ".join(reference.landmarks)
        raise LookupError(f"I see no {reference.noun} {reference.relation} the {where}")
    return fitting[best]


TABLE_CENTRE = "table centre"
"""Noun of a place that is no thing."""


def _distinct(found: Sequence[SeenThing]) -> list[SeenThing]:
    """Return things without those that are parts of others, or the same by another name."""
    kept: list[SeenThing] = []
    for thing in sorted(found, key=lambda each: -each.cells):
        same = [each for each in kept if each.noun == thing.noun]
        # Cells that are not sure what they show may be of one thing.
        twice = thing.confidence < _CERTAIN and any(
            np.linalg.norm(each.point - thing.point) < _TWICE_M for each in kept
        )
        if not twice and (not same or thing.cells > _PART * same[0].cells):
            kept.append(thing)
    return kept


def _geometry(thing: ThingConfig, point: np.ndarray) -> ObjectGeometry:
    spot = np.array(thing.spot) if thing.spot else None
    base = point - spot if thing.fixture and spot is not None else point
    return ObjectGeometry(base, np.array(thing.size), 0.0, thing.hollow, spot)


def _clusters(pixels: np.ndarray, sure: np.ndarray) -> list[np.ndarray]:
    """Return which votes are of one thing each, the largest first."""
    left, found = np.arange(len(pixels)), []
    while len(left):
        apart = np.linalg.norm(pixels[left, None] - pixels[None, left], axis=-1)
        support = (apart < _TOGETHER_PX) @ sure[left]
        best = int(support.argmax())
        if support[best] < _LEAST_CELLS:
            break
        found.append(left[apart[best] < _TOGETHER_PX])
        left = left[apart[best] >= _ONE_PX]
    return found


def is_one(first: SeenThing, second: SeenThing) -> bool:
    """Tell whether what two phrases found is the same thing."""
    boxes = first.geometry, second.geometry
    apart = [np.abs(getattr(boxes[0], name) - getattr(boxes[1], name)).max()
             for name in ("base", "size")]  # fmt: skip
    return first.noun != second.noun and bool(max(apart) < _ONE_M)
