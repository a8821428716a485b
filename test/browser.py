"""A real browser, driven over its debugging protocol."""

import asyncio
import base64
import json
import shutil
import subprocess
import time
import urllib.request

from tornado.websocket import websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--window-size=1100,800", "--disable-dev-shm-usage",
)  # fmt: skip


class Browser:
    """One page."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [CHROMIUM, *_QUIET, f"--user-data-dir={folder}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._loop, self._number = asyncio.new_event_loop(), 0
        try:
            port = _wait(lambda: _port(folder), 60)
            pages = f"http://127.0.0.1:{port}/json/list"
            found = _wait(lambda: [p for p in _json(pages) if p["type"] == "page"], 30)
            address = found[0]["webSocketDebuggerUrl"]
            self._wire = self._loop.run_until_complete(_connect(address))
        except BaseException:
            self.close()
            raise

    def call(self, method, **parameters):
        """Call a method of the protocol; returns its result."""
        return self._loop.run_until_complete(self._call(method, parameters))

    async def _call(self, method, parameters):
        self._number += 1
        request = {"id": self._number, "method": method, "params": parameters}
        await self._wire.write_message(json.dumps(request))
        while True:
            answer = json.loads(await asyncio.wait_for(self._wire.read_message(), 30))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def go(self, address):
        self.call("Page.navigate", url=address)
        there = f"location.href.startsWith('{address.partition('?')[0]}')"
        self.until(f"document.readyState === 'complete' && {there}")

    def ask(self, code):
        """Return the value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, code, seconds=30.0):
        """Wait until an expression is true; returns its value."""
        return _wait(lambda: self.ask(code), seconds)

    def click(self, name):
        """Click in the middle of an element of an id."""
        place = self.ask(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])"
            f"(document.getElementById('{name}').getBoundingClientRect())"
        )
        where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **where)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **where)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=code, text="\r" if key == "Enter" else "",
            )  # fmt: skip

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        self._process.terminate()
        self._process.wait(20)
        self._loop.close()


async def _connect(address):
    return await websocket_connect(address, max_message_size=2**26)


def _port(folder):
    file = folder / "DevToolsActivePort"
    return file.read_text().splitlines()[0] if file.exists() and file.read_text() else None


def _json(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


def _wait(done, seconds):
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, "the browser shows nothing of that"
        time.sleep(0.05)
    return found
