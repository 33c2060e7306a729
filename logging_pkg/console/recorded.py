"""Columns of tables from recorded series: what the ruler has computed already is not computed again from every line.

In: a table's column, a Selection. Out: PromQL, or None where no series has the number. Never: a quantile of quantiles
under the name of one; a mean that is not weighted by the number of events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from logging_pkg.analysis.tables import QUANTILES, Column, Table
from logging_pkg.console.selection import Selection
from logging_pkg.pipeline.event_tables import GOOGLE_API, ROUTES

#: From one sample of a recorded series to the next at least, s: `interval` of the groups in loki/rules/recording.yaml.
INTERVAL_S: Final = 60
#: What a quantile of a recorded series is over a longer time: each sample is of 5 minutes, and the highest is shown.
WORST: Final = ", worst 5 min"


def recorded_query(table: Table, column: Column, chosen: Selection) -> str | None:
    """PromQL of a column: a vector with a sample per group, labelled as the LogQL's.

    Args:
        table: a table of event_tables.
        column: one of its columns.
        chosen: which events, and how far back.

    Returns:
        None: the column needs the lines.
    """
    queries = _TABLES.get(table.title, {})
    make = queries.get(column.title)
    return None if make is None else make(chosen)


def heading(column: Column) -> str:
    """What a column from a recorded series is called: a quantile says that it is the worst of many."""
    return column.title + (WORST if column.function in QUANTILES else "")


def _worst(by: str, quantile: str) -> Callable[[Selection], str]:
    return lambda chosen: f"max by ({by}) (max_over_time({quantile}{chosen.braces}[{chosen.window_s}s]))"


def mean_query(chosen: Selection, of: str, by: str, mean: str, rate: str) -> str:
    """PromQL of a mean over the time: each 5 minutes' mean weighted by their events, sum(mean * n) / sum(n).

    Args:
        chosen: which events, and how far back.
        of: the label that both series have besides service and environment.
        by: the label of the result; empty for one number of all.
        mean: a recorded mean of 5 minutes.
        rate: a recorded rate of the same events over 5 minutes.
    """
    group, window = f"service_name, env, {of}", f"[{chosen.window_s}s:{INTERVAL_S}s]"
    # Each sample once: without a range Prometheus takes one for the next five minutes, too, where no other came.
    events = f"sum by ({group}) (last_over_time({rate}{chosen.braces}[{INTERVAL_S}s]))"
    values = f"max by ({group}) (last_over_time({mean}{chosen.braces}[{INTERVAL_S}s]))"
    total = f"sum by ({by})" if by else "sum"
    weighted = f"{total} (sum_over_time(({values} * {events}){window}))"
    # Only where there is a mean: a sample of one without the other would make it too small.
    return f"{weighted} / {total} (sum_over_time(({events} and {values}){window}))"


def _mean(by: str, mean: str, rate: str) -> Callable[[Selection], str]:
    return lambda chosen: mean_query(chosen, by, by, mean, rate)


REQUESTS: Final = "route_method_status_class:http_requests:rate_5m"
_ATTEMPTS: Final = "operation_status_class:google_api_calls:rate_5m"
#: Not the counts: rates over 5 minutes, added up, have a fifth of the last minute's events; after a start or in a burst
#: that is all there is. Loki counts lines for less than it parses their numbers.
_TABLES: Final[Mapping[str, Mapping[str, Callable[[Selection], str]]]] = {
    ROUTES.title: {
        **{name: _worst("route", f"route:http_response_time_ms:{name}_5m") for name in QUANTILES},
        "queries": _mean("route", "route:http_queries_per_request:avg_5m", REQUESTS),
        "errors": _mean("route", "route:http_error_ratio:avg_5m", REQUESTS),
    },
    GOOGLE_API.title: {
        **{name: _worst("operation", f"operation:google_api_duration_ms:{name}_5m") for name in QUANTILES},
        "errors": _mean("operation", "operation:google_api_error_ratio:avg_5m", _ATTEMPTS),
    },
}
