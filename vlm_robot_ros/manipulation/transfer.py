"""The scripted expert that fetches a thing, carries it and lets go of it.

It keeps no state, so that it can label any state: the action head learns from it. All arrays are
batches over states; positions in the base frame [m].
"""

from typing import NamedTuple

import numpy as np

STEP_DT = 0.1
"""Time between two decisions [s]."""
STEP_M, TURN_RAD = 0.05, 0.2
"""How far the tool moves in one, and turns."""
_HOVER_M = 0.12
"""How high above a thing the tool comes to it."""
_THERE_M, _STOPPED_THERE_M, _STOPPED_ABOVE_M = 0.01, 0.02, 0.035
"""How near the tool must be to close or open the fingers; where it cannot go on, aside, above."""
_STRAIGHT_RAD, _ASKEW_M = 0.12, 0.04
"""How straight the tool must be for it; how far aside a tool counts that is 1 rad askew."""


class TransferState(NamedTuple):
    """What the expert decides on."""

    tool: np.ndarray
    """Shape (B, 3)."""
    turn: np.ndarray
    """From the tool's yaw to that of the grasp. Shape (B,), [rad]."""
    held: np.ndarray
    """Whether the fingers are closed on the thing, 0 or 1. Shape (B,)."""
    stopped: np.ndarray
    """Whether the tool does not get on, 0 or 1. Shape (B,)."""
    item: np.ndarray
    """Where the tool is to be when the fingers close. Shape (B, 3)."""
    goal: np.ndarray
    """Where it is to be when they open. Shape (B, 3)."""
    travel: np.ndarray
    """How high it is on its way from one to the other. Shape (B,)."""
    keep: np.ndarray
    """Whether the thing is not let go of, 0 or 1. Shape (B,)."""
    placed: np.ndarray
    """Whether it was let go of at its goal, 0 or 1. Shape (B,)."""


class TransferAction(NamedTuple):
    """What the expert does."""

    move: np.ndarray
    """Displacement of the tool. Shape (B, 3)."""
    turn: np.ndarray
    """Shape (B,), [rad]."""
    grip: np.ndarray
    """Opening to command. Shape (B,)."""


def expert_action(state: TransferState) -> TransferAction:
    """Return what to do over the next `STEP_DT`."""
    tool, stopped = state.tool, state.stopped > 0.5
    held, placed = state.held > 0.5, state.placed > 0.5
    aside = np.linalg.norm((tool - state.item)[:, :2], axis=1)
    # It comes down when the fingers are on the right sides.
    askew = aside + _ASKEW_M * np.minimum(np.abs(state.turn), 1.0)
    fetch = _from_above(tool, state.item, askew, _HOVER_M, 0.06)
    at_item = _is_there(tool, state.item, aside, stopped) & (np.abs(state.turn) < _STRAIGHT_RAD)

    over = np.linalg.norm((tool - state.goal)[:, :2], axis=1)
    carry = _from_above(
        tool, state.goal, over, np.maximum(state.travel - state.goal[:, 2], 0), 0.03
    )
    lets_go = _is_there(tool, state.goal, over, stopped) & (state.keep < 0.5)

    leave = tool.copy()
    leave[:, 2] = np.maximum(
        tool[:, 2], np.minimum(state.goal[:, 2] + _HOVER_M, tool[:, 2] + STEP_M)
    )
    aim = np.where(held[:, None], carry, np.where(placed[:, None], leave, fetch))
    gap = aim - tool
    length = np.linalg.norm(gap, axis=1, keepdims=True)
    move = gap * np.minimum(1.0, STEP_M / np.maximum(length, 1e-9))
    rests = np.where(held, lets_go, ~placed & at_item)
    move = np.where(rests[:, None], 0.0, move)
    turn = np.where(held | placed, 0.0, np.clip(state.turn, -TURN_RAD, TURN_RAD))
    grip = np.where(held, lets_go, placed | ~at_item).astype(float)
    return TransferAction(move, turn, grip)


def is_there(tool: np.ndarray, goal: np.ndarray) -> bool:
    """Tell whether a tool that does not get on is where it is to be. Shapes (3,), [m]."""
    aside = np.linalg.norm((tool - goal)[None, :2], axis=1)
    return bool(tool[2] > goal[2] - _STOPPED_THERE_M) and bool(
        _is_there(tool[None], goal[None], aside, np.array([True]))[0]
    )


def rollout(state: TransferState, horizon: int, speed: float = 0.02) -> TransferAction:
    """Return the expert's next steps, imagined: the tool goes a part of the way that it is sent.

    Args:
        state: Where to begin.
        horizon: Steps, H.
        speed: How far the arm really moves in one step at most [m].

    Returns:
        Displacements from the tool now, shape (B, H, 3), turns from its yaw now and openings,
        shape (B, H).
    """
    origin, turned = state.tool, np.zeros(len(state.tool))
    steps = []
    for _ in range(horizon):
        action = expert_action(state)
        steps.append(
            TransferAction(state.tool + action.move - origin, turned + action.turn, action.grip)
        )
        length = np.linalg.norm(action.move, axis=1, keepdims=True)
        tool = state.tool + action.move * np.minimum(1.0, speed / np.maximum(length, 1e-9))
        turned = turned + action.turn
        state = state._replace(tool=tool, turn=state.turn - action.turn)
    return TransferAction(*(np.stack(parts, 1) for parts in zip(*steps, strict=True)))


def _from_above(
    tool: np.ndarray, goal: np.ndarray, aside: np.ndarray, height: np.ndarray | float, slack: float
) -> np.ndarray:
    """Return a goal raised by how far the tool is aside; first the tool rises, where it is low."""
    aim = goal.copy()
    aim[:, 2] += np.clip((aside - 0.006) * 3.0, 0.0, height)
    low = np.clip((aim[:, 2] - tool[:, 2]) / slack, 0.0, 1.0)[:, None]
    aim[:, :2] = goal[:, :2] * (1 - low) + tool[:, :2] * low
    return aim


def _is_there(
    tool: np.ndarray, goal: np.ndarray, aside: np.ndarray, stopped: np.ndarray
) -> np.ndarray:
    above = tool[:, 2] - goal[:, 2]
    near = (aside < _THERE_M) & (np.abs(above) < _THERE_M)
    return near | (stopped & (aside < _STOPPED_THERE_M) & (above < _STOPPED_ABOVE_M))
