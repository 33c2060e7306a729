"""Every page of numbers, over a real Loki: the numbers are right, lead somewhere, and show their query.

In: a story's lines in Loki. Out: assertions on pages as staff get them. Never: a page without events of its own.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from logging_pkg.console.desk import Desk
from logging_pkg.console.metrics import declared_series
from logging_pkg.console.numbers import ago, as_shown, lasting
from logging_pkg.console.pages import PAGES
from logging_pkg.console.selection import Selection
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.lint.run import lint
from logging_pkg.stack import Stack
from tests.console.conftest import NOBODY, panel, settled, shown
from tests.console.story import FINGERPRINT, Story
from tests.pipeline.events import REGISTRY, push


@pytest.fixture
def story(loki: LokiClient, service: str) -> Story:
    """A story in Loki, of a service of its own."""
    told = Story(service, time.time_ns())
    push(loki, told.lines)
    return told


def page(client: Client, name: str, story: Story) -> str:
    return settled(client, reverse(f"logging_pkg_console:{name}"), service=story.service)


def test_the_overview_has_the_service_levels_and_what_went_wrong(staff: Client, story: Story) -> None:
    """21 requests, none failed; p95 by linear interpolation of 100 … 119 and 140 ms; one sync of one failed."""
    text = page(staff, "overview", story)
    assert shown(panel(text, "Requests")).endswith("21")
    assert "119 ms ✓ at most 500 ms" in shown(panel(text, "p95 response time"))
    assert "0.0 % ✓ at most 1 %" in shown(panel(text, "Failed requests"))
    # 20 requests of 3 queries, one of 53.
    assert "5.4 ✗ target: at most 5" in shown(panel(text, "Queries per request"))
    assert "0.0 % ✗ target: at least 99 %" in shown(panel(text, "Syncs that succeed"))
    failed = panel(text, "Failed syncs, newest")
    assert "sync events full" in failed
    assert reverse("logging_pkg_console:trace_of", args=[story.failed_sync]) in failed
    assert reverse("logging_pkg_console:trace_of", args=[story.n_plus_one]) in panel(text, "N+1 queries, newest")


def test_tables_have_their_rows_and_each_leads_to_its_events(staff: Client, story: Story) -> None:
    """Numbers of two routes; the link of a row is a search that finds them."""
    routes = panel(page(staff, "routes", story), "Routes")
    first, second = re.findall(r"<tr data-row>(.*?)</tr>", routes, re.DOTALL)
    assert shown(first) == "/reports/n-plus-one/ 1 140 ms 140 ms 140 ms 53 0.0 %"
    assert shown(second) == "/dashboard/ 20 110 ms 118 ms 119 ms 3 0.0 %"
    link = html.unescape(re.findall(r'href="([^"]+)" data-main', first)[0])
    found = settled(staff, link)
    assert found.count('<li class="event') == 1
    assert story.n_plus_one in found
    repeated = panel(page(staff, "queries", story), "N+1 queries")
    assert "SELECT … FROM" not in shown(repeated), "short enough to be shown as it is"
    assert (
        "SELECT calendar.id FROM calendar WHERE calendar.account_id = ? views.py:88 /reports/n-plus-one/ 1 50"
        in shown(repeated)
    )
    link = html.unescape(re.findall(r'href="([^"]+)" data-main', repeated)[0])
    assert story.n_plus_one in settled(staff, link), "quotes of a statement survive the search"


def test_the_google_and_sync_pages_tell_of_failures(staff: Client, story: Story) -> None:
    """By operation, status and reason; by resource and error."""
    google = page(staff, "google", story)
    assert "events.list 500 backendError" in shown(panel(google, "Failed Google API attempts"))
    assert shown(panel(google, "Attempts")).startswith("Attempts f(x) 1")
    syncs = page(staff, "syncs", story)
    assert "events full calendar_sync.google.errors.BackendError 1" in shown(panel(syncs, "Failed syncs"))
    assert "1.50 s" in shown(panel(syncs, "p95 of a run"))


def test_the_pipeline_page_counts_what_is_stored(staff: Client, story: Story) -> None:
    """All lines of the service; the servers that answer and those that do not."""
    text = page(staff, "pipeline", story)
    assert shown(panel(text, "Events stored")).startswith(f"Events stored f(x) {len(story.lines)}")
    servers = shown(panel(text, "Servers"))
    assert "✓ answers Loki" in servers
    assert "✗ no answer Prometheus" in servers


@pytest.mark.parametrize("name", PAGES)
def test_every_number_shows_its_query(
    staff: Client, story: Story, addresses: Callable[..., None], loki_server: Stack, name: str
) -> None:
    """Each panel, of tables each column, has a button that opens its very queries, each with a link to Explore; what is
    read from recorded series shows the LogQL that they were recorded with as well.
    """
    addresses(loki_url=loki_server.loki_url, prometheus_url=NOBODY, explore_url="https://grafana.example")
    text = page(staff, name, story)
    desk = Desk(Selection(service=story.service))
    panels = [found for section in PAGES[name].build(desk) for found in section.panels]
    declared = declared_series()
    articles = re.findall(r'<article class="panel (?:[^"]*)" aria-label="([^"]*)">(.*?)</article>', text, re.DOTALL)
    assert [html.unescape(title) for title, _ in articles] == [built.title for built in panels]
    for (title, body), built in zip(articles, panels, strict=True):
        questions = built.questions
        if "<table>" not in body and built.kind == "table":
            assert "nothing" in body or 'class="state' in body, title
            continue
        shown_queries = {html.unescape(found) for found in re.findall(r"<code>(.*?)</code>", body, re.DOTALL)}
        for question in questions:
            assert question.query in shown_queries, (title, question.query)
            if question.language == "PromQL":
                names = re.findall(r"[a-z_0-9]+:[a-z_0-9]+:[a-z_0-9]+", question.query)
                assert names, question.query
                assert {declared[found].logql for found in names} <= shown_queries, title
        links = [html.unescape(link) for link in re.findall(r'href="(https://grafana[^"]+)"', body)]
        exprs = {json.loads(parse_qs(urlsplit(link).query)["panes"][0])["a"]["queries"][0]["expr"] for link in links}
        assert {question.query for question in questions if question.language != "HTTP"} <= exprs, title


def test_a_query_opens_in_explore_where_there_is_a_grafana(
    staff: Client, story: Story, addresses: Callable[..., None]
) -> None:
    """With the query, the data source and the time range; without a Grafana there is no link."""
    url = reverse("logging_pkg_console:routes")
    assert "Open in Explore" not in settled(staff, url, service=story.service)
    addresses(explore_url="https://grafana.example")
    text = panel(settled(staff, url, service=story.service, range="6h"), "Routes")
    link = html.unescape(re.findall(r'href="(https://grafana\.example/explore[^"]+)"', text)[0])
    assert "quantile" in link or "count_over_time" in link
    assert "now-6h" in link
    assert "%22uid%22%3A%22loki%22" in link


def test_every_query_of_every_page_is_clean(addresses: Callable[..., None], tmp_path: Any) -> None:
    """Events and fields are declared, numbers unwrapped: what `logpipe check` asks of a document's queries."""
    queries = []
    for chosen in (Selection(), Selection("24h", "demo", "shop")):
        for built in PAGES.values():
            desk = Desk(chosen)
            built.build(desk)
            queries += [question.query for question in desk.questions if question.language == "LogQL"]
    assert len(queries) > 100
    assert any(FINGERPRINT not in query for query in queries)
    document = tmp_path / "docs" / "console.md"
    document.parent.mkdir()
    document.write_text("".join(f"```logql\n{query}\n```\n" for query in dict.fromkeys(queries)))
    report = lint(tmp_path, REGISTRY)
    # Tables are cut to their first rows, processes are counted; there are no rules in this project.
    expected = {"logql/unbounded-by", "rules/generated", "rules/unexpected-file"}
    assert {problem.check for problem in report.problems} <= expected, str(report)


