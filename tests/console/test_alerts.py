"""An alert on its page: its value, the traces behind it, and links that lead somewhere with and without a Grafana.

In: an alert that a real Alertmanager holds, lines in Loki. Out: assertions on the page and on where it leads. Never: a link
to a Grafana that nobody has named.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import requests
from django.test import Client

from logging_pkg.analysis.filters import condition
from logging_pkg.console.alert_links import search_link
from logging_pkg.pipeline.alert_story import alert_rules
from tests.console.conftest import panel, settled, shown
from tests.console.story import Story

QUERY = (
    '{event="http.request_finished", service_name="shop"} | json route="route", response_time_ms="response_time_ms"'
    ' | route="/reports/n-plus-one/" | response_time_ms > 120'
)


def logs_url(query: str) -> str:
    pane = {
        "a": {
            "datasource": "loki",
            "queries": [{"refId": "A", "expr": query}],
            "range": {"from": "now-1h", "to": "now"},
        }
    }
    return f"http://127.0.0.1:3000/explore?schemaVersion=1&orgId=1&panes={quote(json.dumps(pane))}"


@pytest.fixture
def alerted(watched: tuple[Any, Story], staff: Client, addresses: Callable[..., None]) -> Callable[[str], str]:
    """The page's list, for an address of Grafana or none, once Alertmanager holds an alert with IDs of lines behind it."""
    stack, story = watched
    alert = {
        "labels": {"alertname": "SlowRoute", "severity": "warning", "route": "/reports/n-plus-one/"},
        "annotations": {
            "summary": "it is slow",
            "runbook_url": "docs/runbooks/SlowRoute.md",
            "logs_url": logs_url(QUERY),
            "dashboard_url": "http://127.0.0.1:3000/d/requests?viewPanel=620195",
            "correlation_ids": f"{story.n_plus_one} javascript:alert(1)",
        },
        "startsAt": datetime.now(UTC).isoformat(),
    }
    requests.post(f"{stack.url('alertmanager')}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()

    def page(explore_url: str) -> str:
        addresses(
            loki_url=stack.loki_url,
            prometheus_url=stack.prometheus_url,
            alertmanager_url=stack.url("alertmanager"),
            explore_url=explore_url,
        )
        end = time.monotonic() + 30
        while True:
            found = panel(settled(staff, "/console/alerts/"), "Now")
            of_ours = [item for item in re.findall(r"<li class=.*?</li>", found, re.DOTALL) if "it is slow" in item]
            if of_ours:
                return of_ours[0] + re.sub(r"<ul.*</ul>", "", found, flags=re.DOTALL)
            assert time.monotonic() < end, shown(found)
            time.sleep(1)

    return page


def test_without_a_grafana_links_lead_to_the_console(
    alerted: Callable[[str], str], staff: Client, watched: Any
) -> None:
    """To the traces, first; to a search that finds the lines of the alert's query; to the runbook's text.

    Beside them, for how long there has been the alert.
    """
    _, story = watched
    item = alerted("")
    assert "127.0.0.1:3000" not in item
    assert "No links to Grafana: EXPLORE_URL names none." in item
    assert "javascript" not in item
    main = re.findall(r'href="([^"]+)" data-main', item)
    assert main == [f"/console/trace/{story.n_plus_one}/"]
    link = html.unescape(re.findall(r'href="([^"]+)">search its lines', item)[0])
    found = settled(staff, link)
    assert found.count('<li class="event') == 1
    assert story.n_plus_one in found
    runbook = html.unescape(re.findall(r'href="([^"]+)">runbook', item)[0])
    assert "Mitigation" in settled(staff, runbook)
    assert re.search(r'<time class="when" datetime="20[^"]+" title="since 20[^"]+">for \d[^<]* s</time>', item)
    assert staff.get("/console/runbook/NoSuchAlert/").status_code == 404


def test_links_to_grafana_have_the_address_of_the_settings(alerted: Callable[[str], str]) -> None:
    """And not the one that the ruler supposes."""
    item = alerted("https://grafana.example/sub")
    assert "127.0.0.1:3000" not in item
    links = [html.unescape(link) for link in re.findall(r'href="(https://[^"]+)"', item)]
    assert links[0].startswith("https://grafana.example/sub/explore?schemaVersion=1&orgId=1&panes=")
    assert links[1] == "https://grafana.example/sub/d/requests?viewPanel=620195"
    assert "No links to Grafana" not in item


def test_the_lines_of_every_alert_can_be_searched_for(addresses: Callable[..., None]) -> None:
    """Each condition of the link can be read by the search; several events stand side by side."""
    searched = 0
    for rule in alert_rules():
        if rule.lines_query is None:
            continue
        link = search_link(logs_url(rule.lines_query[0]))
        assert link.startswith("/console/search/?"), rule.rule.name
        searched += 1
    assert searched > 20
    link = search_link(logs_url('{event=~"a.b|c.d", env="x"} |= "word" | json n="n" | n > 5 | a="1" or b="2"'))
    assert link == "/console/search/?event=a.b%7Cc.d&env=x&q=word+%27n%3E5%27&range=1h"
    assert condition("n>5").is_numeric
    assert search_link("http://x/explore?panes=%7B") == ""
