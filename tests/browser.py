"""A real Chromium, driven over chromedriver's W3C WebDriver interface.

In: addresses, CSS selectors, keys. Out: text, clicks, screenshots, the browser's console. Never: a browser or a profile left
behind.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import requests

from logging_pkg.http_session import http_session
from logging_pkg.stack.ports import free_ports

CHROMIUM, CHROMEDRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
#: A page, a click, and what it sets off, s.
PATIENCE_S = 20.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-proxy-server",
)


class Browser:
    """One session."""

    def __init__(self, driver_url: str, profile: str) -> None:
        self._http = http_session(driver_url)
        options = {"binary": CHROMIUM, "args": [*_OPTIONS, f"--user-data-dir={profile}"]}
        asked = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session = f"{driver_url}/session"
        self._session += "/" + self._call("POST", "", capabilities={"alwaysMatch": asked})["sessionId"]

    def open(self, url: str) -> Self:
        """Go to an address; returns when the page has loaded."""
        self._call("POST", "/url", url=url)
        return self

    @property
    def url(self) -> str:
        """Where it is."""
        found: str = self._call("GET", "/url")
        return found

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a script's `return`."""
        return self._call("POST", "/execute/sync", script=script, args=list(arguments))

    def text(self, selector: str = "body") -> str:
        """What an element shows."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def count(self, selector: str) -> int:
        """How many elements there are."""
        return int(self.run("return document.querySelectorAll(arguments[0]).length", selector))

    def click(self, selector: str) -> None:
        """Click the first element as a person does: it must be there, in sight, and not covered."""
        self.until(lambda: self.count(selector) > 0, f"{selector} is there")
        element = self._call("POST", "/element", using="css selector", value=selector)[_ELEMENT]
        self._call("POST", f"/element/{element}/click")

    def type(self, selector: str, text: str) -> None:
        """Write into a field."""
        element = self._call("POST", "/element", using="css selector", value=selector)[_ELEMENT]
        self._call("POST", f"/element/{element}/value", text=text)

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other, wherever the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._call("POST", "/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def until(self, is_so: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it is so; AssertionError with the page's text if it never is."""
        end = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < end, f"not so after {timeout_s:g} s: {what}\n{self.url}\n{self.text()[:3000]}"
            time.sleep(0.1)

    def size(self, width: int, height: int) -> None:
        """The size of what is seen, CSS pixels, also below a window's least."""
        self._cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def scheme(self, name: str) -> None:
        """`light` or `dark`, as the system would say."""
        self._cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """The whole page as a PNG, or what of it is in sight."""
        answer = self._cdp("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def complaints(self) -> list[str]:
        """What the browser's console says since this was last asked: errors, violations of the content security policy."""
        return [f"{entry['level']}: {entry['message']}" for entry in self._call("POST", "/se/log", type="browser")]

    def close(self) -> None:
        """End the browser."""
        self._call("DELETE", "")
        self._http.close()

    def _cdp(self, command: str, **parameters: Any) -> Any:
        return self._call("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    def _call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._http.request(
            method, self._session + path, json=body if method == "POST" else None, timeout=60
        ).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{path} {body}: {answer['error']}: {answer['message'][:500]}")
        return answer


def ready(browser: Browser, timeout_s: float = PATIENCE_S) -> None:
    """Wait until a page of the console has every number."""
    state = "return document.getElementById('live')?.dataset.state"
    browser.until(lambda: browser.run(state) == "ready", "the page is complete", timeout_s)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for the length of a block."""
    assert CHROMEDRIVER is not None
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen(
            [CHROMEDRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await(f"http://127.0.0.1:{port}/status")
            browser = Browser(f"http://127.0.0.1:{port}", profile)
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()
            driver.wait(timeout=20)


def _await(url: str) -> None:
    end = time.monotonic() + PATIENCE_S
    with http_session(url) as session:
        while True:
            try:
                if session.get(url, timeout=2).json()["value"]["ready"]:
                    return
            except requests.RequestException:
                assert time.monotonic() < end, "chromedriver does not get ready"
            time.sleep(0.1)
