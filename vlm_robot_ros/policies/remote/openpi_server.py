"""A server of openpi's protocol for a policy of ours."""

import asyncio
import hmac
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from vlm_robot_ros.policies.remote.numpy_msgpack import pack, unpack
from vlm_robot_ros.policies.remote.openpi_client import key_headers
from vlm_robot_ros.policies.remote.served_policy import ServedPolicy

MAX_REQUEST_BYTES = 64 * 2**20
"""Larger observations end the connection."""
_SERVER_FAILED = 1011
"""Close code: the server cannot go on."""
_TRY_LATER = 1013
"""Close code: the server is busy."""


class _Health(RequestHandler):
    def get(self) -> None:
        self.write("OK\n")


class _Session(WebSocketHandler):
    """One client: observations in, actions out."""

    def initialize(self, served: ServedPolicy, metadata: dict[str, Any], key: str) -> None:
        self._served, self._metadata, self._key = served, metadata, key
        self._greeted = False

    def prepare(self) -> None:
        given = self.request.headers.get("Authorization", "")
        if self._key and not hmac.compare_digest(given.encode(), self._key.encode()):
            self.set_status(401)
            self.finish("the key is not right\n")

    async def open(self, *args: str, **kwargs: str) -> None:
        self._loop = asyncio.get_running_loop()
        # A policy remembers what it saw: it has one client.
        if not self._served.take(self):
            await self.write_message("another client is connected")
            self.close(_TRY_LATER, "another client is connected")
            return
        await self._loop.run_in_executor(None, self._served.reset)
        await self.write_message(pack(self._metadata), binary=True)

    def on_close(self) -> None:
        self._served.release(self)

    async def on_message(self, message: str | bytes) -> None:
        try:
            if isinstance(message, str):
                raise ValueError("a text; valid: msgpack")
            content = unpack(message)
            if not isinstance(content, dict):
                raise ValueError(f"{type(content).__name__}; valid: a map")
            answer = await self._loop.run_in_executor(None, self._served.answer, content)
            await self.write_message(pack(answer), binary=True)
        except Exception as error:  # whatever is wrong is told to the client, not to this server
            await self.write_message(f"{type(error).__name__}: {error}")
            self.close(_SERVER_FAILED, "the error is in the message before")


def start_openpi_server(
    served: ServedPolicy, metadata: dict[str, Any], host: str, port: int
) -> tuple[HTTPServer, int]:
    """Listen in the running event loop; returns the server and its port.

    Args:
        served: What answers.
        metadata: What clients are told when they connect.
        host: Address to listen at.
        port: 0 for any.

    Raises:
        OSError: the port is taken.
        ValueError: the key of the environment is none: see `key_headers`.
    """
    key = key_headers().get("Authorization", "")
    given = {"served": served, "metadata": metadata, "key": key}
    application = Application(
        [("/healthz", _Health), ("/.*", _Session, given)],
        websocket_max_message_size=MAX_REQUEST_BYTES,
    )
    server = HTTPServer(application)
    sockets = bind_sockets(port, host)
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])
