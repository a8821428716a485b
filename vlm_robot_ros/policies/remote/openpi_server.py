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


class _Health(RequestHandler):
    def get(self) -> None:
        self.write("OK\n")


class _Session(WebSocketHandler):
    """One client: observations in, actions out."""

    def initialize(
        self, served: ServedPolicy, metadata: dict[str, Any], lock: asyncio.Lock
    ) -> None:
        self._served, self._metadata, self._lock = served, metadata, lock
        self._greeted = False

    def prepare(self) -> None:
        wanted = key_headers().get("Authorization", "")
        given = self.request.headers.get("Authorization", "")
        if wanted and not hmac.compare_digest(given.encode(), wanted.encode()):
            self.set_status(401)
            self.finish("the key is not right\n")

    async def open(self, *args: str, **kwargs: str) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._lock:  # one policy for all clients: it has forgotten the last one's
            await self._loop.run_in_executor(None, self._served.reset)
        await self.write_message(pack(self._metadata), binary=True)

    async def on_message(self, message: str | bytes) -> None:
        try:
            if isinstance(message, str):
                raise ValueError("a text; valid: msgpack")
            content = unpack(message)
            if not isinstance(content, dict):
                raise ValueError(f"{type(content).__name__}; valid: a map")
            async with self._lock:
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
    """
    given = {"served": served, "metadata": metadata, "lock": asyncio.Lock()}
    application = Application(
        [("/healthz", _Health), ("/.*", _Session, given)],
        websocket_max_message_size=MAX_REQUEST_BYTES,
    )
    server = HTTPServer(application)
    sockets = bind_sockets(port, host)
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])
