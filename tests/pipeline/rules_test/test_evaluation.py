"""What is asked of Loki in one go is what it would answer one by one, and only about a test's own lines."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping

import pytest

from logging_pkg.pipeline.rules_test import evaluate
from logging_pkg.pipeline.rules_test.labels import key_of
from logging_pkg.pipeline.rules_test.model import RawLine, RuleTest
from logging_pkg.pipeline.rules_test.rendering import Instance, expression_of, render
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki
from tests.pipeline.rules_test.files import REGISTRY, alert

S = 1_000_000_000
HOUR = 3600 * S


@pytest.fixture(scope="module")
def loki(stack_binaries: Mapping[str, object]) -> Iterator[ThrowawayLoki]:
    """One for all tests here; they have tenants of their own."""
    with ThrowawayLoki(REGISTRY) as throwaway:
        yield throwaway


def holding(*lines: RawLine) -> RuleTest:
    return RuleTest("t", "a_test.yaml", 1, lines, (), (), {}, 60 * S)


def line(at_ns: int, text: str = "x", **labels: str) -> RawLine:
    return RawLine(at_ns, labels or {"a": "b"}, {}, text)


EXPRESSIONS = [
    'sum by (c) (count_over_time({a="b"} | logfmt [1m] offset 30s))',
    'quantile_over_time(0.95, {a="b"} | logfmt | unwrap v [5m] offset 30s) by (c) > 500',
    'sum(rate({a="b"}[45s])) unless sum(count_over_time({a="b"} |= "c=x" [1m] offset 10s))',
    'absent_over_time({a="b"} |= "c=x" [30s])',
    'topk by (c) (1, sum by (c) (count_over_time({a="b"} | logfmt [2m])))',
    "vector(3)",
]


@pytest.mark.parametrize("interval_s", [15, 7, 120])
def test_a_range_of_evaluations_is_what_each_of_them_is(
    interval_s: int, loki: ThrowawayLoki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With offsets, with an interval that divides no hour, over an hour's end, in several requests."""
    monkeypatch.setattr(evaluate, "_MOST_STEPS", 16)
    chosen = random.Random(interval_s)
    lines = [
        line(chosen.randrange(0, 20 * 60 * 1000) * S // 1000, f"c={chosen.choice('xyz')} v={chosen.randrange(1000)}")
        for _ in range(200)
    ]
    stored = loki.store(holding(*lines))
    client = loki.client(stored.tenant)
    base_ns = stored.base_ns // (interval_s * S) * (interval_s * S)
    found = 0
    for expr in EXPRESSIONS:
        steps = evaluate.every(client, expr, base_ns, interval_s * S, 1300 * S)
        assert len(steps) == 1300 // interval_s + 1
        for number, step in enumerate(steps):
            alone = evaluate.at(client, expr, base_ns + number * interval_s * S)
            assert {key_of(labels): value for labels, value in step} == pytest.approx(
                {key_of(labels): value for labels, value in alone}
            )
        found += any(steps)
    assert found >= 4


def test_a_window_is_open_at_its_beginning_and_closed_at_its_end(loki: ThrowawayLoki) -> None:
    """To the nanosecond; lines at one time are all within it or all out of it."""
    stored = loki.store(holding(*[line(60 * S) for _ in range(600)], line(300 * S)))
    client = loki.client(stored.tenant)

    def counted(at_ns: int) -> float:
        found = evaluate.at(client, 'sum(count_over_time({a="b"}[1m]))', stored.base_ns + at_ns)
        return found[0][1] if found else 0

    # All but the last of the 600 are up to 599 microseconds earlier.
    assert [counted(60 * S - 600_000), counted(60 * S), counted(120 * S - 600_000), counted(120 * S)] == [
        0,
        600,
        600,
        0,
    ]


def test_no_test_sees_anothers_lines(loki: ThrowawayLoki) -> None:
    """Also with a selector that matches everything, and labels that are the same."""
    first = loki.store(holding(line(0), line(0), line(0)))
    second = loki.store(holding(line(0)))
    counts = [
        evaluate.at(loki.client(stored.tenant), 'sum(count_over_time({a=~".+"}[1h]))', stored.base_ns)[0][1]
        for stored in (first, second)
    ]
    assert counts == [3, 1]


@pytest.mark.parametrize("age_h", [23, 26, 24 * 8, 24 * 30])
def test_lines_of_long_ago_are_seen(age_h: int, loki: ThrowawayLoki) -> None:
    """Loki keeps them out of sight until they are flushed."""
    stored = loki.store(holding(line(-age_h * HOUR), line(-age_h * HOUR + S), line(0)))
    loki.make_visible([stored])
    expr = f'sum(count_over_time({{a="b"}}[{age_h + 1}h]))'
    assert evaluate.at(loki.client(stored.tenant), expr, stored.base_ns)[0][1] == 3


def test_more_lines_than_one_push_takes_are_stored(loki: ThrowawayLoki) -> None:
    """Loki refuses a push of more than its message size, however often it is tried."""
    stored = loki.store(holding(*[line(number, f"{number} " + "x" * 100_000) for number in range(60)]))
    expr = 'sum(count_over_time({a="b"}[1h]))'
    assert evaluate.at(loki.client(stored.tenant), expr, stored.base_ns + S)[0][1] == 60


def test_order_in_the_file_is_order_in_time(loki: ThrowawayLoki) -> None:
    """The last of several lines at one time is the last."""
    stored = loki.store(holding(*[line(0, f"v={number}") for number in (5, 3, 4)]))
    expr = 'last_over_time({a="b"} | logfmt | unwrap v [1m]) by (a)'
    assert evaluate.at(loki.client(stored.tenant), expr, stored.base_ns) == [({"a": "b"}, 4)]


SERIES = [
    ({}, 0.1 + 0.2),
    ({"route": r'^a/(?P<x>\d+)/"$1"/$'}, 1e-9),
    ({"a": "newline\nand\ttab \\ é 日本 😀 \x01", "b": "`{{ $value }}`"}, -1234567.891),
    ({"a": "1"}, math.inf),
    ({"a": "1"}, -math.inf),
    ({"a": "1"}, math.nan),
    ({"a": "1"}, 1e300),
    ({"a": "1"}, 0.0),
]


@pytest.mark.parametrize(("labels", "value"), SERIES)
def test_an_expression_can_be_any_series(labels: dict[str, str], value: float, loki: ThrowawayLoki) -> None:
    """Every label and every bit of the value comes back."""
    (found,) = evaluate.at(loki.client("nobody"), expression_of(key_of(labels), value), 1_000_000_000 * S)
    assert found == (labels, pytest.approx(value, rel=0, abs=0, nan_ok=True))


def test_the_ruler_renders_labels_and_annotations(loki: ThrowawayLoki) -> None:
    """Functions, variables and pipes are its own: there is no second template engine that could differ."""
    rule = alert(
        "vector(1)",
        severity="{{ if gt $value 5.0 }}critical{{ else }}warning{{ end }}",
        where="{{ $labels.a | toUpper }}",
    )
    annotations = {
        "number": '{{ $value | printf "%.3f" }} {{ $value | humanize }} {{ $value | humanizeDuration }}',
        "share": "{{ 0.3333 | humanizePercentage }}",
        "link": "{{ externalURL }}/x?{{ $labels.a | urlquery }}",
        "broken": "{{ $labels.a | humanize }}",
    }
    rule = type(rule)(**{**{n: getattr(rule, n) for n in rule.__dataclass_fields__}, "annotations": annotations})
    high, low = Instance.of(rule, {"a": "b c"}, 1234.5), Instance.of(rule, {"a": "b c"}, 1e-7)
    rendered = render(loki, [high, low, high])
    assert rendered[high].labels == {"a": "b c", "severity": "critical", "where": "B C"}
    assert rendered[low].labels["severity"] == "warning"
    texts = rendered[high].annotations
    assert texts["number"] == "1234.500 1.234k 20m 34s"
    assert texts["share"] == "33.33%"
    assert texts["link"].endswith("/x?b+c")
    assert "error calling humanize" in texts["broken"]


def test_nothing_to_render_asks_nobody() -> None:
    """No second is spent where no annotation is compared."""
    render(None, [])  # type: ignore[arg-type]
