"""Read and check a robot's contract from YAML."""

import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import yaml

from vlm_robot_ros.contract.robot import SINK_KINDS, Camera, Gripper, Joint, Robot, Sink, Workspace
from vlm_robot_ros.paths import config_dir

MOST_JOINTS = 7
"""As many values as an action has."""


class ContractError(ValueError):
    """A contract that cannot be used: says file, field, line, what was given, what is valid."""


def contract_file(source: str | Path) -> Path:
    """Return the file of a contract, given by its path or by the name of a shipped one.

    Raises:
        ContractError: there is none.
    """
    path = Path(source)
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


def load_robot(source: str | Path) -> Robot:
    """Load a contract by file path, or by the name of one shipped under `config/arms`.

    Raises:
        ContractError: the file is missing or a field is missing, unknown or out of range.
    """
    path = contract_file(source)
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: not valid YAML: {error}") from error
    return read_robot(text, str(path))


def read_robot(text: str, where: str) -> Robot:
    """Read a contract from YAML; `where` names it in errors.

    Raises:
        ContractError: a field is missing, unknown or out of range.
    """
    try:
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ContractError(f"{where}: not valid YAML: {error}") from error
    return parse_robot(content, where)


class _Mapping(dict):
    """A mapping that knows the lines of its keys."""

    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    """Reads mappings as `_Mapping`, and no key twice."""

    def read_mapping(self, node: yaml.MappingNode) -> _Mapping:
        content = _Mapping(self.construct_mapping(node, deep=True))
        content.lines = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.value in content.lines:
                raise yaml.YAMLError(f"'{key.value}' stands twice, the second time in line {line}")
            content.lines[key.value] = line
        return content


# YAML 1.1 takes 5e-06, without a dot, for a text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _Loader.read_mapping)


def parse_robot(content: Any, where: str = "contract") -> Robot:
    """Build a `Robot` from a parsed YAML mapping; `where` names it in errors."""
    top = _Fields(content, where)
    robot = Robot(
        name=top.text("name"),
        simulation=top.text("simulation", empty=True),
        base_frame=top.text("base_frame"),
        tool_frame=top.text("tool_frame"),
        joints=tuple(_joint(fields) for fields in top.items("joints")),
        tool=top.numbers("tool", 6),
        home=top.numbers("home"),
        gripper=_gripper(top.child("gripper")),
        workspace=_workspace(top.child("workspace")),
        cameras=tuple(_camera(fields) for fields in top.items("cameras")),
        joint_state_rate=top.number("joint_state_rate", above=0.0),
        sinks=tuple(_sink(fields) for fields in top.items("sinks", some=False)),
    )
    top.done()
    for what, names in (
        ("joints", robot.joint_names),
        ("cameras", tuple(camera.name for camera in robot.cameras)),
        ("topics of sinks", tuple(sink.topic for sink in robot.sinks)),
    ):
        if len(set(names)) != len(names):
            raise ContractError(f"{where}: {what}: names must differ, got {', '.join(names)}")
    if not robot.colour_cameras:
        raise ContractError(f"{where}: cameras: all are depth cameras; one of colour is needed")
    infos = [camera.info_topic for camera in robot.cameras]
    for camera in robot.cameras:
        if camera.depth and infos.count(camera.info_topic) > 1:
            raise ContractError(
                f"{where}: cameras: the calibration of '{camera.name}' would be on "
                f"'{camera.info_topic}', as another camera's: put its images into another folder"
            )
    if len(robot.joints) > MOST_JOINTS:
        raise ContractError(
            f"{where}: joints: {len(robot.joints)} of them; valid: {MOST_JOINTS} at most"
        )
    if len(robot.home) != len(robot.joints):
        raise ContractError(
            f"{where}: home: {len(robot.home)} positions for {len(robot.joints)} joints"
        )
    for joint, home in zip(robot.joints, robot.home, strict=True):
        if not joint.position[0] <= home <= joint.position[1]:
            raise ContractError(
                f"{where}: home: {joint.name} at {home} is outside its limits {joint.position}"
            )
    return robot


def _joint(fields: "_Fields") -> Joint:
    joint = Joint(
        name=fields.text("name"),
        origin=fields.numbers("origin", 6),
        position=fields.span("position"),
        velocity=fields.number("velocity", above=0.0),
        acceleration=fields.number("acceleration", above=0.0),
        jerk=fields.number("jerk", above=0.0),
    )
    fields.done()
    return joint


def _sink(fields: "_Fields") -> Sink:
    sink = Sink(fields.choice("kind", SINK_KINDS), fields.text("topic"))
    fields.done()
    return sink


def _gripper(fields: "_Fields") -> Gripper:
    gripper = Gripper(fields.text("joint"), fields.number("open"), fields.number("closed"))
    fields.done()
    if gripper.open == gripper.closed:
        raise ContractError(f"{fields.where}: open and closed are both {gripper.open}")
    return gripper


