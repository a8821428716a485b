"""The console's address under strangers: without the token they get nothing."""

import asyncio
import re

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
pytest.importorskip("tornado", reason="needs tornado: `make setup`")

from console_clients import Console
from std_msgs.msg import String
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from vlm_robot_ros.console.access import is_own_host, is_same_origin, is_token


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
