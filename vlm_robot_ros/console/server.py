"""Serves the console's page on one address, to who has its token."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.ioloop import PeriodicCallback
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from vlm_robot_ros.console.access import (
    COOKIE_PREFIX,
    MessageRate,
    ServerAddress,
    is_own_host,
    is_same_origin,
    is_token,
)
from vlm_robot_ros.console.console_node import ConsoleNode
from vlm_robot_ros.console.report_files import list_reports, read_report, style_hashes
from vlm_robot_ros.console.request_limits import MAX_BODY_BYTES, LimitedServer, limited_server
from vlm_robot_ros.terminal_text import escape_unprintable

_FILES = {"": "text/html", "console.js": "text/javascript", "console.css": "text/css"}
"""Content type of each file of the page, by its path."""
_UPDATE_PERIOD_S = 0.1
"""Between two looks at what is new [s]."""
_HEARTBEAT_PERIOD_S = 1.0
"""The page is told at least so often: who hears nothing knows that the wire is cut [s]."""
_RATE, _BURST = 10.0, 40
"""Messages a second from one websocket, and at once; beyond that it is closed."""
_CHUNK_BYTES = 64 * 1024
"""Of a report [bytes]."""
_SEND_TIMEOUT_S = 30.0
"""For a client to take a part of a report [s]."""
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOG = logging.getLogger(__name__)


class _GuardedHandler(RequestHandler):
    """Lets in who has the token, from the console's own page or from no page."""

    def initialize(
        self, node: ConsoleNode, address: ServerAddress, reports: Path, server: list[LimitedServer]
    ) -> None:
        self._node, self._address, self._folder, self._server = node, address, reports, server

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        # A page of elsewhere may let its own name lead here, and may send what it likes.
        if not is_own_host(self.request.host, self._address.names):
            raise HTTPError(403, reason="unknown host name: see --allow-host")
        if not is_same_origin(self.request.headers.get("Origin", ""), self.request.host):
            raise HTTPError(403, reason="asked by a page of another origin")
        given = [self.get_query_argument("token", "")]
        given += [
            part.value for name, part in self.cookies.items() if name.startswith(COOKIE_PREFIX)
        ]
        if not any([is_token(each, self._address.token) for each in given]):
            raise HTTPError(403, reason="the token is missing or wrong")
        connection: Any = self.request.connection
        self._server[0].trust(connection.stream)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "text/plain")
        self.finish(f"{status_code}: {self._reason}\n")

    def log_exception(self, *args: Any) -> None:
        # Only what is a fault of ours, for strangers shall not fill the log; and without the
        # query, where the token may be.
        if not isinstance(args[1], HTTPError | OSError):
            path = escape_unprintable(self.request.path, 100)
            _LOG.error("%s %s failed", self.request.method, path, exc_info=args)


class _NotFoundHandler(_GuardedHandler):
    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404, reason="no such page")


class _PageHandler(_GuardedHandler):
    def get(self, name: str = "") -> None:
        if not name and self.get_query_argument("token", ""):
            port = self._address.port
            self.set_cookie(
                f"{COOKIE_PREFIX}_{port}", self._address.token, httponly=True, samesite="Strict"
            )
        self.set_header("Content-Type", f"{_FILES[name]}; charset=utf-8")
        self.write(Path(__file__).with_name(name or "console.html").read_text())


class _StopHandler(_GuardedHandler):
    def post(self) -> None:
        try:
            self._node.stop()
        except ValueError as error:
            raise HTTPError(503, reason=escape_unprintable(error)) from error
        self.set_status(204)


class _ReportHandler(_GuardedHandler):
    """Names the newest runs with a report, or hands one out."""

    async def get(self, name: str = "") -> None:
        if not name:
            self.write({"reports": list_reports(self._folder)})
            return
        data = read_report(self._folder, name)
        if data is None:
            raise HTTPError(404, reason="no such report")
        styles = " ".join(style_hashes(data)) or "'none'"
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; style-src {styles}; img-src data:; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'; sandbox",
        )
        self.set_header("Content-Type", "text/html; charset=utf-8")
        for start in range(0, len(data), _CHUNK_BYTES):
            self.write(data[start : start + _CHUNK_BYTES])
            await asyncio.wait_for(self.flush(), _SEND_TIMEOUT_S)


