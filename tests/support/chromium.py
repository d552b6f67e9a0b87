"""A headless Chromium to test pages in, controlled through its debugging pipe."""

import base64
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    """One tab, in which every request and every error is recorded.

    Attributes:
        requests: Requested URLs, except ``data:`` and ``blob:``.
        errors: Messages that the scripts of the page threw or logged as errors.
        process_id: Of the process whose descendants do all work.
    """

    def __init__(self, profile: Path, *, width: int = 1280, height: int = 900, options=()):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        assert program, "the page's tests need chromium: apt-get install chromium"
        self.requests, self.errors = [], []
        self._replies, self._events, self._numbers = {}, [], itertools.count(1)
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        command = [program, "--headless", "--no-sandbox", "--remote-debugging-pipe"]
        command += [f"--user-data-dir={profile}", f"--window-size={width},{height}", *options]
        command += ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        pipes = ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{to_write}', "bash"]
        self._process = subprocess.Popen(
            [*pipes, *command],
            pass_fds=(to_read, to_write),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.process_id = self._process.pid
        os.close(to_read)
        os.close(to_write)
        self._buffer, self._session = b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        """Ends the browser."""
        self._session = None
        self.call("Browser.close")
        self._process.wait(timeout=20)
        os.close(self._to)
        os.close(self._from)

    def call(self, method, **parameters):
        """Calls a method of the DevTools protocol and returns its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while number not in self._replies:
            self._receive()
        reply = self._replies.pop(number)
        assert "error" not in reply, f"{method}: {reply.get('error')}"
        return reply["result"]

    def _receive(self):
        while b"\0" not in self._buffer:
            chunk = os.read(self._from, 1 << 20)
            assert chunk, "chromium ended unexpectedly"
            self._buffer += chunk
        text, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(text)
        if "id" in message:
            self._replies[message["id"]] = message
            return
        method, parameters = message["method"], message["params"]
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("data:", "blob:")):
                self.requests.append(url)
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(parameters["entry"]["text"])

    def open(self, path: Path):
        """Opens a file and waits until it is loaded."""
        self._events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while "Page.loadEventFired" not in self._events:
            self._receive()

    def run(self, script):
        """Evaluates JavaScript, awaits a promise, and returns its JSON value."""
        result = self.call(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, condition):
        """Waits until a JavaScript expression is true; fails after ten seconds."""
        until = f"""new Promise((resolve) => {{
            const end = performance.now() + 10000;
            const look = () => ({condition}) ? resolve(true)
                : performance.now() > end ? resolve(false) : setTimeout(look, 20);
            look();
        }})"""
        assert self.run(until), f"not within ten seconds: {condition}"

    def click(self, selector):
        """Clicks the middle of an element."""
        place = self.run(
            f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{ block: "center", behavior: "instant" }});
            const {{ x, y, width, height }} = element.getBoundingClientRect();
            return {{ x: x + width / 2, y: y + height / 2 }};
        }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def press(self, key):
        """Presses a key, given as in `KeyboardEvent.key`."""
        text = {"text": {"Enter": "\r"}.get(key, key)} if key == "Enter" or len(key) == 1 else {}
        codes = {"Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "Enter": 13, "End": 35, "Home": 36}
        code = codes.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )

    def screenshot(self, path: Path, *, whole=False):
        """Saves the visible part or the whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
