"""The sentences that say what is wrong with a line: they name fields, never values."""

from __future__ import annotations

from typing import Any

import pytest

from logging_pkg.schemas import Registry, load_registry
from logging_pkg.schemas.examples import example_lines

SECRET = "hunter2@secret.example"
#: One database's part of `queries`.
QUERIES = {"alias": SECRET, "count": 1, "time_ms": 1}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.fixture
def line(registry: Registry) -> dict[str, Any]:
    return next(example_lines(registry, "http.request_finished"))


def test_a_valid_line_has_no_problems(registry: Registry, line: dict[str, Any]) -> None:
    """The starting point of the tests below."""
    assert registry.problems(line) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"stauts_code": SECRET}, 'unknown field "stauts_code" (did you mean "status_code"?)'),
        ({"status_code": SECRET}, 'field "status_code" is of the wrong type, expected integer'),
        ({"status_code": 99}, 'field "status_code" breaks minimum 100'),
        ({"outcome": SECRET}, 'field "outcome" is not one of ["ok", "client_error"'),
        ({"route": SECRET * 20}, 'field "route" breaks maxLength 200'),
        ({"queries": [QUERIES | {"count": SECRET}]}, 'field "queries.0.count" is of the wrong type'),
        ({"correlation_id": SECRET}, 'field "correlation_id" does not match'),
        ({"event_id": None}, 'field "event_id" is of the wrong type, expected string'),
        ({"user_id": ["a"]}, "expected null or string"),
    ],
)
def test_a_problem_names_field_expectation_and_file(
    registry: Registry, line: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    """Each sentence tells what to mend and where it is declared, and repeats no value."""
    problems = registry.problems(line | change)
    assert len(problems) == 1
    assert problems[0].startswith("http.request_finished: ")
    assert sentence in problems[0]
    assert problems[0].endswith("; see log_schemas/http.request_finished.json")
    assert SECRET not in problems[0]


def test_a_missing_field_is_named(registry: Registry, line: dict[str, Any]) -> None:
    """Required fields of the event and of the envelope alike."""
    del line["route"], line["seq"]
    assert {problem.split(": ")[1].split(";")[0] for problem in registry.problems(line)} == {
        'missing field "route"',
        'missing field "seq"',
    }


def test_an_unknown_event_is_told_the_nearest_declared_one(registry: Registry, line: dict[str, Any]) -> None:
    """A typing error in a name is answered with the right name."""
    problems = registry.problems(line | {"event": "http.request_finishd"})
    assert problems == [
        (
            'unknown event "http.request_finishd" (did you mean "http.request_finished"?); '
            "declare it in log_schemas/http.request_finishd.json"
        )
    ]


@pytest.mark.parametrize("name", [f"user {SECRET} signed in", SECRET, "x" * 5000, None, 5, ["a"], {}])
def test_a_sentence_in_the_place_of_a_name_is_not_repeated(registry: Registry, name: Any) -> None:
    """Free text passed as an event's name may hold anything, so it does not get into the problem either."""
    (problem,) = registry.problems({"event": name})
    assert "<domain>.<noun>_<past verb>" in problem
    assert SECRET not in problem
    assert "xxx" not in problem


def test_many_and_huge_unknown_fields_stay_cheap_and_bounded(registry: Registry, line: dict[str, Any]) -> None:
    """A 10 MB field name is shown by its head; each of 3,000 unknown fields is counted."""
    (problem,) = registry.problems(line | {"k" * 10_000_000: 1})
    assert len(problem) < 300
    assert len(registry.problems(line | {f"k{number}": 1 for number in range(3000)})) == 3000


def test_every_sample_line_of_every_event_is_valid(registry: Registry) -> None:
    """The samples other tests build on are what the schemas say."""
    for event in registry.events:
        assert [registry.problems(line) for line in example_lines(registry, event)] == [[], [], [], []]
