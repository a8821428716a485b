"""A client of GR00T's policy server, over ZeroMQ."""

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import zmq

from vlm_robot_ros.policies.remote.groot_msgpack import pack, unpack
from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError
from vlm_robot_ros.policies.remote.policy_client import (
    ConnectionPause,
    RemotePolicyError,
    server_key,
    short_text,
)

SCHEME, DEFAULT_PORT = "groot", 5555
MAX_ANSWER_BYTES = 64 * 2**20
"""Larger answers end the connection."""
CONNECT_TIMEOUT_S = 5.0
"""For the server's answers to the first two requests [s]."""
_OPTIONS = {zmq.LINGER: 0, zmq.MAXMSGSIZE: MAX_ANSWER_BYTES, zmq.IPV6: 1}


class GrootClient:
    """Asks a server for actions, one request at a time; connects again by itself."""

    def __init__(self, address: str, timeout: float) -> None:
        """Connect to nobody yet: a server may come later.

        Args:
            address: `groot://HOST[:PORT]`.
            timeout: For an answer [s].

        Raises:
            ValueError: the address or the file of the key is not valid.
        """
        self.url, self._timeout = _endpoint(address), timeout
        self._key = server_key()
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._pause = ConnectionPause()
        self.metadata: dict[str, Any] = {}
        """What the server says of its modalities."""

    def infer(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Return the server's actions, by their names: shape (T, D) each.

        Args:
            observation: `video`, images of shape (H, W, 3) by name; `state`, values by name; and
                `language`, texts by name.

        Raises:
            RemotePolicyError: there are none; says why.
        """
        data = {"observation": _batched(observation), "options": None}
        answer = self._ask("get_action", self._timeout, data)
        actions = answer[0] if isinstance(answer, list) and answer else answer
        if not isinstance(actions, dict) or not actions:
            raise self._failure(f"it answers {type(actions).__name__}; valid: a map of actions")
        return {str(name): _first_of_batch(name, table) for name, table in actions.items()}

    def reset(self) -> None:
        """Begin an episode.

        Raises:
            RemotePolicyError: it does not answer.
        """
        if self._socket is not None:
            self._ask("reset", self._timeout, {"options": None})

    def close(self) -> None:
        """End the connection for good."""
        self._disconnect()
        self._context.term()

    def _ask(self, endpoint: str, timeout: float, data: dict[str, Any] | None = None) -> Any:
        if self._socket is None:
            self._connect()
        request: dict[str, Any] = {"endpoint": endpoint}
        if data is not None:
            request["data"] = data
        if self._key:
            request["api_token"] = self._key
        answer = self._request(request, timeout)
        if isinstance(answer, dict) and "error" in answer:
            raise RemotePolicyError(f"'{self.url}': {short_text(str(answer['error']))}")
        self._pause.on_success()
        return answer

    def _connect(self) -> None:
        self._pause.check()
        end = time.monotonic() + CONNECT_TIMEOUT_S
        try:
            self._socket = self._context.socket(zmq.REQ)
            for option, value in _OPTIONS.items():
                self._socket.setsockopt(option, value)
            self._socket.connect(self.url)
        except zmq.ZMQError as error:
            raise self._failure(str(error)) from error
        try:
            self._ask("ping", CONNECT_TIMEOUT_S)
            found = self._ask("get_modality_config", max(end - time.monotonic(), 0.0))
        except RemotePolicyError as error:
            if self._socket is not None:  # it has answered, with an error
                raise self._failure(str(error)) from error
            raise
        self.metadata = found if isinstance(found, dict) else {}
        for name in ("video", "state"):
            config = self.metadata.get(name)
            moments = config.get("delta_indices") if isinstance(config, dict) else None
            if isinstance(moments, list) and len(moments) > 1:
                raise self._failure(f"its policy wants {len(moments)} moments of {name}; valid: 1")

    def _request(self, request: dict[str, Any], timeout: float) -> Any:
        socket = self._socket
        assert socket is not None
        try:
            socket.send(pack(request), zmq.NOBLOCK)
            if not socket.poll(round(1e3 * timeout)):
                raise self._failure(f"there is no answer after {timeout:g} s")
            return unpack(socket.recv(zmq.NOBLOCK))
        except (zmq.ZMQError, ProtocolError) as error:
            raise self._failure(str(error)) from error

    def _failure(self, problem: str) -> RemotePolicyError:
        # A socket that has no answer takes no other request.
        self._disconnect()
        return self._pause.on_failure(f"'{self.url}': {problem}")

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _endpoint(address: str) -> str:
    parts = urlsplit(address)
    try:
        port, host = parts.port or DEFAULT_PORT, parts.hostname
    except ValueError as error:
        raise ValueError(f"address '{address}': {error}; valid: groot://HOST[:PORT]") from None
    if parts.scheme != SCHEME or not host or parts.path or parts.username or parts.password:
        raise ValueError(f"address '{address}'; valid: groot://HOST[:PORT]")
    return f"tcp://{f'[{host}]' if ':' in host else host}:{port}"


def _batched(observation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an observation as a batch of one, with one moment each."""
    batch: dict[str, Any] = {}
    for name, value in observation.items():
        if isinstance(value, Mapping):
            batch[name] = _batched(value)
        else:
            batch[name] = value[None, None] if isinstance(value, np.ndarray) else [[value]]
    return batch


def _first_of_batch(name: Any, table: Any) -> np.ndarray:
    found = np.asarray(table)
    if found.ndim != 3 or len(found) != 1 or found.dtype.kind not in "biuf":
        raise ValueError(
            f"action '{name}' has shape {found.shape} and type {found.dtype}; valid: numbers, "
            "shape (1, steps, values)"
        )
    first: np.ndarray = found[0]
    return first
