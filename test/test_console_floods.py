"""The console under floods: sizes, rates and slow clients keep nobody out."""

import asyncio
import base64
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2: `make setup`, then `. ./env.sh`")
pytest.importorskip("tornado", reason="needs tornado: `make setup`")

from console_clients import Client, Console
from std_msgs.msg import String
from tornado.websocket import websocket_connect

from vlm_robot_ros.console.access import MessageRate
from vlm_robot_ros.console.request_limits import HEADER_TIME, MAX_CONNECTIONS_PER_ADDRESS


@pytest.fixture(scope="module")
def console(lasting_graph):
    return Console(lasting_graph)


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


def test_a_stop_comes_through_a_flood_of_other_messages(console, lasting_graph):
    heard = lasting_graph.listen(String, "instruction")
    assert lasting_graph.until(lambda: console.talk('{"stop": true}')[0] == [] and heard)
    del heard[:]
    console.talk(*['{"success": true}'] * 39, *['{"stop": true}'] * 20)
    assert lasting_graph.until(lambda: len(heard) == 20)


def test_a_message_rate_allows_a_burst_and_then_a_rate():
    rate = MessageRate(2.0, 3, 10.0)
    assert [rate.allow(10.0) for _ in range(4)] == [True, True, True, False]
    assert [rate.allow(10.5) for _ in range(2)] == [True, False]
    assert [rate.allow(99.0) for _ in range(4)] == [True, True, True, False]
