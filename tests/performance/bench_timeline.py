"""How long a Grafana waits for the timeline of one ID over a day with many events.

In: nothing. Out: time and bytes of each panel's queries, asked one after another. Never: a kept answer, a Grafana's own time.
"""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from pathlib import Path

import requests

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.dashboards.build import DASHBOARDS_DIRECTORY
from logging_pkg.pipeline.dashboards.panels_of import ReadQuery, filled_in, panels_of
from logging_pkg.stack import Stack
from tests.performance.bench_console import events_of_a_day
from tests.performance.side_by_side import Row, benchmark_main

STORED = 100_000
#: The dashboard's own time range.
RANGE_S = 86_400
TIMELINE = Path(__file__).parents[2] / DASHBOARDS_DIRECTORY / "timeline.json"
_LINES = 1000


def measure(quick: bool, dashboard: Path = TIMELINE) -> list[Row]:
    """Fill a Loki with a day of events, then ask what the dashboard asks for one of their IDs."""
    stored, rounds = (STORED // 10, 3) if quick else (STORED, 15)
    panels = list(panels_of(json.loads(dashboard.read_text(encoding="utf-8"))))
    with Stack(("loki",)) as stack, LokiClient(stack.loki_url, timeout_s=60) as client:
        for stream in events_of_a_day(stored):
            identifier = stream.entries[len(stream.entries) // 2].metadata["correlation_id"]
            client.push([stream])
        values = {"id": identifier, "__range": f"{RANGE_S}s"}
        times, read = defaultdict(list), {}
        for _ in range(rounds):
            for panel in panels:
                asked = [_ask(stack.loki_url, query, filled_in(query.expr, values)) for query in panel.queries]
                times[panel.title].append(1000 * sum(seconds for seconds, _bytes in asked))
                read[panel.title] = sum(size for _seconds, size in asked) / 1e6
    count = sum(len(panel.queries) for panel in panels)
    whole = statistics.median(map(sum, zip(*times.values(), strict=True)))
    rows = [Row(f"timeline, all {count} queries, {stored:,} events", f"{whole:.0f} ms, {sum(read.values()):.0f} MB")]
    for title, taken in times.items():
        rows.append(Row(f"timeline, {title}", f"{statistics.median(taken):.0f} ms, {read[title]:.0f} MB"))
    return rows


def _ask(url: str, query: ReadQuery, expr: str) -> tuple[float, int]:
    """Seconds that an answer took, and the bytes that Loki went through for it."""
    end_s = time.time()
    span = {"start": f"{end_s - RANGE_S:.3f}", "end": f"{end_s:.3f}", "limit": str(_LINES)}
    path, when = ("query", {"time": f"{end_s:.3f}"}) if query.is_instant else ("query_range", span)
    with requests.Session() as session:
        session.trust_env = False
        start = time.perf_counter()
        answer = session.get(f"{url}/loki/api/v1/{path}", params={"query": expr, **when}, timeout=60)
        seconds = time.perf_counter() - start
    answer.raise_for_status()
    return seconds, answer.json()["data"]["stats"]["summary"]["totalBytesProcessed"]


if __name__ == "__main__":
    benchmark_main("The timeline of one ID over many events", measure)
