"""Runs in LeRobot's interpreter: loads a policy and answers observations with actions.

It is a script of its own, without this package: LeRobot needs other versions of Python and torch.
Standard input has the requests, standard output the answers; what LeRobot prints goes to standard
error. A message is its header's length (4 bytes, big-endian), the header in JSON, and the bytes of
its arrays: nothing in it is run.
"""

import argparse
import json
import math
import os
import struct
import sys
import threading
import time
import traceback
from typing import Any, BinaryIO

import numpy as np

MAX_HEADER_BYTES, MAX_ARRAY_BYTES = 2**20, 64 * 2**20
"""Larger messages are refused."""
EMPTY_CAMERA = "empty_camera"
"""Part of the names of cameras that a policy can do without."""
_DTYPES = {"float32": 4, "uint8": 1}
"""Bytes a value, of the types that arrays may have."""


class FrameError(ValueError):
    """A message that is not in the format above."""


class RequestError(FrameError):
    """A message that cannot be written; nothing of it was."""


def write_message(stream: BinaryIO, message: dict[str, Any]) -> None:
    """Write a map of arrays, float32 or uint8, and of what JSON can say.

    Raises:
        RequestError: an array has another type, it is too large, or JSON cannot say the rest.
        OSError: nobody reads.
    """
    arrays = {key: value for key, value in message.items() if isinstance(value, np.ndarray)}
    for key, array in arrays.items():
        if array.dtype.name not in _DTYPES:
            raise RequestError(f"'{key}' is of {array.dtype}; valid: {', '.join(_DTYPES)}")
    header = {
        "arrays": [[key, array.dtype.name, array.shape] for key, array in arrays.items()],
        "values": {key: value for key, value in message.items() if key not in arrays},
    }
    try:
        data = json.dumps(header).encode()
    except (TypeError, ValueError) as error:
        raise RequestError(f"a message that cannot be said: {error}") from error
    total = sum(array.nbytes for array in arrays.values())
    if total > MAX_ARRAY_BYTES or len(data) > MAX_HEADER_BYTES:
        raise RequestError(f"arrays of {total} bytes; valid: {MAX_ARRAY_BYTES}")
    stream.write(struct.pack(">I", len(data)) + data)
    for array in arrays.values():
        stream.write(np.ascontiguousarray(array).tobytes())
    stream.flush()


def read_message(stream: BinaryIO) -> dict[str, Any]:
    """Read a message; its arrays are read-only.

    Raises:
        EOFError: the other side has ended.
        FrameError: it is not valid.
    """
    (size,) = struct.unpack(">I", _read(stream, 4))
    if size > MAX_HEADER_BYTES:
        raise FrameError(f"a header of {size} bytes; valid: {MAX_HEADER_BYTES}")
    try:
        header = json.loads(_read(stream, size))
        message, specs = dict(header["values"]), list(header["arrays"])
        sizes = [_DTYPES[dtype] * math.prod(shape) for _, dtype, shape in specs]
        if not all(isinstance(each, int) for _, _, shape in specs for each in shape):
            raise FrameError("an array's shape is no list of whole numbers")
        if min(sizes, default=0) < 0 or sum(sizes) > MAX_ARRAY_BYTES:
            raise FrameError(f"arrays of {sum(sizes)} bytes; valid: {MAX_ARRAY_BYTES}")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"a header that is not valid: {error!r}") from error
    for (key, dtype, shape), count in zip(specs, sizes, strict=True):
        message[key] = np.frombuffer(_read(stream, count), dtype).reshape(shape)
    return message


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if data is None or len(data) < size:
        raise EOFError
    return data


