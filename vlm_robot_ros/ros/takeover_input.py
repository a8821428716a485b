"""What a person sends to move the arm: twists, or the joint positions of a leader arm."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import TwistStamped
from rclpy.clock import Clock, ClockType
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64

from vlm_robot_ros.msg import EpisodeMark
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds, to_stamp
from vlm_robot_ros.runtime.control_loop import ControlLoop
from vlm_robot_ros.runtime.takeover import Takeover
from vlm_robot_ros.terminal_text import escape_unprintable

_CHECK_PERIOD_S = 0.1
"""How often it is looked whether a person has the arm [s]."""


class TakeoverInput:
    """Gives the control loop what a person sends, and marks when a person has the arm."""

    def __init__(
        self,
        entities: LifecycleEntities,
        robot: RobotConfig,
        loop: ControlLoop,
        lock: threading.Lock,
        logger: RcutilsLogger,
        now: Callable[[], float],
        period: float,
        timeout: float,
    ) -> None:
        """Subscribe to `twist`, `joint_states` and `gripper` in `~/takeover`.

        Args:
            entities: Of the node.
            robot: The contract.
            loop: Takes what is sent.
            lock: Held while the loop is changed.
            logger: Of the node.
            now: Returns the time of the loop [s].
            period: Of the control loop [s].
            timeout: The arm goes back to the policy when nothing was sent for this time [s];
                0: nobody can take it over.
        """
        self._robot, self._loop, self._lock, self._logger = robot, loop, lock, logger
        self._now, self._period, self._timeout = now, period, timeout
        self.active = False
        """Whether the node is active."""
        self._marked = False
        if not timeout:
            return
        self._marks = entities.create_publisher(EpisodeMark, "episode_mark")
        topics: tuple[tuple[type, str, Callable[[Takeover, Any, float], None]], ...] = (
            (TwistStamped, "twist", self._take_twist),
            (JointState, "joint_states", self._take_joints),
            (Float64, "gripper", lambda takeover, message, _: takeover.set_opening(message.data)),
        )
        for kind, name, take in topics if robot.has_gripper else topics[:2]:
            entities.create_subscription(
                kind, f"~/takeover/{name}", partial(self._on_message, take)
            )
        entities.create_timer(
            _CHECK_PERIOD_S, self._mark_change, Clock(clock_type=ClockType.STEADY_TIME)
        )

    def _on_message(self, take: Callable[[Takeover, Any, float], None], message: Any) -> None:
        if not self.active:
            self._logger.warning(
                "ignoring a takeover: the node is inactive", throttle_duration_sec=1.0
            )
            return
        now = self._now()
        try:
            with self._lock:
                if self._loop.takeover is None:
                    self._loop.takeover = Takeover(
                        self._robot, self._loop.kinematics, self._period, self._timeout
                    )
                take(self._loop.takeover, message, now)
        except ValueError as error:
            self._logger.warning(
                f"ignoring a takeover: {escape_unprintable(error)}", throttle_duration_sec=1.0
            )

    def deactivate(self) -> None:
        """Mark the end of a takeover while the node can still publish, and forget the person."""
        self.active = False
        if self._timeout:
            self._mark_change()
        with self._lock:
            self._loop.takeover = None

    def _take_twist(self, takeover: Takeover, message: TwistStamped, now: float) -> None:
        self._check_age(message, now)
        linear, angular = message.twist.linear, message.twist.angular
        twist = np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
        frame, robot = message.header.frame_id, self._robot
        if frame not in ("", robot.base_frame, robot.tool_frame):
            raise ValueError(
                f"a twist is in frame '{frame}'; valid: {robot.base_frame}, {robot.tool_frame}"
            )
        takeover.set_twist(twist, now, frame == robot.tool_frame)

    def _take_joints(self, takeover: Takeover, message: JointState, now: float) -> None:
        self._check_age(message, now)
        given = dict(zip(message.name, message.position, strict=False))
        missing = [name for name in self._robot.joint_names if name not in given]
        if missing:
            raise ValueError(
                f"the leader arm has no position of {', '.join(missing)}; "
                f"given: {', '.join(given) or 'nothing'}"
            )
        gripper, opening = self._robot.gripper, None
        if self._robot.has_gripper and gripper.joint in given:
            opening = gripper.fraction(given[gripper.joint])
            if not np.isfinite(opening):
                raise ValueError(f"{gripper.joint} of the leader arm is {given[gripper.joint]}")
        takeover.set_joints(np.array([given[name] for name in self._robot.joint_names]), now)
        if opening is not None:
            takeover.set_opening(opening)

    def _check_age(self, message: Any, now: float) -> None:
        """Raise ValueError where a message is older than a person may be silent."""
        stamp = stamp_to_seconds(message.header.stamp)
        if stamp and abs(now - stamp) > self._timeout:
            raise ValueError(
                f"it is stamped {now - stamp:.2f} s ago; at most {self._timeout:g} s allowed"
            )

    def _mark_change(self) -> None:
        """Mark that a person has begun or ended to move the arm, if so."""
        source = ""
        with self._lock:
            takeover, (begin, last) = self._loop.takeover, self._loop.taken_over
            if takeover is not None and self.active and self._loop.is_taken_over:
                source = takeover.source
        if source and not self._marked:
            self._mark(EpisodeMark.INTERVENTION_BEGIN, begin)
            self._logger.info(f"taken over by {source}")
        elif self._marked and not source:
            self._mark(EpisodeMark.INTERVENTION_END, last)
            self._logger.info("handed back to the policy")

    def _mark(self, event: int, time: float) -> None:
        """Publish a mark of a time [s]."""
        self._marked = event == EpisodeMark.INTERVENTION_BEGIN
        mark = EpisodeMark(event=event, by="takeover")
        mark.header.stamp = to_stamp(time)
        self._marks.publish(mark)
