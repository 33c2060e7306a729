"""The registry: what it loads, and what it says of a broken schema file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.exceptions import SchemaError
from logging_pkg.schemas import Registry, load_directory, load_registry

NAME = "shop.order_placed"


def declaration(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": NAME,
        "description": "An order was placed.",
        "type": "object",
        "x-since": "1.0",
        "x-schema-version": 1,
        "x-metrics": [{"name": "orders", "kind": "counter", "unit": "1", "by": ["channel"]}],
        "properties": {
            "channel": {"enum": ["web", "phone"], "description": "Where.", "x-dimension": {"bound": 2, "why": "enum"}},
            "amount_eur": {"type": "number", "description": "How much, EUR."},
            "customer": {"type": "string", "description": "Who."},
        },
        "required": ["channel"],
        "additionalProperties": False,
    }
    return {name: value for name, value in {**document, **changes}.items() if value is not ...}


def write(directory: Path, document: Any, name: str = NAME) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def test_a_directory_of_the_project_adds_its_events(tmp_path: Path) -> None:
    """Events of a further directory stand beside the built-in ones."""
    write(tmp_path, declaration())
    registry = load_registry([tmp_path])
    assert registry.events[NAME].required == {"channel"}
    assert registry.events[NAME].level == "info"
    assert registry.events[NAME].dimensions["channel"].bound == 2
    assert registry.events[NAME].metrics[0].by == ("channel",)
    assert "http.request_finished" in registry.events


@pytest.mark.parametrize(
    ("document", "place", "expectation"),
    [
        ('{"title": "x",\n  oops}', ":2:3:", "not JSON"),
        ("[]", "", "expected a JSON object at the top, found list"),
        (declaration(title="shop.order_payed"), "at title", '"shop.order_placed", the file name without .json'),
        (declaration(additionalProperties=...), "at additionalProperties", "expected false"),
        (declaration(additionalProperties=True), "at additionalProperties", "expected false"),
        (declaration(**{"$schema": "http://json-schema.org/draft-07/schema#"}), "at $schema", "draft/2020-12"),
        (declaration(type="array"), "at type", '"object"'),
        (declaration(**{"x-level": "fatal"}), "at x-level", "one of debug, info, warning, error, critical"),
        (declaration(**{"x-schema-version": True}), "at x-schema-version", "a whole number from 1"),
        (declaration(**{"x-since": ...}), "at x-since", "the release that introduced the event"),
        (declaration(properties=[]), "at properties", "an object of field schemas"),
        (declaration(required=["channel", "chanel"]), "at required", "fields that properties declares"),
        (declaration(**{"x-metrics": {}}), "at x-metrics", "a list"),
        (declaration(**{"x-metrics": [{"kind": "counter"}]}), "at x-metrics/0", '"name"'),
        (declaration(**{"x-metrics": [{"name": "n", "kind": "timer"}]}), "at x-metrics/0/kind", "counter, histogram"),
        (
            declaration(**{"x-metrics": [{"name": "n", "kind": "gauge"}]}),
            "at x-metrics/0/field",
            "numeric field a gauge",
        ),
        (
            declaration(**{"x-metrics": [{"name": "n", "kind": "gauge", "field": "customer"}]}),
            "at x-metrics/0/field",
            "a numeric field of this event",
        ),
        (
            declaration(**{"x-metrics": [{"name": "n", "kind": "counter", "by": ["customer"]}]}),
            "at x-metrics/0/by",
            "x-dimension (bounded)",
        ),
        (
            declaration(**{"x-metrics": [{"name": "n", "kind": "counter", "by": "channel"}]}),
            "at x-metrics/0/by",
            "a list of field names",
        ),
        (
            declaration(**{"x-metrics": [{"name": "n", "kind": "counter", "window": "5 min"}]}),
            "at x-metrics/0/window",
            "a LogQL duration",
        ),
        (
            declaration(**{"x-metrics": [{"name": "n", "kind": "counter", "interval": "2 min"}]}),
            "at x-metrics/0/interval",
            "a LogQL duration",
        ),
        (
            declaration(properties={"channel": {"type": "string"}}),
            "at properties/channel/description",
            "one sentence",
        ),
        (
            declaration(
                properties={"channel": {"type": "string", "description": "c", "x-dimension": {"bound": "few"}}}
            ),
            "at properties/channel/x-dimension",
            "how many values at most",
        ),
        (
            declaration(properties={"channel": {"type": "string", "description": "c", "x-sensitive": "maybe"}}),
            "at properties/channel/x-sensitive",
            '"hashed" or "dropped"',
        ),
        (
            declaration(properties={"channel": {"type": "strong", "description": "c"}}),
            "at properties/channel/type",
            "not a valid JSON Schema",
        ),
        (
            declaration(properties={"channel": {"$ref": "https://schemas.invalid/c.json", "description": "c"}}),
            "",
            "schemas are read from their own file only",
        ),
    ],
)
def test_a_broken_file_is_an_error_that_names_file_place_and_expectation(
    tmp_path: Path, document: Any, place: str, expectation: str
) -> None:
    """Whatever is wrong with a schema file, the message says where and what would be right."""
    path = write(tmp_path, document)
    with pytest.raises(SchemaError) as caught:
        load_registry([tmp_path])
    message = str(caught.value)
    assert message.startswith(f"{path}")
    assert place in message
    assert expectation in message
    assert "\n" not in message


def test_a_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are an error, not a mangled description."""
    (tmp_path / f"{NAME}.json").write_bytes(b'{"title": "\xff"}')
    with pytest.raises(SchemaError, match=r"order_placed\.json: not UTF-8 at byte 11"):
        load_registry([tmp_path])


