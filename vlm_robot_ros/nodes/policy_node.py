"""The policy node: camera images and words in, actions and task labels out."""

from dataclasses import replace
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from vlm_robot_ros.inference.subprocess_policy import SubprocessPolicy
from vlm_robot_ros.nodes.policy_runtime import PolicyRuntime
from vlm_robot_ros.nodes.policy_start_check import first_answer_problem
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.parameters import ReadOnlyReasons, declare_parameters
from vlm_robot_ros.ros.policy_parameters import (
    CODE_SELECTING_PARAMETERS,
    PARAMETERS,
    REMOTE_RECONFIGURATION,
    asks_another_process,
    create_policy,
)
from vlm_robot_ros.ros.spin import spin_node
from vlm_robot_ros.runtime.control_loop import MotionGate
from vlm_robot_ros.terminal_text import escape_unprintable


class PolicyNode(ReadOnlyReasons, LifecycleNode):
    """Takes a policy and its parameters through the lifecycle; `PolicyRuntime` does the rest."""

    def __init__(self) -> None:
        """Declare the parameters; with `autostart`, come up.

        Raises:
            ValueError: a parameter is not valid, or with `autostart` the node cannot come up.
        """
        super().__init__("policy_node")
        self._runtime: PolicyRuntime | None = None
        declare_parameters(
            self,
            PARAMETERS,
            self._read_only_reason,
            (REMOTE_RECONFIGURATION, CODE_SELECTING_PARAMETERS),
        )
        self.add_post_set_parameters_callback(self._on_parameters_set)
        self._entities = LifecycleEntities(self)
        self._gates: list[MotionGate] = []
        self._policy: SubprocessPolicy | None = None
        self._failure = ""
        if self._value("autostart"):
            up = (self.trigger_configure, self.trigger_activate)
            if not all(step() == TransitionCallbackReturn.SUCCESS for step in up):
                raise ValueError(self._failure or "activation failed")

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load contract and policy, and connect the topics."""
        try:
            robot = load_robot(self._value("robot"), several_arms=True)
            values = {spec.name: self._value(spec.name) for spec in PARAMETERS}
            self._policy = create_policy(values, robot)
            if asks_another_process(values):
                self._ask_first(self._policy, robot)
            # What was stopped stays stopped, whichever arm it was and whichever come now.
            before = next((gate for gate in self._gates if gate.problem), MotionGate())
            self._gates = gates = [replace(before) for _ in robot.arms]
            self._runtime = PolicyRuntime(self, self._entities, robot, self._policy, values, gates)
        except Exception as error:  # whatever it is, the node stays up and says it
            self._failure = str(error.args[0] if isinstance(error, KeyError) else error)
            self.get_logger().error(f"cannot configure: {escape_unprintable(self._failure)}")
            self._teardown()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def _ask_first(self, policy: SubprocessPolicy, robot: RobotConfig) -> None:
        """Say what would make the arm hold; a server may also come or be changed later."""
        if problem := first_answer_problem(policy, robot):
            self.get_logger().warning(
                f"the policy's first answer, to images of noise: {escape_unprintable(problem)}"
            )
        else:
            self.get_logger().info("the policy's first answer, to images of noise, is valid")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to act; words said before do not count."""
        result = super().on_activate(state)
        assert self._runtime is not None
        self._runtime.activate()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop acting; the last word on the wire is a hold."""
        self._finish("deactivated")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of everything that `on_configure` made."""
        self._teardown()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hold, and be ready to be configured again."""
        self._finish("an error in a transition")
        self._teardown()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As `on_deactivate`, from whatever state."""
        self._finish("shut down")
        self._end_policy()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Hold before the process ends."""
        self._finish("the policy node ends")
        self._teardown()

    def _read_only_reason(self) -> str:
        """Return why what is read at configuration cannot be changed; empty when it can."""
        if self._runtime is None:
            return ""
        return (
            "it was read when the node was configured; `ros2 lifecycle set` "
            f"{self.get_fully_qualified_name()} deactivate and cleanup first"
        )

    def _on_parameters_set(self, parameters: list[Parameter]) -> None:
        if self._runtime is not None:
            self._runtime.set_min_confidence(self._value("min_confidence"))

    def _finish(self, reason: str) -> None:
        if self._runtime is not None:
            self._runtime.deactivate(reason)

    def _teardown(self) -> None:
        self._entities.destroy_all()
        self._runtime = None
        self._end_policy()

    def _end_policy(self) -> None:
        if self._policy is not None:
            self._policy.close()
            self._policy = None

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def main() -> int:
    """Run the node."""
    return spin_node(PolicyNode)
