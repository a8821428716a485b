"""The policy node: camera images and words in, actions and task labels out."""

from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from vlm_robot_ros.contract.load import load_robot
from vlm_robot_ros.nodes.acting import Acting
from vlm_robot_ros.nodes.arm_output import Permit
from vlm_robot_ros.nodes.parameters import ReadOnlyReasons, declare
from vlm_robot_ros.nodes.policy_settings import CHOOSING, PARAMETERS, RECONFIGURATION, start_policy
from vlm_robot_ros.nodes.run import run
from vlm_robot_ros.nodes.wires import Wires
from vlm_robot_ros.policy.apart import PolicyApart
from vlm_robot_ros.printable import printable


class PolicyNode(ReadOnlyReasons, LifecycleNode):
    """A policy and its parameters through the states of a lifecycle; `Acting` does the rest."""

    def __init__(self) -> None:
        """Declare the parameters; with `autostart`, come up.

        Raises:
            ValueError: a parameter is not valid, or with `autostart` the node cannot come up.
        """
        super().__init__("policy_node")
        self._acting: Acting | None = None
        declare(self, PARAMETERS, self._why_fixed, (RECONFIGURATION, CHOOSING))
        self.add_post_set_parameters_callback(self._on_parameters_set)
        self._permit, self._wires = Permit(), Wires(self)
        self._policy: PolicyApart | None = None
        self._failure = ""
        if self._value("autostart"):
            up = (self.trigger_configure, self.trigger_activate)
            if not all(step() == TransitionCallbackReturn.SUCCESS for step in up):
                raise ValueError(self._failure or "activation failed")

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load contract and policy, and connect the topics."""
        try:
            robot = load_robot(self._value("robot"))
            values = {spec.name: self._value(spec.name) for spec in PARAMETERS}
            self._policy = start_policy(values, robot)
            self._acting = Acting(self, self._wires, robot, self._policy, values, self._permit)
        except Exception as error:  # whatever it is, the node stays up and says it
            self._failure = str(error.args[0] if isinstance(error, KeyError) else error)
            self.get_logger().error(f"cannot configure: {printable(self._failure)}")
            self._let_go()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to act; words said before do not count."""
        result = super().on_activate(state)
        assert self._acting is not None
        self._acting.begin()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop acting; the last word on the wire is a hold."""
        self._finish("deactivated")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything that `on_configure` made."""
        self._let_go()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hold, and be ready to be configured anew."""
        self._finish("an error in a transition")
        self._let_go()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As `on_deactivate`, from whatever state."""
        self._finish("shut down")
        self._end_policy()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Hold before the process ends."""
        self._finish("the policy node ends")
        self._let_go()

    def _why_fixed(self) -> str:
        """Return why what is read at configuration cannot be changed; empty when it can."""
        if self._acting is None:
            return ""
        return (
            "it was read when the node was configured; `ros2 lifecycle set` "
            f"{self.get_fully_qualified_name()} deactivate and cleanup first"
        )

    def _on_parameters_set(self, parameters: list[Parameter]) -> None:
        if self._acting is not None:
            self._acting.adjust(self._value("min_confidence"))

    def _finish(self, reason: str) -> None:
        if self._acting is not None:
            self._acting.finish(reason)

    def _let_go(self) -> None:
        self._wires.cut()
        self._acting = None
        self._end_policy()

    def _end_policy(self) -> None:
        if self._policy is not None:
            self._policy.close()
            self._policy = None

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def main() -> int:
    """Run the node."""
    return run(PolicyNode)
