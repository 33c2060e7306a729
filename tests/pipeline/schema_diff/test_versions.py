"""The rules of versions: what breaks needs one more, what does not needs none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.pipeline.schema_diff.compare import differences
from logging_pkg.pipeline.schema_diff.versions import Verdict, verdicts
from logging_pkg.schemas import load_directory
from tests.pipeline.schema_diff.declarations import NAME, registry, write


def changed_to(version: int) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.update({"x-schema-version": version})


def verdict(tmp_path: Path, *, breaking: bool, version: int) -> list[Verdict]:
    def change(document: dict[str, Any]) -> None:
        document["x-schema-version"] = version
        document["properties"]["channel"]["enum"] = ["web"] if breaking else ["web", "phone", "shop"]

    old, new = registry(tmp_path / "old"), registry(tmp_path / "new", change)
    return verdicts(old, new, differences(old, new))


@pytest.mark.parametrize(
    ("breaking", "version", "is_breach", "message"),
    [
        (True, 3, True, 'a breaking change without a raised version: set "x-schema-version": 4'),
        (True, 4, False, "raised as it has to be"),
        (True, 5, False, "raised as it has to be"),
        (True, 2, True, '"x-schema-version" went down: set it to 3 or above'),
        (False, 3, False, ""),
        (False, 4, False, "raised, although nothing broke"),
        (False, 2, True, '"x-schema-version" went down: set it to 3 or above'),
    ],
)
def test_a_breaking_change_needs_a_higher_version(
    tmp_path: Path, breaking: bool, version: int, is_breach: bool, message: str
) -> None:
    """From version 3: one more is enough, none is too few, additions need none, and it never goes down."""
    assert verdict(tmp_path, breaking=breaking, version=version) == [Verdict(NAME, 3, version, is_breach, message)]


@pytest.mark.parametrize("was_deprecated", [False, True])
def test_an_event_is_deprecated_before_it_is_removed(tmp_path: Path, was_deprecated: bool) -> None:
    """There is no version of an event that is gone."""
    old = registry(tmp_path / "old", lambda document: document.update(deprecated=was_deprecated))
    (tmp_path / "new").mkdir()
    new = load_directory(tmp_path / "new")
    (one,) = verdicts(old, new, differences(old, new))
    assert (one.old, one.new, one.is_breach) == (3, None, not was_deprecated)


def test_a_breaking_change_of_the_envelope_raises_every_event(tmp_path: Path) -> None:
    """Every line carries it."""
    for name, required, version in (("old", [], 3), ("new", ["tenant"], 4)):
        write(tmp_path / name)
        write(tmp_path / name, changed_to(version), "shop.order_paid")
        envelope = {"properties": {"tenant": {"type": "string"}}, "required": required}
        (tmp_path / name / "envelope.json").write_text(json.dumps(envelope))
    old, new = load_directory(tmp_path / "old"), load_directory(tmp_path / "new")
    assert [(one.event, one.is_breach, one.message) for one in verdicts(old, new, differences(old, new))] == [
        ("shop.order_paid", False, "raised as it has to be"),
        (NAME, True, 'a breaking change of the envelope without a raised version: set "x-schema-version": 4'),
    ]


def test_a_new_event_and_an_unchanged_one_need_nothing(tmp_path: Path) -> None:
    """Whatever version the new one begins with."""
    old = registry(tmp_path / "old")
    write(tmp_path / "new", name="shop.order_paid")
    new = registry(tmp_path / "new")
    assert [(one.event, one.is_breach) for one in verdicts(old, new, differences(old, new))] == [
        ("shop.order_paid", False)
    ]
