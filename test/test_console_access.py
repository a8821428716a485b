"""The console's address under hostile clients: they get nothing, and keep nobody out."""

import asyncio
import base64
import json
import os
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
pytest.importorskip("tornado", reason="needs tornado: `make setup`")

from std_msgs.msg import String
from test_console import start_console
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from vlm_robot_ros.console.access import (
    MessageRate,
    is_own_host,
    is_same_origin,
    is_token,
)
from vlm_robot_ros.console.request_limits import HEADER_TIME, MAX_CONNECTIONS_PER_ADDRESS


class Client:
    """Speaks HTTP over a bare socket."""

    def __init__(self, console):
        self.socket = socket.create_connection(("127.0.0.1", console.port), timeout=30)

    def send(self, data):
        with suppress(OSError):  # it hung up
            self.socket.sendall(data)
        return self

    def answer(self):
        """Return everything until the end of the connection, or of the first answer."""
        data = b""
        while b"\r\n\r\n" not in data:
            try:
                part = self.socket.recv(65536)
            except ConnectionError:
                part = b""
            if not part:
                return data.decode("latin-1")
            data += part
        return data.decode("latin-1")

    def is_closed(self, seconds):
        """Wait for the end of the connection."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True


class Console:
    """A console that runs, and how to ask it."""

    def __init__(self, graph, *options):
        self.page = start_console(graph, *options)
        self.process = graph._processes[-1]
        found = re.fullmatch(r"http://[\d.]+:(\d+)/\?token=(\S+)", self.page)
        self.port, self.token = int(found[1]), found[2]

    def ask(self, path, *headers, method="GET", host=None, token=True):
        """Return status line and headers of an answer."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host or f'127.0.0.1:{self.port}'}"]
        if token:
            lines.append(f"Cookie: vlm_robot_token_{self.port}={self.token}")
        lines += [*headers, "Connection: close", "", ""]
        return Client(self).send("\r\n".join(lines).encode()).answer()

    def status(self, *args, **options):
        return int(self.ask(*args, **options).split()[1])

    def talk(self, *lines):
        """Return the answers to messages over a websocket, and how it was closed."""

        async def run():
            request = HTTPRequest(f"ws://127.0.0.1:{self.port}/wire?token={self.token}")
            wire = await websocket_connect(request, max_message_size=2**26)
            answers = []
            for line in lines:
                try:
                    await wire.write_message(line)
                except Exception:
                    break
            end = time.monotonic() + 3
            while time.monotonic() < end:
                told = await asyncio.wait_for(wire.read_message(), 30)
                if told is None:
                    return answers, wire.close_code
                if isinstance(told, str) and "problem" in (given := json.loads(told)):
                    answers.append(given["problem"])
            wire.close()
            return answers, None

        return asyncio.run(run())


@pytest.fixture(scope="module")
def console(lasting_graph):
    return Console(lasting_graph)


PATHS = ("/", "/console.js", "/console.css", "/wire", "/reports", "/reports/monday", "/nothing")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("given", ["", "?token=", "?token=wrong", "?token=%00", "?token=%ff"])
def test_every_path_asks_for_the_token(console, path, given):
    assert console.status(path + given, token=False) in (400, 403)
    assert console.status(path, "Cookie: vlm_robot_token=wrong", token=False) == 403


def test_with_the_token_the_page_comes_and_the_browser_keeps_it_in_a_cookie(console):
    answer = console.ask(f"/?token={console.token}", token=False)
    assert answer.startswith("HTTP/1.1 200")
    cookie = re.search(r"Set-Cookie: (.*)\r", answer)[1]
    assert cookie.startswith(f"vlm_robot_token_{console.port}={console.token};")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert console.status("/") == 200
    assert console.status("/nothing") == 404


