"""The pickles of LeRobot's policy server, written and read without LeRobot.

A pickle may run any code where it is read. What is written names LeRobot's classes only; what is
read may name the four functions and classes that a list of actions needs, and nothing else.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError

_HELPERS = "lerobot.async_inference.helpers"
_MAX_ACTIONS, _MAX_VALUES = 1000, 100_000


def dump_object(name: str, fields: Mapping[str, Any]) -> bytes:
    """Return the pickle of an object of one of LeRobot's dataclasses.

    Args:
        name: Of the class, in LeRobot's module of the server's messages.
        fields: Of the object.
    """
    state = pickle.dumps(dict(fields), protocol=4)
    # The first two bytes tell the protocol; the last one is a stop, for which another one stands.
    opened = b"\x80\x04" + f"c{_HELPERS}\n{name}\n".encode() + b")\x81"
    return opened + state[2:-1] + b"b."


def _unpickler(data: bytes) -> tuple[pickle.Unpickler, type]:
    """Return an unpickler that knows four names, and what it makes of an action.

    Each has classes and functions of its own: a pickle can change those that it names.
    """
    import torch
    from torch._utils import _rebuild_tensor_v2

    class Action:
        timestep: Any = None
        action: Any = None

    known: dict[tuple[str, str], Any] = {
        (_HELPERS, "TimedAction"): Action,
        ("collections", "OrderedDict"): lambda *given: OrderedDict(*given),
        ("torch.storage", "_load_from_bytes"): lambda stored: torch.load(
            io.BytesIO(stored), weights_only=True
        ),
        ("torch._utils", "_rebuild_tensor_v2"): lambda *given: _rebuild_tensor_v2(*given),
    }

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) not in known:
                raise ProtocolError(f"the answer names '{module}.{name}', which is no action")
            return known[module, name]

    return Unpickler(io.BytesIO(data)), Action


def load_actions(data: bytes, timestep: int) -> np.ndarray:
    """Return the actions of an answer. Shape (H, A), float32.

    Args:
        data: The pickle.
        timestep: Of the observation that they must answer.

    Raises:
        ProtocolError: it is no list of actions, or of another observation.
    """
    try:
        return _table(data, timestep)
    except ProtocolError:
        raise
    except Exception as error:  # a hostile pickle may fail in any way
        raise ProtocolError(f"the answer is no list of actions: {error!r}"[:300]) from error


def _table(data: bytes, timestep: int) -> np.ndarray:
    import torch

    unpickler, action = _unpickler(data)
    found = unpickler.load()
    if not isinstance(found, list) or not 1 <= len(found) <= _MAX_ACTIONS:
        raise ProtocolError(f"the answer is {type(found).__name__}; valid: a list of actions")
    if not all(type(each) is action for each in found):
        raise ProtocolError("the answer's list has something else than actions")
    answered = found[0].timestep
    if type(answered) is not int or answered != timestep:
        raise ProtocolError(f"the answer is to observation {answered!r}, not {timestep}"[:300])
    rows = [each.action for each in found]
    if not all(type(row) is torch.Tensor and row.is_floating_point() for row in rows):
        raise ProtocolError("the answer's actions are no tables of floating point numbers")
    sizes = {row.numel() for row in rows}
    if len(sizes) != 1 or not 1 <= max(sizes) <= _MAX_VALUES // len(rows):
        raise ProtocolError(f"the answer's actions have {sizes} values; valid: all as many")
    rows = [row.detach().reshape(-1).float().cpu() for row in rows]
    table: np.ndarray = torch.stack(rows).numpy()
    return table