def test_a_field_may_not_take_a_name_of_the_envelope(tmp_path: Path) -> None:
    """A field called `seq` would be written twice in one line."""
    write(tmp_path, declaration(properties={"seq": {"type": "integer", "description": "s"}}, required=[]))
    with pytest.raises(SchemaError, match=r"at properties/seq: .*a name the envelope does not use"):
        load_registry([tmp_path])


def test_only_the_built_in_directory_declares_the_envelope(tmp_path: Path) -> None:
    """A second envelope.json is refused, not ignored."""
    write(tmp_path, {}, "envelope")
    with pytest.raises(SchemaError, match="only the built-in directory may declare the envelope"):
        load_registry([tmp_path])


def test_two_directories_may_not_declare_one_event(tmp_path: Path) -> None:
    """A clash of names is an error that names both files."""
    first, second = write(tmp_path / "a", declaration()), write(tmp_path / "b", declaration())
    with pytest.raises(SchemaError) as caught:
        load_registry([tmp_path / "a", tmp_path / "b"])
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_a_built_in_event_cannot_be_redeclared(tmp_path: Path) -> None:
    """Nor may a project's directory replace one of ours."""
    write(tmp_path, declaration(title="http.request_finished"), "http.request_finished")
    with pytest.raises(SchemaError, match=r'"http\.request_finished" is already declared in'):
        load_registry([tmp_path])


def test_a_directory_can_be_loaded_alone(tmp_path: Path) -> None:
    """Without the built-in events, with its own envelope or else the built-in one: to compare it."""
    write(tmp_path, declaration())
    registry = load_directory(tmp_path)
    assert list(registry.events) == [NAME]
    assert registry.envelope == load_registry().envelope
    write(tmp_path, {"properties": {"tenant": {}}, "required": []}, "envelope")
    assert list(load_directory(tmp_path).envelope["properties"]) == ["tenant"]


def test_a_missing_directory_names_the_setting(tmp_path: Path) -> None:
    """The message says which setting to look at."""
    with pytest.raises(SchemaError, match=r"nowhere: no such schema directory; check the setting SCHEMA_DIRECTORIES"):
        load_registry([tmp_path / "nowhere"])


def test_a_file_name_that_is_no_event_name_is_refused(tmp_path: Path) -> None:
    """The file's name is the event's name."""
    write(tmp_path, declaration(title="Order"), "Order")
    with pytest.raises(SchemaError, match=r"at \(file name\): .*<domain>\.<noun>_<past verb>\.json"):
        load_registry([tmp_path])


def test_field_finds_the_events_own_and_the_envelopes(registry: Registry) -> None:
    """`Registry.field` answers for both halves of a line."""
    assert registry.field("http.request_finished", "response_time_ms") == dict(
        registry.events["http.request_finished"].properties["response_time_ms"]
    )
    assert registry.field("http.request_finished", "seq") == registry.envelope["properties"]["seq"]
    assert registry.field("http.request_finished", "nothing") is None


def test_every_declared_metric_is_bounded(registry: Registry) -> None:
    """Each dimension of each built-in metric has a stated bound."""
    metrics = [(event, metric) for event in registry.events.values() for metric in event.metrics]
    assert metrics
    for event, metric in metrics:
        for name in metric.by:
            assert name in ("level", "release") or event.dimensions[name].bound > 0
