"""What a robot's contract may say: the schema of its YAML, by pydantic."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Len, MinLen
from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from vlm_robot_ros.paths import config_dir
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.config import (
    ISAAC_SIM,
    TRANSPORTS,
)

MAX_JOINT_SPEED_RAD_S = 30.0
"""Faster joints are in degrees [rad/s]."""
_FULL_TURN_RAD = 6.283
_MIN_SPAN_RAD, _MAX_ANGLE_RAD = 0.05, 100.0
"""Smallest span of a joint's limits and largest angle: beyond, they are in degrees."""
_MAX_TIMEOUT_S = 10.0
_MAX_FEEDBACK_TIMEOUT_S = 3600.0
_MAX_DISTANCE_M, _MAX_TOOL_SPEED_M_S = 10.0, 5.0
"""Workspaces and tool speeds beyond are in other units."""
SERVOS, NAME = "<servos>", "<name>"
"""The two forms of `simulation`, as pydantic tells them in the places of errors."""


def problem(key: str, text: str) -> PydanticCustomError:
    """Return what a validator raises about a field: what was given and what is valid."""
    return PydanticCustomError("problem", "{text}", {"key": key, "text": text})


def _whole(value: Any) -> Any:
    """Return a number without a fraction as an integer: YAML may say 256.0."""
    return int(value) if isinstance(value, float) and value % 1 == 0 else value


def _one_of(names: Callable[[], list[str]]) -> Any:
    """Return what makes a text one of some names that are known when it is read."""

    def check(value: str) -> str:
        if value not in names():
            raise PydanticCustomError("unknown", "unknown")
        return value

    return AfterValidator(check)


def _sink_names() -> list[str]:
    return list(command_sinks())


