"""The console's HTTP server with limits on what one client, and all together, may take up."""

import time
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

MAX_CONNECTIONS = 96
"""At the same time, in all."""
MAX_CONNECTIONS_PER_ADDRESS = 48
"""At the same time, from one address: two dozen tabs."""
MAX_HEADER_BYTES = 16 * 1024
"""Of the headers of a request [bytes]."""
MAX_BODY_BYTES = 64 * 1024
"""Of the body of a request, and of a message [bytes]."""
HEADER_TIME, BODY_TIME = 10.0, 5.0
"""To send the headers of a request, or wait between two requests; to send a body [s]."""


class LimitedServer(HTTPServer):
    """Counts connections, and closes those that have not shown the token first.

    A client without the token can thereby not keep others out: its connections make room for
    newer ones. Tornado makes the class; options are in `limited_server`.
    """

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """As of the base class."""
        super().initialize(*args, **kwargs)
        self._open: dict[IOStream, tuple[str, float]] = {}
        self._trusted: set[IOStream] = set()

    def trust(self, stream: IOStream) -> None:
        """Note that a client has the token."""
        if stream in self._open:
            self._trusted.add(stream)

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """Take a connection if there is room, or room can be made."""
        self._forget_closed()
        client = str(address[0])
        mine = [each for each, (other, _) in self._open.items() if other == client]
        full = len(mine) >= MAX_CONNECTIONS_PER_ADDRESS and not self._make_room(mine)
        if full or (len(self._open) >= MAX_CONNECTIONS and not self._make_room(list(self._open))):
            stream.close()
            return
        self._open[stream] = client, time.monotonic()
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        """Forget connections that are closed."""
        super().on_close(server_conn)
        self._forget_closed()

    def _make_room(self, streams: list[IOStream]) -> bool:
        """Close the oldest of these connections that has not shown the token, if there is one."""
        strangers = [each for each in streams if each not in self._trusted]
        if not strangers:
            return False
        oldest = min(strangers, key=lambda each: self._open[each][1])
        oldest.close()
        self._forget_closed()
        return True

    def _forget_closed(self) -> None:
        for stream in [each for each in self._open if each.closed()]:
            del self._open[stream]
            self._trusted.discard(stream)


def limited_server(application: Any) -> LimitedServer:
    """Return a server with every limit set."""
    return LimitedServer(
        application,
        max_header_size=MAX_HEADER_BYTES,
        max_body_size=MAX_BODY_BYTES,
        max_buffer_size=2 * MAX_BODY_BYTES,
        chunk_size=MAX_BODY_BYTES,
        idle_connection_timeout=HEADER_TIME,
        body_timeout=BODY_TIME,
    )
