"""vector.toml as a program: its VRL run by vrl-python, its sink tables applied as Vector's loki sink applies them.

In: vector.toml, lines. Out: what Vector would push, or the reason for its dead letter. Never: a copy of anything that
vector.toml says.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vrl_python import VRLRuntime

ROOT = Path(__file__).parents[2]
VECTOR_TOML = ROOT / "vector.toml"
_TEMPLATE = re.compile(r"\{\{ (\w+) \}\}")
_REASON = re.compile(r"error\[E000\]: (\w+)")


class Pushed(NamedTuple):
    """One event as Loki gets it."""

    labels: dict[str, str]
    metadata: dict[str, str]
    timestamp_ns: int
    line: str


class Program:
    """One VRL source. Its runtime runs nothing else: alternating programs compiles each time."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._runtime = VRLRuntime()

    def run(self, event: Mapping[str, Any]) -> dict[str, Any] | str:
        """The event it makes, or the message it aborts with."""
        try:
            result = self._runtime.execute(self._source, dict(event))
        except RuntimeError as error:
            found = _REASON.search(str(error))
            return found[1] if found else str(error)
        document: dict[str, Any] = result.processed_event
        return document


class VectorConfig:
    """The committed vector.toml."""

    def __init__(self) -> None:
        self.text = VECTOR_TOML.read_text(encoding="utf-8")
        self.document = tomllib.loads(self.text)
        self.event = Program(self.document["transforms"]["event"]["source"])
        # vrl-python takes no bytes and hands timestamps out as text, hence the prologue and the epilogue.
        self._from_bytes = Program(
            f".message = decode_base64!(.message)\n{self.document['transforms']['event']['source']}\n"
            '.timestamp_ns = to_unix_timestamp(.timestamp, unit: "nanoseconds")\n'
        )

    def ship(self, line: bytes) -> Pushed | str:
        """What the loki sink pushes for a line, or the reason it is dead-lettered for."""
        event = self._from_bytes.run({"message": base64.b64encode(line).decode(), "file": "a.ndjson", "offset": 0})
        if isinstance(event, str):
            return event
        sink = self.document["sinks"]["loki"]
        assert sink["encoding"]["codec"] == "text"
        return Pushed(
            _render(sink["labels"], event),
            _render(sink["structured_metadata"], event),
            event["timestamp_ns"],
            event["message"],
        )


def _render(table: Mapping[str, str], event: Mapping[str, Any]) -> dict[str, str]:
    """Vector leaves a key out when its template names a field the event lacks (src/sinks/loki/sink.rs)."""
    rendered = {}
    for key, template in table.items():
        found = _TEMPLATE.fullmatch(template)
        assert found is not None, template
        if found[1] in event:
            value = event[found[1]]
            assert isinstance(value, str), (key, value)
            rendered[key] = value
    return rendered
