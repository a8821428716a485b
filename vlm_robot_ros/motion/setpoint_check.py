"""The last check of a setpoint before it is sent: limits of joints, tool and workspace."""

from collections.abc import Iterable

import numpy as np

from vlm_robot_ros.motion.limits import exits_workspace, limit_violation
from vlm_robot_ros.motion.setpoint_generator import Setpoint
from vlm_robot_ros.motion.target_tracker import TargetTracker
from vlm_robot_ros.robot.config import RobotConfig

_SPEED_TOLERANCE = 1.2
"""Part of its speed that a tool shall never have."""
_LIMIT_TOLERANCE_RAD = 0.02
"""How far a commanded tool may be outside the workspace [m]."""
_WORKSPACE_TOLERANCE_M = 0.005
"""How far outside the workspace a tool may come to a stop that has to brake [m]."""
_AGAIN, _INSISTS = 0.3, 1.0
"""A tool that has to brake for the edge so soon again [s] for so long [s] is sent there."""
_ROUNDING_TOLERANCE = 1e-6


class SetpointCheck:
    """Checks setpoints of one arm."""

    def __init__(self, robot: RobotConfig, stream: TargetTracker) -> None:
        """Check the setpoints of a stream against the contract."""
        self._robot, self._stream = robot, stream
        self._edge = (-np.inf, -np.inf)

    def problem(self, setpoint: Setpoint, joints: np.ndarray) -> str:
        """Return what is wrong with a setpoint; empty when nothing is.

        Args:
            setpoint: To be sent.
            joints: Measured positions: what was outside before may come back. Shape (J,), [rad].
        """
        robot = self._robot
        was = np.maximum(limit_violation(joints, robot.lower, robot.upper), 0.0)
        for name, over in (
            ("position", limit_violation(setpoint.position, robot.lower, robot.upper) - was),
            ("velocity", np.abs(setpoint.velocity) - robot.velocity),
            ("acceleration", np.abs(setpoint.acceleration) - robot.acceleration),
        ):
            worst = int(over.argmax())
            if over[worst] > _ROUNDING_TOLERANCE:
                return f"the {name} of {robot.joint_names[worst]} would pass its limit"
        if self._stream.tool_speed(setpoint) > _SPEED_TOLERANCE * robot.workspace.speed:
            return f"the tool would be faster than {robot.workspace.speed} m/s"
        if self.exits_workspace([setpoint.position], joints, _LIMIT_TOLERANCE_RAD):
            tool = self._stream.tool_pose(setpoint.position)[:3, 3]
            return f"the tool would go to {tool.round(3).tolist()}, outside its workspace"
        return ""

    def edge_problem(self, now: float, setpoint: Setpoint) -> str:
        """Return what is wrong when the tool has to be kept from leaving again and again.

        To be called when it had to brake for the edge of the workspace at `now` [s].
        """
        if now - self._edge[1] > _AGAIN:
            self._edge = (now, now)
        self._edge = (self._edge[0], now)
        if now - self._edge[0] < _INSISTS:
            return ""
        tool = self._stream.tool_pose(setpoint.position)[:3, 3].round(3)
        return f"the tool would go on from {tool.tolist()} and leave its workspace"

    def exits_workspace(
        self,
        positions: Iterable[np.ndarray],
        here: np.ndarray,
        most: float = _WORKSPACE_TOLERANCE_M,
    ) -> bool:
        """Return whether the tool leaves its workspace at one of some joint positions.

        Args:
            positions: Shape (J,) each, [rad].
            here: Where the arm comes from. Shape (J,), [rad].
            most: So far outside it may be [m].
        """
        kinematics = self._stream.kinematics
        return any(
            exits_workspace(self._robot, kinematics, each, here, most) for each in positions
        )
