"""What `meta/info.json` of a LeRobotDataset says of its features."""

import json
import math
from pathlib import Path
from typing import Any

from vlm_robot_ros.data.dataset import DataError, indexed_names
from vlm_robot_ros.data.dataset_paths import file_below
from vlm_robot_ros.file_limits import read_json, read_json_lines

VERSIONS = ("v2.0", "v2.1", "v3.0")
_STATES = ("observation.state", "state")
_ACTIONS = ("action", "actions")
"""Keys of lerobot, and of openpi."""
INTERVENTION = "intervention"
NEXT_DONE, NEXT_SUCCESS = "next.done", "next.success"
"""As LeRobot calls where a person moved the arm; only in datasets with such frames."""
JOINT_UNIT = "joint_unit"
"""Key under which this package writes the unit of joint positions; lerobot has none."""


def version_of(meta: dict[str, Any], path: Path) -> str:
    """Return the version of a dataset, with its v.

    Raises:
        DataError: it is another than `VERSIONS`.
    """
    given = str(meta.get("codebase_version"))
    version = given if given.startswith("v") else f"v{given}"
    if version not in VERSIONS:
        raise DataError(
            f"'{path}' is of version {given}; valid: {', '.join(VERSIONS)} (codebase_version in "
            "meta/info.json). Convert it with lerobot"
        )
    return version


def fps_of(meta: dict[str, Any], path: Path) -> float:
    """Return the frames a second.

    Raises:
        DataError: there is no such number.
    """
    given = meta.get("fps")
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    fps = float(given) if is_number and given is not None else 0.0
    if not 0 < fps < math.inf:
        raise DataError(
            f"'{path / 'meta' / 'info.json'}': fps is {json.dumps(given)}; valid: frames a "
            "second, above 0. Correct it there"
        )
    return fps


def joint_unit_of(meta: dict[str, Any]) -> str:
    """Return the unit of joint positions; empty where a dataset does not say."""
    given = meta.get(JOINT_UNIT)
    return given if given in ("rad", "deg") else ""


def state_key(features: dict[str, Any]) -> str:
    """Return the key of the states; that of lerobot where there are none."""
    return next((key for key in _STATES if key in features), _STATES[0])


def action_key(features: dict[str, Any], path: Path) -> str:
    """Return the key of the actions.

    Raises:
        DataError: there are none.
    """
    for key in _ACTIONS:
        if key in features:
            return key
    raise DataError(
        f"'{path / 'meta' / 'info.json'}' has no feature {' or '.join(_ACTIONS)}; it has "
        f"{', '.join(features) or 'none'}"
    )


def names_of(features: dict[str, Any], key: str) -> tuple[tuple[str, ...], str]:
    """Return the names of a vector's values, and what is wrong with those in the file.

    They may be a list, lists in a list, a dict of lists, or a dict of indices.
    """
    if key not in features:
        return (), ""
    given, count = features[key].get("names"), math.prod(features[key]["shape"])
    names = _flat(given)
    if names is not None and len(names) == count:
        return tuple(names), ""
    said = f"names {json.dumps(given)[:80]}" if given else "no names"
    return tuple(
        indexed_names(key, count)
    ), f"{key} has {said} for {count} values in meta/info.json"


def _flat(given: Any) -> list[str] | None:
    """Return names as one list; None where they are of no known form."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, dict) and given and all(type(each) is int for each in given.values()):
        # Indices; the order of the keys says nothing.
        places = sorted(given.values())
        in_order = places == list(range(len(given)))
        return sorted(given, key=lambda name: int(given[name])) if in_order else None
    if isinstance(given, dict):
        given = list(given.values())
    if not isinstance(given, list):
        return None
    parts = [_flat(each) for each in given]
    return None if None in parts else [name for part in parts for name in part or ()]


def read_object(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON file of a dataset's folder.

    Raises:
        DataError: it is missing, corrupt, outside of the folder or too large.
    """
    try:
        return dict(read_json(file_below(folder, name)))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"'{folder / name}' cannot be read: {error}") from error


def read_lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """Read a file with one JSON object in each line; empty lines are passed over.

    Raises:
        DataError: it is missing, corrupt, outside of the folder or too large.
    """
    try:
        rows = read_json_lines(file_below(folder, name))
        for number, row in enumerate(rows, 1):
            if not isinstance(row, dict):
                raise ValueError(f"row {number} is no object")
    except (OSError, ValueError) as error:
        raise DataError(f"'{folder / name}' cannot be read: {error}") from error
    return rows


def image_key(camera: str) -> str:
    """Return what a dataset calls a camera's images."""
    return camera if camera.startswith("observation.images.") else f"observation.images.{camera}"
