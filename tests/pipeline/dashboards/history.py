"""Eight days that a Prometheus has behind it: what its rules compare now with, or draw a trend through.

In: the project's rules of Prometheus, queries of panels. Out: samples by series, one of each name. Never: what
Prometheus's rules record and a panel draws, which they have to record from these; a sample that a panel would draw.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import yaml

from logging_pkg.pipeline.backfill.wire import LabelSet, Points, label_set
from logging_pkg.pipeline.dashboards.build import SERIES
from tests.pipeline.dashboards.documents import PROJECT, recorded

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS
#: Panels are asked about ten minutes, and Prometheus shows a sample for five.
_ENDED_MS: Final = 16 * _MINUTE_MS
#: In the first component of a series's name, joined by underscores.
_DIMENSIONS: Final = re.compile("operation|status_class|route|alias|table")
#: Enough of everything: a level takes 300 requests an hour.
_VALUE: Final = 100.0
#: Of bytes that are left: far more than today's lines tell, so that the trend goes on falling with them.
_PLENTY: Final = 1e18


def history(now_ns: int, service: str, env: str, asked: Iterable[str]) -> dict[LabelSet, Points]:
    """Samples of one series of each name that is looked back at.

    Args:
        now_ns: end of the history, ns since 1970.
        service: label of every series.
        env: label of every series.
        asked: queries of the panels.
    """
    queries = list(asked)
    names = {name for expr in (*_rules(), *queries) if "[" in expr for name in SERIES.findall(expr)}
    drawn = {name for expr in queries if "[" not in expr for name in SERIES.findall(expr)}
    times = sorted(set(_times(now_ns // 1_000_000)))
    made = {}
    for name in names - (drawn - recorded().keys()):
        level = name.split(":")[0]
        labels = {"__name__": name, "service_name": service, "env": env}
        labels |= dict.fromkeys(_DIMENSIONS.findall(level), "history")
        # A trend that has an end: what is free or left falls, what is used grows.
        start, slope = (_PLENTY, -_PLENTY / 10) if re.search("_free_|_left_", name) else (_VALUE, 1)
        made[label_set(labels)] = {at: start + slope * (at - times[0]) / _DAY_MS for at in times}
    return made


def _times(now_ms: int) -> Iterator[int]:
    """Every 5 minutes of two hours, each full hour, and this time of each day."""
    end_ms = now_ms - _ENDED_MS
    yield from range(end_ms - 2 * _HOUR_MS, end_ms, 5 * _MINUTE_MS)
    yield from range((now_ms - 8 * _DAY_MS) // _HOUR_MS * _HOUR_MS, end_ms, _HOUR_MS)
    yield from (now_ms - day * _DAY_MS for day in range(1, 9))


def _rules() -> Iterator[str]:
    for name in ("regression", "capacity"):
        document = yaml.safe_load((PROJECT / f"loki/prometheus_rules/{name}.yaml").read_text())
        yield from (rule["expr"] for group in document["groups"] for rule in group["rules"] if "record" in rule)
