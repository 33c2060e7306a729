"""What a draft leaves to a human: candidates and names, in words."""

from __future__ import annotations

from typing import Any

import pytest

from logging_pkg.pipeline.generate import rules_of
from logging_pkg.pipeline.schema_infer.notes import description, metric_candidates
from logging_pkg.pipeline.schema_infer.profile import Profile, Room
from logging_pkg.pipeline.schema_infer.texts import sensitive_look
from logging_pkg.schemas import Metric, load_registry


def profile(name: str, values: list[Any]) -> Profile:
    made = Profile(Room())
    for value in values:
        made.add_members({name: value})
    return made.members[name]


def note(name: str, values: list[Any]) -> str:
    return description(name, profile(name, values), len(values))


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("kind", ["a", "b"] * 10, 'Candidate: "x-dimension": {"bound": 2, "why": "say what keeps it so"}.'),
        ("route", [f"/{n}/" for n in range(30)] * 4, 'Candidate: "x-dimension": {"bound": 30'),
        ("contact", ["x a@b.example"], "Looks like an e-mail address"),
        ("email", ["none given"], "Looks like an e-mail address"),
        ("user", ["ann", "bob"] * 20, "Looks like a person"),
        ("source", ["10.0.0.1:80"], "Looks like an IP address"),
        ("source", ["fe80::1ff:fe23:4567:890a"], "Looks like an IP address"),
        ("header", ["Bearer abcdefgh12345"], "Looks like a token"),
        ("value", ["aB3dE5gH7jK9mN1pQ3sT5vW7"], "Looks like a token"),
        ("order_id", list(range(100, 130)), "Looks like an ID that many lines have one each of"),
        ("trace", [f"{n:032x}" for n in range(30)], "Looks like an ID"),
        ("cached", [True, False], "As 0 and 1 its share would be one avg_over_time."),
        ("durationMs", [1.5], "Might be called duration_ms."),
        ("response-time-millis", [1], "Might be called response_time_ms."),
        ("@timestamp", ["2026-01-01T00:00:00Z"], "each a timestamp. May be the envelope's timestamp."),
        ("lvl", ["info"], "May be the envelope's level."),
        ("client", [{"address": {"ip": "10.0.0.1"}, "mails": ["a@b.example"]}], "Within it, address.ip looks like an address. Within it, mails[]"),
        ("a", [None, 1], "Seen in 2 of 2 lines"),
    ],
)  # fmt: skip
def test_candidates_are_told_in_the_description(name: str, values: list[Any], said: str) -> None:
    """What to annotate, what to protect, what to call it."""
    assert said in note(name, values)


@pytest.mark.parametrize("values", [["ann@shop.example", "bob@shop.example"] * 20, ["10.0.0.1", "10.0.0.2"] * 20])
def test_no_value_is_repeated(values: list[str]) -> None:
    """Of what looks sensitive, least of all."""
    assert not [value for value in values if value in note("contact", values)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("kind", ["a"] * 50),
        ("route", [f"/{n}/" for n in range(30)]),
        ("count", [1, 2] * 20),
        ("day", ["2026-01-01", "2026-01-02"] * 20),
        ("user", ["ann", "bob"] * 20),
    ],
)
def test_what_is_no_dimension(name: str, values: list[Any]) -> None:
    """One value, as many as lines, numbers, dates, people."""
    assert "x-dimension" not in note(name, values)


@pytest.mark.parametrize(
    "text",
    [
        "/accounts/{id}/",
        "GET",
        "2.14.3",
        "google.auth.exceptions.RefreshError",
        "2026-01-01T10:00:00Z",
        "a:b",
        "12:30:45",
        "some_function_name_that_is_rather_long_1",
    ],
)
def test_what_is_not_sensitive(text: str) -> None:
    """Routes, versions, classes, times."""
    assert sensitive_look(text) == ""


def test_metrics_are_proposed_for_the_event_and_its_units() -> None:
    """As entries that can be pasted, grouped by the candidates for dimensions with the fewest values."""
    properties = {
        name: profile(name, values)
        for name, values in {
            "duration_ms": [1.5], "sizeBytes": [5, None], "query_count": [1], "text_ms": ["a"], "other": [1],
            "kind": ["a", "b"] * 10, "route": ["/a", "/b", "/c"] * 10, "host": ["a", "b", "c", "d"] * 10,
        }.items()
    }  # fmt: skip
    entries = metric_candidates("shop.order_placed", properties)
    assert [(entry["name"], entry["kind"], entry.get("field"), entry["unit"]) for entry in entries] == [
        ("shop_order_placed", "counter", None, "1"),
        ("shop_order_placed_duration", "histogram", "duration_ms", "ms"),
        ("shop_order_placed_size", "histogram", "sizeBytes", "bytes"),
        ("shop_order_placed_query_count", "counter", "query_count", "1"),
    ]
    event = load_registry().events["process.sampled"]
    for entry in entries:
        assert entry["by"] == ["kind", "route"]
        parts = {"field": None, "window": None, **entry, "by": tuple(entry["by"])}
        if entry.get("field") != "sizeBytes":
            assert rules_of(event, Metric(**parts))
