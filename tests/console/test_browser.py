"""The console in a real Chromium, over all three servers: every page, the keys, and the ways that people go.

In: a story in Loki, a live site. Out: clicks, texts, the browser's own console. Never: a page that is not drawn, a complaint
of the browser's that is passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.browser import CHROMEDRIVER, CHROMIUM, Browser, chromium, ready
from tests.console.story import Story

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="no chromium and chromedriver (Debian's packages of these names)"
)
PAGES = ["overview", "routes", "queries", "google", "syncs", "alerts", "pipeline", "search", "trace", "trace of a sync"]
_PASSWORD = "browser-password"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this file."""
    with chromium() as opened:
        yield opened


@pytest.fixture
def site(
    browser: Browser, live_server: Any, addresses: Callable[..., None], watched: tuple[Any, Story]
) -> tuple[Browser, str, Story]:
    """The browser signed in as staff, the site's address, and the story that Loki holds."""
    stack, story = watched
    addresses(loki_url=stack.loki_url, prometheus_url=stack.prometheus_url, alertmanager_url=stack.url("alertmanager"))
    User.objects.create_user("operator", password=_PASSWORD, is_staff=True)
    browser.size(1360, 900)
    browser.scheme("light")
    browser.open(f"{live_server.url}/login/?next=/console/")
    browser.run("localStorage.clear(); document.querySelector('input[name=username]').focus()")
    browser.type("input[name=username]", "operator")
    browser.type("input[name=password]", _PASSWORD)
    browser.click("button[type=submit]")
    browser.until(lambda: "/console/overview/" in browser.url, "signed in")
    assert browser.complaints() == []
    return browser, live_server.url, story


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn_without_a_complaint(site: tuple[Browser, str, Story], name: str) -> None:
    """Wide and as narrow as a phone, light and dark: nothing sticks out sideways, nothing is refused or fails."""
    browser, url, story = site
    path = f"trace/{story.failed_sync}" if name == "trace of a sync" else name
    for width in (1360, 390):
        browser.size(width, 844)
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            browser.open(f"{url}/console/{path}/")
            ready(browser)
            if name == "trace of a sync":
                assert browser.count(".waterfall rect") == 4
            if directory := os.environ.get("LOGPIPE_TEST_PICTURES"):
                browser.screenshot(Path(directory) / f"{name}-{width}-{scheme}.png")
            assert browser.run("return document.documentElement.scrollWidth") <= width
            expected = {"light": "rgb(243, 245, 249)", "dark": "rgb(14, 19, 28)"}[scheme]
            assert browser.run("return getComputedStyle(document.body).backgroundColor") == expected
    assert browser.complaints() == []


def test_a_failed_sync_is_found_from_the_overview_in_one_click(site: tuple[Browser, str, Story]) -> None:
    """The newest are on it; a click shows the waterfall, with the attempt that failed."""
    browser, url, story = site
    browser.open(f"{url}/console/overview/")
    ready(browser)
    browser.click('article[aria-label="Failed syncs, newest"] a.label')
    browser.until(lambda: story.failed_sync in browser.url, "its trace")
    ready(browser)
    assert "sync events full" in browser.text(".waterfall")
    assert "500 · backendError" in browser.text(".waterfall")
    assert browser.count(".waterfall rect") >= 3
    assert browser.run("return document.querySelector('.waterfall rect').getBoundingClientRect().width") > 100


@pytest.mark.parametrize("clicks", [1, 3])
def test_the_n_plus_one_is_found_from_the_overview(site: tuple[Browser, str, Story], clicks: int) -> None:
    """By the newest, in one click; by the statement with the most time, its row in the queries, and its findings."""
    browser, url, story = site
    browser.open(f"{url}/console/overview/")
    ready(browser)
    if clicks == 1:
        browser.click('article[aria-label="N+1 queries, newest"] a.id')
    else:
        browser.click('article[aria-label="N+1 queries, newest"] h3 a')
        browser.until(lambda: "/queries/" in browser.url, "the queries")
        ready(browser)
        browser.click('article[aria-label="N+1 queries"] a[data-main]')
        browser.until(lambda: "/search/" in browser.url, "its findings")
        ready(browser)
        browser.click("li.event a.id")
    browser.until(lambda: story.n_plus_one in browser.url, "its trace")
    ready(browser)
    assert "50 × SELECT" in browser.text(".waterfall")
    assert "views.py:88" in browser.text(".waterfall")
    assert browser.complaints() == []


