"""Serves the console's page on one address, to who may have it."""

import asyncio
import hmac
import ipaddress
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from vlm_robot_ros.nodes.console_node import ConsoleNode

_PAGE = Path(__file__).with_name("console.html")
_PUSH = 0.1
"""Between two looks at what is new [s]."""
_BEAT = 1.0
"""The page is told at least so often: who hears nothing knows that the wire is cut [s]."""
_COOKIE = "vlm_robot_token"
_LISTED = 20
"""Reports, at most."""
_LARGEST = 64 * 1024
"""Of what a browser may send in one message [bytes]."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Guarded(RequestHandler):
    """Lets in who has the token; without one, who asks from this machine by its own name."""

    def initialize(self, node: ConsoleNode, token: str, reports: Path) -> None:
        self._node, self._token, self._folder = node, token, reports

    def prepare(self) -> None:
        if self._token:
            given = self.get_argument("token", "") or self.get_cookie(_COOKIE) or ""
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                raise HTTPError(403, reason="the token is missing or wrong")
            self.set_cookie(_COOKIE, self._token, httponly=True, samesite="Strict")
            return
        # A page of elsewhere could let its own name lead here.
        name = self.request.host.rsplit(":", 1)[0].strip("[]")
        if not is_loopback(name):
            raise HTTPError(403, reason="ask for localhost")


class _Page(_Guarded):
    def get(self) -> None:
        policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        self.set_header("Content-Security-Policy", policy + "img-src blob:; connect-src 'self'")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("Cache-Control", "no-store")
        self.write(_PAGE.read_text())


class _Report(_Guarded):
    """Names the newest runs with a report, or hands one out."""

    def get(self, name: str = "") -> None:
        found = {path.parent.name: path for path in self._folder.glob("*/report.html")}
        if not name:
            newest = sorted(found, key=lambda each: found[each].stat().st_mtime, reverse=True)
            self.write({"reports": newest[:_LISTED]})
            return
        if name not in found:
            raise HTTPError(404, reason="no such report")
        self.set_header("Content-Security-Policy", "default-src 'none'; "
                        "style-src 'unsafe-inline'; img-src data:")  # fmt: skip
        self.write(found[name].read_text())


class _Wire(_Guarded, WebSocketHandler):
    def open(self, *args: str, **kwargs: str) -> None:
        self._shown, self._told, self._when = 0, "", 0.0
        self._push = PeriodicCallback(self._look, 1e3 * _PUSH)
        self._push.start()

    def on_close(self) -> None:
        self._push.stop()

    async def _look(self) -> None:
        """Send what is new."""
        told = json.dumps({"state": self._node.state()})
        number, data = self._node.picture()
        try:
            now = time.monotonic()
            if told != self._told or now - self._when > _BEAT:
                self._told, self._when = told, now
                await self.write_message(told)
            if number != self._shown:
                self._shown = number
                await self.write_message(data, binary=True)
        except WebSocketClosedError:
            self._push.stop()

    def on_message(self, message: str | bytes) -> None:
        try:
            given = json.loads(message)
            if not isinstance(given, dict):
                raise ValueError("not an object")
            if isinstance(given.get("say"), str):
                self._node.say(given["say"])
            elif isinstance(given.get("success"), bool):
                self._node.judge(given["success"])
            else:
                raise ValueError('valid: {"say": text} and {"success": true or false}')
        except (ValueError, RecursionError) as error:
            self.write_message(json.dumps({"problem": str(error)}))


def serve(
    node: ConsoleNode,
    host: str,
    port: int,
    token: str,
    ready: Callable[[str], Any],
    alive: Callable[[], bool],
    reports: Path,
) -> None:
    """Serve until `alive()` is false.

    Args:
        node: Somebody else spins it.
        host: Address to listen on.
        port: 0 for any that is free.
        token: Asked for; empty: none, and only this machine is answered.
        ready: Called with the page's address.
        alive: Asked ten times a second.
        reports: Folder of runs, each a folder that may have a `report.html`.

    Raises:
        ValueError: others can reach the address, and there is no token.
        OSError: the address or the port cannot be had.
    """
    if not token and not is_loopback(host):
        raise ValueError(f"'{host}' can be reached from elsewhere: it needs a token")

    async def run() -> None:
        given: dict[str, Any] = {"node": node, "token": token, "reports": reports}
        application = Application(
            [
                ("/", _Page, given),
                ("/wire", _Wire, given),
                (r"/reports/([^/]+)", _Report, given),
                ("/reports", _Report, given),
            ],
            websocket_max_message_size=_LARGEST,
            websocket_ping_interval=2,
        )
        sockets = bind_sockets(port, host)
        number = sockets[0].getsockname()[1]
        server = HTTPServer(application)
        server.add_sockets(sockets)
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{number}/" + (f"?token={token}" if token else ""))
        while alive():
            await asyncio.sleep(_PUSH)
        server.stop()
        await server.close_all_connections()

    asyncio.run(run())
