"""A client of LeRobot's policy server, over gRPC."""

import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np

from vlm_robot_ros.policies.lerobot.pickle_format import dump_object, load_actions
from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError
from vlm_robot_ros.policies.remote.policy_client import ConnectionPause, RemotePolicyError

SCHEME, DEFAULT_PORT = "lerobot-grpc", 8080
POLICY_TYPES = ("act", "smolvla", "diffusion", "tdmpc", "vqbet", "pi0", "pi05", "groot")
"""Those that LeRobot's server loads."""
LOAD_TIMEOUT_S = 600.0
"""The server loads a policy in this time, or not at all [s]."""
CONNECT_TIMEOUT_S = 5.0
"""For the server's first answer [s]."""
_MAX_ANSWER_BYTES, _PIECE_BYTES = 64 * 2**20, 2 * 2**20
_BEGIN, _MIDDLE, _END = 1, 2, 3
_IMAGES = "observation.images."
_MOST_DIGITS = 5
"""Of a length."""
_SERVICE = "/transport.AsyncInference/"


class LerobotGrpcClient:
    """Asks a server for actions, one request at a time; connects again by itself.

    The server tells nobody why it has no actions: its own log does.
    """

    def __init__(self, address: str, device: str, timeout: float) -> None:
        """Connect to nobody yet: a server may come later.

        Args:
            address: `lerobot-grpc://HOST[:PORT]/TYPE:PATH`: a type of policy, and the path or the
                hub's name of a checkpoint that the server loads.
            device: Where the server computes, as torch calls it; `auto`: on its CPU.
            timeout: For an answer [s].

        Raises:
            ValueError: the address is not valid.
        """
        self.url, self._timeout = address, timeout
        self._target, self._type, self._path = _parse(address)
        self._device = "cpu" if device == "auto" else device
        self._pause = ConnectionPause()
        self._channel: grpc.Channel | None = None
        self._loading: grpc.Future | None = None
        self._asked = 0
        self.metadata: dict[str, Any] = {}
        """Nothing: the server says nothing of itself."""

    def infer(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Return the policy's actions: `{"action": (H, A) float32}`.

        Raises:
            RemotePolicyError: there are none; says why.
        """
        channel = self._ready(observation)
        self._asked += 1
        fields = {
            "timestamp": time.time(), "timestep": self._asked,
            "observation": _flat(observation), "must_go": True,
        }  # fmt: skip
        data = dump_object("TimedObservation", fields)
        end = time.monotonic() + self._timeout
        try:
            send = channel.stream_unary(f"{_SERVICE}SendObservations")
            send(_pieces(data), timeout=self._timeout)
            left = max(end - time.monotonic(), 0.0)
            answer = channel.unary_unary(f"{_SERVICE}GetActions")(b"", timeout=left)
            actions = _bytes_field(answer, 1)
            if not actions:
                raise ProtocolError("it has no actions; its own log says why")
            table = load_actions(actions, self._asked)
        except (grpc.RpcError, ProtocolError) as error:
            raise self._failure(_text(error)) from error
        self._pause.on_success()
        return {"action": table}

    def reset(self) -> None:
        """Begin an episode: what was not answered yet is forgotten."""

    def close(self) -> None:
        """End the connection for good."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._loading = None

    def _ready(self, observation: Mapping[str, Any]) -> grpc.Channel:
        """Return a channel to a server that has loaded the policy.

        Raises:
            RemotePolicyError: there is none yet.
        """
        if self._channel is None:
            self._pause.check()
            options = [("grpc.max_receive_message_length", _MAX_ANSWER_BYTES)]
            self._channel = grpc.insecure_channel(self._target, options)
            try:
                self._channel.unary_unary(f"{_SERVICE}Ready")(b"", timeout=CONNECT_TIMEOUT_S)
            except grpc.RpcError as error:
                raise self._failure(_text(error)) from error
            fields = {
                "policy_type": self._type, "pretrained_name_or_path": self._path,
                "lerobot_features": _features(observation), "actions_per_chunk": 1000,
                "device": self._device, "rename_map": {},
            }  # fmt: skip
            load = self._channel.unary_unary(f"{_SERVICE}SendPolicyInstructions")
            setup = _field(1, dump_object("RemotePolicyConfig", fields))
            self._loading = load.future(setup, timeout=LOAD_TIMEOUT_S)
        if self._loading is not None:
            try:
                self._loading.result(self._timeout)
            except grpc.FutureTimeoutError:
                raise RemotePolicyError(f"'{self.url}' is being loaded by the server") from None
            except grpc.RpcError as error:
                raise self._failure(_text(error)) from error
            self._loading = None
        return self._channel

    def _failure(self, problem: str) -> RemotePolicyError:
        self.close()
        return self._pause.on_failure(f"'{self.url}': {problem}")


def _parse(address: str) -> tuple[str, str, str]:
    """Return host and port, type of policy, and path of the checkpoint."""
    valid = f"{SCHEME}://HOST[:PORT]/TYPE:PATH; types: {', '.join(POLICY_TYPES)}"
    parts = urlsplit(address)
    kind, _, path = parts.path.removeprefix("/").partition(":")
    try:
        host, port = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError as error:
        raise ValueError(f"address '{address}': {error}; valid: {valid}") from None
    if parts.scheme != SCHEME or not host or kind not in POLICY_TYPES or not path:
        raise ValueError(f"address '{address}'; valid: {valid}")
    if parts.username or parts.password:
        raise ValueError(f"the address has a password; valid: {valid}")
    return f"{f'[{host}]' if ':' in host else host}:{port}", kind, path


def _flat(observation: Mapping[str, Any]) -> dict[str, Any]:
    """Return images by their cameras, and each value of a state by a name of its own."""
    flat: dict[str, Any] = {}
    for key, value in observation.items():
        if isinstance(value, np.ndarray) and value.dtype == np.uint8:
            flat[key.removeprefix(_IMAGES)] = value
        elif isinstance(value, np.ndarray):
            flat |= {f"{key}.{i}": float(each) for i, each in enumerate(value)}
        else:
            flat[key] = value
    return flat


def _features(observation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return how the server is to put an observation together again."""
    features: dict[str, dict[str, Any]] = {}
    for key, value in observation.items():
        if not isinstance(value, np.ndarray):
            continue
        is_image = value.dtype == np.uint8
        names = [f"{key}.{i}" for i in range(len(value))]
        features[key] = {
            "dtype": "image" if is_image else "float32",
            "shape": value.shape,
            "names": ["height", "width", "channels"] if is_image else names,
        }
    return features


def _pieces(data: bytes) -> Iterator[bytes]:
    """Return the messages of an observation, each a part of it."""
    starts = range(0, len(data), _PIECE_BYTES)
    for start in starts:
        is_last = start + _PIECE_BYTES >= len(data)
        state = _END if is_last else _BEGIN if start == 0 else _MIDDLE
        yield bytes([1 << 3, state]) + _field(2, data[start : start + _PIECE_BYTES])


def _field(number: int, data: bytes) -> bytes:
    """Return a field of bytes as protobuf has it."""
    size, digits = len(data), []
    while size >= 0x80:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *digits, size]) + data


def _bytes_field(message: bytes, number: int) -> bytes:
    """Return the one field of bytes that a message has; empty where it has none.

    Raises:
        ProtocolError: it has something else.
    """
    if not message:
        return b""
    size, shift, place = 0, 0, 1
    while place < len(message):
        size |= (message[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if message[place - 1] < 0x80 or place > _MOST_DIGITS:
            break
    if message[0] != number << 3 | 2 or place + size != len(message):
        raise ProtocolError(f"{len(message)} bytes are no list of actions")
    return message[place:]


def _text(error: Exception) -> str:
    if isinstance(error, grpc.RpcError) and isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"[:300]
    return str(error)
