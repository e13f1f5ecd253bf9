"""A headless Chromium, driven through its DevTools protocol over a pipe: no driver, no port, no network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
_FLAGS = (
    "--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-device-scale-factor=1",
)  # fmt: skip
# Chromium reads commands from descriptor 3 and answers on 4; both are moved up first, as either may be where the other goes
_MOVE = """
import fcntl, os, sys
high = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 100) for one in sys.argv[1:3]]
for place, one in zip((3, 4), high):
    os.dup2(one, place)
    os.close(one)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One tab. What its console said and its errors are in `said`, addresses it asked for in `fetched`."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = os.fdopen(commands, "wb"), os.fdopen(answers, "rb")
        self._left, self._count, self._session = b"", 0, ""
        self.said: list[str] = []
        self.fetched: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command and waits for its result; events that come meanwhile are kept."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while (answer := self._next()).get("id") != self._count:
            self._heard(answer)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            got = os.read(self._answers.fileno(), 1 << 16)
            if not got:
                raise AssertionError("Chromium has gone.")
            self._left += got
        line, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _heard(self, event: dict[str, Any]) -> None:
        method, about = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.said.append(str(about["exceptionDetails"].get("exception", about)))
        elif method == "Runtime.consoleAPICalled":
            self.said.append(str(about["args"]))
        elif method == "Log.entryAdded":
            self.said.append(str(about["entry"]))
        elif method == "Network.requestWillBeSent":
            self.fetched.append(about["request"]["url"])

    def open(self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Shows an address in a window of that size and waits until it has been drawn."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=address)
        self.run("new Promise((done) => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def close(self) -> None:
        """Ends the browser."""
        self._session = ""
        self.send("Browser.close")

    def shot(self, path: Path) -> None:
        """Writes a picture of the whole page."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        found = self.send("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A Chromium with a profile of its own in `folder`; it is ended with the block."""
    assert PROGRAM is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox cannot work for root
    command = [PROGRAM, *_FLAGS, *alone, f"--user-data-dir={folder}", "about:blank"]
    moved = [sys.executable, "-c", _MOVE, str(theirs_in), str(theirs_out), *command]
    with subprocess.Popen(moved, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL) as process:
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            page = Page(ours_out, ours_in)
            yield page
            page.close()
            process.wait(timeout=30)
        finally:
            process.kill()
