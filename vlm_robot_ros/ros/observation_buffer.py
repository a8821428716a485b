"""The observation buffer of the policy node: the newest images and the arm's last states."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ROSClock
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Float64

from vlm_robot_ros.data.camera_input import CameraIntrinsics, calibration, to_policy_input
from vlm_robot_ros.interfaces.hold import MAY_MOVE, HoldReason
from vlm_robot_ros.interfaces.observation import Observation
from vlm_robot_ros.interfaces.robot_state import RobotState
from vlm_robot_ros.kinematics.kinematics import Kinematics, transform_to_pose7
from vlm_robot_ros.kinematics.transform_buffer import TransformBuffer
from vlm_robot_ros.motion.jump_detector import JumpDetector
from vlm_robot_ros.robot.config import Camera, RobotConfig
from vlm_robot_ros.ros.lifecycle_entities import LifecycleEntities
from vlm_robot_ros.ros.message_conversions import stamp_to_seconds
from vlm_robot_ros.ros.transform_input import create_transform_subscriptions
from vlm_robot_ros.runtime.joint_state_assembler import JointStateAssembler, RobotStateBuffer
from vlm_robot_ros.runtime.speed_scaling import SpeedScaling
from vlm_robot_ros.runtime.stream_monitor import MAX_CLOCK_LEAD_S, StreamMonitor
from vlm_robot_ros.runtime.transforms import placed_camera

_MISSING_AFTER_PERIODS = 1.5
"""After so many periods of the slowest camera the image of another one is missing."""
_IMAGE_QOS = QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability)


class ObservationBuffer:
    """Takes messages of cameras and joints. All times in seconds of the node's clock."""

    def __init__(
        self,
        robot: RobotConfig,
        cameras: Sequence[Camera],
        image_timeout: float,
        arm_timeout: float,
        clock: Clock,
        warn: Callable[[str], object] = lambda text: None,
    ) -> None:
        """Expect images of `cameras`, none older than the timeouts [s] by the node's clock.

        `warn` is called once for each thing that is unusual about a camera's images.
        """
        self._robot, self._arm_timeout, self._clock = robot, arm_timeout, clock
        simulated = isinstance(clock, ROSClock) and clock.ros_time_is_active
        self._warn, self._warned = warn, set[str]()
        ahead = None if simulated else MAX_CLOCK_LEAD_S
        self._joint_state_monitor = StreamMonitor(
            f"{robot.arm} joint states".strip(), arm_timeout, robot.joint_state_rate, ahead
        )
        self._jumps = JumpDetector(robot)
        self._scaling = SpeedScaling(robot.speed_scaling) if robot.speed_scaling else None
        self._cameras = {c.name: c for c in cameras}
        self._times: dict[str, float] = {}
        self._new_images = set[str]()
        """Cameras with an image that was in no observation yet."""
        self._new_since = 0.0
        """When the first of these images was taken [s]."""
        self.calibrations: dict[str, CameraIntrinsics] = {}
        """Of depth cameras, by name."""
        self._image_monitors = {
            c.name: StreamMonitor(f"{c.name} camera", image_timeout, c.rate, ahead)
            for c in cameras
        }
        self._transforms = TransformBuffer()
        self.camera_poses: dict[str, tuple[float, ...]] = {}
        """As `Observation.camera_poses`, when their newest images were taken."""
        self._history = RobotStateBuffer()
        self._joints = JointStateAssembler(robot, arm_timeout)
        self.images: dict[str, np.ndarray] = {}
        """The newest of each camera, by its name: see `Observation.images`."""
        self.stamps: dict[str, Time] = {}
        """Of the same, as the cameras said it."""

    def create_subscriptions(
        self, entities: LifecycleEntities, transport: str, on_observation: Callable[[float], None]
    ) -> None:
        """Subscribe to cameras and joint states.

        Args:
            entities: Of the node.
            transport: "raw", "compressed", or "contract" for that of each camera there.
            on_observation: Called once a moment: with the time of the last camera's good image
                [s], when all cameras have a new one or one does not come; without cameras, with
                the time of joint states.
        """

        def calling(take: Callable[[Any], float | None]) -> Callable[[Any], None]:
            def call(message: Any) -> None:
                stamp = take(message)
                if stamp is not None:
                    on_observation(stamp)

            return call

        for name, camera in self._cameras.items():
            on_image_taken = calling(partial(self.on_image, name))
            if camera.depth:
                entities.create_subscription(
                    CameraInfo, camera.info_topic, partial(self.on_camera_info, name), _IMAGE_QOS
                )
                entities.create_subscription(Image, camera.topic, on_image_taken, _IMAGE_QOS)
            elif (camera.transport if transport == "contract" else transport) == "raw":
                entities.create_subscription(Image, camera.topic, on_image_taken, _IMAGE_QOS)
            else:
                entities.create_subscription(
                    CompressedImage, f"{camera.topic}/compressed", on_image_taken, _IMAGE_QOS
                )
        if any(camera.pose_from_tf for camera in self._cameras.values()):
            create_transform_subscriptions(entities, self._transforms, self._warn)
        on_joints = self.on_joint_state if self._cameras else calling(self.on_joint_state)
        entities.create_subscription(
            JointState, self._robot.topic("joint_states"), on_joints, qos_profile_sensor_data
        )
        if self._scaling:
            entities.create_subscription(
                Float64,
                self._robot.speed_scaling,
                self.on_speed_scaling,
                qos_profile_sensor_data,
            )

    @property
    def monitors(self) -> list[StreamMonitor]:
        """What tells whether a stream can be relied on."""
        scaling = [self._scaling] if self._scaling else []
        return [self._joint_state_monitor, *scaling, *self._image_monitors.values()]

    @property
    def robot_state(self) -> RobotState | None:
        """The newest state of the arm."""
        return self._history.newest

    @property
    def colour_image(self) -> np.ndarray | None:
        """The newest image of the first colour camera that has one. Shape (H, W, 3), uint8 RGB."""
        cameras = [camera.name for camera in self._robot.colour_cameras]
        return next((self.images[name] for name in cameras if name in self.images), None)

    def robot_state_problem(self, now: float) -> HoldReason:
        """Return why the joint states cannot be relied on; empty when they can."""
        return self._joint_state_monitor.problem(now)

    def timing_problem(self, now: float) -> HoldReason:
        """Return why a controller would execute a trajectory at another time, or another speed.

        Empty when it executes it as it is sent.
        """
        scaling = self._scaling.problem(now) if self._scaling else MAY_MOVE
        return scaling or self._joint_state_monitor.clock_problem(now)

    def expect_opening(self, opening: float) -> None:
        """Take what a gripper without feedback was commanded for where it is: see `ArmState`."""
        self._joints.commanded_opening = opening

    def on_speed_scaling(self, message: Float64) -> None:
        """Take at what part of its speed the controller executes trajectories [%]."""
        assert self._scaling is not None
        self._scaling.update(message.data, self._now())

    def on_joint_state(self, message: JointState) -> float | None:
        """Take joint states; returns the arm's time, None if they say nothing of it."""
        try:
            stamp = stamp_to_seconds(message.header.stamp)
            state = self._joints.read(message.name, message.position, stamp)
        except ValueError as error:
            self._joint_state_monitor.on_rejected(str(error))
            return None
        if state is None:
            self._joint_state_monitor.received += 1
            return None
        if contradiction := self._jumps.problem(state):
            self._joint_state_monitor.on_rejected(contradiction)
            return None
        self._joint_state_monitor.on_message(state.time, self._now())
        self._history.add(state)
        return state.time

    def on_camera_info(self, camera: str, message: CameraInfo) -> None:
        """Take a depth camera's calibration."""
        try:
            self.calibrations[camera] = calibration(message)
        except ValueError as error:
            self.calibrations.pop(camera, None)
            self._image_monitors[camera].on_rejected(f"camera_info: {error}")

    def on_image(self, camera: str, message: Image | CompressedImage) -> float | None:
        """Take an image; returns its time if it completes what is seen of a moment."""
        watch = self._image_monitors[camera]
        try:
            stamp = stamp_to_seconds(message.header.stamp)
            notes: list[str] = []
            of = self._cameras[camera]
            if of.pose_from_tf:
                of = placed_camera(of, self._robot.base_frame, self._transforms, stamp)
            image = to_policy_input(message, of, self.calibrations.get(camera), notes.append)
        except ValueError as error:
            watch.on_rejected(str(error))
            return None
        watch.on_message(stamp, self._now())
        self._note(watch, "".join(notes))
        self.images[camera], self.stamps[camera] = image, message.header.stamp
        self._times[camera] = stamp
        if of.pose_from_tf:
            self.camera_poses[camera] = of.pose
        return stamp if self._is_complete(camera, stamp) else None

    def _is_complete(self, camera: str, stamp: float) -> bool:
        """Tell whether the policy can be asked: no other camera's new image is to be expected."""
        period = 1.0 / min(each.rate for each in self._cameras.values())
        if not self._new_images:
            self._new_since = stamp
        # What another camera saw a period ago is of another moment.
        self._new_images = {
            name for name in self._new_images if abs(stamp - self._times[name]) <= 0.6 * period
        }
        self._new_images.add(camera)
        late = abs(stamp - self._new_since) > _MISSING_AFTER_PERIODS * period
        if len(self._new_images) < len(self._cameras) and not late:
            return False
        self._new_images, self._new_since = set(), stamp
        return True

    def _note(self, watch: StreamMonitor, note: str) -> None:
        """Say in diagnostics what is unusual about a stream; the log has it once."""
        watch.note = note
        if note and (text := f"{watch.name}: {note}") not in self._warned:
            self._warned.add(text)
            self._warn(text)

    def _now(self) -> float:
        return self._clock.now().nanoseconds * 1e-9

    @property
    def depth_synchronized(self) -> bool:
        """Whether distances are of the same moment as the image that they belong to."""
        for depth in self._cameras.values():
            for colour in self._cameras.values() if depth.depth else ():
                if colour.depth or colour.frame != depth.frame:
                    continue
                apart = self._times.get(depth.name, -np.inf) - self._times.get(colour.name, np.inf)
                if abs(apart) > 0.5 / depth.rate:
                    return False
        return True

    def observation(
        self, stamp: float, now: float, kinematics: Kinematics, instruction: str
    ) -> Observation | None:
        """Return what a policy sees of a time; None if arm or depth of that time are unknown.

        Args:
            stamp: Of the newest image [s].
            now: [s]
            kinematics: Of the robot.
            instruction: The text for the policy.
        """
        state = self.state_at(stamp, now) if self.depth_synchronized else None
        if state is None:
            return None
        pose = transform_to_pose7(kinematics.forward(state.joints))
        return Observation(
            dict(self.images), pose, state.opening, instruction, state.joints, stamp,
            camera_poses=dict(self.camera_poses),
        )  # fmt: skip

    def state_at(self, stamp: float, now: float) -> RobotState | None:
        """Return the arm's state of about a time, if all streams can be relied on now."""
        arm = self._history.at(stamp)
        if any(watch.problem(now) for watch in self.monitors) or arm is None:
            return None
        return arm if abs(arm.time - stamp) <= self._arm_timeout else None
