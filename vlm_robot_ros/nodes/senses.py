"""What the policy node sees and feels: the newest pictures, and the arm's last states."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from vlm_robot_ros.contract.robot import Camera, Robot
from vlm_robot_ros.control.joints import ArmHistory, ArmState, JointReader
from vlm_robot_ros.control.watchdog import StreamWatch
from vlm_robot_ros.data.views import Calibration, calibration, view
from vlm_robot_ros.nodes.messages import seconds
from vlm_robot_ros.nodes.wires import Wires

_NEWEST = QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability)


class Senses:
    """Takes messages of cameras and joints. All times in seconds of the node's clock."""

    def __init__(
        self,
        robot: Robot,
        cameras: Sequence[Camera],
        image_timeout: float,
        arm_timeout: float,
        warn: Callable[[str], object] = lambda text: None,
    ) -> None:
        """Expect pictures of `cameras`, none older than the timeouts [s].

        `warn` is called once for each thing that is unusual about a camera's images.
        """
        self._robot, self._arm_timeout = robot, arm_timeout
        self._warn, self._warned = warn, set[str]()
        self._arm_watch = StreamWatch("joint states", arm_timeout, robot.joint_state_rate)
        self._cameras = {c.name: c for c in cameras}
        self._times: dict[str, float] = {}
        self._calibrations: dict[str, Calibration] = {}
        self._eyes = {
            c.name: StreamWatch(f"{c.name} camera", image_timeout, c.rate) for c in cameras
        }
        self._history = ArmHistory()
        self._joints = JointReader(robot, arm_timeout)
        self.pictures: dict[str, np.ndarray] = {}
        """The newest of each camera, by its name: see `Observation.images`."""
        self.stamps: dict[str, Time] = {}
        """Of the same, as the cameras said it."""

    def listen(self, wires: Wires, transport: str, sensed: Callable[[float], None]) -> None:
        """Subscribe to cameras and joint states.

        Args:
            wires: To the graph.
            transport: "raw", "compressed", or "contract" for that of each camera there.
            sensed: Called with the time of each good picture; where no camera is looked through,
                with that of joint states.
        """

        def taking(take: Callable[[Any], float | None]) -> Callable[[Any], None]:
            def took(message: Any) -> None:
                stamp = take(message)
                if stamp is not None:
                    sensed(stamp)

            return took

        for name, camera in self._cameras.items():
            seen = taking(partial(self.take_picture, name))
            if camera.depth:
                wires.subscribe(
                    CameraInfo, camera.info_topic, partial(self.take_info, name), _NEWEST
                )
                wires.subscribe(Image, camera.topic, seen, _NEWEST)
            elif (camera.transport if transport == "contract" else transport) == "raw":
                wires.subscribe(Image, camera.topic, seen, _NEWEST)
            else:
                wires.subscribe(CompressedImage, f"{camera.topic}/compressed", seen, _NEWEST)
        felt = self.take_joints if self._cameras else taking(self.take_joints)
        wires.subscribe(JointState, "joint_states", felt, qos_profile_sensor_data)

    @property
    def watches(self) -> list[StreamWatch]:
        """What tells whether a stream can be relied on."""
        return [self._arm_watch, *self._eyes.values()]

    @property
    def arm(self) -> ArmState | None:
        """The newest state of the arm."""
        return self._history.newest

    def arm_problem(self, now: float) -> str:
        """Return why the joint states cannot be relied on; empty when they can."""
        return self._arm_watch.problem(now)

    def take_joints(self, message: JointState) -> float | None:
        """Take joint states; returns the arm's time, None if they say nothing of it."""
        try:
            stamp = seconds(message.header.stamp)
            state = self._joints.read(message.name, message.position, stamp)
        except ValueError as error:
            self._arm_watch.refused(str(error))
            return None
        if state is None:
            self._arm_watch.received += 1
            return None
        self._arm_watch.saw(state.time)
        self._history.add(state)
        return state.time

    def take_info(self, camera: str, message: CameraInfo) -> None:
        """Take a depth camera's calibration."""
        try:
            self._calibrations[camera] = calibration(message)
        except ValueError as error:
            self._calibrations.pop(camera, None)
            self._eyes[camera].refused(f"camera_info: {error}")

    def take_picture(self, camera: str, message: Image | CompressedImage) -> float | None:
        """Take a picture; returns its time, None if it cannot be used."""
        watch = self._eyes[camera]
        try:
            stamp = seconds(message.header.stamp)
            notes: list[str] = []
            known = self._calibrations.get(camera)
            picture = view(message, self._cameras[camera], known, notes.append)
        except ValueError as error:
            watch.refused(str(error))
            return None
        watch.saw(stamp)
        self._note(watch, "".join(notes))
        self.pictures[camera], self.stamps[camera] = picture, message.header.stamp
        self._times[camera] = stamp
        return stamp

    def _note(self, watch: StreamWatch, note: str) -> None:
        """Say in diagnostics what is unusual about a stream; the log has it once."""
        watch.note = note
        if note and (text := f"{watch.name}: {note}") not in self._warned:
            self._warned.add(text)
            self._warn(text)

    @property
    def matched(self) -> bool:
        """Whether distances are of the same moment as the picture that they belong to."""
        for depth in self._cameras.values():
            for colour in self._cameras.values() if depth.depth else ():
                if colour.depth or colour.frame != depth.frame:
                    continue
                apart = self._times.get(depth.name, -np.inf) - self._times.get(colour.name, np.inf)
                if abs(apart) > 0.5 / depth.rate:
                    return False
        return True

    def arm_at(self, stamp: float, now: float) -> ArmState | None:
        """Return the arm's state of about a time, if all streams can be relied on now."""
        arm = self._history.at(stamp)
        if any(watch.problem(now) for watch in self.watches) or arm is None:
            return None
        return arm if abs(arm.time - stamp) <= self._arm_timeout else None
