"""What the shipper's tests share: event files, a shipper in this process or another, and the count of what is stored.

In: a directory, a Loki. Out: lines written and lines stored. Never: a sleep without a deadline.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from logging_pkg.loki_client import LokiClient, Streams, Vector
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.examples import example_lines
from logging_pkg.shipper import RetryPolicy, Shipper, ShipperOptions

REGISTRY = load_registry()
_SAMPLES = {
    name: list(example_lines(REGISTRY, name, 2, awkward=True))[1]
    for name in ("http.request_finished", "process.sampled")
}

FAST = RetryPolicy(first_delay_s=0.05, max_delay_s=0.2, settle_s=0.3, refusal_settle_s=0.1)


def new_service() -> str:
    """A service_name of the test's own: the Loki is shared."""
    return f"t{uuid.uuid4().hex[:12]}"


def new_instance() -> str:
    """An instance_id."""
    return uuid.uuid4().hex


@dataclass
class EventFile:
    """Writes lines as one instance does: seq from 1, timestamps that never go back, rotation by rename."""

    directory: Path
    service: str
    instance_id: str = field(default_factory=new_instance)
    start: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=5))
    step: timedelta = timedelta(milliseconds=1)
    seq: int = 0
    rotations: int = 0

    @property
    def path(self) -> Path:
        return self.directory / f"{self.service}-{self.instance_id}.ndjson"

    def line(self, **fields: Any) -> bytes:
        self.seq += 1
        sample = _SAMPLES["http.request_finished" if self.seq % 3 else "process.sampled"]
        moment = self.start + self.step * self.seq
        return orjson.dumps(
            {
                **sample,
                "service_name": self.service,
                "env": "test",
                "instance_id": self.instance_id,
                "seq": self.seq,
                "event_id": f"{self.instance_id}-{self.seq}",
                "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                **fields,
            }
        )

    def write(self, count: int, **fields: Any) -> None:
        self.write_raw(b"".join(self.line(**fields) + b"\n" for _ in range(count)))

    def write_raw(self, data: bytes) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(data)

    def rotate(self) -> Path:
        self.rotations += 1
        return self.path.rename(self.directory / f"{self.service}-{self.instance_id}.{self.rotations}.ndjson")

    @property
    def event_ids(self) -> set[str]:
        return {f"{self.instance_id}-{number}" for number in range(1, self.seq + 1)}


@dataclass
class Collected:
    """What a shipper under test told and emitted."""

    notices: list[str] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)

    def emit(self, event: str, fields: Any) -> None:
        assert event == "shipper.status_reported"
        assert REGISTRY.events[event].accepts(fields), fields
        self.reports.append(dict(fields))

    def total(self, name: str) -> int:
        return sum(report[name] for report in self.reports)


def make_options(directory: Path, **changes: Any) -> ShipperOptions:
    defaults: dict[str, Any] = {"linger_s": 0.05, "poll_s": 0.02, "torn_after_s": 0.2, "retry": FAST}
    return ShipperOptions(directory=directory, state_directory=directory.parent / "shipper", **{**defaults, **changes})


@contextlib.contextmanager
def shipping(directory: Path, url: str, timeout_s: float = 1.0, **changes: Any) -> Iterator[tuple[Shipper, Collected]]:
    """A shipper in this process, with short waits."""
    collected = Collected()
    with (
        LokiClient(url, timeout_s=timeout_s) as client,
        Shipper(
            make_options(directory, **changes), client, REGISTRY.events, collected.emit, collected.notices.append
        ) as shipper,
    ):
        yield shipper, collected


def drain(directory: Path, url: str, **changes: Any) -> Collected:
    """Ship everything with a shipper in this process."""
    with shipping(directory, url, **changes) as (shipper, collected):
        assert shipper.drain(60)
    return collected


def start_command(
    directory: Path, url: str, *arguments: str, file_size_limit: int | None = None
) -> subprocess.Popen[str]:
    """`logpipe ship` as a process of its own, unable to write files longer than the limit. The caller ends it."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({file_size_limit}, {file_size_limit})); "
    code = "import typer; from logging_pkg.cli.ship import ship; typer.run(ship)"
    command = [sys.executable, "-c", (limit if file_size_limit else "") + code, "--loki-url", url]
    command += ["--directory", str(directory), "--linger", "0.05", "--poll", "0.02", "--settle", "0.5"]
    return subprocess.Popen([*command, "--torn-after", "0.2", *arguments], stderr=subprocess.PIPE, text=True)


def stored(client: LokiClient, service: str, since: datetime | None = None) -> tuple[int, Counter[str]]:
    """How many events a metric query counts for a service, and how often a log query finds each event_id."""
    begin = since or datetime.now(UTC) - timedelta(hours=1)
    end = datetime.now(UTC) + timedelta(minutes=2)
    end_ns = int(end.timestamp() * 1e9)
    seconds = int((end - begin).total_seconds()) + 1
    counted = client.query(f'sum(count_over_time({{service_name="{service}"}}[{seconds}s]))', end_ns)
    assert isinstance(counted, Vector)
    found = client.query_range(f'{{service_name="{service}"}}', int(begin.timestamp() * 1e9), end_ns)
    assert isinstance(found, Streams)
    ids = Counter(entry.metadata["event_id"] for stream in found.streams for entry in stream.entries)
    return int(counted.samples[0].value) if counted.samples else 0, ids


def assert_each_stored_once(
    client: LokiClient, service: str, event_ids: set[str], since: datetime | None = None
) -> None:
    """A metric query, a log query and the files agree."""
    counted, ids = stored(client, service, since)
    assert set(ids) == event_ids, (len(ids), len(event_ids), sorted(set(ids) ^ event_ids)[:5])
    assert counted == len(event_ids)
    assert set(ids.values()) <= {1}


def eventually(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def dead_letters(directory: Path) -> list[dict[str, Any]]:
    """What is in the dead letter beside an event directory."""
    path = directory.parent / "shipper" / "dead-letter.ndjson"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
