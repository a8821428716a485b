"""What a contract, the motion and the permissions need to know of a kind of command sink."""

from typing import ClassVar


class SinkTraits:
    """A kind of command sink, without the message that it takes; see `sinks.base.SinkKind`."""

    kind: ClassVar[str]
    """Its name in contracts."""
    description: ClassVar[str]
    """What it is for, in a few words."""
    interface: ClassVar[str]
    """Message or action that it takes, as in `std_msgs/msg/Float64`, `pkg/action/Name`."""
    commands_joints: ClassVar[bool] = False
    """Whether it takes setpoints of the arm's joints."""
    commands_tool: ClassVar[bool] = False
    """Whether it takes poses or twists of the tool, and its controller chooses the joints."""
    commands_gripper: ClassVar[bool] = False
    executes_trajectories: ClassVar[bool] = False
    """Whether its controller executes trajectories by their stamps, the last one to its end."""
    keeps_velocity: ClassVar[bool] = False
    """Whether its controller goes on at the commanded velocity when no command comes."""
    needs_interpolation: ClassVar[bool] = False
    """Whether its controller forwards each setpoint as it comes: at the control rate the hardware
    receives steps, and must interpolate between them itself."""
    restarts_on_message: ClassVar[bool] = False
    """Whether its controller starts again with every message, so only changes are sent."""

    @property
    def commands_arm(self) -> bool:
        """Whether it commands more than a gripper."""
        return self.commands_joints or self.commands_tool

    @property
    def is_action(self) -> bool:
        """Whether it takes goals of an action instead of messages on a topic."""
        return "/action/" in self.interface
