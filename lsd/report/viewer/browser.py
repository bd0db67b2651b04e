"""Pictures of the viewer, taken by a browser that nobody sees, where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# drawing without a graphics card, and nothing asked of a network
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
)


def browser() -> str | None:
    """The browser that takes pictures: $LSD_BROWSER, else the first of BROWSERS that is
    installed."""
    asked = os.environ.get("LSD_BROWSER")
    return next(filter(None, map(shutil.which, (asked,) if asked else BROWSERS)), None)


def screenshot(
    viewer: Any, file: Path, *, size: tuple[int, int] = (1280, 960), seconds: float = 120
) -> None:
    """Writes a picture (PNG) of a viewer as it is now, when all that it shows is loaded.

    size: pixels, x y; seconds: that it may take
    Raises ValueError where no browser is installed, RuntimeError where it takes longer.
    """
    program = browser()
    if program is None:
        raise ValueError(
            f"a picture is taken by a browser, and none of {', '.join(BROWSERS)} is installed; "
            f"install one, or name it: LSD_BROWSER=/path/to/chrome"
        )
    taken: list[Any] = []
    is_taken = threading.Event()

    def keep(reply: Any) -> None:
        taken.append(reply.screenshot)
        is_taken.set()

    with viewer.config_state.txn() as config:
        config.show_ui_controls, config.show_panel_borders = False, False
        config.viewer_size = list(size)
    with _browsing(program, str(viewer.get_viewer_url()), size):
        viewer.async_screenshot(keep)
        # a source that fails would be waited for without end
        if not is_taken.wait(seconds):
            raise RuntimeError(
                f"{program} took no picture within {seconds:g} s; a layer that cannot be read may "
                f"be the reason: open the address, and look which"
            )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(taken[0].image)


@contextmanager
def _browsing(program: str, address: str, size: tuple[int, int]) -> Iterator[None]:
    """Inside, a browser looks at an address."""
    window = f"--window-size={size[0]},{size[1]}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = [program, *_OPTIONS, f"--user-data-dir={folder}", window, address]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
