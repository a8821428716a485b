"""Looks whether the streams of a contract come, and whether camera and arm agree."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from vlm_robot_ros.kinematics.kinematics import Kinematics
from vlm_robot_ros.kinematics.urdf_compare import urdf_differences
from vlm_robot_ros.robot.config import Camera, RobotConfig
from vlm_robot_ros.ros.geometry_check import GeometryCheck, check_geometry
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.observation_buffer import ObservationBuffer
from vlm_robot_ros.ros.startup import start_ros

_LEAST_S = 1.0
"""How long to listen at least: `robot_description` may not be there [s]."""


class StreamReport(NamedTuple):
    """What came of one stream."""

    name: str
    topic: str
    received: int
    rate: float
    """[Hz]"""
    problem: str
    """Why it cannot be relied on; empty if it can."""


@contextmanager
def live_check(robot: RobotConfig, seconds: float) -> "Iterator[LiveCheck]":
    """Listen until all streams of a contract have come, for so many seconds at most [s]."""
    start_ros(["--ros-args", "-p", f"use_sim_time:={str(robot.simulated).lower()}"])
    executor = SingleThreadedExecutor()
    try:
        node = LifecycleNode("contract_check")
        executor.add_node(node)
        check, begun = LiveCheck(node, robot), time.monotonic()
        while time.monotonic() < begun + (_LEAST_S if check.is_complete else seconds):
            executor.spin_once(0.1)
        yield check
    finally:
        executor.shutdown()
        rclpy.try_shutdown()


class LiveCheck:
    """Listens to all cameras and joint states of a contract; publishes nothing."""

    def __init__(self, node: LifecycleNode, robot: RobotConfig) -> None:
        self._robot, self._clock = robot, node.get_clock()
        self._kinematics = Kinematics(robot)
        self._buffer = ObservationBuffer(
            robot, robot.cameras, robot.image_timeout, robot.joint_state_timeout, self._clock
        )
        entities = LifecycleEntities(node)
        self._buffer.create_subscriptions(entities, "contract", lambda stamp: None)
        self._description = ""
        entities.create_subscription(
            String, "robot_description", self._on_description,
            QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL),
        )  # fmt: skip

    @property
    def is_complete(self) -> bool:
        """Whether all streams have come, and distances with their calibration."""
        depths = {camera.name for camera in self._robot.cameras if camera.depth}
        return (
            all(watch.received > 1 and not watch.problem(self._now())
                for watch in self._buffer.monitors)
            and self._buffer.calibrations.keys() >= depths
        )  # fmt: skip

    def streams(self) -> Iterator[StreamReport]:
        """Tell of each stream what came."""
        topics = {f"{each.name} camera": each.topic for each in self._robot.cameras}
        for watch in self._buffer.monitors:
            topic = topics.get(watch.name, self._robot.topic("joint_states"))
            if "scaling" in watch.name:
                topic = self._robot.speed_scaling
            yield StreamReport(watch.name, topic, watch.received, watch.rate,
                               str(watch.problem(self._now())))  # fmt: skip

    def description(self) -> list[str] | None:
        """Return what the contract says otherwise than `robot_description`; None without one."""
        return urdf_differences(self._robot, self._description) if self._description else None

    def geometry(self) -> dict[str, GeometryCheck]:
        """Compare depth cameras that have a colour camera in their frame with the arm."""
        state, found = self._buffer.robot_state, {}
        for depth in self._robot.cameras:
            colour = self._colour_of(depth)
            known = self._buffer.calibrations.get(depth.name)
            pose = self._buffer.camera_poses.get(depth.name, depth.pose)
            seen = {depth.name, colour.name if colour else ""} <= self._buffer.images.keys()
            if state is None or colour is None or known is None or not seen or not pose:
                continue
            images = self._buffer.images
            found[depth.name] = check_geometry(
                images[colour.name], images[depth.name], replace(depth, pose=pose), known,
                self._robot.workspace, self._kinematics.forward(state.joints),
            )  # fmt: skip
        return found

    def _on_description(self, message: String) -> None:
        self._description = message.data

    def _colour_of(self, depth: Camera) -> Camera | None:
        """Return the colour camera that a depth camera is registered to, if there is one."""
        for each in self._robot.colour_cameras:
            if depth.depth and each.frame == depth.frame and not (each.crop or depth.crop):
                return each
        return None

    def _now(self) -> float:
        return self._clock.now().nanoseconds * 1e-9
