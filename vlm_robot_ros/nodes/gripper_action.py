"""A gripper that is told by an action, as most real ones are."""

from typing import Any

from rclpy.action import ActionClient
from rclpy.node import Node

from vlm_robot_ros.contract.robot import Robot
from vlm_robot_ros.control.driver import Drive


class GripperAction:
    """Sends goals of `control_msgs/action/GripperCommand`; a new one replaces the last."""

    def __init__(self, node: Node, name: str) -> None:
        """Make a client of the action `name`.

        Raises:
            ModuleNotFoundError: control_msgs is not installed.
        """
        try:
            from control_msgs.action import GripperCommand
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"a gripper_action sink ('{name}') needs control_msgs: "
                "sudo apt-get install ros-$ROS_DISTRO-control-msgs"
            ) from error
        self._kind = GripperCommand
        self._client: Any = ActionClient(node, GripperCommand, name)

    def publish(self, told: tuple[float, float]) -> bool:
        """Send the gripper's joint to a position, with an effort; returns whether it is taken."""
        if not self._client.server_is_ready():
            return False
        goal: Any = self._kind.Goal()
        goal.command.position, goal.command.max_effort = told
        self._client.send_goal_async(goal)
        return True

    def destroy(self) -> None:
        """Free the client."""
        self._client.destroy()


def gripper_action(drive: Drive, robot: Robot) -> tuple[float, float]:
    """Return where the gripper's joint shall be, and with what it may press [N]."""
    return robot.gripper.position(drive.gripper), robot.gripper.max_effort