class LerobotPolicy:
    """A policy of LeRobot with its processors."""

    def __init__(self, path: str, device: str) -> None:
        """Load it.

        Args:
            path: Of its `pretrained_model` folder, or its name on the hub.
            device: Of torch.
        """
        import torch
        from lerobot.configs.policies import PreTrainedConfig
        from lerobot.policies.factory import get_policy_class, make_pre_post_processors

        self._torch = torch
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        config = PreTrainedConfig.from_pretrained(path)
        config.device = device
        policy = get_policy_class(config.type).from_pretrained(path, config=config)
        self.policy = policy.to(device).eval()
        overrides = {"device_processor": {"device": device}}
        self._before, self._after = make_pre_post_processors(
            config, pretrained_path=path, preprocessor_overrides=overrides
        )
        self.config = config

    def about(self) -> dict[str, Any]:
        """Return what the checkpoint says of itself."""
        config = self.config
        return {
            "type": config.type,
            "inputs": {
                key: [feature.type.value, list(feature.shape)]
                for key, feature in (config.input_features or {}).items()
            },
            "outputs": {
                key: list(feature.shape) for key, feature in (config.output_features or {}).items()
            },
            "steps": int(getattr(config, "n_action_steps", 0)),
            "names": list(getattr(config, "action_feature_names", None) or []),
        }

    def reset(self) -> None:
        """Begin an episode."""
        for part in (self.policy, self._before, self._after):
            part.reset()

    def infer(self, observation: dict[str, Any]) -> np.ndarray:
        """Return a chunk of actions. Shape (H, A), float32."""
        batch = self._batch(observation)
        if getattr(self.policy, "_queues", None) and getattr(self.config, "n_obs_steps", 1) > 1:
            self._remember(batch)
        with self._torch.no_grad():
            return self._actions(self.policy.predict_action_chunk(batch))

    def select(self, observation: dict[str, Any]) -> np.ndarray:
        """Return one action, as LeRobot's own loop asks for it. Shape (1, A), float32."""
        with self._torch.no_grad():
            return self._actions(self.policy.select_action(self._batch(observation))[:, None])

    def _batch(self, observation: dict[str, Any]) -> dict[str, Any]:
        """Return what LeRobot's preprocessor makes of an observation."""
        batch: dict[str, Any] = {}
        for key, value in observation.items():
            if not isinstance(value, np.ndarray):
                batch[key] = value
                continue
            tensor = self._torch.from_numpy(value.copy())
            if value.dtype == np.uint8:  # an image, (H, W, 3)
                tensor = tensor.permute(2, 0, 1).contiguous().float() / 255
            batch[key] = tensor[None]
        batch.setdefault("task", "")
        batch["robot_type"] = ""
        # Cameras that are not there, LeRobot fills in itself.
        needed = [key for key in self.config.input_features or {} if EMPTY_CAMERA not in key]
        missing = [key for key in needed if key not in batch]
        if missing:
            has = ", ".join(key for key in batch if key.startswith("observation"))
            raise ValueError(f"the policy needs '{missing[0]}'; the map gives {has or 'nothing'}")
        found: dict[str, Any] = self._before(batch)
        found.pop("action", None)  # there is none, and policies of several moments would keep it
        return found

    def _remember(self, batch: dict[str, Any]) -> None:
        """Keep an observation for a policy that looks at several, as its own loop does."""
        from lerobot.policies.utils import populate_queues

        if images := getattr(self.config, "image_features", None):
            batch["observation.images"] = self._torch.stack([batch[key] for key in images], dim=-4)
        self.policy._queues = populate_queues(self.policy._queues, batch)

    def _actions(self, chunk: Any) -> np.ndarray:
        """Return actions in the units of the data. Shape (H, A), float32."""
        steps = [self._after(chunk[:, number]) for number in range(chunk.shape[1])]
        table: np.ndarray = self._torch.cat(steps).float().cpu().numpy()
        return table


def serve(policy: LerobotPolicy, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more."""
    while True:
        try:
            message = read_message(requests)
        except EOFError:
            return
        call = message.pop("call")
        try:
            if call == "reset":
                policy.reset()
                answer: dict[str, Any] = {}
            else:
                asked = {"infer": policy.infer, "select": policy.select}[call]
                answer = {"action": asked(message)}
        except Exception as error:  # whatever is wrong is told to who asks
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        write_message(answers, answer)


def _end_with(parent: int) -> None:
    """End this process, whatever it does, when the one that has begun it is gone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def main() -> int:
    """Load the policy, say what it is, and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints
    try:
        import torch

        if args.threads:
            torch.set_num_threads(args.threads)
        policy = LerobotPolicy(args.path, args.device)
        about = policy.about()
    except Exception as error:  # whatever is wrong is told to who asks
        traceback.print_exc()
        write_message(answers, {"error": f"{type(error).__name__}: {error}"})
        return 1
    write_message(answers, {"about": about})
    serve(policy, sys.stdin.buffer, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
