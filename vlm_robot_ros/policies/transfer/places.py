"""Where a thing goes: on something, in it, or to a free spot beside it."""

import itertools
from collections.abc import Sequence

import numpy as np

from vlm_robot_ros.manipulation.geometry import Place, box_overlap, is_over, place_on
from vlm_robot_ros.policies.transfer.scene import SeenThing
from vlm_robot_ros.policies.transfer.scene_perception import ScenePerception
from vlm_robot_ros.robot.config import Workspace

WAYS = {"left": (0.0, 1.0), "right": (0.0, -1.0), "in front": (-1.0, 0.0), "behind": (1.0, 0.0)}
"""Unit vectors of the base frame; in front of a thing is where the robot is."""
_SAID = {"in front": "in front of", "behind": "behind", "?": "beside"}
_ASIDE_M = np.array(sorted(itertools.product((0.0, 0.02, -0.02, 0.04, -0.04), repeat=2),
                           key=lambda each: abs(each[0]) + abs(each[1])))  # fmt: skip
"""How far from the middle of a side a thing may be put where that is taken. Shape (N, 2), [m]."""
_OVERLAP_M = 0.01
"""How deep in another thing a place is that is taken [m]: few things fill their boxes."""


def place_for(
    skill: str,
    target: SeenThing,
    reference: SeenThing,
    seen: Sequence[SeenThing],
    scene: ScenePerception,
    workspace: Workspace,
) -> Place:
    """Return where a thing goes that is put on a reference, in it or beside it.

    Args:
        skill: `put`, or `place` and a side of `WAYS`, or `place ?` for any side.
        target: The thing.
        reference: What it goes to.
        seen: All that is seen.
        scene: Knows how far beside a thing another one is put.
        workspace: Of the tool.

    Raises:
        LookupError: something stands there; where any side will do, all are taken or outside
            the workspace.
    """
    if not skill.startswith("place "):
        return place_on(reference.geometry)
    side = skill.removeprefix("place ")
    # What the hand holds is seen where the hand is; the place is beside the reference.
    around = [
        each for each in seen
        if each is not reference and each is not target and each.noun != target.noun
    ]  # fmt: skip
    below = [each for each in around if is_over(reference.geometry.base, each.geometry)]
    what = ""
    for way, aside in itertools.product([WAYS[side]] if side in WAYS else WAYS.values(), _ASIDE_M):
        point = scene.place_beside(reference, target.geometry, np.array(way))
        point[:2] += aside
        tops = [each.geometry.top for each in below if is_over(point, each.geometry)]
        point[2] = max([point[2], *tops])
        inside = (point[:2] > workspace.min[:2]) & (point[:2] < workspace.max[:2])
        taken = [
            each.noun or "something else" for each in around
            if not any(each is one for one in below)
            and box_overlap(target.geometry, point, each.geometry) > _OVERLAP_M
        ]  # fmt: skip
        if (inside.all() or side in WAYS) and not taken:
            return Place(point)
        what = what or "".join(taken[:1])
    where = _SAID.get(side, f"to the {side} of")
    told = f"{what} is there" if what else "out of reach"
    raise LookupError(f"there is no free space {where} the {reference.noun}: {told}")
