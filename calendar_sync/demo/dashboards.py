"""Do the dashboards show this demonstration: every panel's queries, asked of its own Loki and Prometheus.

In: the committed dashboards and rules, a Reader, a correlation_id. Out: a part of the report, and a sentence for each
panel that has no data. Never: a Grafana; none is needed to know whether a panel has data.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.dashboards.build import DASHBOARDS_DIRECTORY
from logging_pkg.pipeline.dashboards.live import Answer, Prometheus, Servers, ask
from logging_pkg.pipeline.dashboards.panels_of import ReadPanel, panels_of
from logging_pkg.pipeline.dashboards.rule_book import rule_book

_ROOT = Path(__file__).resolve().parents[2]


def ask_dashboards(loki: LokiClient, prometheus_url: str, start_ns: int, end_ns: int, story: str) -> list[Answer]:
    """What each panel shows of a span of time.

    Args:
        loki: a client of the stack's Loki.
        prometheus_url: of the stack's Prometheus.
        start_ns: begin of the span, ns since 1970.
        end_ns: end of it.
        story: the correlation_id that the timeline is opened with.
    """
    servers = Servers(loki, Prometheus(prometheus_url, start_ns, end_ns), start_ns, end_ns)
    rules = rule_book(path.read_text(encoding="utf-8") for path in sorted((_ROOT / "loki" / "rules").glob("*.yaml")))
    return list(ask(_panels(), servers, rules.recorded, {"id": story}))


def print_dashboards(console: Console, answers: Sequence[Answer]) -> list[str]:
    """Print how many panels have data, and which wait for what minutes of traffic cannot give.

    Return a sentence for each of the others: the traffic fills them all.
    """
    filled = [answer for answer in answers if answer.is_filled]
    waiting = [answer for answer in answers if answer.is_waiting]
    empty = [answer for answer in answers if not (answer.is_filled or answer.is_waiting)]
    names = {answer.panel.dashboard for answer in answers}
    wait = f", {len(waiting)} wait" if waiting else ""
    console.print(
        f" Dashboards        {len(filled)} of {len(answers)} panels of {len(names)} dashboards have data{wait}"
    )
    for those, words in ((waiting, "wait"), (filled, "with data lack a line")):
        for reason, number in Counter(reason for answer in those for reason in answer.reasons).items():
            console.print(Text(f"                   {number} {words}: {reason}", style="dim"))
    return [
        f'data in "{answer.panel.title}" of {answer.panel.dashboard}: '
        f"{answer.problem or f'nothing was there to show; it would say: {answer.panel.empty}'}"
        for answer in empty
    ]


def _panels() -> Iterator[ReadPanel]:
    for path in sorted((_ROOT / DASHBOARDS_DIRECTORY).glob("*.json")):
        yield from panels_of(json.loads(path.read_text(encoding="utf-8")))
