"""Events for tests of rules: valid lines with chosen fields and times, pushed as a shipper would.

In: an event's name, fields, ages in seconds. Out: entries in Loki. Never: an invalid line.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from logging_pkg.loki_client import Entry, LokiClient, Stream
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.conventions import STRUCTURED_METADATA
from logging_pkg.schemas.examples import example_lines

REGISTRY = load_registry()
ENV = "test"
_BASES = {event: next(iter(example_lines(REGISTRY, event, count=1))) for event in REGISTRY.events}
_NUMBERS = itertools.count(1)


def line(event: str, service_name: str, time_ns: int, **fields: Any) -> dict[str, Any]:
    """A valid line of an event: its sample, with these fields and this time."""
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).replace(microsecond=time_ns // 1000 % 1_000_000)
    seq = next(_NUMBERS)
    made = {
        **_BASES[event],
        "service_name": service_name,
        "env": ENV,
        "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "seq": seq,
        "event_id": f"{_BASES[event]['instance_id']}-{seq}",
        **fields,
    }
    assert REGISTRY.problems(made) == []
    return made


def push(loki: LokiClient, lines: Iterable[Mapping[str, Any]]) -> None:
    """Store lines in their streams, with their structured metadata and their own time."""
    streams: dict[tuple[str, str], list[Entry]] = {}
    for item in lines:
        moment = datetime.fromisoformat(item["timestamp"])
        time_ns = int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
        metadata = {name: str(item[name]) for name in STRUCTURED_METADATA if item.get(name) is not None}
        entry = Entry(time_ns, json.dumps(item), metadata)
        streams.setdefault((item["service_name"], item["event"]), []).append(entry)
    loki.push(
        [
            Stream({"service_name": service, "env": ENV, "event": event}, sorted(entries, key=lambda e: e.timestamp_ns))
            for (service, event), entries in streams.items()
        ]
    )
