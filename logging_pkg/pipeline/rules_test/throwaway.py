"""A Loki for one run, with a tenant for each test.

In: tests. Out: their lines stored, each test's under its own tenant and in a past of its own. Never: a line that
another test can see, or one that is stored and not yet visible.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import orjson
import requests

from logging_pkg.exceptions import StackError
from logging_pkg.http_session import http_session
from logging_pkg.loki_client import Entry, LokiClient, Stream, Vector
from logging_pkg.pipeline.rules_test.model import EventLine, RawLine, RuleTest
from logging_pkg.pipeline.rules_test.values import SECOND
from logging_pkg.schemas import Registry
from logging_pkg.schemas.conventions import MAX_PUSH_BYTES, STREAM_LABELS
from logging_pkg.shipper.checks import LineChecker
from logging_pkg.stack import Stack
from logging_pkg.stack.gobuild import OnProgress

_MICROSECOND = 1000
#: Between the end of a test and the present, so that no query reaches into the future.
_MARGIN_NS = 10 * SECOND
#: Older lines are not visible before the ingester has written them to the store (Loki 3.7: 24 h are, 25 h not).
_VISIBLE_NS = 20 * 3600 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StoredTest:
    """A test whose lines are in Loki: `base_ns` is its time 0, `tenant` who sees them."""

    test: RuleTest
    tenant: str
    base_ns: int
    oldest_ns: int
    streams: tuple[tuple[Mapping[str, str], int, int, int], ...]
    """Labels, number of lines, times of the first and last one."""


class ThrowawayLoki:
    """A Loki with the configured limits and several tenants, for as long as the block lasts.

    Start it in the main thread, see Stack.

    Args:
        registry: the declared events.
        config_directory: of loki.yaml; by default as `logpipe stack` finds it.
        on_progress: told about a build of Loki.
    """

    def __init__(
        self, registry: Registry, config_directory: Path | None = None, on_progress: OnProgress | None = None
    ) -> None:
        self._checker = LineChecker(registry.events)
        self._registry = registry
        self._directory = tempfile.TemporaryDirectory(prefix="logpipe-rules-test-")
        self.rules_directory = Path(self._directory.name) / "rules"
        self.rules_directory.mkdir()
        self._local = threading.local()
        self._numbers = itertools.count(1)
        self._sessions: list[requests.Session] = []
        changes: dict[str, Any] = {
            "auth_enabled": True,
            "ruler": {"poll_interval": "200ms", "storage": {"local": {"directory": str(self.rules_directory)}}},
            # What lets lines lie in the past; the project's own loki.yaml may be set for the present.
            "ingester": {"max_chunk_age": "24h"},
            "querier": {"query_ingesters_within": "25h"},
            "limits_config": {"reject_old_samples": False},
        }
        self._stack = Stack(
            servers=("loki",), loki_changes=changes, config_directory=config_directory, on_progress=on_progress
        )

    def __enter__(self) -> Self:
        try:
            self._stack.start_all()
        except BaseException:
            self._directory.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()
        self._stack.stop_all()
        self._directory.cleanup()

    @property
    def version(self) -> str:
        """Which Loki it is."""
        return self._stack.binaries["loki"].version

    def last_log_line(self, text: str) -> str | None:
        """The last line of Loki's own log with this text."""
        lines = self._stack.log("loki").read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line for line in reversed(lines) if text in line), None)

    def client(self, tenant: str) -> LokiClient:
        """A client of this thread for one tenant. Do not close it: the thread's clients share their connections."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = http_session(self._stack.loki_url)
            self._sessions.append(session)
        return LokiClient(self._stack.loki_url, tenant=tenant, session=session)

    def new_tenant(self, kind: str) -> str:
        """A tenant that has nothing yet."""
        return f"{kind}-{next(self._numbers)}"

    def store(self, test: RuleTest) -> StoredTest:
        """Store a test's lines so that its last expectation lies just before the present."""
        tenant = self.new_tenant("test")
        now_ns = time.time_ns()
        # A multiple of every interval: Loki rounds the times of a range query to multiples of its step.
        grid_ns = math.lcm(
            *{test.interval_ns(rule) for check in test.alerts for rule in test.rules[check.alertname]}, SECOND
        )
        base_ns = (now_ns - _MARGIN_NS - test.end_ns) // grid_ns * grid_ns
        streams = self._streams(test.lines, base_ns)
        client = self.client(tenant)
        for stream in streams:
            for part in _parts(stream):
                client.push([part])
        stored = tuple(
            (s.labels, len(s.entries), s.entries[0].timestamp_ns, s.entries[-1].timestamp_ns) for s in streams
        )
        return StoredTest(test, tenant, base_ns, min((s[2] for s in stored), default=base_ns), stored)

    def make_visible(self, tests: Iterable[StoredTest]) -> None:
        """Have old lines written to the store, and wait until queries find them.

        Raises:
            StackError: they do not within ten seconds.
        """
        old = [test for test in tests if test.oldest_ns < time.time_ns() - _VISIBLE_NS]
        if not old:
            return
        self.client("flush").flush()
        end = time.monotonic() + 10
        for test in old:
            while not _is_visible(self.client(test.tenant), test):
                if time.monotonic() > end:
                    raise StackError(f"{test.test.file}: the lines of {test.test.name!r} are stored but not found")
                time.sleep(0.05)

    def _streams(self, lines: Sequence[EventLine | RawLine], base_ns: int) -> list[Stream]:
        streams: dict[tuple[tuple[str, str], ...], list[RawLine]] = defaultdict(list)
        for number, line in enumerate(lines, 1):
            raw = line if isinstance(line, RawLine) else self._raw(line, base_ns, number)
            streams[tuple(sorted(raw.labels.items()))].append(raw)
        return [Stream(dict(labels), _entries(found, base_ns)) for labels, found in streams.items()]

    def _raw(self, line: EventLine, base_ns: int, number: int) -> RawLine:
        """The event as the application writes it and the shipper ships it."""
        moment = _EPOCH + timedelta(microseconds=(base_ns + line.at_ns) // _MICROSECOND)
        made = {
            **line.fields,
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "seq": number,
            "event_id": f"{line.fields['instance_id']}-{number}",
        }
        shippable = self._checker.check(orjson.dumps(made))
        assert not isinstance(shippable, str), f"the schema takes what the shipper does not: {shippable}"
        labels = dict(zip(STREAM_LABELS, shippable.stream, strict=True))
        return RawLine(line.at_ns, labels, shippable.metadata, shippable.line)


def _entries(lines: list[RawLine], base_ns: int) -> list[Entry]:
    """A stream's entries in order. Of those at one time all but the last are a few microseconds earlier.

    Loki keeps one of two equal lines at one time. Earlier, because a range is open at its beginning, closed at its end.
    """
    ordered = sorted(lines, key=lambda line: line.at_ns)
    entries: list[Entry] = []
    following = None
    shift = 0
    for line in reversed(ordered):
        shift = shift + 1 if line.at_ns == following else 0
        following = line.at_ns
        entries.append(Entry(base_ns + line.at_ns - shift * _MICROSECOND, line.text, line.metadata))
    return sorted(entries, key=lambda entry: entry.timestamp_ns)


def _parts(stream: Stream) -> Iterable[Stream]:
    """Parts of a size that Loki takes."""
    part: list[Entry] = []
    size = 0
    for entry in stream.entries:
        part.append(entry)
        size += len(entry.line.encode()) + 200
        if size > MAX_PUSH_BYTES // 2:
            yield Stream(stream.labels, part)
            part, size = [], 0
    if part:
        yield Stream(stream.labels, part)


def _is_visible(client: LokiClient, test: StoredTest) -> bool:
    for labels, count, first_ns, last_ns in test.streams:
        selector = ", ".join(f"{name}={orjson.dumps(value).decode()}" for name, value in labels.items())
        seconds = (last_ns - first_ns) // SECOND + 2
        answer = client.query(f"sum(count_over_time({{{selector}}}[{seconds}s]))", last_ns + SECOND // 1000)
        assert isinstance(answer, Vector)
        if sum(sample.value for sample in answer.samples) < count:
            return False
    return True
