"""The actions that the node's control loop makes of a policy's answers to a recording."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vlm_robot_ros.bags.interventions import interventions, within
from vlm_robot_ros.bags.recording import RecordedAction, Recording
from vlm_robot_ros.bags.replay import Replay
from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.interfaces.action_command import ActionCommand
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldCode, HoldReason
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.execution_settings import ExecutionSettings

_BY_THE_LOOP = frozenset({
    HoldCode.NO_INSTRUCTION, HoldCode.EMPTY_INSTRUCTION, HoldCode.WAITING_FOR_CHUNK,
    HoldCode.STOP_WORD, HoldCode.POLICY_HOLD, HoldCode.LOW_CONFIDENCE, HoldCode.INVALID_CHUNK,
    HoldCode.WORKSPACE, HoldCode.POLICY_ASKS, HoldCode.POLICY_PROPOSES,
})  # fmt: skip
"""Holds that the loop finds itself. The others come from what is not replayed, and are kept."""
_FORGETTING = (HoldCode.STOP_SERVICE, HoldCode.DISABLED, HoldCode.TRIPPED, HoldCode.NODE_INACTIVE)
"""Holds after which the arm waits for a new instruction."""
_CHUNK, _INSTRUCTION, _TICK = range(3)
"""What happens at one time happens in this order."""


def replay_actions(
    recording: Recording, found: Replay, name: str, settings: ExecutionSettings | None = None
) -> list[ActionCommand | None]:
    """Execute a policy's answers as the node would have; an answer comes when the node's came.

    The arm is where it was recorded, whatever the actions are. Holds for inputs, services and
    trips are those of the recording, and so are the actions of a person.

    Args:
        recording: The bag.
        found: What policies answered in it.
        name: Of the policy.
        settings: How action chunks are executed.

    Returns:
        The action at each of `recording.actions`, None where a person moved the arm; nothing
        without joint states, or where the bag does not tell when answers came.
    """
    if not recording.joints or not any(found.arrivals):
        return []
    loop = ControlLoop(recording.robot, _period(recording.actions), settings=settings)
    times = np.array(recording.joint_times)
    ticks = np.array([action.time for action in recording.actions])
    by_hand = within(ticks, interventions(recording))
    actions = list[ActionCommand | None]()
    for now, kind, event in _events(recording, found, name):
        if kind == _INSTRUCTION:
            loop.set_instruction(event, now) if event else loop.forget_instruction()
        elif kind == _CHUNK:
            stamp, said, chunk = event
            # Instructions are numbered from the recording's begin here.
            if said == loop.instruction.text:
                loop.set_chunk(chunk, loop.instruction.number, stamp, now)
        else:
            latest = max(0, int(np.searchsorted(times, now, "right")) - 1)
            state = RobotState(times[latest], recording.joints[latest], recording.openings[latest])
            if by_hand[len(actions)]:
                loop.continue_from(now, _to_command(event, loop), state)
                actions.append(None)
            else:
                actions.append(_step(loop, now, state, event))
    return actions


def _events(recording: Recording, found: Replay, name: str) -> list[tuple[float, int, Any]]:
    events: list[tuple[float, int, Any]] = [
        *((time, _INSTRUCTION, text) for time, text in recording.instructions),
        *((action.time, _TICK, action) for action in recording.actions),
    ]
    rows = zip(found.arrivals, found.times, found.instructions, found.answers[name], strict=True)
    for arrival, stamp, said, chunk in rows:
        if arrival is not None and chunk is not None:
            events.append((arrival, _CHUNK, (stamp, said, chunk)))
    return sorted(events, key=lambda event: event[:2])


def _step(
    loop: ControlLoop, now: float, state: RobotState, recorded: RecordedAction
) -> ActionCommand:
    code, hold, wait = _hold_code(recorded), MAY_MOVE, MAY_MOVE
    if code in _FORGETTING:
        loop.forget_instruction()
    if recorded.hold and code not in _BY_THE_LOOP:
        reason = HoldReason(code, recorded.hold)
        if code in (HoldCode.WAITING_FOR_MOTION_START, HoldCode.TRAJECTORIES_LATE):
            wait = reason
        else:
            hold = reason
    action = loop.step(now, state, hold, wait).action
    return replace(action, values=action.values.copy())


def _hold_code(recorded: RecordedAction) -> HoldCode:
    """Return the code of a hold; UNKNOWN where there is none, or one of a later version."""
    if recorded.hold_code not in {code.value for code in HoldCode} - {HoldCode.NONE}:
        return HoldCode.UNKNOWN
    return HoldCode(recorded.hold_code)


def _to_command(recorded: RecordedAction, loop: ControlLoop) -> ActionCommand:
    return ActionCommand(
        ActionMode(recorded.mode), recorded.values, recorded.gripper, recorded.stamp, 1.0,
        MAY_MOVE, loop.instruction,
    )  # fmt: skip


def _period(actions: Sequence[RecordedAction]) -> float:
    gaps = np.diff([action.time for action in actions])
    return float(np.median(gaps[gaps > 0])) if np.any(gaps > 0) else 0.02


def compare_actions(
    recording: Recording, name: str, actions: Sequence[ActionCommand | None]
) -> dict[str, Any]:
    """Return how actions differ from the recorded ones, of plain types.

    Distances are those of the tool, where both move it [m].
    """
    kinematics, joints = Kinematics(recording.robot), len(recording.robot.joints)
    apart, both_hold, holds_alike = list[float](), 0, 0
    pairs = zip(recording.actions, actions, strict=True)
    compared = [(recorded, action) for recorded, action in pairs if action is not None]
    for recorded, action in compared:
        alike = bool(recorded.hold) == bool(action.hold_reason)
        holds_alike += alike
        both_hold += alike and bool(recorded.hold)
        if not recorded.hold and not action.hold_reason:
            there, here = (
                _tool(kinematics, joints, ActionMode(each.mode), each.values)
                for each in (recorded, action)
            )
            apart.append(float(np.linalg.norm(there - here)))
    return {
        "policy": name,
        "actions": len(compared),
        "both_hold": both_hold,
        "both_move": len(apart),
        "one_holds": len(compared) - holds_alike,
        "mean_distance": float(np.mean(apart)) if apart else None,
        "largest_distance": float(np.max(apart)) if apart else None,
    }


def _tool(kinematics: Kinematics, joints: int, mode: ActionMode, values: np.ndarray) -> np.ndarray:
    """Return where an action sends the tool. Shape (3,), base frame [m]."""
    if mode == ActionMode.END_EFFECTOR_POSE:
        return np.asarray(values[:3], float)
    return kinematics.forward(np.asarray(values[:joints], float))[:3, 3]


def action_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return comparisons as markdown."""
    lines = [
        "| recorded actions and those of | actions | both move | both hold | one holds "
        "| tool apart, mean | largest |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        mean, most = (
            "" if row[key] is None else f"{row[key] * 1e3:.1f} mm"
            for key in ("mean_distance", "largest_distance")
        )
        lines.append(
            f"| {row['policy']} | {row['actions']} | {row['both_move']} | {row['both_hold']} "
            f"| {row['one_holds']} | {mean} | {most} |"
        )
    return "\n".join(lines)
