"""A recording thought through again, by one policy or several, beside what was recorded."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from vlm_robot_ros.bags.bag import BagError
from vlm_robot_ros.bags.policy_inputs import RecordedRequests
from vlm_robot_ros.bags.recording import Recording, header_seconds, topic_prefix
from vlm_robot_ros.inference.worker import InferenceRequest, run_inference
from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.hold import HoldCode, HoldReason
from vlm_robot_ros.interfaces.policy import Policy

RECORDED = "recorded"


@dataclass
class Replay:
    """Answers to the questions of a recording, by policy; `None` where nobody answered."""

    times: list[float] = field(default_factory=list)
    """Stamps of the questions [s]."""
    instructions: list[str] = field(default_factory=list)
    arrivals: list[float | None] = field(default_factory=list)
    """When the node took its answer; None where the bag has none [s]."""
    answers: dict[str, list[ActionChunk | None]] = field(default_factory=dict)
    """Of `RECORDED`, as far as messages tell, and of each policy."""
    failures: dict[str, list[str]] = field(default_factory=dict)
    """By policy, why it did not answer; nothing of a policy that always did."""
    missed: int = 0
    """Questions whose images the bag lacks."""


def replay(
    recording: Recording,
    policies: dict[str, Policy],
    namespace: str = "",
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Replay:
    """Ask policies what the node was asked, in the same order and with the same memory.

    Args:
        recording: The bag.
        policies: By the names that they have in the result.
        namespace: Of the node, where it had one.
        progress: Wraps what is gone through, to show how far it is.

    Raises:
        BagError: nothing in the bag can be asked about.
    """
    known = _recorded(recording, namespace)
    found = Replay(answers={name: [] for name in (RECORDED, *policies)})
    cameras = {camera: None for policy in policies.values() for camera in policy.cameras}
    inputs = RecordedRequests(recording, namespace, tuple(cameras))
    before = -1
    for question, first in progress(inputs):
        found.times.append(question.stamp)
        found.instructions.append(question.observation.instruction)
        key = _key(question.stamp, question.number)
        answers = known.get(key)
        arrival, recorded = answers.popleft() if answers else (None, None)
        found.arrivals.append(arrival)
        found.answers[RECORDED].append(recorded)
        for name, policy in policies.items():
            chunk = run_inference(policy, _for(policy, question), -1 if first else before)
            failed = HoldReason.of(chunk.hold, HoldCode.POLICY_HOLD)
            if failed.code is HoldCode.POLICY_UNAVAILABLE:
                found.failures.setdefault(name, []).append(str(failed))
                found.answers[name].append(None)
            else:
                found.answers[name].append(chunk)
        before = question.number
    found.missed = inputs.missed
    return found


def _for(policy: Policy, question: InferenceRequest) -> InferenceRequest:
    """Return a question with the images that a policy asks for, where it asks for any."""
    images = question.observation.images
    own = {name: images[name] for name in policy.cameras if name in images} or images
    return replace(question, observation=replace(question.observation, images=own))


def compare(found: Replay, one: str, other: str) -> dict[str, Any]:
    """Return how two rows of answers differ, of plain types.

    Errors are of the first step of each chunk, in the mode of the first that both answer in;
    answers in other modes count as different or identical only.
    """
    pairs = [
        (time, said, a, b)
        for time, said, a, b in zip(
            found.times, found.instructions, found.answers[one], found.answers[other], strict=True
        )
        if a is not None and b is not None
    ]
    same = [_is_same(a, b) for _, _, a, b in pairs]
    mode = next((a.mode for _, _, a, b in pairs if a.mode == b.mode), None)
    alike = [
        (a, b)
        for _, _, a, b in pairs
        if a.mode == b.mode == mode and a.values.shape[1:] == b.values.shape[1:]
    ]
    errors = np.array([np.abs(a.values[0] - b.values[0]) for a, b in alike])
    grips = np.array([abs(a.gripper[0] - b.gripper[0]) for a, b in alike])
    labels = [a.label == b.label for _, _, a, b in pairs]
    parts = [pair for pair, equal in zip(pairs, same, strict=True) if not equal]
    return {
        "of": one,
        "and": other,
        "compared": len(pairs),
        "identical": sum(same),
        "same_label": sum(labels),
        "mean_error": errors.mean(0).tolist() if len(errors) else None,
        "largest_error": errors.max(0).tolist() if len(errors) else None,
        "mean_gripper_error": float(grips.mean()) if len(grips) else None,
        "part_at": parts[0][0] if parts else None,
        "part_in": parts[0][1] if parts else None,
    }


def _is_same(one: ActionChunk, other: ActionChunk) -> bool:
    """Tell whether both say the same to the last bit."""
    return (
        one.mode == other.mode
        and np.array_equal(one.values, other.values)
        and np.array_equal(one.gripper, other.gripper)
        and one.label == other.label
    )


def table(rows: list[dict[str, Any]]) -> str:
    """Return comparisons as markdown."""
    lines = [
        "| | answers | identical | same label | mean error by value | largest | they part at |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        mean, most = (
            " ".join(f"{value:.2g}" for value in row[name]) if row[name] else ""
            for name in ("mean_error", "largest_error")
        )
        at = "" if row["part_at"] is None else f"{row['part_at']:.2f} s, “{row['part_in']}”"
        lines.append(
            f"| {row['of']} and {row['and']} | {row['compared']} | {row['identical']} "
            f"| {row['same_label']} | {mean} | {most} | {at} |"
        )
    return "\n".join(lines)


def _recorded(
    recording: Recording, namespace: str
) -> dict[tuple[int, int], deque[tuple[float, ActionChunk]]]:
    """Return answers and when they came, in order, by stamp [us] and instruction."""
    prefix = topic_prefix(namespace)
    chunks, labels = prefix + "action_chunk", prefix + "task_label"
    plans: dict[tuple[int, int], list[Any]] = defaultdict(list)
    names: dict[tuple[int, int], deque[str]] = defaultdict(deque)
    for message in recording.bag.messages([chunks, labels]):
        value = message.value
        key = _key(header_seconds(value), int(value.instruction_id))
        if message.topic == labels:
            names[key].append(value.label)
        else:
            plans[key].append(message)
    return {
        key: deque(
            (message.time, _to_chunk(message.value, names[key].popleft() if names[key] else ""))
            for message in messages
        )
        for key, messages in plans.items()
    }


def _to_chunk(message: Any, label: str) -> ActionChunk:
    values = np.array(message.values, float).reshape(int(message.horizon), -1)
    return ActionChunk(
        _mode(message), values, np.array(message.gripper, float),
        float(message.step_dt), label, {}, float(message.confidence), "",
    )  # fmt: skip


def _mode(message: Any) -> ActionMode:
    try:
        return ActionMode(message.mode)
    except ValueError as error:
        valid = ", ".join(str(int(mode)) for mode in ActionMode)
        raise BagError(f"an action chunk has mode {message.mode}; valid: {valid}") from error


def _key(time: float, number: int) -> tuple[int, int]:
    return round(time * 1e6), number
