"""Websockets for code that waits for answers."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from tornado.httpclient import HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import WebSocketClientConnection, websocket_connect

_Result = TypeVar("_Result")
_END_TIMEOUT_S = 2.0
"""The peer may take so long to close a connection."""


class WebsocketConnection:
    """One connection at a time, in a thread of its own that answers the peer's pings.

    The thread lasts from the first connection to `close`.
    """

    def __init__(self, url: str, headers: Mapping[str, str], max_bytes: int) -> None:
        """Connect to nobody yet.

        Args:
            url: `ws://` or `wss://`.
            headers: Of the request to connect.
            max_bytes: A larger message of the peer ends the connection.
        """
        self._url, self._headers, self._max_bytes = url, dict(headers), max_bytes
        self._connection: WebSocketClientConnection | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    def open(self, timeout: float) -> bytes | str:
        """Connect, and return the peer's first message.

        Args:
            timeout: For both [s].

        Raises:
            ConnectionError: nobody is there, or the peer says nothing or something else.
        """
        return self._wait(self._open(timeout), timeout)

    def request(self, message: bytes, timeout: float) -> bytes | str:
        """Send a message, and return the peer's answer: bytes, or a text.

        Raises:
            ConnectionError: the connection has ended, or there was no answer in time [s].
        """
        return self._wait(self._request(message), timeout)

    def disconnect(self) -> None:
        """End the connection: an answer that comes later is nobody's."""
        connection, self._connection = self._connection, None
        if connection is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(connection.close)

    def close(self) -> None:
        """End the connection and the thread."""
        self.disconnect()
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_END_TIMEOUT_S)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        # Tornado keeps loops that are not closed.
        IOLoop.current().close(all_fds=True)

    def _wait(self, answer: Coroutine[Any, Any, _Result], timeout: float) -> _Result:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._run, args=(self._loop,), name="websocket", daemon=True
            )
            self._thread.start()
        waited = asyncio.run_coroutine_threadsafe(asyncio.wait_for(answer, timeout), self._loop)
        try:
            return waited.result()
        except ConnectionError:
            raise
        except (TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError):
            raise ConnectionError(f"no answer for {timeout:g} s") from None
        except Exception as error:  # tornado, sockets and TLS have many
            raise ConnectionError(str(error) or type(error).__name__) from error

    async def _open(self, timeout: float) -> bytes | str:
        request = HTTPRequest(self._url, headers=self._headers, connect_timeout=timeout)
        self._connection = await websocket_connect(request, max_message_size=self._max_bytes)
        return await self._read()

    async def _request(self, message: bytes) -> bytes | str:
        if self._connection is None:
            raise ConnectionError("not connected")
        await self._connection.write_message(message, binary=True)
        return await self._read()

    async def _read(self) -> bytes | str:
        assert self._connection is not None
        answer = await self._connection.read_message()
        if answer is None:
            code, why = self._connection.close_code, self._connection.close_reason
            raise ConnectionError(f"the server closed the connection ({code}: {why})"
                                  if code else "the server closed the connection")  # fmt: skip
        return answer