def test_every_answer_forbids_scripts_frames_guesses_and_referrers(console):
    for path, token in (("/", True), ("/console.js", True), ("/nothing", True), ("/", False)):
        answer = console.ask(path, token=token)
        policy = re.search(r"Content-Security-Policy: (.*)\r", answer)[1]
        assert "unsafe-inline" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "X-Content-Type-Options: nosniff" in answer
        assert "Referrer-Policy: no-referrer" in answer
        assert "Tornado" not in answer


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_name_of_elsewhere_that_leads_here_is_refused(console, host):
    assert console.status("/", host=host or "[") in (400, 403)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "file://", "http://[", "x"]
)
def test_pages_of_other_origins_are_refused_even_with_the_cookie(console, origin):
    for path in ("/", "/reports"):
        assert console.status(path, f"Origin: {origin}") == 403
    assert console.status("/stop", f"Origin: {origin}", "Content-Length: 0", method="POST") == 403

    async def hijack():
        cookie = f"vlm_robot_token_{console.port}={console.token}"
        headers = {"Origin": origin, "Cookie": cookie}
        await websocket_connect(
            HTTPRequest(f"ws://127.0.0.1:{console.port}/wire", headers=headers)
        )

    with pytest.raises(HTTPClientError, match="403"):
        asyncio.run(hijack())


def test_an_own_origin_is_let_in(console):
    assert console.status("/", f"Origin: http://127.0.0.1:{console.port}") == 200


@pytest.mark.parametrize(
    "path",
    ["/../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/console.py", "/console_server.py",
     "/reports/..%2f..%2fetc", "/reports/%2e%2e", "/reports/%00", "/reports/" + "a" * 5000,
     "//evil.example/", "/reports/./x"],
)  # fmt: skip
def test_paths_that_lead_elsewhere_lead_nowhere(console, path):
    assert console.status(path) in (400, 404)


def test_headers_and_bodies_have_a_limit(console):
    head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{console.port}\r\n".encode()
    many = b"".join(b"X-%d: y\r\n" % number for number in range(20_000))
    for headers in (b"X: " + b"y" * 1_000_000, many):
        answer = Client(console).send(head + headers + b"\r\n\r\n").answer()
        assert not answer or answer.split()[1] in ("400", "431")
    post = head.replace(b"GET /", b"POST /stop") + b"Cookie: vlm_robot_token=%s\r\n" % (
        console.token.encode()
    )
    client = Client(console).send(post + b"Content-Length: 100000000\r\n\r\n" + b"x" * 1_000_000)
    assert "204" not in client.answer()
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    client = Client(console).send(post + b"Transfer-Encoding: chunked\r\n\r\n" + 20 * chunk)
    assert "204" not in client.answer()
    assert console.status("/") == 200


@pytest.mark.long
def test_who_is_slow_is_hung_up_on_and_keeps_nobody_out(console):
    begun = time.monotonic()
    head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{console.port}\r\n".encode()
    slow = [Client(console).send(head) for _ in range(20)]
    slow += [Client(console) for _ in range(10)]
    post = head.replace(b"GET /", b"POST /stop")
    slow += [Client(console).send(post + b"Content-Length: 60000\r\n\r\n") for _ in range(10)]
    for _ in range(3):  # a byte now and then does not help
        for client in slow:
            client.send(b"x")
        assert console.status("/") == 200
    with ThreadPoolExecutor(len(slow)) as threads:
        assert all(threads.map(lambda client: client.is_closed(HEADER_TIME + 10), slow))
    assert time.monotonic() - begun < 3 * HEADER_TIME


def test_a_thousand_connections_keep_nobody_out(console):
    def descriptors():
        return len(os.listdir(f"/proc/{console.process.pid}/fd"))

    before = descriptors()
    held = [Client(console) for _ in range(1000)]
    assert console.status("/") == 200
    assert descriptors() < before + MAX_CONNECTIONS_PER_ADDRESS + 10
    for client in held:
        client.socket.close()


@pytest.mark.long
def test_clients_with_the_token_are_not_pushed_out(console):
    async def run():
        wire = await websocket_connect(f"ws://127.0.0.1:{console.port}/wire?token={console.token}")
        held = [Client(console) for _ in range(300)]
        for _ in range(20):
            assert await asyncio.wait_for(wire.read_message(), 10) is not None
        for client in held:
            client.socket.close()
        wire.close()

    asyncio.run(run())


