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
from calendar_sync.demo.programs import Programs
from logging_pkg.stack import Stack, WebhookReceiver
from tests.browser import CHROMEDRIVER, CHROMIUM, Browser, chromium, ready
from tests.demonstration import drive, sign_in

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER), reason="no chromium and chromedriver (Debian's packages of these names)"
    ),
]
PAGES = ("overview", "routes", "queries", "google", "syncs", "alerts", "pipeline", "search")


def test_the_console_of_the_demonstration() -> None:
    """Everything on it, one after the other: starting the demonstration takes minutes."""
    walked: list[str] = []

    def run(_stack: Stack, programs: Programs, _receiver: WebhookReceiver, _started_ns: int) -> int:
        drive(programs).stop()
        with chromium() as browser:
            browser.size(1360, 1000)
            sign_in(browser, programs.web_url)
            sync = _failed_sync(browser, programs.web_url)
            request = _n_plus_one(browser, programs.web_url)
            for model in ("googleaccount", "calendar"):
                _row_of_the_admin(browser, programs.web_url, model)
            for path in (*PAGES, f"trace/{sync}", f"trace/{request}"):
                _walk(browser, programs.web_url, path)
                walked.append(path)
        return 0

    assert run_guarded(run) == 0
    assert len(walked) == len(PAGES) + 2


def _overview(browser: Browser, url: str) -> None:
    browser.open(f"{url}/console/overview/")
    ready(browser, 60)


def _trace(browser: Browser, selector: str) -> str:
    """Click what leads to a waterfall, and wait for it; its correlation_id."""
    browser.click(selector)
    browser.until(lambda: "/console/trace/" in browser.url, "its trace")
    ready(browser, 60)
    return browser.url.split("/console/trace/")[1].split("/")[0]


def _failed_sync(browser: Browser, url: str) -> str:
    """From the overview to the waterfall of the newest sync that failed, in one click; its correlation_id."""
    _overview(browser, url)
    correlation_id = _trace(browser, 'article[aria-label="Failed syncs, newest"] a.label')
    assert browser.count(".waterfall rect") > 1
    assert "sync " in browser.text(".waterfall")
    assert "failed" in browser.text("#live")
    return correlation_id


def _n_plus_one(browser: Browser, url: str) -> str:
    """From the overview over the queries to the request with the injected N+1, the costliest, and the line of code."""
    _overview(browser, url)
    browser.click('article[aria-label="N+1 queries, newest"] h3 a')
    browser.until(lambda: "/queries/" in browser.url, "the queries")
    ready(browser, 60)
    browser.click('article[aria-label="N+1 queries"] a[data-main]')
    browser.until(lambda: "/search/" in browser.url, "its findings")
    ready(browser, 60)
    correlation_id = _trace(browser, "li.event a.id")
    assert "× SELECT" in browser.text(".waterfall")
    assert "views/reports.py:" in browser.text(".waterfall")
    return correlation_id


def _row_of_the_admin(browser: Browser, url: str, model: str) -> None:
    """From a row of Django's admin to the waterfall of its newest sync, in one click."""
    browser.open(f"{url}/admin/calendar_sync/{model}/")
    assert "@" not in browser.text()
    if directory := os.environ.get("LOGPIPE_TEST_PICTURES"):
        browser.screenshot(Path(directory) / f"admin-{model}.png")
    _trace(browser, "td.field-trace a")
    assert "sync " in browser.text(".waterfall")
    assert browser.complaints() == []


def _walk(browser: Browser, url: str, path: str) -> None:
    """Wide and as narrow as a phone, light and dark: complete, nothing sticks out, the browser complains of nothing."""
    for width, height in ((1360, 1000), (390, 844)):
        browser.size(width, height)
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            browser.open(f"{url}/console/{path}/")
            ready(browser, 60)
            assert "gives no answer" not in browser.text()
            assert browser.run("return document.documentElement.scrollWidth") <= width
            if directory := os.environ.get("LOGPIPE_TEST_PICTURES"):
                time.sleep(1)  # charts are drawn after the numbers
                name = "trace-" + path[6:20] if path.startswith("trace") else path
                browser.screenshot(Path(directory) / f"{name}-{width}-{scheme}.png")
    assert browser.complaints() == []
