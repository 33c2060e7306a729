"""What a query reads of which events."""

from __future__ import annotations

import pytest

from logging_pkg.pipeline.logql import parse
from logging_pkg.pipeline.reads import FieldRead, is_within, log_reads
from logging_pkg.schemas import load_registry

REGISTRY = load_registry()


def reads(query: str) -> set[tuple[str, str]]:
    return {(field.field, field.role) for read in log_reads(parse(query), REGISTRY) for field in read.fields}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{event="process.sampled"}', set()),
        ('{event="process.sampled", env="test"}', {("env", "filtered")}),
        (
            'sum by (env, r) (rate({event="http.request_finished"} | json r="route", a="queries[0].alias" | a="default" [5m]))',
            {("route", "extracted"), ("route", "grouped"), ("queries[].alias", "extracted"), ("queries[].alias", "filtered"), ("env", "grouped")},
        ),
        (
            'avg_over_time({event="http.request_finished"} | json | unwrap apdex | is_slow=1 [5m]) by (route)',
            {("apdex", "unwrapped"), ("is_slow", "filtered"), ("route", "grouped")},
        ),
        (
            '{event="http.request_finished"} | json route="route" | label_format path=route | path="/" | correlation_id="a"',
            {("route", "extracted"), ("route", "filtered"), ("correlation_id", "filtered")},
        ),
        ('{event="process.sampled"} | regexp "(?P<level>a)" | level="b" | made="c"', set()),
        (
            'sum by (level) (count_over_time({event="process.sampled"}[1m])) / on (release) count_over_time({event="process.sampled"} | json release="release" [1m])',
            {("level", "grouped"), ("release", "extracted"), ("release", "grouped")},
        ),
        (
            'label_replace(rate({event="process.sampled"}[1m]), "x", "$1", "env", ".*")',
            {("env", "grouped")},
        ),
        ("vector(1)", set()),
    ],
)  # fmt: skip
def test_fields_are_followed_through_labels(query: str, expected: set[tuple[str, str]]) -> None:
    """From the line to filters, groupings and unwrap, under whatever name."""
    assert reads(query) == expected


def test_events_are_those_the_selector_takes() -> None:
    """Named ones are a choice; all of them are none."""
    (one,) = log_reads(parse('{event=~"db\\\\..*"}'), REGISTRY)
    assert set(one.events) == {name for name in REGISTRY.events if name.startswith("db.")}
    assert one.is_choice
    for query in ('{service_name="a"}', '{event=~".+"}'):
        (every,) = log_reads(parse(query), REGISTRY)
        assert (set(every.events), every.is_choice) == (set(REGISTRY.events), False)


@pytest.mark.parametrize(
    ("op", "value", "option", "asks"),
    [
        ("=", "phone", "phone", True),
        ("=", "phone", "web", False),
        ("!=", "phone", "phone", False),
        ("=~", "pho.*|web", "web", True),
        ("=", 1.0, 1, True),
        ("==", 1.0, 0.5, False),
        (">", 0.0, 1, False),
        ("=", 1.0, "1", False),
        ("=", "true", True, False),
    ],
)
def test_a_filter_asks_for_an_option_it_lets_through(op: str, value: str | float, option: object, asks: bool) -> None:
    """Equal or matching; what a filter keeps out it does not depend on."""
    assert FieldRead("channel", 0, 1, "filtered", op, value).asks_for(option) is asks
    assert not FieldRead("channel", 0, 1, "grouped", op, value).asks_for(option)


def test_within() -> None:
    """A field is within itself and its parents, not within one whose name begins alike."""
    assert is_within("queries[].alias", "queries")
    assert is_within("a.b", "a")
    assert is_within("a", "a")
    assert not is_within("queries_unattributed", "queries")
