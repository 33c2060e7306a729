"""The waterfall in the page, by every kind of ID, and the search that leads to it.

In: a story in a real Loki. Out: assertions on pages. Never: an ID taken from a page under test.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from logging_pkg.context import new_correlation_id, new_span_id
from logging_pkg.loki_client import LokiClient
from logging_pkg.schemas.conventions import parse_timestamp
from tests.console.conftest import settled, shown
from tests.console.story import SECOND, Story
from tests.pipeline.events import line, push


@pytest.fixture
def story(loki: LokiClient, service: str) -> Story:
    """A story in Loki, of a service of its own."""
    told = Story(service, time.time_ns())
    push(loki, told.lines)
    return told


def trace(client: Client, some_id: str) -> str:
    return settled(client, reverse("logging_pkg_console:trace_of", args=[some_id]))


@pytest.mark.parametrize("kind", ["failed_sync", "failed_sync_id", "failed_call_id", "prefix", "uuid"])
def test_any_id_leads_to_the_waterfall(staff: Client, story: Story, kind: str) -> None:
    """A correlation_id (whole, its first digits, with dashes), a sync_id, an api_call_id."""
    whole = story.failed_sync
    some_id = {
        "prefix": whole[:20],
        "uuid": f"{whole[:8]}-{whole[8:12]}-{whole[12:16]}-{whole[16:20]}-{whole[20:]}",
    }.get(kind) or getattr(story, kind)
    text = trace(staff, some_id)
    rows = re.findall(r'<li class="span [^"]*" data-row>(.*?)</li>', text, re.DOTALL)
    told = [shown(row) for row in rows]
    assert told[0].startswith("sync events full 1.50 s 100 %")
    assert any(row.startswith("google events.list 200 ms 13 % 500 · backendError") for row in told)
    assert any(row.startswith("unexplained") for row in told)
    assert whole in text


def rows(text: str) -> dict[str, tuple[list[tuple[float, float, float]], str]]:
    """By a row's label: x and width of its bars, percent, and their height, px; where its zoom leads."""
    found = {}
    for row in re.findall(r'<li class="span [^"]*" data-row>(.*?)</li>', text, re.DOTALL):
        name = re.sub(r"<div popover.*?</div>", "", row, flags=re.DOTALL)
        label = shown(re.findall(r'<span class="what[^>]*>(.*?)</span>', name, re.DOTALL)[0])
        bars = re.findall(r'<rect x="([\d.]+)%" y="[\d.]+" width="([\d.]+)%" height="([\d.]+)"/>', row)
        links = re.findall(r'href="([^"]+)" data-zoom', row)
        found[label] = ([(float(x), float(w), float(h)) for x, w, h in bars], html.unescape(links[0]) if links else "")
    return found


def test_bars_lie_where_the_time_was(staff: Client, story: Story) -> None:
    """The run's bar is the whole width. Its attempt began 300 ms after it: 20 %; its 200 of 1,500 ms are 13.3 %. The
    rest is unexplained: 300 ms before it, 1,000 ms behind it.
    """
    found = rows(trace(staff, story.failed_sync))
    assert found["sync events full"] == ([(0, 100, 12)], "")
    bars, _ = found["google events.list"]
    assert bars == [(pytest.approx(20, abs=0.01), pytest.approx(100 * 200 / 1500, abs=0.01), 12)]
    bars, _ = found["unexplained"]
    assert bars == [
        (0, pytest.approx(20, abs=0.01), 12),
        (pytest.approx(100 / 3, abs=0.01), pytest.approx(200 / 3, abs=0.01), 12),
    ]


def test_a_click_on_a_bar_shows_its_time_only(staff: Client, story: Story) -> None:
    """The attempt's bar is the whole width then, the run's goes on beyond it, what is unexplained lies elsewhere."""
    url = reverse("logging_pkg_console:trace_of", args=[story.failed_sync])
    whole = trace(staff, story.failed_sync)
    assert "Shown are" not in whole
    _, link = rows(whole)["google events.list"]
    text = settled(staff, url + link)
    assert "Shown are 300 ms to 500 ms of 1.50 s." in shown(text)
    found = rows(text)
    assert found.keys() == {"sync events full", "google events.list"}
    assert [bars for bars, _ in found.values()] == [[(0, 100, 12)], [(0, 100, 12)]]
    ticks = re.findall(r"<span>([^<]+)</span>", re.findall(r'<span class="ticks">(.*?)</li>', text, re.DOTALL)[0])
    assert ticks == ["300 ms", "350 ms", "400 ms", "450 ms", "500 ms"]
    for wrong in ("?from=x&to=2", "?from=5&to=1", "?from=9e99&to=inf", "?from=99999&to=999999"):
        assert rows(settled(staff, url + wrong)).keys() == rows(whole).keys(), wrong