def test_every_recorded_series_of_every_page_is_declared(addresses: Callable[..., None]) -> None:
    """PromQL names only series that the schemas' metrics ask the ruler to record."""
    desk = Desk(Selection())
    for built in PAGES.values():
        built.build(desk)
    names = {
        name
        for question in desk.questions
        if question.language == "PromQL"
        for name in re.findall(r"[a-z_0-9]+:[a-z_0-9]+:[a-z_0-9]+", question.query)
    }
    assert len(names) > 10
    assert names <= set(declared_series())


def test_what_is_chosen_is_kept_and_what_is_not_understood_is_not(staff: Client, story: Story) -> None:
    """Links keep range and service; a wrong range is the default."""
    url = reverse("logging_pkg_console:overview")
    text = settled(staff, url, service=story.service, range="15m", env="test")
    assert f"/console/routes/?range=15m&amp;env=test&amp;service={story.service}" in text
    text = settled(staff, url, range="99y", service='"}x')
    assert 'href="/console/routes/"' in text


def test_htmx_gets_the_middle_only(staff: Client, story: Story) -> None:
    """And the whole page has it once."""
    url = reverse("logging_pkg_console:overview")
    part = staff.get(url, {"service": story.service}, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="live"')
    assert "<html" not in part
    whole = staff.get(url, {"service": story.service}).content.decode()
    assert whole.count('id="live"') == 1
    assert "<html" in whole


def test_what_is_bad_is_decided_by_what_is_shown(addresses: Callable[..., None]) -> None:
    """5.0003 queries are shown as 5.0, which is no more than 5; 5.06 are 5.1."""
    assert [as_shown(value) > 5 for value in (5.0003, 5.04, 5.06)] == [False, False, True]
    assert [as_shown(value, "ms") > 500 for value in (500.4, 500.6, 1204.0)] == [False, True, True]
    assert [as_shown(value, "ratio") > 0.01 for value in (0.0104, 0.0106)] == [False, True]
    assert [as_shown(value, "ratio") < 0.99 for value in (0.98996, 0.9894)] == [False, True]
    assert [as_shown(value, "s") > 60 for value in (60.2, 61.0)] == [False, True]


def test_how_long_something_has_gone_on_is_told_to_the_second() -> None:
    """Of what began by a clock that is ahead, too."""
    assert [lasting(seconds) for seconds in (-3.0, 0.4, 59.9, 126.0)] == ["0 s", "0 s", "59 s", "2 min 6 s"]
    now = datetime(2026, 11, 26, 12, 2, 6, tzinfo=UTC)
    moments = ("2026-11-26T12:00:00Z", "2026-11-26T12:02:05.500Z", "2026-11-26T12:03:00Z", "no time")
    assert [ago(moment, now) for moment in moments] == ["2 min 6 s ago", "now", "now", "no time"]
