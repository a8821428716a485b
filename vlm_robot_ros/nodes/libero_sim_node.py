"""A LIBERO environment as a node: to the rest of the graph it is an arm with two cameras.

It publishes simulated time, which goes as fast as the environment is computed, and no faster than
asked for.
"""

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, Float64, String

from vlm_robot_ros.interfaces.action import ActionMode
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.msg import VlmAction
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.image_messages import from_rgb
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds, to_stamp
from vlm_robot_ros.ros.parameters import ParameterSpec, ReadOnlyReasons, declare_parameters
from vlm_robot_ros.ros.spin import spin_node
from vlm_robot_ros.sim.controller_topics import CONTROLLERS
from vlm_robot_ros.sim.libero.controller import controller_actions, pose_changes
from vlm_robot_ros.sim.libero.environment import (
    STEP_DT,
    ArmState,
    LiberoEnvironment,
    LiberoError,
)
from vlm_robot_ros.sim.libero.suites import SEED, SUITES, WAIT_STEPS, contract_of
from vlm_robot_ros.srv import ResetScene

PARAMETERS = (
    ParameterSpec("suite", "goal", f"Of LIBERO: {', '.join(SUITES)}"),
    ParameterSpec("task", 0, "Number of the task in the suite", 0, 9),
    ParameterSpec("state", 0, "Number of the initial state that it begins in", 0, 49),
    ParameterSpec("libero_python", "", "Interpreter that has LIBERO, if not in the environment"),
    ParameterSpec("image_rate", 5.0, "Images a second of simulated time [Hz]", 0.1, 20.0),
    ParameterSpec("real_time_factor", 1.0, "Speed of simulated time at most", 0.01, 100.0),
)
_QUEUE_DEPTH = 10
_NORM_TOLERANCE = 0.01
_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class LiberoSimNode(ReadOnlyReasons, Node):
    """Steps the environment of one task, follows commands, tells when the task is fulfilled."""

    def __init__(self) -> None:
        """Come up in an initial state.

        Raises:
            ValueError: a parameter is not valid, or LIBERO cannot be run.
        """
        super().__init__("libero_sim_node")
        declare_parameters(self, PARAMETERS)
        suite = self._value("suite")
        if suite not in SUITES:
            raise ValueError(f"suite is '{suite}'; valid: {', '.join(SUITES)}")
        self._robot = load_robot(contract_of(suite))
        self._kinematics = Kinematics(self._robot)
        try:
            self._env = LiberoEnvironment(self._value("libero_python"))
            self._states = [*self._env.tasks(f"libero_{suite}").values()][self._value("task")]
            words = self._env.open(f"libero_{suite}", self._value("task"))
        except LiberoError as error:
            raise ValueError(str(error)) from error
        self._clock_out = self.create_publisher(Clock, "/clock", _QUEUE_DEPTH)
        self._joints_out = self.create_publisher(JointState, "joint_states", _QUEUE_DEPTH)
        self._images_out = {
            camera.name: self.create_publisher(Image, camera.topic, qos_profile_sensor_data)
            for camera in self._robot.cameras
        }
        self._done_out = self.create_publisher(Bool, "~/fulfilled", _LATCHED)
        self._words_out = self.create_publisher(String, "~/instruction", _LATCHED)
        self._words_out.publish(String(data=words))
        self.create_subscription(VlmAction, "action", self._on_action, _QUEUE_DEPTH)
        self.create_subscription(PoseStamped, CONTROLLERS["pose"], self._on_pose, _QUEUE_DEPTH)
        self.create_subscription(Float64, "gripper_command", self._on_gripper, _QUEUE_DEPTH)
        self.create_service(ResetScene, "~/reset", self._on_reset)
        self._time, self._scene = 0.0, 0
        self._period = max(1, round(1.0 / (self._value("image_rate") * STEP_DT)))
        self._begin(self._value("state"))
        self.create_timer(STEP_DT / self._value("real_time_factor"), self._step)

    def close(self) -> None:
        """End LIBERO's process."""
        self._env.close()

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _begin(self, state: int) -> None:
        self._state = self._env.reset(state, SEED, WAIT_STEPS, list(self._images_out))
        self._goal, self._opening = self._state.pose, 1.0
        self._steps, self._scene, self._began = 0, self._scene + 1, self._time
        self._fulfilled: bool | None = None
        self._publish(self._state)

    def _on_reset(
        self, request: ResetScene.Request, response: ResetScene.Response
    ) -> ResetScene.Response:
        """Begin in another initial state: the seed is its number."""
        if not 0 <= request.seed < self._states:
            response.message = f"state {request.seed}; valid: 0 to {self._states - 1}"
            return response
        self._time += STEP_DT
        self._begin(int(request.seed))
        response.success, response.scene = True, self._scene
        return response

    def _on_action(self, message: VlmAction) -> None:
        if stamp_to_seconds(message.header.stamp) < self._began:
            return  # meant for the state before
        if message.hold:
            self._goal = self._state.pose
            return
        values = np.array(message.values, np.float64)
        if len(values) != 7 or not np.isfinite([*values, message.gripper]).all():
            self.get_logger().error(
                "action: valid: seven finite values and an opening", throttle_duration_sec=2
            )
            return
        if message.mode == ActionMode.END_EFFECTOR_POSE:
            if not self._take_pose(values):
                return
        elif message.mode == ActionMode.JOINT_POSITION:
            self._goal = transform_to_pose7(self._kinematics.forward(values))
        else:
            self.get_logger().error(
                f"action: mode {message.mode}; valid: joint positions, tool poses",
                throttle_duration_sec=2,
            )
            return
        self._opening = float(np.clip(message.gripper, 0.0, 1.0))

    def _on_pose(self, message: PoseStamped) -> None:
        if stamp_to_seconds(message.header.stamp) < self._began:
            return  # meant for the state before
        place, turn = message.pose.position, message.pose.orientation
        self._take_pose(np.array([place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w]))

    def _take_pose(self, goal: np.ndarray) -> bool:
        """Go to a pose; refuse one without a direction."""
        if np.isfinite(goal).all() and abs(np.linalg.norm(goal[3:]) - 1.0) < _NORM_TOLERANCE:
            self._goal = goal
            return True
        self.get_logger().error(
            f"pose {goal.tolist()}; valid: finite, with a quaternion of norm 1",
            throttle_duration_sec=2,
        )
        return False

    def _on_gripper(self, message: Float64) -> None:
        if np.isfinite(message.data):
            self._opening = float(np.clip(message.data, 0.0, 1.0))

    def _step(self) -> None:
        move = pose_changes(np.vstack([self._state.pose, self._goal]))
        self._steps += 1
        seen = self._steps % self._period == 0
        cameras = list(self._images_out) if seen else []
        self._state = self._env.step(controller_actions(move, self._opening), cameras)
        self._time += STEP_DT
        self._publish(self._state)

    def _publish(self, state: ArmState) -> None:
        stamp = to_stamp(self._time)
        self._clock_out.publish(Clock(clock=stamp))
        joints = JointState(name=[*self._robot.joint_names, self._robot.gripper.joint])
        joints.header.stamp, joints.header.frame_id = stamp, self._robot.base_frame
        joints.position = [*state.joints.tolist(), self._robot.gripper.position(state.opening)]
        self._joints_out.publish(joints)
        for camera in self._robot.cameras:
            if camera.name in state.images:
                image = from_rgb(state.images[camera.name])
                image.header.stamp, image.header.frame_id = stamp, camera.frame
                self._images_out[camera.name].publish(image)
        if state.done != self._fulfilled:
            self._fulfilled = state.done
            self._done_out.publish(Bool(data=state.done))


def main() -> int:
    """Run the node."""
    return spin_node(LiberoSimNode)
