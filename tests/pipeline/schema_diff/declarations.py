"""Schema directories for tests: one event that has everything, and changes of it.

In: changes. Out: a directory, its Registry. Never: the project's own schemas.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from logging_pkg.schemas import Registry, load_directory

NAME = "shop.order_placed"
DOCUMENT: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": NAME,
    "description": "An order was placed.",
    "type": "object",
    "x-since": "1.0",
    "x-schema-version": 3,
    "x-metrics": [
        {"name": "orders", "kind": "counter", "unit": "1", "by": ["channel"], "description": "Orders."},
        {"name": "order_time", "kind": "histogram", "field": "duration_ms", "unit": "ms", "by": ["shop"]},
        {"name": "order_lines", "kind": "gauge", "field": "line_count", "unit": "1", "by": []},
    ],
    "properties": {
        "channel": {"enum": ["web", "phone"], "description": "Where.", "x-dimension": {"bound": 2, "why": "enum"}},
        "shop": {
            "type": "string", "maxLength": 64, "description": "Which shop.", "x-dimension": {"bound": 9, "why": "shops"},
        },
        "duration_ms": {"type": "number", "minimum": 0, "description": "How long, ms."},
        "line_count": {"type": ["integer", "null"], "minimum": 0, "description": "Lines."},
        "customer": {"type": "string", "description": "Who.", "x-sensitive": "hashed"},
        "lines": {
            "type": "array",
            "description": "Lines.",
            "items": {
                "type": "object",
                "properties": {"sku": {"type": "string", "description": "Article."}, "count": {"type": "integer"}},
                "required": ["sku"],
            },
        },
    },
    "required": ["channel", "duration_ms", "line_count"],
    "additionalProperties": False,
}  # fmt: skip


def write(directory: Path, change: Callable[[dict[str, Any]], Any] | None = None, name: str = NAME) -> Path:
    """Write the event into a directory, changed in place by a function if one is given."""
    directory.mkdir(parents=True, exist_ok=True)
    document = copy.deepcopy(DOCUMENT) | {"title": name}
    if change is not None:
        change(document)
    (directory / f"{name}.json").write_text(json.dumps(document, indent=2))
    return directory


def registry(directory: Path, change: Callable[[dict[str, Any]], Any] | None = None) -> Registry:
    """The registry of a directory with the event, changed or not."""
    return load_directory(write(directory, change))