def test_unexplained_time_is_drawn_as_large_as_it_is(staff: Client, loki: LokiClient, service: str) -> None:
    """Of 900 ms between attempts 850 went by in queries: a bar of 50 ms may lie anywhere there, so it is that much lower."""
    moment, cause, span = time.time_ns(), new_correlation_id(), new_span_id()
    ids = {"correlation_id": cause, "sync_id": span}
    run = {"duration_ms": 1000.0, "query_time_ms": 850.0, "query_count": 9}
    call = {"span_id": new_span_id(), "parent_span_id": span, "duration_ms": 100.0, "retry_delay_ms": 0.0}
    attempt = line("google_api.call_finished", service, moment - SECOND // 2, **ids, **call, quota_delay_ms=0.0)
    push(loki, [line("sync.run_finished", service, moment, span_id=span, parent_span_id=None, **ids, **run), attempt])
    text = trace(staff, cause)
    ((_, first, height), (_, second, _)), _ = rows(text)["unexplained"]
    assert first + second == pytest.approx(90, abs=0.01)
    assert (first + second) / 100 * 1000 * max(height, 0) / 12 == pytest.approx(150, abs=1), "no lower than 2 px"
    assert "unexplained 50 ms 5.0 %" in shown(text)


def test_f_of_x_shows_the_query_that_was_asked(staff: Client, story: Story, addresses: Callable[..., None]) -> None:
    """Of an ID that is none of a correlation there are two; each opens in Explore with the time it was asked of."""
    addresses(explore_url="https://grafana.example")

    def queries(some_id: str) -> list[tuple[str, dict[str, Any]]]:
        popover = re.findall(r"<h4>this trace</h4>(.*?)</div>", trace(staff, some_id), re.DOTALL)[0]
        links = [html.unescape(link) for link in re.findall(r'href="(https://grafana[^"]+)"', popover)]
        panes = [json.loads(parse_qs(urlsplit(link).query)["panes"][0])["a"] for link in links]
        texts = [html.unescape(text) for text in re.findall(r"<code>(.*?)</code>", popover, re.DOTALL)]
        assert [pane["queries"][0]["expr"] for pane in panes] == texts
        return list(zip(texts, [pane["range"] for pane in panes], strict=True))

    own = f'{{service_name=~".+", event=~".+"}} | correlation_id="{story.failed_sync}"'
    ((query, between),) = queries(story.failed_sync)
    assert query == own
    moments = [parse_timestamp(item["timestamp"]) // 1_000_000 for item in story.lines[20:22]]
    assert int(between["from"]) <= min(moments)
    assert int(between["to"]) >= max(moments)
    assert int(between["to"]) - int(between["from"]) < 10_000, "the trace's time, not the last hour"
    for some_id, asked in (
        (story.failed_sync_id, f'sync_id="{story.failed_sync_id}"'),
        (story.failed_sync[:20], f'correlation_id=~"{story.failed_sync[:20]}.*"'),
    ):
        (first, _), (second, _) = queries(some_id)
        assert asked in first
        assert second == own


def test_a_fresh_line_of_an_old_process_is_where_its_link_leads(staff: Client, loki: LokiClient, service: str) -> None:
    """Marked, with its neighbours; the page says that the rest is left out, and leads on to it."""
    now_ns = time.time_ns()
    started_ms = now_ns // 1_000_000 - 8 * 3_600_000
    ids = {"correlation_id": f"{started_ms:012x}7{new_span_id()}abc", "span_id": new_span_id()}
    moments = [now_ns - 9 * 60 * SECOND, *(now_ns - (150 - number) * SECOND for number in range(130))]
    written = [
        line("log.message_recorded", service, moment, level="warning", message=f"no. {number}", **ids)
        for number, moment in enumerate(moments)
    ]
    push(loki, written)
    listed = settled(staff, reverse("logging_pkg_console:search"), service=service, q='"no. 100"')
    link = html.unescape(re.findall(r'<a class="label" href="([^"]+)"', listed)[0])
    text = settled(staff, link)
    asked = re.findall(r'<li class="event warning asked" data-row>(.*?)</li>', text, re.DOTALL)
    assert len(asked) == 1, shown(text)[:2000]
    assert "no. 100" in asked[0]
    assert text.count('<li class="event') == 100
    assert "100 of them; 30 more are left out." in shown(text)
    assert "goes on as long as the process" in text
    assert "no. 0&quot;" not in text, "nine minutes ago"
    earlier = html.unescape(re.findall(r'href="(\?at=[^"]+)">earlier', text)[0])
    assert "no. 0&quot;" in settled(staff, link.partition("?")[0] + earlier)
    assert text.count('<li class="event') == settled(staff, link.partition("?")[0]).count('<li class="event')


def test_an_id_that_is_not_there_says_so(staff: Client, story: Story) -> None:
    """One that nobody has, and one that is none."""
    text = trace(staff, "0123456789abcdef0123456789abcdef")
    assert "no event with 0123456789abcdef0123456789abcdef found" in text
    assert "gives no answer" not in text, "Loki did"
    assert "is no ID: expected 4 to 32 hexadecimal digits" in trace(staff, "hello world")
    assert "X-Correlation-ID" in settled(staff, reverse("logging_pkg_console:trace"))


def test_search_finds_by_conditions_words_and_events(staff: Client, story: Story) -> None:
    """As `logpipe search` does; an ID alone leads to its trace."""
    url = reverse("logging_pkg_console:search")

    def found(**query: str) -> int:
        return settled(staff, url, service=story.service, **query).count('<li class="event')

    assert found(q="route=/dashboard/") == 20
    assert found(q="route=/dashboard/ response_time_ms>=110") == 10
    assert found(q="n-plus-one", event="http.*") == 1
    assert found(q="is_success=0") == 1
    assert found(event="db.*") == 1
    assert found() == len(story.lines)
    answer = staff.get(url, {"q": story.failed_sync_id})
    assert answer.url == reverse("logging_pkg_console:trace_of", args=[story.failed_sync_id])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"q": "rout=/x/"}, "did you mean &quot;route&quot;?"),
        ({"q": "route=~("}, "expected a regular expression after =~"),
        ({"q": "status_code>many"}, "expected a number after &gt;"),
        ({"q": "route='/x"}, "a quotation mark is not closed"),
        ({"event": "nosuch.*"}, "no declared event is called nosuch.*"),
    ],
)
def test_a_search_that_cannot_be_read_says_what_is_expected(staff: Client, query: dict[str, str], told: str) -> None:
    """With status 400, and nothing asked of Loki for it."""
    answer = staff.get(reverse("logging_pkg_console:search"), query)
    assert answer.status_code == 400
    assert told in answer.content.decode()
