"""Read and check a robot's contract from YAML."""

from pathlib import Path
from typing import Any

from vlm_robot_ros.file_limits import FileLimitError, read_yaml_text
from vlm_robot_ros.paths import config_dir, user_path
from vlm_robot_ros.plugins import command_sinks
from vlm_robot_ros.robot.config import (
    ISAAC_SIM,
    TRANSPORTS,
    WITHOUT_GRIPPER,
    Camera,
    CommandSink,
    Gripper,
    Joint,
    RobotConfig,
    SimulatedServos,
    Workspace,
)
from vlm_robot_ros.robot.validation import validate_robot
from vlm_robot_ros.robot.yaml_fields import ContractError, MappingReader, read_yaml

_FULL_TURN_RAD = 6.283
"""[rad]"""
_NARROW, _WIDE = 0.05, 100.0
"""Between the limits of a joint at least; from 0 at most, which degrees are soon beyond [rad]."""
MAX_JOINT_SPEED_RAD_S = 30.0
"""Of a joint; degrees again [rad/s]."""
_MAX_TIMEOUT_S = 10.0
"""That what is seen or felt may be [s]."""
_MAX_FEEDBACK_TIMEOUT_S = 3600.0
"""That a gripper's joint state may be old [s]."""
_FAR, _FASTEST = 10.0, 5.0
"""A tool that is told to go farther [m], faster [m/s] is one in other units."""


def contract_file(source: str | Path) -> Path:
    """Return the file of a contract, given by its path or by the name of a shipped one.

    Raises:
        ContractError: there is none.
    """
    path = user_path(source)
    if not path.suffix:
        shipped = sorted(file.stem for file in (config_dir() / "arms").glob("*.yaml"))
        if str(source) not in shipped:
            raise ContractError(
                f"no robot '{source}'; shipped: {', '.join(shipped)}; or give the path of a .yaml"
            )
        path = config_dir() / "arms" / f"{source}.yaml"
    if not path.is_file():
        raise ContractError(f"no contract file at '{path}'")
    return path


def load_robot(source: str | Path) -> RobotConfig:
    """Load a contract by file path, or by the name of one shipped under `config/arms`.

    Raises:
        ContractError: the file is missing, a field is missing, unknown or out of range, or a sink
            sends steps to hardware that is not said to interpolate.
    """
    path = contract_file(source)
    try:
        text = read_yaml_text(path)
    except FileLimitError as error:
        raise ContractError(str(error)) from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: not valid YAML: {error}") from error
    robot = read_robot(text, str(path))
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
    top = MappingReader(content, where)
    simulation, servos = _simulation(top)
    robot = RobotConfig(
        name=top.text("name"),
        simulation=simulation,
        servos=servos,
        base_frame=top.text("base_frame"),
        tool_frame=top.text("tool_frame"),
        joints=tuple(_joint(fields) for fields in top.items("joints")),
        tool=top.numbers("tool", 6),
        home=top.numbers("home"),
        gripper=_gripper(top),
        workspace=_workspace(top.child("workspace")),
        cameras=tuple(_camera(fields) for fields in top.items("cameras")),
        joint_state_rate=top.number("joint_state_rate", above=0.0),
        sinks=tuple(_sink(fields) for fields in top.items("sinks", some=False)),
        speed_scaling=top.text("speed_scaling") if top.has("speed_scaling") else "",
        **{
            timeout: top.number(timeout, above=0.0, most=_MAX_TIMEOUT_S)
            for timeout in ("image_timeout", "joint_state_timeout")
            if top.has(timeout)
        },
    )
    top.check_unknown()
    for key, message in validate_robot(robot):
        raise top.error(key, message)
    return robot


def _simulation(top: MappingReader) -> tuple[str, SimulatedServos | None]:
    """Return a simulated arm's model and servos; a name stands for those of a shipped arm."""
    if top.is_mapping("simulation"):
        fields = top.child("simulation")
        model = fields.text("model")
        servos = SimulatedServos(
            fields.numbers("mount", 3),
            fields.numbers("stiffness"),
            fields.numbers("torque"),
        )
        fields.check_unknown()
        for key in ("stiffness", "torque"):
            if min(getattr(servos, key), default=0.0) <= 0.0:
                raise fields.error(key, f"{list(getattr(servos, key))}; valid: above 0")
        return model, servos
    shipped = {
        file.stem.removesuffix("_sim"): file
        for file in sorted((config_dir() / "arms").glob("*_sim.yaml"))
    }
    name = top.choice(
        "simulation", ("", *shipped, ISAAC_SIM), "'' for a real arm, a mapping of servos, or "
    )
    if name not in shipped:
        return name, None
    return name, load_robot(shipped[name]).servos


