"""A policy of ours, asked and answering in the words of a map."""

import time
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from vlm_robot_ros.interfaces.action import ActionChunk, ActionMode
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import Policy
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.policies.remote.policy_map import (
    ROTATION_WIDTH,
    CameraMap,
    PolicyMap,
    StatePart,
    action_columns,
    action_width,
    state_width,
)
from vlm_robot_ros.policies.remote.rotations import read_rotation, write_rotation
from vlm_robot_ros.robot.config import RobotConfig

_OF_MODE = {ActionMode.JOINT_POSITION: "joint_position", ActionMode.END_EFFECTOR_POSE: "pose"}
"""Modes of a map that say the same as a chunk."""


class ServedPolicy:
    """Answers messages of a client; the inverse of `RemotePolicy`."""

    def __init__(self, policy: Policy, found: PolicyMap, robot: RobotConfig) -> None:
        """Serve a policy for a robot.

        Raises:
            ValueError: the map leaves out a camera that the policy needs, or has several tables
                of actions.
        """
        if found.actions.tables:
            raise ValueError(
                f"the map's actions are tables {', '.join(found.actions.tables)}; valid: a map "
                "with one, under 'key'"
            )
        mapped = [camera.camera for camera in found.cameras]
        missing = [name for name in policy.cameras if name not in mapped]
        if missing:
            has = ", ".join(mapped) or "none"
            raise ValueError(f"the policy needs camera '{missing[0]}'; the map has {has}")
        self._policy, self._map, self._robot = policy, found, robot
        self._kinematics = Kinematics(robot)
        self._instruction: str | None = None
        self._client: object = None

    def take(self, client: object) -> bool:
        """Take a client, if there is no other; tells whether it is the one."""
        if self._client is None:
            self._client = client
        return self._client is client

    def release(self, client: object) -> None:
        """Let a client go."""
        if self._client is client:
            self._client = None

    def reset(self) -> None:
        """Forget everything: another client asks."""
        self._policy.reset()
        self._instruction = None

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return actions under the map's key; `hold` says why the arm is to stay, if it is.

        Raises:
            ValueError: the message lacks something, or the map cannot say what the policy does.
        """
        observation = self._observation(message)
        if self._instruction not in (None, observation.instruction):
            for _ in range(2):  # what was said between is not known here
                self._policy.next_instruction()
        self._instruction = observation.instruction
        chunk = self._policy.infer(observation)
        rate = self._map.actions.rate
        if not chunk.hold and abs(chunk.step_dt * rate - 1) > 0.01:
            raise ValueError(
                f"the map's actions come {rate:g} times a second, the policy's "
                f"{1 / chunk.step_dt:g} times"
            )
        answer: dict[str, Any] = {
            "hold": str(chunk.hold), "label": chunk.label, "pace": float(chunk.pace),
            "confidence": float(chunk.confidence),
        }  # fmt: skip
        key = self._map.actions.key
        names, inner = [key] if isinstance(key, str) else key, answer
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
        inner[names[-1]] = self._table(chunk)
        return answer

    def _observation(self, message: dict[str, Any]) -> Observation:
        found = self._map
        images = {
            each.camera: _image(each, _get(message, each.key), self._robot)
            for each in found.cameras
        }
        parts: dict[str, np.ndarray] = {}
        for state in found.state:
            values = np.asarray(_get(message, state.key), float).ravel()
            for part in state.parts:
                width = state_width(part, self._robot)
                if len(values) < width:
                    raise ValueError(f"'{state.key}' is {width - len(values)} values too short")
                parts[part.values], values = _read_part(part, values[:width]), values[width:]
            if len(values):
                raise ValueError(f"'{state.key}' has {len(values)} values too many")
        text = "" if found.prompt is None else _get(message, found.prompt.key)
        if not isinstance(text, str):
            raise ValueError(f"the prompt is {type(text).__name__}; valid: a text")
        joints = parts.get("joints")
        return Observation(
            images, self._pose(parts), float(parts.get("gripper", np.ones(1))[0]), text, joints,
            time.monotonic(),
        )  # fmt: skip

    def _pose(self, parts: dict[str, np.ndarray]) -> np.ndarray:
        turned = next((parts[kind] for kind in ROTATION_WIDTH if kind in parts), None)
        if "position" in parts and turned is not None:
            return np.concatenate([parts["position"], turned])
        if "joints" in parts:
            return transform_to_pose7(self._kinematics.forward(parts["joints"]))
        raise ValueError("the map's state tells neither joints nor position and rotation")

    def _table(self, chunk: ActionChunk) -> np.ndarray:
        """Return a chunk as the map's actions. Shape (H, D), float32."""
        actions = self._map.actions
        if actions.mode != _OF_MODE.get(chunk.mode):
            raise ValueError(
                f"the map's actions are '{actions.mode}', the policy's {chunk.mode.name}; valid: "
                f"{_OF_MODE.get(chunk.mode, 'another policy')}"
            )
        columns, gripper = action_columns(actions, self._robot), actions.gripper
        table = np.zeros((len(chunk.values), action_width(actions, self._robot)), np.float32)
        if chunk.mode == ActionMode.JOINT_POSITION:
            values = chunk.values[:, : len(columns)]
            said = np.rad2deg(values) if actions.unit == "deg" else values
            table[:, columns.start : columns.stop] = said / actions.scale
        else:
            turns = [write_rotation(actions.rotation, pose[3:]) for pose in chunk.values]
            table[:, columns.start : columns.stop] = np.concatenate(
                [chunk.values[:, :3] / actions.scale, np.array(turns) / actions.rotation_scale], 1
            )
        if gripper is not None:
            openings = chunk.gripper[:1] if chunk.gripper_at_once else chunk.gripper
            opened = openings * (gripper.open - gripper.closed)
            table[:, gripper.column] = gripper.closed + opened
        return table


def _get(message: dict[str, Any], key: str | list[str]) -> Any:
    found: Any = message
    for name in [key] if isinstance(key, str) else key:
        if not isinstance(found, dict) or name not in found:
            has = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
            raise ValueError(f"the observation has no '{name}'; it has: {has}"[:300])
        found = found[name]
    return found


def _image(camera: CameraMap, image: Any, robot: RobotConfig) -> np.ndarray:
    """Return an image as the robot's camera gives it. Shape (H, W, 3), uint8 RGB."""
    given = np.asarray(image)
    if given.ndim == 3 and camera.layout == "chw":
        given = given.transpose(1, 2, 0)
    if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3:
        raise ValueError(
            f"'{camera.key}' has shape {given.shape} and type {given.dtype}; valid: an image of "
            f"three channels, {camera.layout}, uint8"
        )
    given = given[:, ::-1] if camera.mirror else given
    given = np.rot90(given, -(camera.rotate // 90))
    known = robot.camera(camera.camera)
    height, width = known.crop[2:] if known.crop else (known.height, known.width)
    if given.shape[:2] != (height, width):
        given = np.asarray(
            Image.fromarray(np.ascontiguousarray(given)).resize(
                (width, height), Image.Resampling.BILINEAR
            )
        )
    return np.ascontiguousarray(given)


def _read_part(part: StatePart, values: np.ndarray) -> np.ndarray:
    if part.values == "joints":
        return np.deg2rad(values) if part.unit == "deg" else values
    if part.values == "gripper":
        closed, opened = np.array(part.closed), np.array(part.open)
        way = opened - closed
        return np.array([float((values - closed) @ way / (way @ way))]).clip(0, 1)
    if part.values == "position":
        return values
    turns: Rotation = read_rotation(part.values, values[None])
    return np.asarray(turns.as_quat()[0])
