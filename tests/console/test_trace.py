"""The waterfall in the page, by every kind of ID, and the search that leads to it.

In: a story in a real Loki. Out: assertions on pages. Never: an ID taken from a page under test.
"""

from __future__ import annotations

import re
import time

import pytest
from django.test import Client
from django.urls import reverse

from logging_pkg.loki_client import LokiClient
from tests.console.conftest import settled, shown
from tests.console.story import Story
from tests.pipeline.events import push


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
    assert told[0].startswith("sync events full 1.50 s")
    assert any(row.startswith("google events.list 200 ms 500 · backendError") for row in told)
    assert any(row.startswith("unexplained") for row in told)
    assert whole in text


def test_bars_lie_where_the_time_was(staff: Client, story: Story) -> None:
    """The root's bar is the whole width; the attempt's 200 of 1,500 ms are 13.3 %, and no bar leaves its row."""
    text = trace(staff, story.failed_sync)
    bars = [(float(x), float(width)) for x, width in re.findall(r'<rect x="([\d.]+)%" y="1" width="([\d.]+)%"', text)]
    assert max(width for _, width in bars) > 50
    assert all(x >= 0 and x + width <= 100.001 for x, width in bars)


def test_an_id_that_is_not_there_says_so(staff: Client, story: Story) -> None:
    """One that nobody has, and one that is none."""
    assert "no event with 0123456789abcdef0123456789abcdef found" in trace(staff, "0123456789abcdef0123456789abcdef")
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