def test_keys_lead_everywhere(site: tuple[Browser, str, Story]) -> None:
    """G and a letter, / to search, j and Enter to open a row, ? for the list, d for dark."""
    browser, url, story = site
    browser.open(f"{url}/console/overview/")
    ready(browser)
    letters = dict(
        re.findall(r"g (\w)\s*([A-Z]\w+)", browser.run("return document.getElementById('keys').textContent"))
    )
    assert len(letters) == len(PAGES) - 1
    browser.keys("?")
    browser.until(lambda: "next, previous row" in browser.text("#keys:popover-open"), "the list of keys")
    browser.keys("\ue00c")  # Escape
    browser.keys("g", "y")
    browser.until(lambda: "/console/syncs/" in browser.url, "g y")
    ready(browser)
    browser.keys("j")
    assert "sync events full" in browser.text("li.current")
    browser.keys("\ue007")  # Enter
    browser.until(lambda: story.failed_sync in browser.url, "the row's trace")
    ready(browser)
    browser.keys("d", "d")
    assert browser.run("return document.documentElement.dataset.theme") == "dark"
    browser.keys("/")
    browser.type("#find", f"{story.failed_call_id}\ue007")
    browser.until(lambda: story.failed_call_id in browser.url, "the ID's trace")
    ready(browser)
    assert browser.run("return document.documentElement.dataset.theme") == "dark", "kept"
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(14, 19, 28)"
    browser.keys("d")
    assert browser.complaints() == []


def test_a_number_shows_its_query_and_a_page_that_is_read_stays(site: tuple[Browser, str, Story]) -> None:
    """The LogQL opens and is copied whole; while it is open the page is not replaced, afterwards it is."""
    browser, url, _ = site
    browser.open(f"{url}/console/overview/")
    ready(browser)
    browser.click('article[aria-label="p95 response time"] .fx')
    browser.until(lambda: "quantile_over_time(0.95," in browser.text(".pop:popover-open code"), "the query")
    browser.run("window.mark = document.getElementById('live'); htmx.trigger(window.mark, 'intersect')")
    browser.run(
        "const live = document.getElementById('live');"
        "live.dispatchEvent(new CustomEvent('htmx:beforeRequest', {bubbles: true, cancelable: true,"
        " detail: {requestConfig: {}}})) === false ? live.dataset.refused = 'yes' : 0"
    )
    assert browser.run("return document.getElementById('live').dataset.refused") == "yes"
    browser.keys("\ue00c")
    browser.keys("r")
    browser.until(lambda: browser.run("return document.getElementById('live') !== window.mark"), "it looked again")
    ready(browser)
    assert browser.complaints() == []


def test_charts_are_drawn_from_what_was_recorded(site: tuple[Browser, str, Story]) -> None:
    """Once the rules have looked: lines on a canvas, a legend with the routes, also after looking again."""
    browser, url, _ = site

    canvas = 'article[aria-label="p95 response time"] canvas'

    def is_drawn() -> bool:
        ready(browser.open(f"{url}/console/routes/"))
        return browser.count(canvas) == 1

    browser.until(is_drawn, "the chart", timeout_s=150)
    browser.run("window.mark = document.getElementById('live')")
    browser.keys("r")
    browser.until(lambda: browser.run("return document.getElementById('live') !== window.mark"), "it looked again")
    ready(browser)
    assert browser.count(canvas) == 1
    assert "/dashboard/" in browser.text('article[aria-label="p95 response time"] .u-legend')
    drawn = """
        const canvas = document.querySelector('article[aria-label="p95 response time"] canvas');
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.some((value, place) => place % 4 === 3 && value > 0)
    """
    browser.until(lambda: bool(browser.run(drawn)), "something is drawn")
    assert browser.complaints() == []


