"""Servers of policies for tests: real websockets in a thread, which answer as a test says."""

import asyncio
import threading
from contextlib import contextmanager

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

from vlm_robot_ros.policies.remote.numpy_msgpack import pack, unpack
from vlm_robot_ros.policies.remote.openpi_server import start_openpi_server


class Session(WebSocketHandler):
    """Greets, and answers each message with what `answer` makes of it."""

    def initialize(self, answer, greeting, seen):
        self.answer, self.greeting, self.seen = answer, greeting, seen

    async def open(self):
        self.seen.append(dict(self.request.headers))
        if self.greeting is not None:
            await self.write_message(self.greeting, binary=isinstance(self.greeting, bytes))

    async def on_message(self, message):
        given = self.answer(unpack(message))
        if asyncio.iscoroutine(given):
            given = await given
        if given is None:
            self.close(1011, "gone")
        else:
            await self.write_message(given, binary=isinstance(given, bytes))


class Server:
    """A server in a thread of its own."""

    def __init__(self, begin):
        self.loop, self.seen, begun = asyncio.new_event_loop(), [], threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)

            async def start():
                self.server, self.port = begin(self)

            self.loop.run_until_complete(start())
            begun.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert begun.wait(10)

    @property
    def address(self):
        return f"openpi://127.0.0.1:{self.port}"

    def close(self):
        async def end():
            self.server.stop()
            await self.server.close_all_connections()

        asyncio.run_coroutine_threadsafe(end(), self.loop).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


GREETING = pack({})


@contextmanager
def answering(answer, greeting=GREETING, port=0):
    """A server that says `greeting` and then what `answer(message)` returns; None hangs up."""

    def begin(server):
        given = {"answer": answer, "greeting": greeting, "seen": server.seen}
        made, sockets = HTTPServer(Application([("/.*", Session, given)])), bind_sockets(port)
        made.add_sockets(sockets)
        return made, sockets[0].getsockname()[1]

    server = Server(begin)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def serving(served, metadata=None):
    """The server of `vlm-robot serve`."""
    server = Server(lambda _: start_openpi_server(served, metadata or {}, "127.0.0.1", 0))
    try:
        yield server
    finally:
        server.close()
