"""What a policy of somebody else calls a robot's values: the schema of maps."""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AllowInfNan, BaseModel, ConfigDict

from vlm_robot_ros.image_resize import Fit
from vlm_robot_ros.robot.config import RobotConfig

Number = Annotated[float, AllowInfNan(False)]
Key = Annotated[str, MinLen(1)] | Annotated[list[Annotated[str, MinLen(1)]], MinLen(1)]
"""A name in a message, or the names of maps within each other."""
Rotation = Literal["quaternion", "rotation_vector", "euler", "rotation_6d"]
ROTATION_WIDTH = {"quaternion": 4, "rotation_vector": 3, "euler": 3, "rotation_6d": 6}
"""Values of each kind of rotation."""
JOINT_MODES = ("joint_position", "joint_delta", "joint_velocity")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class CameraMap(_Part):
    """An image of the observation."""

    key: Key
    """What the policy calls it."""
    camera: str
    """A colour camera of the contract."""
    size: Annotated[list[Annotated[int, Ge(8), Le(4096)]], MinLen(2)] | None = None
    """Width and height that the policy wants [px]; the camera's if not given."""
    fit: Fit = "pad"
    """How an image of another shape becomes this size: with black bars, or distorted."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Counterclockwise, before the size is changed [deg]."""
    mirror: bool = False
    """Whether left and right are changed, after that."""
    layout: Literal["hwc", "chw"] = "hwc"
    """Order of height, width and channels."""


class StatePart(_Part):
    """Some values of a state."""

    values: Literal[
        "joints", "position", "quaternion", "rotation_vector", "euler", "rotation_6d", "gripper"
    ]
    """Joint positions; the tool's position [m] or rotation in the base frame; the gripper."""
    unit: Literal["rad", "deg"] = "rad"
    """Of joint positions."""
    closed: Annotated[list[Number], MinLen(1)] = [0.0]
    """Values of a closed gripper."""
    open: Annotated[list[Number], MinLen(1)] = [1.0]
    """Values of an open one, as many."""
    arm: str = ""
    """Whose values, where the robot has several arms."""


class StateMap(_Part):
    """A vector of the observation."""

    key: Key
    """What the policy calls it."""
    parts: Annotated[list[StatePart], MinLen(1)]
    """What it is made of, in this order."""


class PromptMap(_Part):
    """The text of the observation."""

    key: Key = "prompt"
    """What the policy calls it."""
    text: str = "{instruction}"
    """What the policy reads; `{instruction}` stands for what was said."""


class GripperMap(_Part):
    """The gripper's value of an action."""

    column: Annotated[int, Ge(0)]
    """Of an action, from 0."""
    closed: Number = 0.0
    """Its value for a closed gripper."""
    open: Number = 1.0
    """Its value for an open one."""
    threshold: Number | None = None
    """The gripper opens or closes fully, on either side of this value; as far as the value says
    if not given."""


class ArmColumns(_Part):
    """The columns of one arm of several."""

    first_column: Annotated[int, Ge(0)]
    """Of the joints, or of x."""
    gripper: GripperMap | None = None
    """Needed where the arm has a gripper."""


class ActionMap(_Part):
    """The actions of an answer, one a row."""

    key: Key = "actions"
    """What the server calls them."""
    tables: list[Annotated[str, MinLen(1)]] = []
    """Names of tables that side by side are the actions, where the server has several; in place
    of `key`."""
    mode: Literal["joint_position", "joint_delta", "joint_velocity", "pose", "pose_delta"]
    """What the columns are: joints in the contract's order [rad, rad/s], or x, y, z [m] and a
    rotation of the tool."""
    first_column: Annotated[int, Ge(0)] = 0
    """Of the joints, or of x."""
    unit: Literal["rad", "deg"] = "rad"
    """Of joints."""
    rotation: Rotation = "rotation_vector"
    """Of poses."""
    relative_to: Literal["observation", "previous"] = "previous"
    """What a delta is added to: what was observed, or the action before."""
    frame: Literal["base", "tool"] = "base"
    """Of a change of the pose."""
    scale: Annotated[float, Gt(0.0), AllowInfNan(False)] = 1.0
    """What joints or translations are multiplied by."""
    rotation_scale: Annotated[float, Gt(0.0), AllowInfNan(False)] = 1.0
    """What a change of the rotation is multiplied by: of rotation vectors and Euler angles."""
    clip: Annotated[float, Gt(0.0), AllowInfNan(False)] | None = None
    """Largest absolute value of these columns, before the scale."""
    rate: Annotated[float, Ge(0.5), Le(500)]
    """Actions a second [Hz]."""
    gripper: GripperMap | None = None
    """Needed where the robot has a gripper."""
    arms: dict[str, ArmColumns] = {}
    """Of a robot of several arms: the columns of each, in place of those here."""


class PolicyMap(_Part):
    """Joins a robot's contract and a policy."""

    about: str = ""
    """Of which policy it is."""
    cameras: list[CameraMap] = []
    """What the policy sees."""
    state: list[StateMap] = []
    """What it knows of the arm."""
    prompt: PromptMap | None = PromptMap()
    """What it reads."""
    actions: ActionMap
    """What it answers."""
    replan_steps: Annotated[int, Ge(0), Le(1000)] = 0
    """The policy is asked again after so many steps of an answer; 0: at every image."""
    joined_steps: Annotated[int, Ge(0), Le(100)] = 8
    """So many steps of an answer join it to the one before: more of them where answers differ
    much, and where they take long."""
    timeout: Annotated[float, Ge(0.1), Le(3600)] = 10.0
    """The policy is asked again when it has not answered for this time [s]."""


def arm_actions(actions: ActionMap, robot: RobotConfig) -> list[tuple[ActionMap, RobotConfig]]:
    """Return what of the actions is of each arm, the first one first."""
    if not robot.others:
        return [(actions, robot)]
    return [
        (actions.model_copy(update={**dict(actions.arms[arm.arm]), "arms": {}}), arm)
        for arm in robot.arms
    ]


def action_columns(actions: ActionMap, arm: RobotConfig) -> range:
    """Return the columns of an arm's joints, or of its pose."""
    if actions.mode in JOINT_MODES:
        width = len(arm.joints)
    else:
        width = 3 + ROTATION_WIDTH[actions.rotation]
    return range(actions.first_column, actions.first_column + width)


def state_width(part: StatePart, robot: RobotConfig) -> int:
    """Return how many values a part of a state has."""
    if part.values == "joints":
        return len(next(arm.joints for arm in robot.arms if arm.arm == part.arm))
    if part.values == "gripper":
        return len(part.closed)
    return 3 if part.values == "position" else ROTATION_WIDTH[part.values]


def action_width(actions: ActionMap, robot: RobotConfig) -> int:
    """Return how many values an action has at least."""
    return 1 + max(
        max(action_columns(each, arm)[-1], each.gripper.column if each.gripper else 0)
        for each, arm in arm_actions(actions, robot)
    )
