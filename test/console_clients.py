"""A console that runs, and clients that ask it."""

import asyncio
import json
import re
import socket
import subprocess
import time
from contextlib import suppress

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect


def start_console(graph, *options):
    """Start the console in a graph; returns its address."""
    command = ["-m", "vlm_robot_ros.cli.main", "console", "--port", "0", *options]
    process = graph.python(*command, stdout=subprocess.PIPE)
    for line in iter(process.stdout.readline, ""):
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise AssertionError(process.errors.read())


def path_of(address, path):
    """Return the address of another path, with the token."""
    page, _, query = address.partition("?")
    return f"{page}{path}?{query}"


def wire_of(address):
    return path_of(address, "wire").replace("http", "ws", 1)


def get(address, **options):
    """Return the status of an answer, and the answer."""

    async def fetch():
        try:
            answer = await AsyncHTTPClient().fetch(HTTPRequest(address, **options))
        except HTTPClientError as error:
            return error.code, ""
        return answer.code, answer.body.decode()

    return asyncio.run(fetch())


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
