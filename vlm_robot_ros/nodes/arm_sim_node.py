"""The simulated arm as a node: to the rest of the graph it is an arm with two cameras."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped, TwistStamped
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64, Float64MultiArray
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vlm_robot_ros.demo.script import sample_seeded_scene
from vlm_robot_ros.msg import SimState, VlmAction
from vlm_robot_ros.nodes.sim_command_handlers import (
    apply_action,
    apply_gripper,
    apply_joints,
    apply_pose,
    apply_trajectory,
    apply_twist,
)
from vlm_robot_ros.realtime import raise_dds_receiver_priority
from vlm_robot_ros.robot.config import Camera
from vlm_robot_ros.robot.loader import load_robot
from vlm_robot_ros.ros.image_messages import from_depth, from_rgb
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds, to_stamp
from vlm_robot_ros.ros.parameters import ParameterSpec, ReadOnlyReasons, declare_parameters
from vlm_robot_ros.ros.spin import spin_node
from vlm_robot_ros.sim.controller_topics import CONTROLLERS, GRIPPER
from vlm_robot_ros.sim.simulator import CONTROL_PERIOD, Simulator
from vlm_robot_ros.srv import ResetScene
from vlm_robot_ros.terminal_text import escape_unprintable

PARAMETERS = (
    ParameterSpec(
        "robot", "panda_sim", "Contract: a name under config/arms, or a path of a .yaml"
    ),
    ParameterSpec("seed", 0, "Seed of the first scene", 0, 2**62),
    ParameterSpec(
        "real_time_factor",
        1.0,
        "Speed of simulated time: 1 real time, less is slower; 0 stands still but for ~/step",
        0.0,
        4.0,
    ),
    ParameterSpec(
        "follow_clock",
        False,
        "Take time from /clock, which another simulated arm publishes; false: publish it",
    ),
    ParameterSpec(
        "follow_action", True, "Follow the topic action; false: only those of controllers"
    ),
)
_QUEUE_DEPTH = 10
_LONGEST_CATCH_UP_S = 0.5
"""Physics is not computed for a longer time that /clock has skipped [s]."""
_RECEIVER_PRIORITY = 39
"""Real-time priority of what receives, where the system grants it: controllers hear at once."""


class ArmSimNode(ReadOnlyReasons, Node):
    """Steps the physics by the wall clock, or by service, and talks to the graph."""

    def __init__(self) -> None:
        """Come up in the scene of `seed`.

        Raises:
            ValueError: a parameter is not valid.
        """
        super().__init__("arm_sim_node")
        declare_parameters(self, PARAMETERS)
        self._sim = Simulator(load_robot(self.get_parameter("robot").value))
        self._robot = self._sim.robot
        self._scene = 0
        self._began = 0.0  # clock time of the scene's start
        self._steps = 0

        self._follows_clock = self.get_parameter("follow_clock").value
        if not self._follows_clock:
            self._clock_out = self.create_publisher(Clock, "/clock", _QUEUE_DEPTH)
        self._joints_out = self.create_publisher(JointState, "joint_states", _QUEUE_DEPTH)
        self._state_out = self.create_publisher(SimState, "~/state", _QUEUE_DEPTH)
        self._cameras: list[tuple[Camera, Publisher, Publisher]] = [
            (
                camera,
                self.create_publisher(Image, camera.topic, qos_profile_sensor_data),
                self.create_publisher(CameraInfo, camera.info_topic, qos_profile_sensor_data),
            )
            for camera in self._robot.cameras
        ]
        if self.get_parameter("follow_action").value:
            take = partial(self._on_command, "action", self._on_action)
            self.create_subscription(VlmAction, "action", take, _QUEUE_DEPTH)
        for kind, topic, apply in (
            (JointTrajectory, CONTROLLERS["joint_trajectory"], self._on_trajectory),
            (TwistStamped, CONTROLLERS["twist"], lambda m: apply_twist(self._sim, self._began, m)),
            (Float64MultiArray, CONTROLLERS["joint_positions"], partial(apply_joints, self._sim)),
            (PoseStamped, CONTROLLERS["pose"], lambda m: apply_pose(self._sim, self._began, m)),
            (Float64, "gripper_command", lambda m: self._sim.command_gripper(m.data)),
            (Float64MultiArray, GRIPPER, partial(apply_gripper, self._sim)),
        ):
            self.create_subscription(
                kind, topic, partial(self._on_command, topic, apply), _QUEUE_DEPTH
            )
        self.create_service(ResetScene, "~/reset", self._on_reset)
        self.create_service(Trigger, "~/step", self._on_step)
        raise_dds_receiver_priority(_RECEIVER_PRIORITY)
        self._place_objects(self.get_parameter("seed").value)
        factor = self.get_parameter("real_time_factor").value
        if self._follows_clock:
            self.create_subscription(Clock, "/clock", self._on_clock, _QUEUE_DEPTH)
        elif factor > 0:
            self.create_timer(CONTROL_PERIOD / factor, self._step)

    def close(self) -> None:
        """Free the renderers."""
        self._sim.close()

    @property
    def _time(self) -> float:
        return self._began + self._sim.time

    # -- In --------------------------------------------------------------------------------------

    def _on_command(self, topic: str, apply: Callable[[Any], None], message: Any) -> None:
        """Apply a command; one that cannot be followed leaves the arm at its last."""
        try:
            apply(message)
        except ValueError as error:
            self.get_logger().error(
                f"{topic}: {escape_unprintable(error)}", throttle_duration_sec=2.0
            )

    def _on_action(self, message: VlmAction) -> None:
        if stamp_to_seconds(message.header.stamp) < self._began:
            return  # meant for the scene before
        apply_action(self._sim, message)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        stamp = stamp_to_seconds(message.header.stamp)
        if stamp and stamp < self._began:
            return  # meant for the scene before
        apply_trajectory(self._sim, self._began, message)

    def _on_reset(
        self, request: ResetScene.Request, response: ResetScene.Response
    ) -> ResetScene.Response:
        self._place_objects(request.seed)
        self._publish()
        response.success, response.scene = True, self._scene
        return response

    def _on_step(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Advance by one camera period, in lockstep."""
        if self._follows_clock:
            response.message = "time follows /clock; step the simulator that publishes it"
            return response
        if self.get_parameter("real_time_factor").value > 0:
            response.message = "time runs by itself; ~/step is for real_time_factor 0"
            return response
        for _ in range(self._camera_steps(self._robot.cameras[0])):
            self._step()
        response.success, response.message = True, f"{self._time:.3f}"
        return response

    def _on_clock(self, message: Clock) -> None:
        """Step until it is as late as another simulator says."""
        now = stamp_to_seconds(message.clock)
        if not -CONTROL_PERIOD < now - self._time < _LONGEST_CATCH_UP_S:
            self._began += now - self._time  # it was started, or started again, or held up
        while now - self._time > CONTROL_PERIOD / 2:
            self._step()

    # -- Out -------------------------------------------------------------------------------------

    def _place_objects(self, seed: int) -> None:
        after = self._time + CONTROL_PERIOD
        self._sim.reset(sample_seeded_scene(seed))
        # Time goes on over a reset: a clock that jumps back confuses everybody.
        self._began, self._seed, self._scene, self._steps = after, seed, self._scene + 1, 0

    def _step(self) -> None:
        self._sim.step()
        self._steps += 1
        self._publish()

    def _publish(self) -> None:
        stamp = to_stamp(self._time)
        if not self._follows_clock:
            self._clock_out.publish(Clock(clock=stamp))
        self._joints_out.publish(self._joint_state(stamp))
        self._state_out.publish(self._state(stamp))
        for camera, images, infos in self._cameras:
            if self._steps % self._camera_steps(camera) == 0:
                image = self._image(camera)
                image.header.stamp, image.header.frame_id = stamp, camera.frame
                info = _camera_info(camera, self._sim.camera_matrix(camera.name))
                info.header = image.header
                infos.publish(info)  # first: without it distances say nothing
                images.publish(image)

    def _image(self, camera: Camera) -> Image:
        if camera.depth:
            return from_depth(self._sim.render_depth(camera.name))
        return from_rgb(self._sim.render(camera.name))

    def _camera_steps(self, camera: Camera) -> int:
        return max(1, round(1.0 / (camera.rate * CONTROL_PERIOD)))

    def _joint_state(self, stamp: Time) -> JointState:
        message = JointState(name=[*self._robot.joint_names, self._robot.gripper.joint])
        message.header.stamp, message.header.frame_id = stamp, self._robot.base_frame
        message.position = [*self._sim.joint_positions.tolist(), self._sim.gripper_position]
        message.velocity = [*self._sim.joint_velocities.tolist(), 0.0]
        return message

    def _state(self, stamp: Time) -> SimState:
        assert self._sim.scene is not None
        message = SimState(seed=self._seed, scene=self._scene)
        message.header.stamp, message.header.frame_id = stamp, self._robot.base_frame
        message.objects = [thing.name for thing in self._sim.scene.things]
        message.positions = [_point(place) for place in self._sim.positions]
        message.yaws, message.opening = self._sim.yaws.tolist(), self._sim.opening
        message.tool = _point(self._sim.tool_position)
        message.joint_speed = float(np.max(np.abs(self._sim.joint_velocities)))
        return message


def _camera_info(camera: Camera, matrix: np.ndarray) -> CameraInfo:
    message = CameraInfo(height=camera.height, width=camera.width, distortion_model="plumb_bob")
    message.d = [0.0] * 5
    message.k = matrix.ravel().tolist()
    message.r = np.eye(3).ravel().tolist()
    message.p = np.column_stack([matrix, np.zeros(3)]).ravel().tolist()
    return message


def _point(place: np.ndarray) -> Point:
    return Point(x=float(place[0]), y=float(place[1]), z=float(place[2]))


def main() -> int:
    """Run the node."""
    return spin_node(ArmSimNode)
