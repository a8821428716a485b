"""A policy that another process computes, on this machine or another."""

from pathlib import Path

import numpy as np

from vlm_robot_ros.interfaces.action import ActionChunk
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.policies.remote.action_mapping import find_actions, map_actions
from vlm_robot_ros.policies.remote.observation_mapping import map_observation
from vlm_robot_ros.policies.remote.openpi_client import OpenpiClient, RemotePolicyError
from vlm_robot_ros.policies.remote.policy_map import PolicyMap, load_policy_map
from vlm_robot_ros.robot.config import RobotConfig


class RemotePolicy:
    """Is a `Policy`; the arm holds with the reason while the server does not answer."""

    def __init__(self, client: OpenpiClient, found: PolicyMap, robot: RobotConfig) -> None:
        """Join a client and a robot by a map; connects when it is asked first."""
        self._client, self._map, self._robot = client, found, robot

    @property
    def cameras(self) -> tuple[str, ...]:
        """Those of the map, each once."""
        return tuple(dict.fromkeys(camera.camera for camera in self._map.cameras))

    @property
    def replan_steps(self) -> int:
        """As the map says."""
        return self._map.replan_steps

    def reset(self) -> None:
        """Begin an episode; a server that cannot be told forgets nothing."""
        try:
            self._client.reset()
        except RemotePolicyError:
            self._client.close()  # the next request says what is wrong, if it still is

    def next_instruction(self) -> None:
        """Nothing to expect: the prompt is sent with each observation."""

    def infer(self, observation: Observation) -> ActionChunk:
        """Return what the server answers.

        Raises:
            RemotePolicyError: it does not answer, or with what no robot can do.
        """
        try:
            message = map_observation(self._map, observation)
            table = find_actions(self._map.actions, self._client.infer(message))
            return map_actions(self._map.actions, self._robot, observation, table)
        except ValueError as error:
            raise RemotePolicyError(f"'{self._client.url}': {error}") from error

    def draw(self) -> np.ndarray | None:
        """Nothing is known of where it looks."""
        return None


def connect_policy(address: str, source: str | Path, robot: RobotConfig) -> RemotePolicy:
    """Return the policy of a server.

    Args:
        address: See `openpi_url`.
        source: Of the map: see `load_policy_map`.
        robot: That is to act.

    Raises:
        ValueError: the address or the map is not valid.
    """
    found = load_policy_map(source, robot)
    return RemotePolicy(OpenpiClient(address, found.timeout), found, robot)