def test_choosing_another_time_is_in_the_address(site: tuple[Browser, str, Story]) -> None:
    """And is kept on the way to another page."""
    browser, url, _ = site
    browser.open(f"{url}/console/routes/")
    ready(browser)
    browser.run(
        "const field = document.querySelector('select[name=range]'); field.value = '6h';"
        "field.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    browser.until(lambda: browser.url.endswith("/console/routes/?range=6h"), "the address")
    browser.click('.menu a[data-key="q"]')
    browser.until(lambda: browser.url.endswith("/console/queries/?range=6h"), "kept")


def test_who_goes_by_keys_stays_where_they_are(site: tuple[Browser, str, Story]) -> None:
    """When the page looks again: what has the focus, the row, how far it is scrolled; and keys can be switched off."""
    browser, url, _ = site
    browser.size(390, 500)
    browser.open(f"{url}/console/syncs/")
    ready(browser)

    def look_again() -> None:
        browser.run("window.mark = document.getElementById('live'); htmx.trigger(window.mark, 'look')")
        browser.until(lambda: browser.run("return document.getElementById('live') !== window.mark"), "it looked again")
        ready(browser)

    browser.run("document.querySelector('li.event a.id').focus(); scrollTo(0, 150)")
    browser.keys("\ue004")  # Tab
    focused = "const one = document.activeElement; return [one.tagName, one.textContent, one.getAttribute('aria-label'), scrollY]"
    before = browser.run(focused)
    assert before[0] in {"A", "BUTTON"}
    look_again()
    assert browser.run(focused) == before
    browser.keys("k", "k", "j")
    row = "const one = document.activeElement; return [one.querySelector('.label')?.textContent, one.ariaCurrent, scrollY]"
    before = browser.run(row)
    assert before[1] == "true"
    look_again()
    assert browser.run(row) == before
    browser.keys("?")
    browser.click("#keys-on")
    browser.keys("\ue00c", "g", "r")
    assert "/console/syncs/" in browser.url
    browser.run("localStorage.clear()")
    assert browser.complaints() == []


def test_a_trouble_is_said_once(site: tuple[Browser, str, Story], addresses: Callable[..., None]) -> None:
    """A screen reader hears of a server that is away when that is new, and not at each look."""
    browser, url, _ = site
    addresses(prometheus_url="")
    browser.open(f"{url}/console/overview/")
    browser.until(lambda: "Prometheus gives no answer." in browser.text("#live"), "the trouble")
    browser.until(lambda: "Prometheus gives no answer." in browser.text("#announce"), "it is said")
    browser.run(
        "window.said = 0; new MutationObserver(() => { window.said += 1; })"
        ".observe(document.getElementById('announce'), {childList: true, characterData: true, subtree: true})"
    )
    browser.run("window.mark = document.getElementById('live'); htmx.trigger(window.mark, 'look')")
    browser.until(lambda: browser.run("return document.getElementById('live') !== window.mark"), "it looked again")
    assert browser.run("return window.said") == 0
    assert browser.count("#live [role=alert]") == 0


def test_a_row_of_a_trace_is_shown_alone_by_a_key(site: tuple[Browser, str, Story]) -> None:
    """With z its time, with Z all of it; and by a click on its bar."""
    browser, url, story = site
    browser.open(f"{url}/console/trace/{story.failed_sync}/")
    ready(browser)
    browser.keys("j", "j", "z")
    browser.until(lambda: "?from=300.000&to=500.000" in browser.url, "the attempt's time")
    ready(browser)
    assert "unexplained" not in browser.text(".waterfall")
    browser.keys("Z")
    browser.until(lambda: "from=" not in browser.url, "all of it")
    ready(browser)
    browser.click(".waterfall li:nth-child(3) a.bars")
    browser.until(lambda: "?from=300.000&to=500.000" in browser.url, "the attempt's time")
    assert browser.complaints() == []