def _workspace(fields: "_Fields") -> Workspace:
    low, high = fields.numbers("min", 3), fields.numbers("max", 3)
    speed = fields.number("speed", above=0.0)
    fields.done()
    if any(a >= b for a, b in zip(low, high, strict=True)):
        raise ContractError(f"{fields.where}: min {low} must be below max {high} on every axis")
    return Workspace((low[0], low[1], low[2]), (high[0], high[1], high[2]), speed)


def _camera(fields: "_Fields") -> Camera:
    camera = Camera(
        name=fields.text("name"),
        topic=fields.text("topic"),
        frame=fields.text("frame"),
        width=int(fields.number("width", above=0)),
        height=int(fields.number("height", above=0)),
        rate=fields.number("rate", above=0.0),
        depth=fields.flag("depth"),
        pose=fields.numbers("pose", 6) if fields.has("pose") else (),
        crop=_crop(fields) if fields.has("crop") else (),
    )
    fields.done()
    if camera.depth and not camera.pose:
        raise ContractError(
            f"{fields.where}: a depth camera needs 'pose', of its optical frame in the base "
            "frame: x, y, z [m], roll, pitch, yaw [rad]"
        )
    if camera.crop:
        top, left, height, width = camera.crop
        if top + height > camera.height or left + width > camera.width:
            raise ContractError(
                f"{fields.where}: crop: {list(camera.crop)} (top, left, height, width) is not "
                f"within {camera.width}x{camera.height}"
            )
    return camera


def _crop(fields: "_Fields") -> tuple[int, ...]:
    crop = fields.numbers("crop", 4)
    if min(crop[:2]) < 0 or min(crop[2:]) < 1 or any(part % 1 for part in crop):
        raise ContractError(
            f"{fields.where}: crop: {list(crop)}; valid: whole numbers, top and left from 0, "
            "height and width from 1 [px]"
        )
    return tuple(int(part) for part in crop)


class _Fields:
    """The fields of one mapping, read one by one so that errors can name them."""

    def __init__(self, content: Any, where: str) -> None:
        if not isinstance(content, dict):
            raise ContractError(f"{where}: expected a mapping, got {type(content).__name__}")
        self.where = where
        self._left = dict(content)
        self._lines: dict[str, int] = getattr(content, "lines", {})
        self._read: list[str] = []

    def _take(self, key: str, accept: Callable[[Any], bool], valid: str) -> Any:
        self._read.append(key)
        if key not in self._left:
            raise ContractError(f"{self.where}: '{key}' is missing; it must be {valid}")
        value = self._left.pop(key)
        if not accept(value):
            line = self._line(key)
            raise ContractError(f"{self.where}: {key}: got {value!r}; it must be {valid}{line}")
        return value

    def _line(self, key: str) -> str:
        return f" (line {self._lines[key]})" if key in self._lines else ""

    def choice(self, key: str, valid: Collection[str]) -> str:
        return self._take(key, lambda v: v in valid, f"one of {', '.join(valid)}")

    def has(self, key: str) -> bool:
        """Tell whether there is a field that may be missing."""
        self._read.append(key)
        return key in self._left

    def flag(self, key: str) -> bool:
        """Return true or false; false where it is missing."""
        if not self.has(key):
            return False
        return self._take(key, lambda v: isinstance(v, bool), "true or false")

    def text(self, key: str, empty: bool = False) -> str:
        valid = "a text, or ''" if empty else "a text"
        return self._take(key, lambda v: isinstance(v, str) and (empty or bool(v)), valid)

    def number(self, key: str, above: float = float("-inf")) -> float:
        valid = "a number" if above == float("-inf") else f"a number above {above}"
        return float(self._take(key, lambda v: _is_number(v) and v > above, valid))

    def numbers(self, key: str, length: int | None = None) -> tuple[float, ...]:
        valid = "a list of numbers" if length is None else f"a list of {length} numbers"
        value = self._take(
            key,
            lambda v: (
                isinstance(v, list)
                and all(map(_is_number, v))
                and (length is None or len(v) == length)
            ),
            valid,
        )
        return tuple(map(float, value))

    def span(self, key: str) -> tuple[float, float]:
        low, high = self.numbers(key, 2)
        if low >= high:
            raise ContractError(f"{self.where}: {key}: {low} must be below {high}")
        return low, high

    def child(self, key: str) -> "_Fields":
        return _Fields(
            self._take(key, lambda v: isinstance(v, dict), "a mapping"), f"{self.where}: {key}"
        )

    def items(self, key: str, some: bool = True) -> list["_Fields"]:
        valid = "a list of mappings" if some else "a list of mappings, or []"
        value = self._take(key, lambda v: isinstance(v, list) and (bool(v) or not some), valid)
        return [_Fields(item, f"{self.where}: {key}[{i}]") for i, item in enumerate(value)]

    def done(self) -> None:
        if self._left:
            raise ContractError(
                f"{self.where}: unknown field(s) {', '.join(map(str, self._left))}; "
                f"valid: {', '.join(dict.fromkeys(self._read))}"
                f"{self._line(str(next(iter(self._left))))}"
            )


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and value == value
        and abs(value) != float("inf")
    )
