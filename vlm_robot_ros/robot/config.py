"""The parts of a robot's contract, as frozen dataclasses. SI units, poses in the base frame."""

from dataclasses import dataclass

import numpy as np

from vlm_robot_ros.interfaces.sink_traits import SinkTraits
from vlm_robot_ros.plugins import command_sinks


@dataclass(frozen=True)
class Joint:
    """One revolute joint, turning about the z axis of its own frame."""

    name: str
    origin: tuple[float, ...]
    """Frame in the parent's: x, y, z [m], roll, pitch, yaw [rad]."""
    position: tuple[float, float]
    """Lower and upper limit [rad]."""
    velocity: float
    """Speed limit [rad/s]."""
    acceleration: float
    """Limit of the acceleration [rad/s^2]."""
    jerk: float
    """Limit of the jerk [rad/s^3]."""
    continuous: bool = False
    """It turns without end, and who reports it may do so within one turn."""


@dataclass(frozen=True)
class Gripper:
    """A parallel gripper, known by the position of one finger joint; see `WITHOUT_GRIPPER`."""

    joint: str
    """Empty where the arm has no gripper."""
    open: float
    """Finger position when open [m]."""
    closed: float
    """Finger position when closed [m]."""
    max_effort: float = 0.0
    """With what an action may have it press [N]; 0 leaves it to the gripper's controller."""
    mimics: tuple[str, ...] = ()
    """Joints that go with it, and that a `joint_state` sink has to tell, too."""
    feedback_timeout: float | None = None
    """An arm holds when the gripper's joint state is older [s]; 0: none is expected, and None: as
    the arm's joint states."""

    def fraction(self, position: float) -> float:
        """Return the opening as a fraction: 0 closed, 1 open."""
        return float(np.clip((position - self.closed) / (self.open - self.closed), 0.0, 1.0))

    def position(self, fraction: float) -> float:
        """Return the finger position [m] of an opening fraction."""
        return self.closed + float(np.clip(fraction, 0.0, 1.0)) * (self.open - self.closed)


WITHOUT_GRIPPER = Gripper("", open=1.0, closed=0.0, feedback_timeout=0.0)
"""Of an arm without a gripper that this node could drive: its opening is 1."""


@dataclass(frozen=True)
class Workspace:
    """The box the tool may be commanded to, and its top speed there."""

    min: tuple[float, float, float]
    max: tuple[float, float, float]
    speed: float
    """[m/s]"""


TRANSPORTS = ("raw", "compressed")
"""How images come: `Image` on a topic, or `CompressedImage` on the one below it."""


@dataclass(frozen=True)
class Camera:
    """One camera stream, as it is published."""

    name: str
    topic: str
    frame: str
    width: int
    height: int
    rate: float
    """[Hz]"""
    depth: bool = False
    """Whether its images tell how far away things are; one of a colour camera's frame is
    registered to that camera."""
    pose: tuple[float, ...] = ()
    """Where its optical frame is (x right, y down, z forward), in the base frame: x, y, z [m],
    roll, pitch, yaw [rad]; empty where nobody has to know, or it comes from TF."""
    pose_from_tf: bool = False
    """Whether its place is looked up in TF, at the time of each image."""
    crop: tuple[int, ...] = ()
    """The part that policies are given: top, left, height, width [px]; empty for all of it."""
    transport: str = "raw"
    """How its images come; see `TRANSPORTS`."""

    @property
    def info_topic(self) -> str:
        """Where its calibration is published: beside its images, as ROS has it."""
        return camera_info_topic(self.topic)


def camera_info_topic(topic: str) -> str:
    """Return where the calibration of a topic of images is published."""
    folder, slash, _ = topic.rpartition("/")
    return f"{folder}{slash}camera_info"


@dataclass(frozen=True)
class CommandSink:
    """A topic, or an action, on which a controller takes commands."""

    kind: str
    """One of `plugins.command_sinks`."""
    topic: str
    hardware_interpolates: bool = False
    """Whether the hardware interpolates between setpoints: `SinkTraits.needs_interpolation`."""

    @property
    def traits(self) -> SinkTraits:
        """What is true of all sinks of its kind."""
        return command_sinks()[self.kind]


ISAAC_SIM = "isaac"
"""The value of `simulation` of an arm in Isaac Sim."""


@dataclass(frozen=True)
class SimulatedServos:
    """How a simulated arm is mounted on its table, and the servos of its joints."""

    mount: tuple[float, ...]
    """Position of the arm's base in the table's frame. Shape (3,), [m]."""
    stiffness: tuple[float, ...]
    """Of the position servos, one per joint [Nm/rad]."""
    torque: tuple[float, ...]
    """Their limits, one per joint [Nm]."""