def _joint(fields: MappingReader) -> Joint:
    joint = Joint(
        name=fields.text("name"),
        origin=fields.numbers("origin", 6),
        position=fields.span("position"),
        velocity=fields.number("velocity", above=0.0, most=MAX_JOINT_SPEED_RAD_S),
        acceleration=fields.number("acceleration", above=0.0),
        jerk=fields.number("jerk", above=0.0),
        continuous=fields.flag("continuous"),
    )
    fields.check_unknown()
    if joint.jerk < joint.acceleration:
        raise fields.error(
            "jerk", f"{joint.jerk:g}; valid: {joint.acceleration:g} at least, of a second's onset"
        )
    low, high = joint.position
    if high - low < _NARROW or max(-low, high) > _WIDE:
        raise fields.error(
            "position",
            f"{low} to {high}; valid: radians, {_NARROW} apart at least, {_WIDE:g} from 0 at most",
        )
    if joint.continuous and high - low < _FULL_TURN_RAD:
        raise fields.error(
            "position", f"{low} to {high}; of a continuous joint it must be a whole turn at least"
        )
    return joint


def _sink(fields: MappingReader) -> CommandSink:
    kind, topic = fields.choice("kind", command_sinks()), fields.text("topic")
    sink = CommandSink(kind, topic, fields.flag("hardware_interpolates"))
    fields.check_unknown()
    return sink


def _gripper(top: MappingReader) -> Gripper:
    if top.is_null("gripper"):
        return WITHOUT_GRIPPER
    fields = top.child("gripper")
    gripper = Gripper(
        fields.text("joint"),
        fields.number("open"),
        fields.number("closed"),
        fields.number("max_effort", above=0.0) if fields.has("max_effort") else 0.0,
        fields.texts("mimics") if fields.has("mimics") else (),
        _feedback_timeout(fields),
    )
    fields.check_unknown()
    if gripper.open == gripper.closed:
        raise fields.error("closed", f"open and closed are both {gripper.open}")
    return gripper


def _feedback_timeout(fields: MappingReader) -> float | None:
    if not fields.has("feedback_timeout"):
        return None
    seconds = fields.number("feedback_timeout", most=_MAX_FEEDBACK_TIMEOUT_S)
    if seconds < 0.0:
        raise fields.error(
            "feedback_timeout", f"{seconds:g}; valid: seconds, 0 for a gripper without feedback"
        )
    return seconds


def _workspace(fields: MappingReader) -> Workspace:
    low, high = fields.numbers("min", 3), fields.numbers("max", 3)
    speed = fields.number("speed", above=0.0, most=_FASTEST)
    fields.check_unknown()
    if max(map(abs, (*low, *high))) > _FAR:
        raise fields.error("max", f"{list(low)} to {list(high)}; valid: metres, {_FAR:g} at most")
    if any(a >= b for a, b in zip(low, high, strict=True)):
        raise fields.error("min", f"min {low} must be below max {high} on every axis")
    return Workspace((low[0], low[1], low[2]), (high[0], high[1], high[2]), speed)


def _camera(fields: MappingReader) -> Camera:
    camera = Camera(
        name=fields.text("name"),
        topic=fields.text("topic"),
        frame=fields.text("frame"),
        width=fields.whole("width"),
        height=fields.whole("height"),
        rate=fields.number("rate", above=0.0),
        depth=fields.flag("depth"),
        pose=fields.numbers("pose", 6) if fields.has("pose") else (),
        crop=_crop(fields) if fields.has("crop") else (),
        transport=fields.choice("transport", TRANSPORTS) if fields.has("transport") else "raw",
    )
    fields.check_unknown()
    if camera.depth and not camera.pose:
        raise fields.error(
            "depth",
            "a depth camera needs 'pose', of its optical frame in the base frame: x, y, z [m], "
            "roll, pitch, yaw [rad]",
        )
    if camera.depth and camera.transport != "raw":
        raise fields.error("transport", f"got {camera.transport!r}; of depth it must be raw")
    if camera.crop:
        top, left, height, width = camera.crop
        if top + height > camera.height or left + width > camera.width:
            raise fields.error(
                "crop",
                f"{list(camera.crop)} (top, left, height, width) is not within "
                f"{camera.width}x{camera.height}",
            )
    return camera


def _crop(fields: MappingReader) -> tuple[int, ...]:
    crop = fields.numbers("crop", 4)
    if min(crop[:2]) < 0 or min(crop[2:]) < 1 or any(part % 1 for part in crop):
        raise fields.error(
            "crop",
            f"{list(crop)}; valid: whole numbers, top and left from 0, height and width from 1 "
            "[px]",
        )
    return tuple(int(part) for part in crop)