def test_messages_have_a_size_and_a_rate(console):
    _, code = console.talk("x" * 1_000_000)
    assert code == 1009
    answers, code = console.talk(*["[]"] * 500)
    assert code == 1008
    assert len(answers) < 100
    answers, _ = console.talk(json.dumps({"say": "x" * 4001}))
    assert answers == ["4001 characters; valid: up to 4000"]
    assert console.status("/") == 200


@pytest.mark.long
def test_what_is_not_a_websocket_frame_is_hung_up_on(console):
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET /wire?token={console.token} HTTP/1.1", f"Host: 127.0.0.1:{console.port}",
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}", "", "",
    ]  # fmt: skip
    for frame in (b"\xff" * 50, b"\x81\x7f" + b"\xff" * 8, b"\x81\x05hello", os.urandom(1000)):
        client = Client(console).send("\r\n".join(lines).encode())
        assert "101" in client.answer()
        assert client.send(frame).is_closed(20)
    assert console.status("/") == 200


def test_a_stop_over_http_is_an_instruction(console, lasting_graph):
    answer = console.ask("/stop", "Content-Length: 0", method="POST")
    assert "503 nobody listens" in answer.splitlines()[0]
    heard = lasting_graph.listen(String, "instruction")
    stopped = lambda: console.status("/stop", "Content-Length: 0", method="POST") == 204  # noqa: E731
    assert lasting_graph.until(stopped)
    assert lasting_graph.until(lambda: heard)
    assert heard[0].data == "stop"
    assert console.status("/stop") == 405
    assert console.status("/stop", "Content-Length: 0", method="POST", token=False) == 403


def test_a_stop_comes_through_a_flood_of_other_messages(console, lasting_graph):
    heard = lasting_graph.listen(String, "instruction")
    assert lasting_graph.until(lambda: console.talk('{"stop": true}')[0] == [] and heard)
    del heard[:]
    console.talk(*['{"success": true}'] * 39, *['{"stop": true}'] * 20)
    assert lasting_graph.until(lambda: len(heard) == 20)


def test_the_token_is_not_logged(console):
    console.status(f"/?token={console.token}", token=False)
    console.status("/?token=nonsense", token=False)
    console.process.errors.seek(0)
    logged = console.process.errors.read()
    assert console.token not in logged
    assert "nonsense" not in logged
    assert "Traceback" not in logged


def test_an_address_for_others_has_names_of_its_own(graph):
    console = Console(graph, "--host", "0.0.0.0", "--allow-host", "arm.example")
    assert console.status("/") == 200
    assert console.status("/", host="arm.example") == 200
    assert console.status("/", "Origin: https://arm.example", host="arm.example") == 200
    assert console.status("/", host="evil.example") == 403
    assert console.status("/", host="arm.example", token=False) == 403


def test_a_message_rate_allows_a_burst_and_then_a_rate():
    rate = MessageRate(2.0, 3, 10.0)
    assert [rate.allow(10.0) for _ in range(4)] == [True, True, True, False]
    assert [rate.allow(10.5) for _ in range(2)] == [True, False]
    assert [rate.allow(99.0) for _ in range(4)] == [True, True, True, False]


def test_hosts_origins_and_tokens_are_compared_whole():
    assert is_own_host("localhost:8080")
    assert is_own_host("[::1]:8080")
    assert is_own_host("192.0.2.1")
    assert is_own_host("LOCALHOST.")
    assert not is_own_host("localhost.evil.example")
    assert not is_own_host("evil@localhost.example")
    assert is_same_origin("", "a")
    assert is_same_origin("http://A:1", "a:1")
    assert not is_same_origin("http://a:1.evil.example", "a:1")
    assert is_token("secret", "secret")
    for wrong in ("", "secre", "secrets", "Secret", "sécret", "\ud800"):
        assert not is_token(wrong, "secret")
