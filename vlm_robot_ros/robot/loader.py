"""Read and check a robot's contract from YAML."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from vlm_robot_ros.file_limits import FileLimitError, read_yaml_text
from vlm_robot_ros.paths import config_dir, user_path
from vlm_robot_ros.robot.arm_group import is_arm_group, read_arm_group
from vlm_robot_ros.robot.config import (
    WITHOUT_GRIPPER,
    Camera,
    CommandSink,
    Gripper,
    Joint,
    RobotConfig,
    SimulatedServos,
    Workspace,
)
from vlm_robot_ros.robot.contract_errors import error_text, line_of
from vlm_robot_ros.robot.contract_schema import Contract, simulated_arms
from vlm_robot_ros.robot.contract_yaml import ContractError, read_yaml
from vlm_robot_ros.robot.validation import validate_robot


def contract_file(source: str | Path) -> Path:
    """Return the file of a contract, given by its path or by the name of a shipped one.

    Raises:
        ContractError: there is none.
    """
    path = user_path(source)
    if not path.suffix:
        folders = (config_dir() / "arms", config_dir() / "arm_groups")
        shipped = {file.stem: file for folder in folders for file in folder.glob("*.yaml")}
        if str(source) not in shipped:
            raise ContractError(
                f"no robot '{source}'; shipped: {', '.join(sorted(shipped))}; or give the path of "
                "a .yaml"
            )
        path = shipped[str(source)]
    if not path.is_file():
        raise ContractError(f"no contract file at '{path}'")
    return path


def load_robot(source: str | Path, several_arms: bool = False) -> RobotConfig:
    """Load a contract by file path, or by the name of one shipped under `config`.

    Args:
        source: The path or the name.
        several_arms: Whether the robot may have several arms: see `read_arm_group`.

    Raises:
        ContractError: the file is missing, a field is missing, unknown or out of range, a sink
            sends steps to hardware that is not said to interpolate, or the robot has several
            arms and may not.
    """
    path = contract_file(source)
    try:
        text = read_yaml_text(path)
    except FileLimitError as error:
        raise ContractError(str(error)) from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: not valid YAML: {error}") from error
    content = read_yaml(text, str(path))
    if is_arm_group(content):
        if not several_arms:
            raise ContractError(
                f"{path}: a robot of several arms, which only policy_node moves; valid here: the "
                "contract of one arm"
            )
        return read_arm_group(content, str(path), load_robot)
    robot = parse_robot(content, str(path))
    # Not of the contracts within bags: those recorded before the field was there still open.
    for sink in robot.sinks:
        if sink.traits.needs_interpolation and not sink.hardware_interpolates:
            raise ContractError(
                f"{path}: sinks: {sink.kind} needs 'hardware_interpolates: true': its controller "
                "forwards each setpoint, and the hardware receives steps at the control rate; "
                "where the hardware does not interpolate between them, use joint_trajectory"
            )
    return robot


def read_robot(text: str, where: str) -> RobotConfig:
    """Read a contract from YAML; `where` names it in errors.

    Raises:
        ContractError: a field is missing, unknown or out of range.
    """
    return parse_robot(read_yaml(text, where), where)


def parse_robot(content: Any, where: str = "contract") -> RobotConfig:
    """Build a `RobotConfig` from a parsed YAML mapping; `where` names it in errors."""
    if not isinstance(content, dict):
        raise ContractError(f"{where}: expected a mapping, got {type(content).__name__}")
    try:
        contract = Contract.model_validate(content)
    except ValidationError as error:
        raise ContractError(error_text(error, Contract, content, where)) from error
    robot = _to_config(contract)
    for key, message in validate_robot(robot):
        raise ContractError(f"{where}: {key}: {message}{line_of(content, key)}")
    return robot


def _to_config(contract: Contract) -> RobotConfig:
    """Return a contract as the package uses it."""
    model, servos = contract.simulation, None
    if isinstance(model, str):
        servos = load_robot(f"{model}_sim").servos if model in simulated_arms() else None
    else:
        lists = (tuple(part) for part in (model.mount, model.stiffness, model.torque))
        model, servos = model.model, SimulatedServos(*lists)
    box = contract.workspace
    return RobotConfig(
        name=contract.name,
        simulation=model,
        servos=servos,
        base_frame=contract.base_frame,
        tool_frame=contract.tool_frame,
        joints=tuple(Joint(**_tuples(joint)) for joint in contract.joints),
        tool=tuple(contract.tool),
        home=tuple(contract.home),
        gripper=Gripper(**_tuples(contract.gripper)) if contract.gripper else WITHOUT_GRIPPER,
        workspace=Workspace((*box.min,), (*box.max,), box.speed),  # type: ignore[arg-type]
        cameras=tuple(Camera(**_tuples(camera)) for camera in contract.cameras),
        joint_state_rate=contract.joint_state_rate,
        sinks=tuple(CommandSink(**_tuples(sink)) for sink in contract.sinks),
        image_timeout=contract.image_timeout,
        joint_state_timeout=contract.joint_state_timeout,
        speed_scaling=contract.speed_scaling or "",
    )


def _tuples(part: BaseModel) -> dict[str, Any]:
    """Return the fields that are given or have a default, lists as tuples."""
    found = {name: value for name, value in part if value is not None}
    if "crop" in found:
        found["crop"] = [int(value) for value in found["crop"]]
    return {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}
