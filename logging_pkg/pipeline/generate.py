"""Write the recording rules that the schemas' `x-metrics` ask for.

In: a schema registry. Out: the text of loki/rules/recording.yaml. Never: reads the clock, the network or a rule file.

Choices (docs/adr/0020): quantiles and averages are grouped inside the range aggregation, counters by the outer `sum`
(Loki pushes both into the reading, so structured metadata makes no series); keys are named in `| json`; every range
ends 30 s ago, because younger seconds may still be on their way and a recorded value is never corrected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.logql.tokens import KEYWORDS, LogQLError, tokenize
from logging_pkg.schemas import EventSchema, Metric, Registry
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA

#: The generated file, relative to the project.
RECORDING_RULES: Final = "loki/rules/recording.yaml"
#: Window of a metric that names none: long enough for a p99 of a page asked for a few times a minute, short enough that
#: one bad minute shows, and that an alert on the same window fires within three minutes of the trouble.
DEFAULT_WINDOW: Final = "5m"
#: How old the youngest line is that a rule reads; above the shipping delay that ShipperBehind allows.
OFFSET: Final = "30s"
#: Longest interval: Prometheus shows a sample for 5 minutes, and the next one may come a moment late.
MAX_INTERVAL_S: Final = 240.0
#: Stream labels every series carries; `event` is implied by the metric's name.
SERIES_LABELS: Final = tuple(label for label in STREAM_LABELS if label != "event")
QUANTILES: Final = (("0.50", "p50"), ("0.95", "p95"), ("0.99", "p99"))

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEADER: Final = """\
# Generated from log_schemas/*.json (x-metrics) by `logpipe generate`. Do not edit: change the schema and run it again.
# `logpipe generate --check` fails when this file and the schemas disagree.
"""


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """One recording rule: its series name, its LogQL, and what it tells."""

    record: str
    expr: str
    comment: str


def recording_rules(registry: Registry) -> str:
    """Return the text of loki/rules/recording.yaml: the same registry gives the same bytes.

    Raises:
        RuleError: two metrics would record the same series, or a name, unit or window cannot be written in a rule.
    """
    groups: list[str] = []
    owners: dict[str, str] = {}
    for name in sorted(registry.events):
        event = registry.events[name]
        for key, metrics in _groups(event.metrics).items():
            rules = [rule for metric in metrics for rule in rules_of(event, metric)]
            for rule in rules:
                if rule.record in owners:
                    raise RuleError(
                        f"{event.path}: x-metrics records {rule.record}, which {owners[rule.record]} records already; "
                        "rename one of the two metrics"
                    )
                owners[rule.record] = event.path.name
            window, interval, _ = key
            group = ":".join(filter(None, (name, *key)))
            groups.append(_render_group(group, interval or _interval(event, window), rules))
    return _HEADER + "groups:\n" + "\n".join(groups)


def _groups(metrics: Iterable[Metric]) -> dict[tuple[str, str, str], list[Metric]]:
    """Metrics by window, by interval where they name their own, and by name where they are histograms.

    The rules of a group are evaluated one after another, groups side by side: quantiles, which read every line three
    times, keep nobody waiting.
    """
    found: dict[tuple[str, str, str], list[Metric]] = {}
    for metric in metrics:
        key = metric.window or DEFAULT_WINDOW, metric.interval or "", metric.name if metric.kind == "histogram" else ""
        found.setdefault(key, []).append(metric)
    return dict(sorted(found.items(), key=lambda group: (len(group[0][0]), group[0])))


def _interval(event: EventSchema, window: str) -> str:
    """How often a group is evaluated: each evaluation reads the whole window of its stream once per rule.

    A window of a minute is looked at four times within it, so that no peak of a per-minute quota passes unseen. The
    usual 5 minutes are read once a minute. Longer ones (an hour, a quota's day) move slowly: every two minutes.
    """
    seconds = window_seconds(event, window)
    if seconds <= 60:
        return "15s"
    return "1m" if seconds <= 300 else "2m"


def window_seconds(event: EventSchema, window: str) -> float:
    """The length of a metric's window, s.

    Raises:
        RuleError: it is not a LogQL range, naming the schema file.
    """
    try:
        (token, _end) = tokenize(f"[{window}]")
    except LogQLError as error:
        raise RuleError(f'{event.path}: x-metrics: window "{window}" is not a duration such as 5m') from error
    return float(token.value)


def rules_of(event: EventSchema, metric: Metric) -> list[RecordingRule]:
    """Return the rules one metric becomes: a histogram three quantiles, anything else one.

    Raises:
        RuleError: the metric cannot be written as a rule, naming the schema file and what to change.
    """
    for kind, text in (("name", metric.name), ("unit", metric.unit.replace("1", "one"))):
        if _METRIC_NAME.fullmatch(text) is None:
            raise RuleError(f'{event.path}: x-metrics: {kind} "{text}" is not lower case letters, digits and _')
    for field in _unique((*metric.by, metric.field, metric.weight)):
        if _METRIC_NAME.fullmatch(field) is None or field in KEYWORDS:
            raise RuleError(f'{event.path}: x-metrics: "{field}" cannot be a LogQL label; rename the field')
    window = metric.window or DEFAULT_WINDOW
    _check_interval(event, metric, window)
    prefix = f"{'_'.join(metric.by) or 'service'}:{_with_unit(metric)}"
    about = f"{' '.join(metric.description.split())} [{metric.kind}" + (f" of {metric.field}]" if metric.field else "]")
    if metric.kind == "histogram":
        return [
            RecordingRule(
                f"{prefix}:{short}_{window}",
                _grouped_inside(f"quantile_over_time({quantile},", event, metric, window),
                about if short == "p50" else "",
            )
            for quantile, short in QUANTILES
        ]
    if metric.kind == "gauge":
        expr = _grouped_inside("avg_over_time(", event, metric, window)
        return [RecordingRule(f"{prefix}:avg_{window}", expr, about)]
    function, operation = ("sum_over_time", "sum") if metric.field else ("rate", "rate")
    return [RecordingRule(f"{prefix}:{operation}_{window}", _summed(function, event, metric, window), about)]


def _check_interval(event: EventSchema, metric: Metric, window: str) -> None:
    """An interval longer than the window leaves lines unread; after five minutes Prometheus shows no value any more."""
    seconds = window_seconds(event, window)
    if metric.interval and not 0 < window_seconds(event, metric.interval) <= min(seconds, MAX_INTERVAL_S):
        raise RuleError(
            f'{event.path}: x-metrics: interval "{metric.interval}" of {metric.name}, expected no more than its window '
            f"({window}) and {MAX_INTERVAL_S:g} s"
        )


def _with_unit(metric: Metric) -> str:
    if metric.unit == "1" or metric.name.endswith(f"_{metric.unit}"):
        return metric.name
    return f"{metric.name}_{metric.unit}"


def _labels(metric: Metric) -> str:
    return ", ".join((*SERIES_LABELS, *metric.by))


def _grouped_inside(opening: str, event: EventSchema, metric: Metric, window: str) -> str:
    lines = [opening, *_log_range(event, metric, window, indent="  "), f") by ({_labels(metric)})"]
    return "\n".join(lines)


def _summed(function: str, event: EventSchema, metric: Metric, window: str) -> str:
    lines = [
        f"sum by ({_labels(metric)}) (",
        f"  {function}(",
        *_log_range(event, metric, window, indent="    "),
        "  )",
        ")",
    ]
    return "\n".join(lines)


def _log_range(event: EventSchema, metric: Metric, window: str, *, indent: str) -> list[str]:
    lines = [f'{{event="{event.name}"}}']
    number = metric.field or metric.weight
    keys = [field for field in _unique((*metric.by, number)) if field not in (*STREAM_LABELS, *STRUCTURED_METADATA)]
    if keys:
        lines.append("| json " + ", ".join(f'{key}="{key}"' for key in keys))
    if number:
        # avg_over_time divides the sum by the count of all lines: one without the field, or with null, would lower it.
        if _may_be_absent(event, number):
            lines.append(f'| {number}!=""')
        # One text or torn line would fail the whole rule without this filter.
        lines.append(f'| unwrap {number} | __error__=""')
    lines.append(f"[{window}] offset {OFFSET}")
    return [indent + line for line in lines]


def _may_be_absent(event: EventSchema, field: str) -> bool:
    schema = event.properties.get(field, {})
    return field in event.properties and (
        field not in event.required or "null" in schema.get("type", ()) or None in schema.get("enum", ())
    )


def _unique(names: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


def _render_group(name: str, interval: str, rules: Sequence[RecordingRule]) -> str:
    lines = [f"  - name: {json.dumps(name)}", f"    interval: {interval}", "    rules:"]
    for rule in rules:
        lines += [f"      # {rule.comment}"] if rule.comment else []
        lines += [f"      - record: {json.dumps(rule.record)}", "        expr: |-"]
        lines += [f"          {line}" for line in rule.expr.splitlines()]
    return "\n".join(lines) + "\n"
