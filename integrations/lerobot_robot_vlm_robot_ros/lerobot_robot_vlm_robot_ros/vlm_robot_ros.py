"""The robot: observations from the arm's topics, actions to the node's takeover."""

import time

import numpy as np
import yaml
from lerobot.robots.robot import Robot

from lerobot_robot_vlm_robot_ros.config_vlm_robot_ros import VlmRobotRosConfig
from lerobot_robot_vlm_robot_ros.ros_link import RosLink

_CONNECT_S = 5.0
"""How long a connection may take [s]."""
GRIPPER = "gripper.pos"


class VlmRobotRos(Robot):
    """An arm behind a policy node: positions in rad, the gripper from 0 closed to 1 open.

    Raises:
        ValueError: The contract has no joints, or not a camera that is asked for.
    """

    config_class = VlmRobotRosConfig
    name = "vlm_robot_ros"

    def __init__(self, config: VlmRobotRosConfig) -> None:
        super().__init__(config)
        contract = yaml.safe_load(config.contract.expanduser().read_text())
        if not isinstance(contract, dict) or not contract.get("joints"):
            raise ValueError(f"'{config.contract}' has no joints; valid: a contract of an arm")
        self._joints = [joint["name"] for joint in contract["joints"]]
        self._gripper = contract.get("gripper")
        cameras = {
            camera["name"]: camera for camera in contract["cameras"] if not camera.get("depth")
        }
        names = config.camera_names or list(cameras)
        missing = [name for name in names if name not in cameras]
        if missing:
            raise ValueError(
                f"no camera '{missing[0]}' in '{config.contract}'; valid: {', '.join(cameras)}"
            )
        compressed = [n for n in names if cameras[n].get("transport", "raw") != "raw"]
        if compressed:
            raise ValueError(f"camera '{compressed[0]}' is not sent raw; valid: cameras that are")
        self._cameras = {name: cameras[name] for name in names}
        self._config, self._link = config, None
        self._opening = 1.0
        """Of the gripper, as it was asked for last: 0 closed, 1 open."""

    @property
    def _timeouts(self) -> dict[str, float]:
        """How old the position of each joint that is heard of may be [s]."""
        timeouts = dict.fromkeys(self._joints, self._config.timeout)
        if self._gripper:
            given = self._gripper.get("feedback_timeout")
            feedback = self._config.timeout if given is None else float(given)
            if feedback:  # else nothing is heard of it
                timeouts[self._gripper["joint"]] = feedback
        return timeouts

    @property
    def _position_features(self) -> dict[str, type]:
        names = [f"{joint}.pos" for joint in self._joints] + ([GRIPPER] if self._gripper else [])
        return dict.fromkeys(names, float)

    @property
    def observation_features(self) -> dict[str, type | tuple[int, int, int]]:
        """What `get_observation` returns: positions, and images of shape (H, W, 3)."""
        shapes = {name: (c["height"], c["width"], 3) for name, c in self._cameras.items()}
        return {**self._position_features, **shapes}

    @property
    def action_features(self) -> dict[str, type]:
        """What `send_action` takes."""
        return self._position_features

    @property
    def is_connected(self) -> bool:
        """Whether the arm's topics are heard."""
        return self._link is not None

    @property
    def is_calibrated(self) -> bool:
        """Whether it is calibrated: the controllers of the arm are."""
        return True

    def calibrate(self) -> None:
        """Do nothing: the controllers of the arm are calibrated."""

    def configure(self) -> None:
        """Do nothing: the node is configured by its parameters."""

    def connect(self, calibrate: bool = True) -> None:
        """Wait for the arm's joint states and images, and for the node.

        Raises:
            ConnectionError: One of them does not come; says which.
        """
        if self._link is not None:
            return
        topics = {name: camera["topic"] for name, camera in self._cameras.items()}
        link = RosLink(self._config.namespace, self._config.node, topics)
        until = time.monotonic() + _CONNECT_S
        try:
            while missing := self._missing(link):
                if time.monotonic() > until:
                    raise ConnectionError(
                        f"nothing heard of {', '.join(missing)} for {_CONNECT_S:g} s; do the "
                        "nodes run in this ROS_DOMAIN_ID?"
                    )
                link.wait(0.05)
        except BaseException:
            link.close()
            raise
        self._link = link

    def _missing(self, link: RosLink) -> list[str]:
        missing = [name for name in self._timeouts if name not in link.positions]
        missing += [f"camera {name}" for name in self._cameras if name not in link.images]
        return missing if link.has_node else [*missing, f"the node {self._config.node}"]

    def get_observation(self) -> dict[str, float | np.ndarray]:
        """Return the newest positions and images.

        Raises:
            ConnectionError: There is no connection, or something is too old; says what.
        """
        link, now = self._connected(), time.monotonic()
        ages = [
            (name, now - link.positions[name][1], most) for name, most in self._timeouts.items()
        ]
        ages += [
            (f"camera {name}", now - link.images[name][1], self._config.timeout)
            for name in self._cameras
        ]
        for name, age, most in ages:
            if age > most:
                raise ConnectionError(f"{name}: {age:.2f} s old, at most {most:g} s allowed")
        found: dict[str, float | np.ndarray] = {
            f"{name}.pos": link.positions[name][0] for name in self._joints
        }
        if self._gripper:
            found[GRIPPER] = self._opening
            if self._gripper["joint"] in self._timeouts:
                place, _ = link.positions[self._gripper["joint"]]
                closed, opened = self._gripper["closed"], self._gripper["open"]
                found[GRIPPER] = float(np.clip((place - closed) / (opened - closed), 0.0, 1.0))
        return {**found, **{name: link.images[name][0] for name in self._cameras}}

    def send_action(self, action: dict[str, float]) -> dict[str, float]:
        """Ask the node to move the arm there; the node limits the motion.

        Args:
            action: Joint positions [rad] and the gripper's opening, 0 to 1.

        Raises:
            ConnectionError: There is no connection.
            ValueError: A value is missing or not finite.
        """
        link, wanted = self._connected(), list(self._position_features)
        missing = [name for name in wanted if not np.isfinite(action.get(name, np.nan))]
        if missing:
            raise ValueError(f"no finite value of {', '.join(missing)}; valid: all of them")
        places = {name: float(action[f"{name}.pos"]) for name in self._joints}
        if self._gripper:
            closed, opened = self._gripper["closed"], self._gripper["open"]
            self._opening = float(np.clip(action[GRIPPER], 0.0, 1.0))
            places[self._gripper["joint"]] = closed + self._opening * (opened - closed)
        link.send(places)
        return {name: float(action[name]) for name in wanted}

    def disconnect(self) -> None:
        """Let go of the arm: the node's policy has it half a second later."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connected(self) -> RosLink:
        if self._link is None:
            raise ConnectionError("the robot is not connected; call connect() first")
        return self._link
