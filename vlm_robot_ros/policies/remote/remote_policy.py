"""A policy that another process computes, on this machine or another."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.policy import hold_chunk
from vlm_robot_ros.policies.lerobot.checkpoint_fit import find_misfits, find_unfit_keys
from vlm_robot_ros.policies.lerobot.policy_process import LerobotProcess
from vlm_robot_ros.policies.remote.action_mapping import find_actions, map_actions
from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.openpi_client import CONNECT_TIMEOUT_S, OpenpiClient
from vlm_robot_ros.policies.remote.policy_address import LEROBOT_SCHEME
from vlm_robot_ros.policies.remote.policy_client import (
    PolicyClient,
    RemotePolicyError,
    short_text,
)
from vlm_robot_ros.policies.remote.policy_map import PolicyMap
from vlm_robot_ros.policies.remote.policy_map_loader import load_policy_map
from vlm_robot_ros.robot.config import RobotConfig


class RemotePolicy:
    """Is a `Policy`; the arm holds with the reason while the server does not answer."""

    def __init__(self, client: PolicyClient, found: PolicyMap, robot: RobotConfig) -> None:
        """Join a client and a robot by a map; connects when it is asked first."""
        self._client, self._map, self._robot = client, found, robot

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those of the map, each once."""
        return tuple(dict.fromkeys(camera.camera for camera in self._map.cameras))

    @property
    def timeout(self) -> float:
        """How long an answer may take, with a connection that is made for it [s]."""
        return self._map.timeout + CONNECT_TIMEOUT_S

    @property
    def replan_steps(self) -> int:
        """As the map says."""
        return self._map.replan_steps

    @property
    def joined_steps(self) -> int:
        """As the map says."""
        return self._map.joined_steps

    @property
    def answers_changes(self) -> bool:
        """Whether the server's actions are changes of the tool's pose."""
        return self._map.actions.mode == "pose_delta"

    def reset(self) -> None:
        """Begin an episode; a server that cannot be told forgets nothing."""
        try:
            self._client.reset()
        except RemotePolicyError:
            return  # the next request says what is wrong, if it still is

    def next_instruction(self) -> None:
        """Nothing to expect: the prompt is sent with each observation."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return what the server answers.

        Raises:
            RemotePolicyError: it does not answer, or with what no robot can do.
        """
        try:
            answer = self._client.infer(map_observation(self._map, observation))
            if hold := answer.get("hold"):
                return hold_chunk(observation, 1.0 / self._map.actions.rate, short_text(str(hold)))
            table = find_actions(self._map.actions, answer)
            chunk = map_actions(self._map.actions, self._robot, observation, table)
            return _with_words(chunk, answer)
        except ValueError as error:
            raise RemotePolicyError(f"'{self._client.url}': {error}") from error

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def draw(self) -> np.ndarray | None:
        """Nothing is known of where it looks."""
        return None


def _with_words(chunk: ActionChunk, answer: dict[str, Any]) -> ActionChunk:
    """Return a chunk with what a server of this package says beside its actions."""
    label = answer.get("label", "")
    if not isinstance(label, str):
        raise ValueError(f"the answer's label is {short_text(repr(label))}; valid: a text")
    confidence = _part(answer, "confidence", chunk.confidence)
    label = short_text(label) if label else ""
    return replace(
        chunk,
        label=label,
        scores={label: confidence} if label else {},
        confidence=confidence,
        pace=_part(answer, "pace", chunk.pace),
    )


def _part(answer: dict[str, Any], name: str, default: float) -> float:
    value = answer.get(name, default)
    if not isinstance(value, float | int) or not 0.0 <= value <= 1.0:
        raise ValueError(f"the answer's {name} is {short_text(repr(value))}; valid: 0 to 1")
    return float(value)


def connect_policy(
    name: str, source: str | Path, robot: RobotConfig, device: str = "cpu", python: str = ""
) -> RemotePolicy:
    """Return the policy of a server, or of LeRobot in a process that is begun here.

    Args:
        name: See `openpi_url`, `GrootClient`, `LerobotGrpcClient` and `LerobotProcess`.
        source: Of the map: see `load_policy_map`; `lerobot` for a policy of LeRobot if empty.
        robot: That is to act.
        device: Where LeRobot computes.
        python: An interpreter that has LeRobot.

    Raises:
        ValueError: the name or the map is not valid, or LeRobot's policy cannot be loaded.
    """
    scheme = name.partition(":")[0]
    source = source or ("lerobot" if scheme in (LEROBOT_SCHEME, "lerobot-grpc") else "")
    found = load_policy_map(source, robot)
    return RemotePolicy(_connect(name, scheme, found, robot, device, python), found, robot)


def _connect(
    name: str, scheme: str, found: PolicyMap, robot: RobotConfig, device: str, python: str
) -> PolicyClient:
    # Clients need packages that load slowly, each its own.
    if scheme == "groot":
        from vlm_robot_ros.policies.remote.groot_client import GrootClient

        return GrootClient(name, found.timeout)
    if scheme == "lerobot-grpc":
        from vlm_robot_ros.policies.lerobot.grpc_client import LerobotGrpcClient

        _refuse(name, find_unfit_keys(found))
        return LerobotGrpcClient(name, device, found.timeout)
    if scheme != LEROBOT_SCHEME:
        return OpenpiClient(name, found.timeout)
    import torch

    client = LerobotProcess(name, python, device, found.timeout, torch.get_num_threads())
    try:
        _refuse(name, find_misfits(found, robot, client.metadata))
    except ValueError:
        client.close()
        raise
    return client


def _refuse(name: str, problems: list[str]) -> None:
    if problems:
        raise ValueError("\n".join(f"map for '{name}': {problem}" for problem in problems))