class _SocketHandler(_GuardedHandler, WebSocketHandler):
    def open(self, *args: str, **kwargs: str) -> None:
        self._shown, self._told, self._when = 0, "", 0.0
        self._rate = MessageRate(_RATE, _BURST, time.monotonic())
        self._push = PeriodicCallback(self._look, 1e3 * _UPDATE_PERIOD_S)
        self._push.start()

    def on_close(self) -> None:
        self._push.stop()

    def check_origin(self, origin: str) -> bool:
        return is_same_origin(origin, self.request.host)

    async def _look(self) -> None:
        """Send what is new; the next look comes when the client has taken it."""
        told = json.dumps({"state": self._node.state()})
        number, data = self._node.image()
        try:
            now = time.monotonic()
            if told != self._told or now - self._when > _HEARTBEAT_PERIOD_S:
                self._told, self._when = told, now
                await self.write_message(told)
            if number != self._shown and data:
                self._shown = number
                await self.write_message(data, binary=True)
        except WebSocketClosedError:
            self._push.stop()

    def on_message(self, message: str | bytes) -> None:
        allowed = self._rate.allow(time.monotonic())
        try:
            given = json.loads(message)
            if not isinstance(given, dict):
                raise ValueError("not an object")
            # A flood of other messages must not keep a stop out.
            if given.get("stop") is True:
                self._node.stop()
            elif not allowed:
                self.close(1008, "too many messages")
            elif given.get("reset") is True:
                self._node.reset()
            elif isinstance(given.get("say"), str):
                self._node.publish_instruction(given["say"])
            elif isinstance(given.get("success"), bool):
                self._node.publish_judgement(given["success"])
            else:
                raise ValueError(
                    'valid: {"say": text}, {"stop": true}, {"reset": true} and '
                    '{"success": true or false}'
                )
        except (ValueError, RecursionError) as error:
            if not allowed:
                self.close(1008, "too many messages")
                return
            with suppress(WebSocketClosedError):
                self.write_message(json.dumps({"problem": escape_unprintable(error)}))


def serve(
    node: ConsoleNode,
    address: ServerAddress,
    ready: Callable[[str], Any],
    alive: Callable[[], bool],
    reports: Path,
) -> None:
    """Serve until `alive()` is false.

    Args:
        node: Somebody else spins it.
        address: Where to listen, and for whom.
        ready: Called with the page's address, the token in it.
        alive: Asked ten times a second.
        reports: Folder of runs, each a folder that may have a `report.html`.

    Raises:
        ValueError: there is no token.
        OSError: the address or the port cannot be had.
    """
    if not address.token:
        raise ValueError("the console's token is empty; valid: any text that nobody guesses")

    async def run() -> None:
        sockets = bind_sockets(address.port, address.host)
        number = sockets[0].getsockname()[1]
        server: list[LimitedServer] = []
        own = ServerAddress(address.host, number, address.token, address.names)
        given: dict[str, Any] = {
            "node": node, "address": own, "reports": reports, "server": server,
        }  # fmt: skip
        application = Application(
            [
                (r"/()", _PageHandler, given),
                (r"/(console\.js|console\.css)", _PageHandler, given),
                ("/wire", _SocketHandler, given),
                ("/stop", _StopHandler, given),
                (r"/reports/([^/]+)", _ReportHandler, given),
                ("/reports", _ReportHandler, given),
            ],
            default_handler_class=_NotFoundHandler,
            default_handler_args=given,
            log_function=_log_request,
            websocket_max_message_size=MAX_BODY_BYTES,
            websocket_ping_interval=5,
            websocket_ping_timeout=5,
        )
        server.append(limited_server(application))
        server[0].add_sockets(sockets)
        name = f"[{address.host}]" if ":" in address.host else address.host
        ready(f"http://{name}:{number}/?token={address.token}")
        while alive():
            await asyncio.sleep(_UPDATE_PERIOD_S)
        server[0].stop()
        await server[0].close_all_connections()

    asyncio.run(run())


def _log_request(handler: RequestHandler) -> None:
    """Log a request without its query, where the token may be."""
    request = handler.request
    path = escape_unprintable(request.path, 100)
    _LOG.debug("%s %s %s", handler.get_status(), request.method, path)
