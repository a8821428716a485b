"""The last check of a setpoint before it is sent: limits of joints, tool and workspace."""

from collections.abc import Iterable

import numpy as np

from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.control.limits import leaves, outside
from vlm_robot_ros.control.motion import Setpoint
from vlm_robot_ros.control.stream import JointStream

_TOO_FAST = 1.2
"""Part of its speed that a tool shall never have."""
_OUTSIDE = 0.02
"""How far a commanded tool may be outside the workspace [m]."""
_EDGE = 0.005
"""How far outside the workspace a tool may come to a stop that has to brake [m]."""
_AGAIN, _INSISTS = 0.3, 1.0
"""A tool that has to brake for the edge so soon again [s] for so long [s] is sent there."""
_ROUNDING = 1e-6


class SetpointCheck:
    """Checks setpoints of one arm."""

    def __init__(self, robot: Robot, stream: JointStream) -> None:
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
        was = np.maximum(outside(joints, robot.lower, robot.upper), 0.0)
        for name, over in (
            ("position", outside(setpoint.position, robot.lower, robot.upper) - was),
            ("velocity", np.abs(setpoint.velocity) - robot.velocity),
            ("acceleration", np.abs(setpoint.acceleration) - robot.acceleration),
        ):
            worst = int(over.argmax())
            if over[worst] > _ROUNDING:
                return f"the {name} of {robot.joint_names[worst]} would pass its limit"
        if self._stream.tool_speed(setpoint) > _TOO_FAST * robot.workspace.speed:
            return f"the tool would be faster than {robot.workspace.speed} m/s"
        if self.leaves([setpoint.position], joints, _OUTSIDE):
            tool = self._stream.tool_at(setpoint.position)[:3, 3]
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
        tool = self._stream.tool_at(setpoint.position)[:3, 3].round(3)
        return f"the tool would go on from {tool.tolist()} and leave its workspace"

    def leaves(
        self, positions: Iterable[np.ndarray], here: np.ndarray, most: float = _EDGE
    ) -> bool:
        """Return whether the tool leaves its workspace at one of some joint positions.

        Args:
            positions: Shape (J,) each, [rad].
            here: Where the arm comes from. Shape (J,), [rad].
            most: So far outside it may be [m].
        """
        kinematics = self._stream.kinematics
        return any(leaves(self._robot, kinematics, each, here, most) for each in positions)
