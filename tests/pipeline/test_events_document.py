"""docs/EVENTS.md says of each event what its schema does."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from logging_pkg.pipeline.events_document import events_document
from logging_pkg.schemas import Registry, load_registry

REGISTRY = load_registry()
TEXT = events_document(REGISTRY)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def section(text: str, name: str) -> str:
    return text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


def registry_with(tmp_path: Path, properties: dict[str, Any], **more: Any) -> Registry:
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "shop.order_placed", "type": "object",
        "x-since": "1.0", "x-schema-version": 3, "additionalProperties": False, "properties": properties, **more,
    }  # fmt: skip
    (tmp_path / "shop.order_placed.json").write_text(json.dumps(document))
    return load_registry([tmp_path])


@pytest.mark.parametrize("name", sorted(REGISTRY.events))
def test_an_event_has_its_section_with_every_field_metric_and_a_valid_line(name: str) -> None:
    """Name, version, fields, metrics, and an example that its own schema accepts."""
    event, text = REGISTRY.events[name], section(TEXT, name)
    assert f"Version {event.version}, since {event.document['x-since']}, level {event.level}." in text
    assert [field for field in event.properties if f"| `{field}` |" not in text] == []
    assert [metric.name for metric in event.metrics if f"| `{metric.name}` | {metric.kind} |" not in text] == []
    (line,) = re.findall(r"^```json\n(.*)\n```$", text, re.MULTILINE)
    assert REGISTRY.problems(json.loads(line)) == []


def test_links_within_the_document_lead_to_a_heading() -> None:
    """As GitHub makes anchors: lower case, no dots."""
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in _HEADING.findall(TEXT)}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
    assert len(anchors) == len(REGISTRY.events) + 1


def test_tables_are_tables() -> None:
    """Every row has as many cells as its head: a | of a pattern or description does not break one."""
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(counts) == 1, block


def test_the_same_schemas_give_the_same_bytes_in_any_order() -> None:
    """Neither time nor the order in which files were found shows."""
    names = list(REGISTRY.events)
    random.shuffle(names)
    shuffled = replace(REGISTRY, events=MappingProxyType({name: REGISTRY.events[name] for name in names}))
    assert events_document(shuffled) == TEXT


def test_what_a_field_may_hold_is_said(tmp_path: Path) -> None:
    """Types, units, bounds, options, notes, and what lies within lists and objects."""
    item = {"type": "object", "properties": {"sku": {"type": "string", "description": "Which."}}, "required": ["sku"]}
    properties = {
        "total_ms": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 12000, "description": "T | <b> * `a|b`."},
        "kind": {"enum": ["a", 1, None], "description": "K.", "x-dimension": {"bound": 3, "why": "enum"}},
        "shop": {
            "type": "string", "pattern": "^(a|b)$", "minLength": 1, "description": "S.", "deprecated": True,
            "x-sensitive": "hashed", "x-dimension": {"bound": 1500, "why": "one per shop"}, "examples": ["a"],
        },
        "lines": {"type": "array", "items": item, "maxItems": 9, "description": "L."},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 5}, "description": "G."},
        "fixed": {"const": 7, "description": "F."},
        "any": {"description": "A.", "examples": [1]},
    }  # fmt: skip
    text = section(
        events_document(registry_with(tmp_path, properties, required=["kind", "lines"], deprecated=True)),
        "shop.order_placed",
    )
    assert "Version 3, since 1.0, level info, **deprecated**." in text
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    assert rows == [
        r"| `total_ms` | number or *null* | ms | ≤ 12,000, > 0 | optional | T \| &lt;b> \* `a\|b`. |".replace(
            "≤ 12,000, > 0", "> 0, ≤ 12,000"
        ),
        "| `kind` | one of |  | `a`, `1`, `null` | dimension (≤ 3) | K. |",
        r"| `shop` | string |  | ≥ 1 characters, `^(a\|b)$` | optional, dimension (≤ 1,500: one per shop), hashed, **deprecated** | S. |",
        "| `lines` | array of object |  | ≤ 9 items |  | L. |",
        "| `lines[].sku` | string |  |  |  | Which. |",
        "| `tags` | array of string |  | each ≤ 5 characters | optional | G. |",
        "| `fixed` | one of |  | `7` | optional | F. |",
        "| `any` | anything |  |  | optional | A. |",
    ]


def test_an_event_without_fields_has_no_table(tmp_path: Path) -> None:
    """Nor a table of metrics it has not."""
    text = section(
        events_document(registry_with(tmp_path, {}, description="Placed. By somebody.")), "shop.order_placed"
    )
    assert "|" not in text
    assert "Placed. By somebody." in text
