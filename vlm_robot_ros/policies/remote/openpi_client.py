"""A client of servers that speak openpi's protocol, or vLLM's dialect of it, over a websocket."""

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from vlm_robot_ros.policies.remote.numpy_msgpack import ProtocolError, pack, unpack
from vlm_robot_ros.policies.remote.policy_client import (
    KEY_VARIABLE,
    ConnectionPause,
    RemotePolicyError,
    server_key,
    short_text,
)
from vlm_robot_ros.policies.remote.websocket_connection import WebsocketConnection

DEFAULT_PORT = 8000
MAX_ANSWER_BYTES = 64 * 2**20
"""Larger answers end the connection."""
CONNECT_TIMEOUT_S = 5.0
"""For a connection, and the server's first message [s]."""


def openpi_url(address: str) -> str:
    """Return the websocket address of `openpi://host:port`, `ws://...` or `wss://...`.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(address)
    valid = "openpi://HOST[:PORT], ws://HOST[:PORT] or wss://HOST[:PORT]"
    try:
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise ValueError(f"address '{address}': {error}; valid: {valid}") from None
    if parts.scheme not in ("openpi", "ws", "wss") or not host:
        raise ValueError(f"address '{address}'; valid: {valid}")
    if parts.username or parts.password:
        raise ValueError(f"the address has a password; valid: the key in {KEY_VARIABLE}")
    host = f"[{host}]" if ":" in host else host
    port = port or (443 if parts.scheme == "wss" else DEFAULT_PORT)
    scheme = "wss" if parts.scheme == "wss" else "ws"
    return f"{scheme}://{host}:{port}{parts.path}"


class OpenpiClient:
    """Asks a server for actions, one request at a time; connects again by itself."""

    def __init__(self, address: str, timeout: float) -> None:
        """Connect to nobody yet: a server may come later.

        Args:
            address: See `openpi_url`.
            timeout: For an answer [s].

        Raises:
            ValueError: the address or the file of the key is not valid.
        """
        self.url, self._timeout = openpi_url(address), timeout
        self._connection = WebsocketConnection(self.url, key_headers(), MAX_ANSWER_BYTES)
        self.metadata: dict[str, Any] = {}
        """What the server said when it was connected to last."""
        self._pause = ConnectionPause()
        self._session = str(uuid.uuid4())

    def infer(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Return the server's answer, a map with `actions` or with names of its own.

        Raises:
            RemotePolicyError: there is none; says why.
        """
        self._connect()
        content = dict(observation)
        if self.metadata.get("needs_session_id"):
            content["session_id"] = self._session
        return self._ask(content)

    def reset(self) -> None:
        """Begin an episode, where the server wants to know.

        Raises:
            RemotePolicyError: it does not answer.
        """
        self._session = str(uuid.uuid4())
        if self._connection.is_open and self.metadata.get("needs_session_id"):
            self._ask({"endpoint": "reset", "session_id": self._session})

    def close(self) -> None:
        """End the connection for good."""
        self._connection.close()

    def _connect(self) -> None:
        if self._connection.is_open:
            return
        self._pause.check()
        try:
            metadata = _content(self._connection.open(CONNECT_TIMEOUT_S))
        except (OSError, ProtocolError) as error:
            raise self._failure(f"no server at '{self.url}': {error}") from error
        self.metadata = metadata if isinstance(metadata, dict) else {}

    def _ask(self, content: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = _content(self._connection.request(pack(content), self._timeout))
        except (OSError, ProtocolError) as error:
            raise self._failure(f"'{self.url}': {error}") from error
        if isinstance(answer, np.ndarray):  # as vLLM answers
            answer = {"actions": answer}
        if not isinstance(answer, dict):
            raise self._failure(f"'{self.url}' answers {type(answer).__name__}; valid: a map")
        if answer.get("type") == "error":
            raise RemotePolicyError(f"'{self.url}': {short_text(str(answer.get('message')))}")
        self._pause.on_success()
        return answer

    def _failure(self, problem: str) -> RemotePolicyError:
        # An answer that comes later would be taken for that to the next request.
        self._connection.disconnect()
        return self._pause.on_failure(problem)


def _content(message: bytes | str) -> Any:
    """Return what a message holds; a text is the traceback of a server that failed."""
    if isinstance(message, str):
        raise ProtocolError(f"the server failed: {short_text(message)}")
    return unpack(message)


def key_headers() -> dict[str, str]:
    """Return the header with the key of a server, where the environment has one.

    Raises:
        ValueError: see `server_key`.
    """
    key = server_key()
    return {"Authorization": f"Api-Key {key}"} if key else {}
