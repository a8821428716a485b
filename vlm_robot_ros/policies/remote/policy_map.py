"""What a policy of somebody else calls a robot's values: the schema of maps."""

from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AllowInfNan, BaseModel, ConfigDict, ValidationError

from vlm_robot_ros.file_limits import FileLimitError, read_yaml_text
from vlm_robot_ros.image_resize import Fit
from vlm_robot_ros.paths import config_dir, user_path
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.contract_errors import error_text
from vlm_robot_ros.robot.contract_yaml import ContractError, read_yaml

Number = Annotated[float, AllowInfNan(False)]
Key = Annotated[str, MinLen(1)] | Annotated[list[Annotated[str, MinLen(1)]], MinLen(1)]
"""A name in a message, or the names of maps within each other."""
Rotation = Literal["quaternion", "rotation_vector", "euler", "rotation_6d"]
ROTATION_WIDTH = {"quaternion": 4, "rotation_vector": 3, "euler": 3, "rotation_6d": 6}
"""Values of each kind of rotation."""
JOINT_MODES = ("joint_position", "joint_delta", "joint_velocity")


class PolicyMapError(ValueError):
    """A map that is not valid, or does not fit the robot."""


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
    scale: Annotated[float, Gt(0), AllowInfNan(False)] = 1.0
    """What joints or translations are multiplied by."""
    rotation_scale: Annotated[float, Gt(0), AllowInfNan(False)] = 1.0
    """What a change of the rotation is multiplied by: of rotation vectors and Euler angles."""
    clip: Annotated[float, Gt(0), AllowInfNan(False)] | None = None
    """Largest absolute value of these columns, before the scale."""
    rate: Annotated[float, Ge(0.5), Le(500)]
    """Actions a second [Hz]."""
    gripper: GripperMap | None = None
    """Needed where the robot has a gripper."""


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


def map_names() -> list[str]:
    """Return the names of the maps that come with the package."""
    return sorted(path.stem for path in (config_dir() / "policy_maps").glob("*.yaml"))


def load_policy_map(source: str | Path, robot: RobotConfig) -> PolicyMap:
    """Load a map by its path, or by the name of one that comes with the package.

    Raises:
        PolicyMapError: there is none, it is not valid, or it does not fit the robot.
    """
    path = user_path(source) if str(source) else Path()
    if not path.suffix:
        if str(source) not in map_names():
            raise PolicyMapError(
                f"map is '{source}'; valid: {', '.join(map_names())}, or the path of a .yaml"
            )
        path = config_dir() / "policy_maps" / f"{source}.yaml"
    try:
        content = read_yaml(read_yaml_text(path), str(path))
    except (OSError, FileLimitError, ContractError, UnicodeDecodeError) as error:
        raise PolicyMapError(f"no map in '{path}': {error}") from error
    return parse_policy_map(content, robot, str(path))


def parse_policy_map(content: Any, robot: RobotConfig, where: str = "map") -> PolicyMap:
    """Check a map as a whole; `where` names it in errors.

    Raises:
        PolicyMapError: it is not valid, or does not fit the robot; says both sides.
    """
    if not isinstance(content, dict):
        raise PolicyMapError(f"{where}: expected a mapping, got {type(content).__name__}")
    try:
        found = PolicyMap.model_validate(content)
    except ValidationError as error:
        raise PolicyMapError(error_text(error, PolicyMap, content, where)) from error
    problems = [*_contradictions(found), *_misfits(found, robot)]
    if problems:
        raise PolicyMapError("\n".join(f"{where}: {problem}" for problem in problems))
    return found


def _contradictions(found: PolicyMap) -> list[str]:
    """Return what a map says that cannot be, whatever the robot."""
    problems = []
    given: list[str | list[str]] = [each.key for each in found.cameras]
    given += [each.key for each in found.state]
    given += [found.prompt.key] if found.prompt else []
    keys = [key if isinstance(key, str) else ".".join(key) for key in given]
    problems += [f"key '{key}' is given twice" for key in sorted(set(keys)) if keys.count(key) > 1]
    for camera in found.cameras:
        if camera.size is not None and len(camera.size) != 2:
            problems.append(f"size {camera.size} of '{camera.key}'; valid: [width, height]")
    for part in (part for state in found.state for part in state.parts):
        if len(part.closed) != len(part.open) or part.closed == part.open:
            problems.append(
                f"gripper closed {part.closed}, open {part.open}; valid: as many, and different"
            )
    gripper = found.actions.gripper
    if found.actions.tables and "key" in found.actions.model_fields_set:
        problems.append("actions: both key and tables are given; valid: one of them")
    if gripper is not None and gripper.closed == gripper.open:
        problems.append(f"actions: gripper closed and open are both {gripper.open}")
    if found.prompt is not None:
        try:
            found.prompt.text.format(instruction="")
        except (KeyError, IndexError, ValueError) as error:
            problems.append(
                f"prompt: text {found.prompt.text!r}: {error!r}; valid: {{instruction}}"
            )
    return problems


def _misfits(found: PolicyMap, robot: RobotConfig) -> list[str]:
    """Return what a map wants of a robot that it has not."""
    colour = [camera.name for camera in robot.colour_cameras]
    problems = [
        f"'{each.key}' is of camera '{each.camera}'; robot '{robot.name}' has "
        f"{', '.join(colour) or 'none'}"
        for each in found.cameras
        if each.camera not in colour
    ]
    columns = action_columns(found.actions, robot)
    gripper = found.actions.gripper
    if gripper is not None and gripper.column in columns:
        what = f"{len(robot.joints)} joints of robot '{robot.name}'"
        what = what if found.actions.mode in JOINT_MODES else "the pose"
        problems.append(
            f"actions: column {gripper.column} is of the gripper and of {what}, which take "
            f"columns {columns[0]} to {columns[-1]}"
        )
    wants = gripper is not None or any(
        part.values == "gripper" for state in found.state for part in state.parts
    )
    if gripper is None and robot.has_gripper:
        problems.append(
            f"actions: no gripper; robot '{robot.name}' has one, and lets go of what it holds "
            "unless each action says how far it is open"
        )
    if wants and not robot.has_gripper:
        problems.append(f"it has values of a gripper; robot '{robot.name}' has none")
    return problems


def action_columns(actions: ActionMap, robot: RobotConfig) -> range:
    """Return the columns of the joints, or of the pose."""
    if actions.mode in JOINT_MODES:
        width = len(robot.joints)
    else:
        width = 3 + ROTATION_WIDTH[actions.rotation]
    return range(actions.first_column, actions.first_column + width)


def state_width(part: StatePart, robot: RobotConfig) -> int:
    """Return how many values a part of a state has."""
    if part.values == "joints":
        return len(robot.joints)
    if part.values == "gripper":
        return len(part.closed)
    return 3 if part.values == "position" else ROTATION_WIDTH[part.values]


def action_width(actions: ActionMap, robot: RobotConfig) -> int:
    """Return how many values an action has at least."""
    last = action_columns(actions, robot)[-1]
    return 1 + max(last, actions.gripper.column if actions.gripper else 0)
