"""The base of all kinds of command sinks."""

from abc import ABC, abstractmethod
from functools import cache
from importlib import import_module
from typing import Any

from vlm_robot_ros.interfaces.sink_traits import SinkTraits
from vlm_robot_ros.motion.motion_command import MotionCommand
from vlm_robot_ros.robot.config import RobotConfig


class SinkKind(SinkTraits, ABC):
    """A kind of command sink: its traits, and how a motion command becomes its message.

    A module of this folder defines one class, and `plugins.command_sinks` finds it. Packages
    outside register theirs in the group `plugins.COMMAND_SINKS`. Modules import no ROS messages;
    contracts are read where ROS is not installed.
    """

    @abstractmethod
    def fill(self, message: Any, motion: MotionCommand, robot: RobotConfig) -> None:
        """Fill an empty message, or goal, with the command of one tick; called in the tick."""

    def fill_stop(self, message: Any, robot: RobotConfig) -> None:
        """Fill the message that stops a controller that keeps its velocity.

        The message is empty but for its header. Override this where an empty one is no stop.
        """

    def message(self, motion: MotionCommand, robot: RobotConfig) -> Any:
        """Return the message, or goal, that the controller is sent at one tick."""
        kind = self.interface_class()
        message = kind.Goal() if self.is_action else kind()
        self.fill(message, motion, robot)
        return message

    def stop_message(self, time: float, robot: RobotConfig) -> Any:
        """Return the message of a time [s] that stops a controller that keeps its velocity."""
        message = self.interface_class()()
        if hasattr(message, "header"):
            fill_header(message.header, time, robot)
        self.fill_stop(message, robot)
        return message

    def interface_class(self) -> Any:
        """Return the class of its messages, or of its action.

        Raises:
            ModuleNotFoundError: the package of the interface is not installed, or lacks it.
        """
        try:
            return interface_class(self.interface)
        except (ModuleNotFoundError, AttributeError) as error:
            package = self.interface.split("/")[0].replace("_", "-")
            raise ModuleNotFoundError(
                f"a sink of kind {self.kind} needs {self.interface}: "
                f"sudo apt-get install ros-$ROS_DISTRO-{package}"
            ) from error


@cache
def interface_class(name: str) -> Any:
    """Return the class of a message or action, as in `std_msgs/msg/Float64`.

    Raises:
        ModuleNotFoundError: its package is not installed.
        AttributeError: the package has no such interface.
    """
    package, group, kind = name.split("/")
    return getattr(import_module(f"{package}.{group}"), kind)


def fill_header(header: Any, time: float, robot: RobotConfig) -> None:
    """Set the stamp [s] and the robot's base frame."""
    fill_time(header.stamp, time)
    header.frame_id = robot.base_frame


def fill_time(message: Any, time: float) -> None:
    """Set a time or a duration [s]."""
    message.sec, message.nanosec = (int(part) for part in divmod(round(time * 1e9), 10**9))
