"""Whether a policy can drive a robot, by its answers to recorded observations."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np

from vlm_robot_ros.bags.policy_inputs import RecordedRequests
from vlm_robot_ros.bags.recording import Recording
from vlm_robot_ros.inference.worker import InferenceRequest, run_inference
from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode, check_chunk
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.motion.limits import implausibility
from vlm_robot_ros.robot.config import RobotConfig

Verdict = Literal["pass", "warn", "fail"]
_INVERTED_MARGIN = 0.1
"""By how much openings fit better upside down where the gripper is inverted."""
_FEWEST_MOTIONS = 5
"""Recorded motions of the gripper below which nobody can tell."""
_QUESTIONS = 100


@dataclass(frozen=True)
class CheckResult:
    """One thing that was checked."""

    name: str
    verdict: Verdict
    text: str


@dataclass
class _Answer:
    request: InferenceRequest
    chunk: ActionChunk
    seconds: float


def check_policy(
    recording: Recording,
    policy: Policy,
    namespace: str = "",
    questions: int = _QUESTIONS,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> list[CheckResult]:
    """Ask a policy what was asked in a recording, and judge its answers.

    Args:
        recording: The bag, with the robot's contract.
        policy: Any.
        namespace: Of the node, where it had one.
        questions: How many to ask at most, evenly over the recording.
        progress: Wraps what is gone through, to show how far it is.

    Raises:
        BagError: nothing in the bag can be asked about.
    """
    inputs = RecordedRequests(recording, namespace, policy.cameras)
    total = sum(1 for _ in inputs)
    step = max(1, math.ceil(total / questions))
    answers, failures, before = list[_Answer](), list[str](), -1
    again = RecordedRequests(recording, namespace, policy.cameras)
    for request, _ in progress(islice(again, 0, None, step)):
        began = time.perf_counter()
        chunk = run_inference(policy, request, before)
        seconds, before = time.perf_counter() - began, request.number
        reason = HoldReason.of(chunk.hold, HoldCode.POLICY_HOLD)
        try:
            check_chunk(chunk, len(recording.robot.joints))
        except ValueError as error:
            reason = HoldReason(HoldCode.INVALID_CHUNK, str(error))
        if reason.code in (HoldCode.POLICY_UNAVAILABLE, HoldCode.INVALID_CHUNK):
            failures.append(str(reason))
        else:
            answers.append(_Answer(request, chunk, seconds))
    asked = len(answers) + len(failures)
    verdict: Verdict = "fail" if failures or not answers else "pass"
    text = f"{len(answers)} of {asked}" + (f"; first failure: {failures[0]}" if failures else "")
    results = [CheckResult("answers", verdict, text)]
    acting = [each for each in answers if not each.chunk.hold]
    if not acting:
        held = f": {answers[0].chunk.hold}" if answers else ""
        return [*results, CheckResult("actions", "fail", f"none, only holds{held}")]
    robot = recording.robot
    return [
        *results, *_timing(acting), _plausible(acting, robot), _within_limits(acting, robot),
        _first_step(acting, robot), _gripper(acting, recording),
    ]  # fmt: skip


def _timing(answers: list[_Answer]) -> list[CheckResult]:
    p50, p95, p99 = np.percentile([each.seconds for each in answers], [50, 95, 99])
    chunk = answers[0].chunk
    steps, duration = len(chunk.values), len(chunk.values) * chunk.step_dt
    verdict: Verdict = "pass" if p99 < duration else "fail"
    late = "" if p99 < duration else ": the arm would stand between chunks"
    text = (
        f"p50 {p50:.3f} s, p95 {p95:.3f} s, p99 {p99:.3f} s; a chunk lasts {duration:.2f} s{late}"
    )
    most = steps - math.ceil(p99 / chunk.step_dt) - 1
    return [
        CheckResult("time to answer", verdict, text),
        CheckResult(
            "replan_steps",
            "pass" if most >= 1 else "fail",
            f"at most {most} of {steps}" if most >= 1 else f"no number: chunks of {steps} steps",
        ),
    ]


def _plausible(answers: list[_Answer], robot: RobotConfig) -> CheckResult:
    problems = []
    for each in answers:
        seen = each.request.observation
        assert seen.joints is not None
        if problem := implausibility(robot, each.chunk, seen.joints, seen.pose):
            problems.append(problem)
    text = f"{len(answers) - len(problems)} of {len(answers)}"
    text += f"; first: {problems[0]}" if problems else ""
    return CheckResult("plausible actions", "fail" if problems else "pass", text)


def _within_limits(answers: list[_Answer], robot: RobotConfig) -> CheckResult:
    """Tell how many steps a limit would change."""
    outside, total, kinematics = 0, 0, Kinematics(robot)
    low, high = np.array(robot.workspace.min), np.array(robot.workspace.max)
    for each in answers:
        for values in each.chunk.values:
            place, joints_outside = values[:3], False
            if each.chunk.mode == ActionMode.JOINT_POSITION:
                joints = values[: len(robot.joints)]
                joints_outside = bool(((joints < robot.lower) | (joints > robot.upper)).any())
                place = kinematics.forward(joints)[:3, 3]
            outside += joints_outside or bool(((place < low) | (place > high)).any())
            total += 1
    part = outside / total
    verdict: Verdict = "pass" if part < 0.02 else "warn" if part < 0.2 else "fail"
    return CheckResult(
        "inside limits and workspace", verdict, f"{total - outside} of {total} steps"
    )


def _first_step(answers: list[_Answer], robot: RobotConfig) -> CheckResult:
    """Compare the way to the first step with what the arm can do in its time."""
    ways, unit = [], "m"
    for each in answers:
        seen, first = each.request.observation, each.chunk.values[0]
        if each.chunk.mode == ActionMode.JOINT_POSITION:
            assert seen.joints is not None
            unit, way = "rad", np.abs(first[: len(robot.joints)] - seen.joints)
            ways.append((float(way.max()), float((way / robot.velocity).max())))
        else:
            way = float(np.linalg.norm(first[:3] - seen.pose[:3]))
            ways.append((way, way / robot.workspace.speed))
    way, needs = np.percentile(np.array(ways), 95, axis=0)
    step = answers[0].chunk.step_dt
    verdict: Verdict = "pass" if needs <= 2 * step else "warn"
    return CheckResult(
        "first step", verdict,
        f"{way:.3g} {unit} away (95 %), {needs:.2f} s at full speed; a step takes {step:.2f} s",
    )  # fmt: skip


def _gripper(answers: list[_Answer], recording: Recording) -> CheckResult:
    """Compare the gripper's openings with those that the recorded arm had some steps later."""
    if not recording.robot.has_gripper:
        return CheckResult("gripper", "pass", "the robot has none")
    times, openings = np.array(recording.joint_times), np.array(recording.openings)
    said, had = [], []
    for each in answers:
        due = each.request.stamp + each.chunk.step_dt * np.arange(1, len(each.chunk.gripper) + 1)
        inside = due <= times[-1]
        had.append(np.interp(due[inside], times, openings))
        said.append(np.clip(each.chunk.gripper[inside], 0, 1))
    wanted, was = np.concatenate(said), np.concatenate(had)
    motions = int(np.count_nonzero(np.diff((openings > 0.5).astype(int))))
    if len(was) < 2 or (was > 0.5).all() or (was <= 0.5).all():
        return CheckResult("gripper", "warn", "it does not move in the recording: not compared")
    as_is, inverted = np.abs(wanted - was).mean(), np.abs(1 - wanted - was).mean()
    text = f"openings differ by {as_is:.2f} from the recording, by {inverted:.2f} upside down"
    if as_is > inverted + _INVERTED_MARGIN:
        sure: Verdict = "fail" if motions >= _FEWEST_MOTIONS else "warn"
        return CheckResult("gripper", sure, f"{text}: it seems inverted")
    return CheckResult("gripper", "pass", text)
