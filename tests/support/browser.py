"""A real browser without a window: Chromium, over its DevTools protocol, through a pipe."""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.waiting import until

PATIENCE_S = 60
_IN, _OUT = 3, 4  # of the browser, by its own rule
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--disable-extensions", "--mute-audio", "--no-zygote"),
    *("--force-color-profile=srgb", "--font-render-hinting=none", "--remote-debugging-pipe"),
)


class Browser:
    """A browser with one page.

    Attributes:
        complaints: what it wrote to the console, errors of the page's script, and what its policy
            forbade.
        requests: the URLs that the page asked for.
    """

    def __init__(self, send: int, receive: int) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._send, self._receive = send, receive
        self._numbers = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method; return its result."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> dict[str, Any]:
        """Read a message; keep it if it is an event."""
        end = time.monotonic() + PATIENCE_S
        while b"\0" not in self._rest:
            left_s = max(0, end - time.monotonic())
            answers, _, _ = select.select([self._receive], [], [], left_s)
            assert answers, "the browser does not answer"
            part = os.read(self._receive, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        content, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(content)
        if "method" in message:
            self._note(message["method"], message["params"])
        return message

    def _note(self, event: str, given: dict[str, Any]) -> None:
        self._events.append({"event": event, **given})
        if event == "Runtime.consoleAPICalled":
            self.complaints.append(f"{given['type']}: {given['args']}")
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(given["exceptionDetails"]))
        elif event == "Log.entryAdded":
            self.complaints.append(given["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])

    def open(self, page: Path, *, width: int = 1280, dark: bool = False, fragment: str = "") -> str:
        """Open a page at a width; return its URL once it is loaded."""
        self.look(width, dark=dark)
        self.complaints.clear()
        self.requests.clear()
        self._events.clear()
        url = page.absolute().as_uri() + fragment
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        self.requests = [one for one in self.requests if one != "about:blank"]
        until(lambda: bool(self.value("document.readyState + location.href") == f"complete{url}"))
        return url

    def look(self, width: int, *, dark: bool = False, medium: str = "") -> None:
        """Set the width, the scheme of colors, and the medium: "print"; "" is a screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    def value(self, script: str) -> Any:
        """Return what a script gives."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key, such as "Tab" (9)."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def picture(self, part: str = "", height: int = 0) -> bytes:
        """Return the page as a PNG.

        Args:
            part: the id of the element where it begins; "" is the top of the page.
            height: how much of it, in pixels; 0 is all the rest.
        """
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        top = self.value(f"document.getElementById('{part}').offsetTop") if part else 0
        clip = {"x": 0, "y": top, "scale": 1, "width": size["width"]}
        clip["height"] = min(size["height"] - top, height or size["height"])
        found = self.call(
            "Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True
        )
        return base64.b64decode(found["data"])

    def printed(self) -> bytes:
        """Return the page as a PDF."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])


def is_there() -> bool:
    """Return whether there is such a browser."""
    return shutil.which("chromium") is not None


@contextlib.contextmanager
def browser(home: Path) -> Iterator[Browser]:
    """Start a browser, whose files are in `home`; all its processes end with the block."""
    to_browser, send = os.pipe()
    receive, from_browser = os.pipe()
    words = [
        "bash",
        "-c",
        f'exec "$@" {_IN}<&{to_browser} {_OUT}>&{from_browser}',
        "bash",
        "chromium",
    ]
    process = subprocess.Popen(
        [*words, *_FLAGS, f"--user-data-dir={home}/profile", f"--crash-dumps-dir={home}"],
        pass_fds=(to_browser, from_browser),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(send, receive)
    finally:
        os.close(send)  # which it takes as the end
        os.close(receive)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
