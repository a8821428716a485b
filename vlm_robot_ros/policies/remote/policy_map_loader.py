"""Reads and checks the map between a robot and a policy of somebody else."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vlm_robot_ros.file_limits import FileLimitError, read_yaml_text
from vlm_robot_ros.paths import config_dir, user_path
from vlm_robot_ros.policies.remote.policy_map import (
    JOINT_MODES,
    ActionMap,
    PolicyMap,
    action_columns,
    arm_actions,
)
from vlm_robot_ros.robot.config import RobotConfig
from vlm_robot_ros.robot.contract_errors import error_text
from vlm_robot_ros.robot.contract_yaml import ContractError, read_yaml


class PolicyMapError(ValueError):
    """A map that is not valid, or does not fit the robot."""


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
        raise PolicyMapError("\n".join(f"{where}: {each}" for each in dict.fromkeys(problems)))
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
    if found.actions.arms and {"first_column", "gripper"} & found.actions.model_fields_set:
        problems.append("actions: first_column or gripper beside arms; valid: within each arm")
    if found.actions.tables and "key" in found.actions.model_fields_set:
        problems.append("actions: both key and tables are given; valid: one of them")
    grippers = [found.actions.gripper, *(arm.gripper for arm in found.actions.arms.values())]
    problems += [
        f"actions: gripper closed and open are both {each.open}"
        for each in grippers
        if each is not None and each.closed == each.open
    ]
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
    parts = [part for state in found.state for part in state.parts]
    arms = [arm.arm for arm in robot.arms]
    named = arms if robot.others else []
    wrong = [f"part of arm '{part.arm}'" for part in parts if part.arm not in arms]
    if sorted(found.actions.arms) != sorted(named):
        wrong.append(f"actions of arms {sorted(found.actions.arms)}")
    if wrong:
        has = f"the arms {', '.join(named)}: name them" if named else "one arm: name none"
        return [*problems, *(f"{each}; robot '{robot.name}' has {has}" for each in wrong)]
    taken: dict[int, str] = {}
    for actions, arm in arm_actions(found.actions, robot):
        wants = actions.gripper is not None or any(
            part.values == "gripper" and part.arm == arm.arm for part in parts
        )
        problems += _column_misfits(actions, arm, taken)
        if actions.gripper is None and arm.has_gripper:
            problems.append(
                f"actions: no gripper; robot '{arm.name}' has one, and lets go of what it holds "
                "unless each action says how far it is open"
            )
        if wants and not arm.has_gripper:
            problems.append(f"it has values of a gripper; robot '{arm.name}' has none")
    return problems


def _column_misfits(actions: ActionMap, arm: RobotConfig, taken: dict[int, str]) -> list[str]:
    """Return which columns are of two things; those found are added to `taken`."""
    columns, problems = action_columns(actions, arm), list[str]()
    what = f"{len(arm.joints)} joints" if actions.mode in JOINT_MODES else "the pose"
    what = f"{what} of {f'the {arm.arm} arm' if arm.arm else f'robot {arm.name!r}'}"
    named = [(column, f"{what}, which take columns {columns[0]} to {columns[-1]}")
             for column in columns]  # fmt: skip
    if actions.gripper is not None:
        named.append((actions.gripper.column, "the gripper"))
    for column, of in named:
        if column in taken:
            first, second = sorted((taken[column], of), key=lambda text: text != "the gripper")
            problems.append(f"actions: column {column} is of {first} and of {second}")
        taken.setdefault(column, of)
    return problems
