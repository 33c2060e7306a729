"""Every panel's query, run on a real Loki and a real Prometheus that Loki's own ruler has filled with the committed rules.

In: examples of every event, made from the schemas. Out: assertions on the answers. Never: a Grafana.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from logging_pkg.pipeline.dashboards.build import SERIES
from logging_pkg.pipeline.dashboards.live import Answer, Prometheus, Servers, ask
from logging_pkg.pipeline.dashboards.panels_of import marks_of, panels_of
from logging_pkg.schemas.examples import example_lines
from tests.pipeline.dashboards.documents import DOCUMENTS, PROJECT, recorded
from tests.pipeline.dashboards.history import history
from tests.pipeline.events import ENV, REGISTRY, line, push

if TYPE_CHECKING:
    from logging_pkg.stack import Stack

SERVICE = "dashboards"
ID = "0198f5d2a1b37c4d8e6f001122334455"
#: Spread over the last 5 minutes, so that the windows of the rules, 30 s to 5 min 30 s ago, have some of each.
LINES, SPREAD_S = 48, 320

#: What objectives count: requests to a page they are about, failed attempts that were not refused for the quota.
COUNTED = {"http.request_finished": {"route": "/dashboard/"}, "google_api.call_finished": {"is_rate_limited": 0}}
#: Every query of every panel; runbooks name series besides.
ASKED = [query.expr for document in DOCUMENTS.values() for panel in panels_of(document) for query in panel.queries]
#: Panels with queries that may be empty in a system of some minutes; with the days behind it all have data.
WAITING = {
    "Error ratio beside its baseline, by route",
    "Hit rate beside its baseline, by route",
    "Days until certificates expire, by check",
    "Hit rate, by cache",
    "Queries per request beside their baseline, by route",
    "p95 beside its baseline, by route",
    "p95 of attempts beside its baseline, by operation",
}


def lines(now_ns: int) -> Iterator[dict[str, Any]]:
    """48 examples of every event, of which every fourth belongs to one cause."""
    for event in REGISTRY.events:
        made = example_lines(REGISTRY, event, count=LINES, first=1, seed=7)
        for number, example in enumerate(made):
            moment = now_ns // 1000 - number * SPREAD_S * 1_000_000 // LINES
            stamp = datetime.fromtimestamp(moment / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            yield {
                **example,
                "service_name": SERVICE,
                "env": ENV,
                "timestamp": stamp,
                **({"correlation_id": ID} if number % 4 else {}),
                **(COUNTED.get(event, {}) if number % 3 else {}),
            }


def heartbeats(now_ns: int) -> Iterator[dict[str, Any]]:
    """Of one process, of 40 minutes; its disk and its memory run out."""
    for minute in range(41):
        yield line(
            "process.sampled",
            SERVICE,
            now_ns - (40 - minute) * 60 * 1_000_000_000,
            uptime_s=60.0 * minute,
            log_disk_free_ratio=0.5 - minute / 100,
            memory_used_ratio=0.5 + minute / 100,
        )


@pytest.fixture(scope="module")
def filled(stack_binaries: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, int]]:
    """A stack with a week behind it, whose rules were all evaluated: the committed ones, looked at every 2 s."""
    from logging_pkg.loki_client import LokiClient
    from logging_pkg.pipeline.backfill.blocks import write_blocks
    from logging_pkg.stack import Stack

    loki_rules, prometheus_rules = (
        shutil.copytree(PROJECT / "loki" / name, tmp_path_factory.mktemp("stack") / name)
        for name in ("rules", "prometheus_rules")
    )
    for path in (*loki_rules.iterdir(), *prometheus_rules.iterdir()):
        path.write_text(re.sub(r"interval: \w+", "interval: 2s", path.read_text()))
    now_ns = time.time_ns()
    directory = tmp_path_factory.mktemp("run")
    write_blocks(history(now_ns, SERVICE, ENV, ASKED), directory / "data" / "prometheus")
    with (
        Stack(
            ("loki", "prometheus"),
            run_directory=directory,
            rules_directory=loki_rules,
            prometheus_rules_directory=prometheus_rules,
        ) as stack,
        LokiClient(stack.loki_url) as loki,
    ):
        push(loki, [*heartbeats(now_ns), *lines(now_ns)])
        wanted = {*recorded(), *SERIES.findall(" ".join(ASKED)), "ALERTS"}
        there = '{__name__=~".+:.+:.+"} or ALERTS{alertstate="firing", severity!="info"}'
        deadline = time.monotonic() + 60
        while wanted and time.monotonic() < deadline:
            time.sleep(1)
            prometheus = Prometheus(stack.prometheus_url, now_ns, time.time_ns())
            wanted -= {found["__name__"] for found in prometheus.series(there, is_instant=True)}
        assert wanted == set(), "not recorded within a minute"
        yield stack, now_ns


@pytest.fixture(scope="module")
def answers(filled: tuple[Stack, int]) -> list[Answer]:
    """What every panel of every dashboard shows."""
    from logging_pkg.loki_client import LokiClient

    stack, now_ns = filled
    start_ns, end_ns = now_ns - 600_000_000_000, time.time_ns()
    with LokiClient(stack.loki_url) as loki:
        servers = Servers(loki, Prometheus(stack.prometheus_url, start_ns, end_ns), start_ns, end_ns)
        panels = itertools.chain.from_iterable(panels_of(document) for document in DOCUMENTS.values())
        return list(ask(panels, servers, recorded(), {"service_name": SERVICE, "env": ENV, "id": ID}))


def test_every_panel_has_data_with_the_labels_its_legend_shows(answers: list[Answer]) -> None:
    """100 % of the panels, each of their queries."""
    empty = [one for one in answers if one.problem or not all(one.counts)]
    told = [f"{one.panel.dashboard}: {one.panel.title}: {one.counts} {one.problem}" for one in empty]
    assert not told, "\n".join(told)
    asked = sum(bool(list(panels_of(document))) for document in DOCUMENTS.values())
    assert len(answers) > 100
    assert asked == len(DOCUMENTS) - 1, "only the runbooks have no queries"


def test_every_mark_on_the_graphs_has_data(filled: tuple[Stack, int]) -> None:
    """Alerts that fired and processes that started with their release, with the labels their titles show."""
    from logging_pkg.loki_client import LokiClient

    stack, now_ns = filled
    start_ns, end_ns = now_ns - 600_000_000_000, time.time_ns()
    with LokiClient(stack.loki_url) as loki:
        push(loki, [line("process.sampled", SERVICE, now_ns, uptime_s=2.5, release="2026.11.1")])
        servers = Servers(loki, Prometheus(stack.prometheus_url, start_ns, end_ns), start_ns, end_ns)
        marks = itertools.chain.from_iterable(marks_of(document) for document in DOCUMENTS.values())
        found = list(ask(marks, servers, {}, {"service_name": SERVICE, "env": ENV}))
    assert [one for one in found if not one.is_filled] == []
    assert {one.panel.title for one in found} == {"Alerts", "Releases", "Starts"}


def test_another_service_sees_nothing_of_it(filled: tuple[Stack, int]) -> None:
    """The choices at the top are in every query: with another service chosen, no panel that can be chosen for has data."""
    from logging_pkg.loki_client import LokiClient

    stack, now_ns = filled
    start_ns, end_ns = now_ns - 600_000_000_000, time.time_ns()
    chosen = [document for document in DOCUMENTS.values() if "service_name" in json.dumps(document["templating"])]
    with LokiClient(stack.loki_url) as loki:
        servers = Servers(loki, Prometheus(stack.prometheus_url, start_ns, end_ns), start_ns, end_ns)
        panels = itertools.chain.from_iterable(panels_of(document) for document in chosen)
        found = list(ask(panels, servers, {}, {"service_name": "another", "env": ENV}))
    # What waits for days of history is told from what is empty, and the reason is read from the panel.
    told = {one.panel.title for one in found if one.reasons}
    assert told == WAITING
    # The others have a query besides that anything fills.
    assert {one.panel.title for one in found if one.is_waiting} == {"Days until certificates expire, by check"}
    assert not any(one.is_filled for one in found if one.is_waiting)
    # Series of the ruler as a whole, and a number that is 0 rather than nothing.
    assert {one.panel.title for one in found if any(one.counts)} == {"Recorded series that arrive", "Alerts firing"}


def test_what_the_ruler_did_not_record_is_told(filled: tuple[Stack, int]) -> None:
    """A panel that is empty although Loki computes its series from stored lines is broken, not quiet."""
    from logging_pkg.loki_client import LokiClient

    stack, now_ns = filled
    start_ns, end_ns = now_ns - 400_000_000_000, now_ns + 200_000_000_000
    series = "route:http_response_time_ms:p95_5m"
    document = json.loads(json.dumps(DOCUMENTS["requests"]).replace(series, "route:never_recorded:p95_5m"))
    (panel,) = [panel for panel in panels_of(document) if panel.title == "HTTP response time, p95, by route"]
    with LokiClient(stack.loki_url) as loki:
        servers = Servers(loki, Prometheus(stack.prometheus_url, start_ns, end_ns), start_ns, end_ns)
        rules = {"route:never_recorded:p95_5m": recorded()[series]}
        (answer,) = ask([panel], servers, rules, {})
    assert (
        answer.problem == "route:never_recorded:p95_5m can be computed from the stored lines, and is not in Prometheus"
    )
    assert not answer.is_filled
