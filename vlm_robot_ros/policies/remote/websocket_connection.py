"""A websocket for code that waits for answers."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

_Result = TypeVar("_Result")


class WebsocketConnection:
    """A connection with a thread of its own, which answers the peer's pings at any time."""

    def __init__(self, url: str, headers: Mapping[str, str], max_bytes: int) -> None:
        """Connect to nobody yet.

        Args:
            url: `ws://` or `wss://`.
            headers: Of the request to connect.
            max_bytes: A larger message of the peer ends the connection.
        """
        self._url, self._headers, self._max_bytes = url, dict(headers), max_bytes
        self._connection: WebSocketClientConnection | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ws", daemon=True)
        self._thread.start()

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

    def close(self) -> None:
        """End the connection and its thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
            self._thread.join(1.0)

    def _wait(self, answer: Coroutine[Any, Any, _Result], timeout: float) -> _Result:
        waited = asyncio.run_coroutine_threadsafe(asyncio.wait_for(answer, timeout), self._loop)
        try:
            return waited.result()
        except TimeoutError:
            raise ConnectionError(f"no answer for {timeout:g} s") from None
        except asyncio.TimeoutError:  # another one before Python 3.11
            raise ConnectionError(f"no answer for {timeout:g} s") from None
        except ConnectionError:
            raise
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

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        # What ends the connection is sent before the loop stops.
        self._loop.call_later(0.1, self._loop.stop)
