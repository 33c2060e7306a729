"""Django's own tests pass with the instrumentation in place, and the comparison that says so can fail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.django_suite.__main__ import main
from tests.django_suite.runs import Comparison, Run, compare
from tests.django_suite.source import SourceError, django_tests, locked_checksums

#: A few seconds together: requests through every kind of middleware, exceptions, commit hooks, nested transactions.
QUICK_LABELS = ("middleware_exceptions", "transaction_hooks", "handlers")


@pytest.fixture(scope="module")
def source() -> Path:
    """Django's tests, from the cache or the network."""
    try:
        return django_tests()
    except SourceError as error:
        pytest.skip(f"needs a network once: {error}")


@pytest.mark.parametrize("label", QUICK_LABELS)
def test_djangos_tests_are_the_same_with_the_instrumentation(source: Path, label: str) -> None:
    """Every test has the same outcome without and with, and the run with was observed, by valid events alone."""
    result = compare(label, source)

    assert result.problems == []
    assert result.without.count("passed") > 10


def test_an_interfering_middleware_is_found(source: Path) -> None:
    """One cookie too many, and Django's own tests tell: the comparison is not blind."""
    result = compare("wsgi", source, runner="InterferingRunner")

    assert any("passed without, failed with" in problem for problem in result.problems)


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("mode", [[], ["--strict"]], ids=["production", "strict"])
def test_the_whole_selection(source: Path, mode: list[str]) -> None:
    """`make django-suite` finds no difference, faults of the instrumentation counted or raised."""
    assert main(mode) == 0


def test_a_test_that_only_fails_with_is_a_problem() -> None:
    """So is one that did not run, a run that emitted nothing, and events in the run without."""
    events = Counter({"http.request_finished": 1})

    def problems(without: Run, instrumented: Run) -> list[str]:
        return Comparison("label", without, instrumented).problems

    passed = {"a": "passed", "b": "skipped"}
    assert problems(Run(passed), Run(passed, events=events)) == []
    assert problems(Run(passed), Run({**passed, "a": "failed"}, {"a": "Traceback"}, events)) == [
        "label: a: passed without, failed with\nTraceback"
    ]
    assert problems(Run(passed), Run({"a": "passed"}, events=events)) == ["label: b: skipped without, not run with"]
    assert problems(Run(passed), Run(passed)) == [
        "label: the run with emitted no http.request_finished: it was not instrumented to its end"
    ]
    assert "expected none" in problems(Run(passed, events=events), Run(passed, events=events))[0]
    assert problems(Run({}), Run({}, events=events)) == ["label: no test ran"]


def test_an_excuse_that_is_no_longer_needed_is_a_problem() -> None:
    """A reason stays in the list only while its test differs."""
    test = "backends.base.test_base.ExecuteWrapperTests.test_wrapper_connection_specific"
    events = Counter({"http.request_finished": 1})

    differs = Comparison("backends", Run({test: "passed"}), Run({test: "failed"}, events=events))
    is_the_same = Comparison("backends", Run({test: "passed"}), Run({test: "passed"}, events=events))

    assert differs.problems == []
    assert is_the_same.problems == [f"backends: {test} is the same without and with; take it out of EXPLAINED"]


def test_only_the_locked_archive_is_used(tmp_path: Path) -> None:
    """A file with another checksum is refused by its name, as is a lock of another Django."""
    from django import get_version

    archive = tmp_path / "django" / f"django-{get_version()}.tar.gz"
    archive.parent.mkdir()
    archive.write_bytes(b"not Django")
    with pytest.raises(SourceError, match=r"has sha256 .* delete it"):
        django_tests(tmp_path)

    lock = tmp_path / "requirements.lock"
    lock.write_text("django==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(SourceError, match=r"locks Django 1\.0, installed is"):
        locked_checksums(get_version(), lock)


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has pip's own words, and where to put the file instead."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")

    with pytest.raises(SourceError, match=r"with a network once, or with the file at .*tar\.gz"):
        django_tests(tmp_path)
