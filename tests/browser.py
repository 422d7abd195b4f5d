"""A headless Chromium that tests talk to in its DevTools protocol, over a pipe.

The protocol: https://chromedevtools.github.io/devtools-protocol/; messages are JSON that ends with
a zero byte, read by the browser from file 3 and written to file 4.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OWN = ("file:", "data:", "blob:", "about:")  # what a page without a network may ask for


def executable():
    """The browser of this machine; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


# the browser looks for its pipes at 3 and 4
LAUNCH = """
import os, sys
down, up, *command = sys.argv[1:]
os.dup2(int(down), 3)
os.dup2(int(up), 4)
os.execv(command[0], command)
"""


class Browser:
    """One page in a browser; it notes errors on the console and what is asked of the network."""

    def __init__(self, home, width=1280, height=900):
        command = [
            *(executable(), "--headless=new", "--no-sandbox", "--remote-debugging-pipe"),
            *("--disable-dev-shm-usage", "--no-first-run", "--disable-extensions"),
            *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # WebGL without a GPU
            *(f"--user-data-dir={home}", f"--window-size={width},{height}", "about:blank"),
        ]
        pipes = [os.pipe(), os.pipe()]
        # of numbers that the launch does not overwrite
        down, up = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (pipes[0][0], pipes[1][1]))
        self._to, self._from = pipes[0][1], pipes[1][0]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(down), str(up), *command],
            pass_fds=(down, up),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (down, up, pipes[0][0], pipes[1][1]):
            os.close(fd)
        self._buffer, self._number, self._session = b"", 0, None
        self.errors, self.requests = [], []

    def __enter__(self):
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
            self.call("Page.bringToFront")  # else nothing is drawn
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(20)
        os.close(self._to)
        os.close(self._from)

    def call(self, method, **parameters):
        """The result of a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def _read(self, seconds=60):
        """The next message; what it says of errors and of the network is noted."""
        end = time.monotonic() + seconds
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._from, 1 << 20)
            assert read, "the browser has ended"
            self._buffer += read
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method, told):
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(told["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"):
            self.errors.append(json.dumps(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])

    def open(self, path):
        """Load a file and wait until it is there."""
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        self.until("document.readyState === 'complete' && location.protocol === 'file:'")

    def run(self, script):
        """The value of an expression of JavaScript."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, script, seconds=60):
        """Wait for an expression of JavaScript to be true."""
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"never: {script}"
            time.sleep(0.05)

    def drag(self, start, end):
        """Press the mouse at a point of the window, move it to another, and let it go."""
        points = [("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)]
        for kind, (x, y) in points:
            self.call(
                "Input.dispatchMouseEvent",
                **{"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1},
            )

    def click(self, script):
        """Click, as a reader does, on the middle of the element that an expression gives."""
        self.run(f"{script}.scrollIntoView({{block: 'center'}})")
        middle = self.run(
            f"(() => {{ const r = {script}.getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        self.drag(middle, middle)

    def picture(self, path):
        """What the window shows, as a PNG."""
        Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def foreign(self):
        """What was asked of a network."""
        return [url for url in self.requests if not url.startswith(OWN)]