Text = Annotated[str, MinLen(1)]
Number = Annotated[float, AllowInfNan(False)]
Positive = Annotated[float, Gt(0.0), AllowInfNan(False)]
Whole = Annotated[int, Ge(1), BeforeValidator(_whole)]
Numbers = list[Number]
Pair = Annotated[list[Number], Len(2, 2)]
Vector = Annotated[list[Number], Len(3, 3)]
Pose = Annotated[list[Number], Len(6, 6)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ServosPart(_Part):
    """The simulated arm: a model of robosuite and the servos of its joints."""

    model: Text = Field(description="folder of robosuite's robots")
    mount: Vector = Field(description="position of the base in the table's frame [m]")
    stiffness: Numbers = Field(description="of each joint's position servo [Nm/rad]")
    torque: Numbers = Field(description="limit of each servo [Nm]")

    @model_validator(mode="after")
    def _check(self) -> "ServosPart":
        for key in ("stiffness", "torque"):
            values = getattr(self, key)
            if min(values, default=0.0) <= 0.0:
                raise problem(key, f"{values}; valid: above 0")
        return self


class JointPart(_Part):
    """A revolute joint that turns about the z axis of its own frame."""

    name: Text
    origin: Pose = Field(
        description="its frame in the parent's: x, y, z [m], roll, pitch, yaw [rad]"
    )
    position: Pair = Field(description="lower and upper limit [rad]")
    velocity: Positive = Field(le=MAX_JOINT_SPEED_RAD_S, description="limit [rad/s]")
    acceleration: Positive = Field(description="limit [rad/s^2]")
    jerk: Positive = Field(description="limit [rad/s^3]")
    continuous: bool = Field(False, description="the joint turns without end")

    @model_validator(mode="after")
    def _check(self) -> "JointPart":
        low, high = self.position
        if low >= high:
            raise problem("position", f"{low} must be below {high}")
        if self.jerk < self.acceleration:
            text = f"{self.jerk:g}; valid: {self.acceleration:g} at least, of a second's onset"
            raise problem("jerk", text)
        if high - low < _MIN_SPAN_RAD or max(-low, high) > _MAX_ANGLE_RAD:
            valid = f"radians, {_MIN_SPAN_RAD} apart at least, {_MAX_ANGLE_RAD:g} from 0 at most"
            raise problem("position", f"{low} to {high}; valid: {valid}")
        if self.continuous and high - low < _FULL_TURN_RAD:
            text = f"{low} to {high}; of a continuous joint it must be a whole turn at least"
            raise problem("position", text)
        return self


class GripperPart(_Part):
    """A parallel gripper, known by the position of one finger joint."""

    joint: Text
    open: Number = Field(description="finger position when open [m]")
    closed: Number = Field(description="finger position when closed [m]")
    max_effort: Positive | None = Field(
        None, description="effort that an action may use [N]; the controller's if not given"
    )
    mimics: list[Text] = Field([], description="joints that follow it, for a joint_state sink")
    feedback_timeout: Annotated[Number, Ge(0.0), Le(_MAX_FEEDBACK_TIMEOUT_S)] | None = Field(
        None, description="longest age of its joint state [s]; 0: it has no feedback"
    )

    @model_validator(mode="after")
    def _check(self) -> "GripperPart":
        if self.open == self.closed:
            raise problem("closed", f"open and closed are both {self.open}")
        return self


class WorkspacePart(_Part):
    """The box in which the tool may be commanded, in the base frame."""

    min: Vector = Field(description="[m]")
    max: Vector = Field(description="[m]")
    speed: Positive = Field(le=_MAX_TOOL_SPEED_M_S, description="limit of the tool's speed [m/s]")

    @model_validator(mode="after")
    def _check(self) -> "WorkspacePart":
        if max(map(abs, (*self.min, *self.max))) > _MAX_DISTANCE_M:
            text = f"{self.min} to {self.max}; valid: metres, {_MAX_DISTANCE_M:g} at most"
            raise problem("max", text)
        if any(low >= high for low, high in zip(self.min, self.max, strict=True)):
            raise problem("min", f"min {self.min} must be below max {self.max} on every axis")
        return self


class CameraPart(_Part):
    """A camera stream."""

    name: Text
    topic: Text
    frame: Text = Field(description="optical frame")
    width: Whole = Field(description="[px]")
    height: Whole = Field(description="[px]")
    rate: Positive = Field(description="[Hz]")
    depth: bool = Field(False, description="its images are distances")
    pose: Pose | None = Field(
        None, description="optical frame in the base frame: x, y, z [m], roll, pitch, yaw [rad]"
    )
    pose_from_tf: bool = Field(False, description="TF tells the pose, for the time of each image")
    crop: Annotated[list[Number], Len(4, 4)] | None = Field(
        None, description="part that policies get: top, left, height, width [px]"
    )
    transport: Literal[TRANSPORTS] = "raw"  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _check(self) -> "CameraPart":
        if self.pose and self.pose_from_tf:
            raise problem("pose_from_tf", "there is a 'pose', too; valid: one of the two")
        if self.depth and not (self.pose or self.pose_from_tf):
            raise problem(
                "depth",
                "a depth camera needs 'pose', of its optical frame in the base frame: x, y, z "
                "[m], roll, pitch, yaw [rad], or 'pose_from_tf: true'",
            )
        if self.depth and self.transport != "raw":
            raise problem("transport", f"got {self.transport!r}; of depth it must be raw")
        if self.crop:
            top, left, height, width = self.crop
            if min(top, left) < 0 or min(height, width) < 1 or any(v % 1 for v in self.crop):
                valid = "whole numbers, top and left from 0, height and width from 1 [px]"
                raise problem("crop", f"{self.crop}; valid: {valid}")
            if top + height > self.height or left + width > self.width:
                size = f"{self.width}x{self.height}"
                text = f"{self.crop} (top, left, height, width) is not within {size}"
                raise problem("crop", text)
        return self


class SinkPart(_Part):
    """An input of a controller."""

    kind: Annotated[str, _one_of(_sink_names)] = Field(
        json_schema_extra=lambda schema: schema.update(enum=list(_sink_names()))
    )
    topic: Text = Field(description="or the action's name")
    hardware_interpolates: bool = Field(
        False, description="the hardware interpolates between setpoints"
    )


class Contract(_Part):
    """A robot: its joints, limits, gripper, cameras and controllers."""

    name: Text
    simulation: Annotated[
        Annotated[ServosPart, Tag(SERVOS)] | Annotated[str, Tag(NAME)],
        Discriminator(lambda value: SERVOS if isinstance(value, dict | ServosPart) else NAME),
    ] = Field(description="'' for a real arm; isaac; or a model of the simulator and its servos")
    base_frame: Text
    tool_frame: Text
    joints: Annotated[list[JointPart], MinLen(1)]
    tool: Pose = Field(
        description="tool frame in the last joint's: x, y, z [m], roll, pitch, yaw [rad]"
    )
    home: Numbers = Field(description="joint positions at rest [rad]")
    gripper: GripperPart | None = Field(description="null: the arm has none")
    workspace: WorkspacePart
    cameras: Annotated[list[CameraPart], MinLen(1)]
    joint_state_rate: Positive = Field(description="[Hz]")
    sinks: list[SinkPart] = Field(description="[]: only the topic `action` is published")
    image_timeout: Positive = Field(
        0.5, le=_MAX_TIMEOUT_S, description="the arm holds when the newest image is older [s]"
    )
    joint_state_timeout: Positive = Field(
        0.3, le=_MAX_TIMEOUT_S, description="the arm holds when the joint states are older [s]"
    )
    speed_scaling: Text | None = Field(
        None, description="topic (std_msgs/Float64, percent) of the driver's speed scaling"
    )

    @model_validator(mode="after")
    def _check(self) -> "Contract":
        named = self.simulation
        if isinstance(named, str) and named not in ("", ISAAC_SIM, *simulated_arms()):
            valid = f"one of {', '.join((*simulated_arms(), ISAAC_SIM))}"
            text = f"got {named!r}; it must be '' for a real arm, a mapping of servos, or {valid}"
            raise problem("simulation", text)
        return self


def simulated_arms() -> list[str]:
    """Return the names of simulated arms of which contracts are shipped, as in `NAME_sim.yaml`."""
    files = sorted((config_dir() / "arms").glob("*_sim.yaml"))
    return [file.stem.removesuffix("_sim") for file in files]
