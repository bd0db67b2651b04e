"""A headless Chromium, told what to do over chromedriver's HTTP (WebDriver, W3C).

Tests that need it skip where there is none.
"""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
     if (path := shutil.which(name))),
    None,
)  # fmt: skip
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
# WebDriver's names of keys
RIGHT, LEFT, HOME, END = "\ue014", "\ue012", "\ue011", "\ue010"
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# to loopback alone, whatever proxy the environment names
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """A window; see `browser`."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, path: str, body=None, *, method: str | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._address}{path}",
            data,
            {"Content-Type": "application/json"},
            method=method or ("GET" if body is None else "POST"),
        )
        try:
            with _DIRECT.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode(errors='replace')}") from error

    def open(self, page: Path) -> None:
        self.ask("/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments):
        """What a script returns."""
        return self.ask("/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> list[str]:
        found = self.ask("/elements", {"using": "css selector", "value": selector})
        return [element[_ELEMENT] for element in found]

    def press(self, element: str, keys: str) -> None:
        """As a person does who has come to the element by the keyboard."""
        self.run("arguments[0].focus()", {_ELEMENT: element})
        self.ask(f"/element/{element}/value", {"text": keys})

    def click(self, element: str) -> None:
        self.ask(f"/element/{element}/click", {})

    def property(self, element: str, name: str):
        return self.ask(f"/element/{element}/property/{name}")

    def console(self) -> list[dict]:
        """What was written to the console since the last look."""
        return self.ask("/se/log", {"type": "browser"})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("/screenshot")))

    def whole(self, path: Path) -> None:
        """A screenshot of the whole page."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return window.innerWidth")
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask(
            "/goog/cdp/execute",
            {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics},
        )
        self.screenshot(path)

    def printed(self) -> bytes:
        """The page on paper, as PDF."""
        return base64.b64decode(self.ask("/print", {}))


@contextmanager
def browser(*, width: int = 1280, height: int = 900, dark: bool = False):
    """A window of so many pixels, until the end; a narrow one is a phone's."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("needs Chromium and its chromedriver, which are not installed here")
    with tempfile.TemporaryDirectory() as profile, _driver() as address:
        options = {
            "binary": CHROMIUM,
            "args": [*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"],
        }
        if dark:
            options["args"].append("--blink-settings=preferredColorScheme=0")
        if width < 500:
            metrics = {"width": width, "height": height, "pixelRatio": 1.0}
            options["mobileEmulation"] = {"deviceMetrics": metrics}
        asked = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = Browser(address).ask(
            "/session", {"capabilities": {"alwaysMatch": {"browserName": "chrome", **asked}}}
        )
        window = Browser(f"{address}/session/{session['sessionId']}")
        try:
            yield window
        finally:
            with suppress(AssertionError, OSError):
                window.ask("", method="DELETE")


@contextmanager
def _driver():
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([DRIVER, "--port=0"], stdout=said, stderr=subprocess.STDOUT)
        try:
            yield f"http://127.0.0.1:{_port(process, said)}"
        finally:
            process.terminate()
            process.wait(30)


def _port(process, said) -> int:
    for _ in range(600):
        said.seek(0)
        words = said.read().rpartition("started successfully on port ")[2]
        if words.partition(".")[0].strip().isdigit():
            return int(words.partition(".")[0])
        assert process.poll() is None, said.read()
        time.sleep(0.1)
    raise AssertionError("chromedriver did not start")
