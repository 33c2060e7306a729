"""The values that go to and come from Loki.

In: decoded JSON of Loki's HTTP interface. Out: frozen dataclasses; times are integers, nanoseconds since 1970-01-01
UTC. Never: I/O. A shape that does not fit raises KeyError, TypeError, ValueError or IndexError, which the client turns
into its own error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Entry:
    """One log line with its time and structured metadata.

    `parsed` holds the labels that a query's own parsers (`| json a="b"`) extracted; it is empty on the way in.
    """

    timestamp_ns: int
    line: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    parsed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """Entries that share one label set."""

    labels: Mapping[str, str]
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Streams:
    """The result of a log query; within a stream the entries are in the direction that was asked for."""

    streams: tuple[Stream, ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries in time order, oldest first."""
        return tuple(
            sorted((entry for stream in self.streams for entry in stream.entries), key=lambda e: e.timestamp_ns)
        )


class Sample(NamedTuple):
    """A number at a time. A tuple: a chart has thousands, and a frozen dataclass takes twice as long to make."""

    timestamp_ns: int
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one label set, oldest first."""

    labels: Mapping[str, str]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The result of a metric query over a range."""

    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class VectorSample:
    """A number at a time for one label set."""

    labels: Mapping[str, str]
    timestamp_ns: int
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """The result of a metric query at one instant; empty when nothing matched."""

    samples: tuple[VectorSample, ...]


@dataclass(frozen=True, slots=True)
class Scalar:
    """The result of a query without any stream selector, such as `1 + 1`.

    Without a time: Loki 3.7 answers a number there that is none.
    """

    value: float


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of the ruler: `state` is "pending" or "firing"."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    active_at: str
    value: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as the ruler loaded it.

    `kind` is "recording" or "alerting"; `health` is "ok", "err" or "unknown" (not evaluated yet); `last_error` is the
    ruler's text. `state` ("inactive", "pending", "firing") and `alerts` are for alerting rules only.
    """

    name: str
    kind: str
    query: str
    health: str
    last_error: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    for_s: float
    state: str
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """A group of rules and the file it came from; `interval_s` is the time between two evaluations."""

    name: str
    file: str
    interval_s: float
    last_evaluation: str
    rules: tuple[Rule, ...]


def push_document(streams: Iterable[Stream]) -> dict[str, Any]:
    """The body of a push request, see https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs"""
    return {
        "streams": [
            {
                "stream": dict(stream.labels),
                "values": [
                    [str(e.timestamp_ns), e.line, dict(e.metadata)] if e.metadata else [str(e.timestamp_ns), e.line]
                    for e in stream.entries
                ],
            }
            for stream in streams
        ]
    }


def parse_streams(result: Sequence[Mapping[str, Any]]) -> Streams:
    """Streams of an answer asked for with `categorize-labels`, so that metadata and parsed labels are told apart."""
    return Streams(tuple(Stream(item["stream"], tuple(_entry(*value) for value in item["values"])) for item in result))


def parse_matrix(result: Sequence[Mapping[str, Any]]) -> Matrix:
    """A range metric query's result."""
    return Matrix(
        tuple(Series(item["metric"], tuple([Sample(_ns(t), float(v)) for t, v in item["values"]])) for item in result)
    )


def parse_vector(result: Sequence[Mapping[str, Any]]) -> Vector:
    """An instant metric query's result."""
    return Vector(
        tuple(VectorSample(item["metric"], _ns(item["value"][0]), float(item["value"][1])) for item in result),
    )


def parse_scalar(result: Sequence[Any]) -> Scalar:
    """The result of a query without a selector: [time, number as text]."""
    return Scalar(float(result[1]))


def parse_alert(item: Mapping[str, Any]) -> Alert:
    """An alert as the ruler's alerts and rules interfaces give it."""
    return Alert(item["labels"], item["annotations"], item["state"], item.get("activeAt") or "", str(item["value"]))


def parse_group(item: Mapping[str, Any]) -> RuleGroup:
    """A group of the ruler's rules interface."""
    return RuleGroup(
        item["name"],
        item["file"],
        float(item["interval"]),
        item["lastEvaluation"],
        tuple(_rule(r) for r in item["rules"]),
    )


def _rule(item: Mapping[str, Any]) -> Rule:
    return Rule(
        name=item["name"],
        kind=item["type"],
        query=item["query"],
        health=item["health"],
        last_error=item.get("lastError") or "",
        labels=item.get("labels") or {},
        annotations=item.get("annotations") or {},
        for_s=float(item.get("duration") or 0),
        state=item.get("state") or "",
        alerts=tuple(parse_alert(a) for a in item.get("alerts") or ()),
    )


def _entry(timestamp: str, line: str, categories: Mapping[str, Mapping[str, str]] | None = None) -> Entry:
    if not categories:
        return Entry(int(timestamp), line)
    return Entry(int(timestamp), line, categories.get("structuredMetadata") or {}, categories.get("parsed") or {})


def _ns(seconds: float) -> int:
    # Loki answers in seconds with at most milliseconds; by way of milliseconds the float's noise does not reach the
    # nanoseconds.
    return round(seconds * 1000) * 1_000_000