@dataclass(frozen=True)
class RobotConfig:
    """One robot's contract."""

    name: str
    simulation: str
    """Model of the simulator, or `ISAAC_SIM`; empty for a real arm: not moved by default."""
    base_frame: str
    tool_frame: str
    joints: tuple[Joint, ...]
    tool: tuple[float, ...]
    """Tool frame in the last joint's: x, y, z [m], roll, pitch, yaw [rad]."""
    home: tuple[float, ...]
    """Joint positions at rest [rad]."""
    gripper: Gripper
    workspace: Workspace
    cameras: tuple[Camera, ...]
    joint_state_rate: float
    """How often they ought to come [Hz]."""
    sinks: tuple[CommandSink, ...]
    """Who is told what the arm shall do, besides the topic `action`."""
    image_timeout: float = 0.5
    """An arm holds when the newest image is older [s]."""
    joint_state_timeout: float = 0.3
    """And when the newest joint states are [s]."""
    speed_scaling: str = ""
    """Topic (std_msgs/Float64, percent) on which the driver publishes at what part of its speed
    the controller executes trajectories; empty where there is no such scaling."""
    servos: SimulatedServos | None = None
    """Of an arm of the simulator."""
    arm: str = ""
    """Its name among several arms that one policy moves."""
    others: tuple["RobotConfig", ...] = ()
    """Those arms but this one, without cameras: all are among this one's."""

    @property
    def arms(self) -> tuple["RobotConfig", ...]:
        """All arms, this one first."""
        return (self, *self.others)

    def topic(self, name: str) -> str:
        """Return the name of a topic of this arm: below the arm's name, if it has one."""
        return f"{self.arm}/{name}" if self.arm and name[:1] not in ("/", "~") else name

    @property
    def simulated(self) -> bool:
        """Whether nothing can be harmed."""
        return bool(self.simulation)

    @property
    def has_gripper(self) -> bool:
        """Whether there is a gripper to command and to measure."""
        return bool(self.gripper.joint)

    @property
    def finger_names(self) -> tuple[str, ...]:
        """Names of the gripper's joint and of those that go with it; empty without a gripper."""
        return (self.gripper.joint, *self.gripper.mimics) if self.has_gripper else ()

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the arm's joints, from the base outwards."""
        return tuple(joint.name for joint in self.joints)

    @property
    def lower(self) -> np.ndarray:
        """Lower joint limits. Shape (J,), [rad]."""
        return np.array([joint.position[0] for joint in self.joints])

    @property
    def upper(self) -> np.ndarray:
        """Upper joint limits. Shape (J,), [rad]."""
        return np.array([joint.position[1] for joint in self.joints])

    @property
    def velocity(self) -> np.ndarray:
        """Joint speed limits. Shape (J,), [rad/s]."""
        return np.array([joint.velocity for joint in self.joints])

    @property
    def acceleration(self) -> np.ndarray:
        """Limits of the joint accelerations. Shape (J,), [rad/s^2]."""
        return np.array([joint.acceleration for joint in self.joints])

    @property
    def jerk(self) -> np.ndarray:
        """Limits of the joint jerks. Shape (J,), [rad/s^3]."""
        return np.array([joint.jerk for joint in self.joints])

    @property
    def max_stop_time(self) -> float:
        """How long it may take to come to a stand, whatever its joints do [s]."""
        slow, late = self.velocity / self.acceleration, self.acceleration / self.jerk
        return float(np.max(slow + 2 * late))

    def unwrap_continuous_joints(self, positions: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Return positions with each continuous joint in the turn that is nearest to another's.

        Args:
            positions: The last axis is of the joints. Shape (..., J), [rad].
            near: Shape (J,), [rad].
        """
        endless = [joint.continuous for joint in self.joints]
        if not any(endless):
            return positions
        turns = np.round((near - positions) / (2 * np.pi))
        return positions + 2 * np.pi * np.array(endless) * turns

    @property
    def colour_cameras(self) -> tuple[Camera, ...]:
        """Those whose images can be looked at."""
        return tuple(camera for camera in self.cameras if not camera.depth)

    def camera(self, name: str) -> Camera:
        """Return the camera of that name.

        Raises:
            KeyError: no such camera; the message lists those there are.
        """
        for camera in self.cameras:
            if camera.name == name:
                return camera
        valid = ", ".join(camera.name for camera in self.cameras)
        raise KeyError(f"robot '{self.name}' has no camera '{name}'; it has: {valid}")
