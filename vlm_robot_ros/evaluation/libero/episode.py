"""One episode of LIBERO: a policy acts in lockstep until the task is done or the time is over."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode, check_chunk
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.sim.libero.controller import controller_actions, pose_changes
from vlm_robot_ros.sim.libero.environment import (
    STEP_DT,
    ArmState,
    LiberoEnvironment,
    LiberoError,
)
from vlm_robot_ros.viz.video_writer import Caption

_JOINTS = 7
_MOST_HOLDS = 40
"""Holds in a row after which an episode has failed."""
_TRIES, _PAUSE_S = 12, 2.0
"""How often a policy that fails is asked in all, and how long it has in between [s]."""


@dataclass(frozen=True)
class EpisodeResult:
    """What came of an episode."""

    success: bool
    steps: int
    """Actions of the policy."""
    hold: str
    """Why the policy held last, if it did."""
    confirmed: bool = False
    """Whether the policy asked if it shall do something, and was told "yes"."""
    frames: tuple[tuple[np.ndarray, Caption], ...] = ()
    """What it saw of its first camera, shape (H, W, 3), uint8 RGB, and what it made of that."""


def run_episode(
    env: LiberoEnvironment,
    policy: Policy,
    instruction: str,
    state: ArmState,
    max_steps: int,
    replan_steps: int,
    answers_yes: bool = False,
) -> EpisodeResult:
    """Let a policy act from a state on; the arm waits while it thinks.

    Args:
        env: In that state, of which it has given the images of the policy's cameras.
        policy: Any; where `answers_changes` is true, its chunks are executed as changes of the
            pose, step by step, as the benchmark's own scripts do. Else its poses are goals.
        instruction: What is to be done.
        state: Of the arm.
        max_steps: Actions before the episode has failed.
        replan_steps: Actions of a chunk before the policy is asked again; 0: all.
        answers_yes: Whether what the policy proposes to do is answered, once, with "yes".
    """
    policy.reset()
    changes = bool(getattr(policy, "answers_changes", False))
    steps, hold, cameras, opening = 0, "", policy.cameras, 1.0
    frames, held, confirmed = list[tuple[np.ndarray, Caption]](), 0, False
    # What stands still and holds goes on to hold.
    while steps < max_steps and not state.done and held < _MOST_HOLDS:
        seen = Observation(
            state.images, state.pose, state.opening, instruction, state.joints,
            steps * STEP_DT,
        )  # fmt: skip
        chunk = _answer(policy, seen)
        told = Caption(instruction, chunk.label, chunk.confidence, "", str(chunk.hold))
        frames += [(state.images[name], told) for name in cameras[:1]]
        held = held + 1 if chunk.hold else 0
        hold = str(chunk.hold)
        code = HoldReason.of(chunk.hold, HoldCode.POLICY_HOLD).code
        if answers_yes and code is HoldCode.POLICY_PROPOSES and not confirmed:
            instruction, confirmed = "yes", True
            policy.next_instruction()
        count = min(_steps_of(chunk, replan_steps, changes), max_steps - steps)
        if chunk.hold:
            state = env.step(controller_actions(np.zeros((count, 6)), opening), cameras)
        elif changes:
            moves = pose_changes(np.vstack([seen.pose, chunk.values]))
            state = env.step(controller_actions(moves[:count], chunk.gripper[:count]), cameras)
        else:
            state = follow_chunk(env, chunk, state, count, cameras)
        steps += state.steps
        if not chunk.hold:  # a hold keeps what was commanded
            opening = float(chunk.gripper[0 if chunk.gripper_at_once else -1])
    return EpisodeResult(state.done, steps, "" if state.done else hold, confirmed, tuple(frames))


def _answer(policy: Policy, seen: Observation) -> ActionChunk:
    """Ask a policy, again where it fails: a server may load and compile, or be started again.

    Raises:
        LiberoError: it fails each time; says how.
    """
    for number in range(_TRIES):
        try:
            return policy.infer(seen)
        except Exception as error:  # anybody's code
            if number == _TRIES - 1:
                raise LiberoError(f"the policy failed {_TRIES} times: {error!r}") from error
            time.sleep(_PAUSE_S)
    raise AssertionError


def _steps_of(chunk: ActionChunk, replan_steps: int, changes: bool) -> int:
    """Return how many of the benchmark's steps a chunk is executed for.

    A change is of one step, whatever time the policy has for it; a pose is reached in its time.

    Raises:
        ValueError: it is of joints, or cannot be executed.
    """
    check_chunk(chunk, _JOINTS)
    if chunk.mode != ActionMode.END_EFFECTOR_POSE:
        raise ValueError(f"LIBERO's arm takes poses of the tool; the policy answers {chunk.mode}")
    rows = min(replan_steps or len(chunk.values), len(chunk.values))
    return rows if changes else max(1, round(rows * chunk.step_dt / STEP_DT))


def follow_chunk(
    env: LiberoEnvironment, chunk: ActionChunk, state: ArmState, count: int, cameras: Sequence[str]
) -> ArmState:
    """Go to the poses of a chunk, each from where the tool is."""
    for number in range(1, count + 1):
        row = min(int(np.ceil(number * STEP_DT / chunk.step_dt - 1e-6)) - 1, len(chunk.values) - 1)
        move = pose_changes(np.vstack([state.pose, chunk.values[row]]))
        opening = chunk.gripper[0 if chunk.gripper_at_once else row]
        state = env.step(controller_actions(move, opening), cameras if number == count else ())
        if state.done:
            break
    return replace(state, steps=number)
