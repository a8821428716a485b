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


class _TimedAction:
    """What a list of actions holds."""

    timestep: Any = None
    action: Any = None


def _load_storage(data: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(data), weights_only=True)


class _ActionUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (_HELPERS, "TimedAction"):
            return _TimedAction
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _load_storage
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            from torch._utils import _rebuild_tensor_v2

            return _rebuild_tensor_v2
        raise ProtocolError(f"the answer names '{module}.{name}', which is no action")


def load_actions(data: bytes, timestep: int) -> np.ndarray:
    """Return the actions of an answer. Shape (H, A), float32.

    Args:
        data: The pickle.
        timestep: Of the observation that they must answer.

    Raises:
        ProtocolError: it is no list of actions, or of another observation.
    """
    import torch

    try:
        found = _ActionUnpickler(io.BytesIO(data)).load()
    except ProtocolError:
        raise
    except Exception as error:  # a hostile pickle may fail in any way
        raise ProtocolError(f"the answer is no list of actions: {error!r}"[:300]) from error
    if not isinstance(found, list) or not 1 <= len(found) <= _MAX_ACTIONS:
        raise ProtocolError(f"the answer is {type(found).__name__}; valid: a list of actions")
    if not all(isinstance(each, _TimedAction) for each in found):
        raise ProtocolError("the answer's list has something else than actions")
    if found[0].timestep != timestep:
        raise ProtocolError(f"the answer is to observation {found[0].timestep}, not {timestep}")
    rows = [each.action for each in found]
    sizes = {row.numel() if isinstance(row, torch.Tensor) else 0 for row in rows}
    if len(sizes) != 1 or not 1 <= max(sizes) <= _MAX_VALUES // len(rows):
        raise ProtocolError(f"the answer's actions have {sizes} values; valid: all as many")
    table: np.ndarray = torch.stack([row.reshape(-1) for row in rows]).float().cpu().numpy()
    return table
