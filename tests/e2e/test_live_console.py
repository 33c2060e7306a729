"""The console over the demonstration itself: every page in a real Chromium, and the ways to the troubles it injects.

In: the demonstration's servers and traffic. Out: clicks, texts, what the browser complains of; pictures where
LOGPIPE_TEST_PICTURES names a directory. Never: made-up events, a process left behind.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from calendar_sync.demo.__main__ import run_guarded
from calendar_sync.demo.programs import PASSWORD, STAFF, Programs
from calendar_sync.demo.traffic import Scenario
from logging_pkg.stack import Stack, WebhookReceiver
from tests.browser import CHROMEDRIVER, CHROMIUM, Browser, chromium

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="no chromium and chromedriver (Debian's packages of these names)"
    ),
]
#: Until every injected trouble has been seen, recorded and alerted of.
TRAFFIC_S = 170
PAGES = ("overview", "routes", "queries", "google", "syncs", "alerts", "pipeline", "search")


def test_the_console_of_the_demonstration() -> None:
    """Everything on it, one after the other: starting the demonstration takes minutes."""
    walked: list[str] = []

    def run(_stack: Stack, programs: Programs, _receiver: WebhookReceiver, _started_ns: int) -> int:
        _drive(programs)
        with chromium() as browser:
            _sign_in(browser, programs.web_url)
            sync = _failed_sync(browser, programs.web_url)
            request = _n_plus_one(browser, programs.web_url)
            for path in (*PAGES, f"trace/{sync}", f"trace/{request}"):
                _walk(browser, programs.web_url, path)
                walked.append(path)
        return 0

    assert run_guarded(run) == 0
    assert len(walked) == len(PAGES) + 2


def _drive(programs: Programs) -> None:
    scenario = Scenario(programs, lambda step: print(f" · {step}"))
    scenario.start()
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < TRAFFIC_S:
        scenario.tick(elapsed)
        time.sleep(1)
    scenario.stop()


def _sign_in(browser: Browser, url: str) -> None:
    browser.size(1360, 1000)
    browser.open(f"{url}/login/?next=/console/")
    browser.type("input[name=username]", STAFF)
    browser.type("input[name=password]", PASSWORD)
    browser.click("button[type=submit]")
    browser.until(lambda: "/console/overview/" in browser.url, "signed in")


def _ready(browser: Browser) -> None:
    browser.until(
        lambda: browser.run("return document.getElementById('live')?.dataset.state") == "ready", "it is complete", 60
    )


def _failed_sync(browser: Browser, url: str) -> str:
    """From the overview to the waterfall of the newest sync that failed, in one click; its correlation_id."""
    browser.open(f"{url}/console/overview/")
    _ready(browser)
    browser.click('article[aria-label="Failed syncs, newest"] a.label')
    browser.until(lambda: "/console/trace/" in browser.url, "its trace")
    _ready(browser)
    assert browser.count(".waterfall rect") > 1
    assert "sync " in browser.text(".waterfall")
    assert "failed" in browser.text("#live")
    return _correlation_id(browser)


def _n_plus_one(browser: Browser, url: str) -> str:
    """From the overview to the request with the injected N+1, and the line of code, in two clicks."""
    browser.open(f"{url}/console/overview/")
    _ready(browser)
    browser.click('article[aria-label="N+1 queries"] a[data-main]')
    browser.until(lambda: "/search/" in browser.url, "its findings")
    _ready(browser)
    browser.click("li.event a.id")
    browser.until(lambda: "/console/trace/" in browser.url, "its trace")
    _ready(browser)
    assert "× SELECT" in browser.text(".waterfall")
    assert "views/reports.py:" in browser.text(".waterfall")
    return _correlation_id(browser)


def _correlation_id(browser: Browser) -> str:
    return browser.url.split("/console/trace/")[1].split("/")[0]


def _walk(browser: Browser, url: str, path: str) -> None:
    """Wide and as narrow as a phone, light and dark: complete, nothing sticks out, the browser complains of nothing."""
    for width, height in ((1360, 1000), (390, 844)):
        browser.size(width, height)
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            browser.open(f"{url}/console/{path}/")
            _ready(browser)
            assert "gives no answer" not in browser.text()
            assert browser.run("return document.documentElement.scrollWidth") <= width
            if directory := os.environ.get("LOGPIPE_TEST_PICTURES"):
                time.sleep(1)  # charts are drawn after the numbers
                name = "trace-" + path[6:20] if path.startswith("trace") else path
                browser.screenshot(Path(directory) / f"{name}-{width}-{scheme}.png")
    assert browser.complaints() == []
