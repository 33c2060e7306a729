"""What shipping costs: events per second, CPU per event of the shipper and, beside it, of Loki.

In: a number of events. Out: a table on stdout, or its rows from `measure`. Never: a verdict; the target stands beside the
figure. Run it with `python -m tests.performance.bench_shipper [--events 200000]`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from logging_pkg.conf import Settings
from logging_pkg.loki_client import LokiClient, Vector
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.examples import example_lines
from logging_pkg.stack import Stack
from logging_pkg.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

#: CPU microseconds per event allowed to the shipper, tail, checkpoint and checks included.
TARGET_US = 25.0
_SERVICE = "calendar-sync-bench"
#: Events whose lines are about 580 bytes, so that figures compare with those measured for Vector and a plain loop.
_EVENTS = {
    "function.call_finished": "duration_ms",
    "http.slow_request_detected": "response_time_ms",
    "db.slow_query_detected": "duration_ms",
    "process.sampled": "uptime_s",
}


@dataclass(frozen=True, slots=True)
class Result:
    """One run. CPU is user plus system time of the process, in microseconds per event."""

    events: int
    event_bytes: float
    seconds: float
    shipper_us: float
    plain_us: float
    loki_us: float
    stored: int

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The table, label and value."""
        return [
            ("events", f"{self.events:,} of {self.event_bytes:.0f} bytes"),
            ("events per second", f"{self.events / self.seconds:,.0f}"),
            ("shipper CPU per event", f"{self.shipper_us:.1f} us (target <= {TARGET_US:.0f})"),
            ("plain loop, CPU per event", f"{self.plain_us:.1f} us"),
            ("Loki CPU per event", f"{self.loki_us:.1f} us"),
            ("stored", f"{self.stored:,}, lost {self.events - self.stored:,}"),
        ]


def write_events(directory: Path, count: int) -> int:
    """Write events of 580 bytes or so and return their total size in bytes."""
    settings = Settings(service_name=_SERVICE, env="test", directory=directory, directory_max_bytes=1 << 40)
    writer = Writer(settings, load_registry())
    for event, fields in _events(count):
        writer.emit(event, fields)
    writer.close()
    return sum(path.stat().st_size for path in directory.glob("*.ndjson"))


def measure(events: int = 200_000) -> Result:
    """Ship `events` events with `logpipe ship --drain` into a Loki of its own."""
    with tempfile.TemporaryDirectory() as name, Stack(servers=("loki",)) as stack:
        directory = Path(name) / "logs"
        size = write_events(directory, events)
        loki_pid = stack.pid("loki")
        assert loki_pid is not None
        command = [sys.executable, "-c", "import typer; from logging_pkg.cli.ship import ship; typer.run(ship)"]
        command += ["--loki-url", stack.loki_url, "--directory", str(directory), "--drain"]
        # What starting Python costs is none of the events' doing: a shipper with nothing to ship measures it.
        idle_s = _child_cpu_s([*command[:-3], "--directory", f"{name}/empty", "--drain"])
        loki_before_s, started = cpu_s(loki_pid), time.perf_counter()
        shipper_s = _child_cpu_s(command)
        seconds = time.perf_counter() - started
        loki_s = cpu_s(loki_pid) - loki_before_s
        with LokiClient(stack.loki_url) as client:
            counted = client.query(f'sum(count_over_time({{service_name="{_SERVICE}"}}[1h]))')
        assert isinstance(counted, Vector)
        return Result(
            events=events,
            event_bytes=size / events,
            seconds=seconds,
            shipper_us=(shipper_s - idle_s) / events * 1e6,
            plain_us=_plain_cpu_s(directory) / events * 1e6,
            loki_us=loki_s / events * 1e6,
            stored=int(counted.samples[0].value),
        )


def _plain_cpu_s(directory: Path) -> float:
    """What the same events cost a loop without any care, into a Loki that has not seen them."""
    with Stack(servers=("loki",)) as stack:
        command = [sys.executable, "-m", "tests.performance.plain_shipper"]
        idle_s = _child_cpu_s(command)
        return _child_cpu_s([*command, stack.loki_url, str(directory)]) - idle_s


def cpu_s(pid: int) -> float:
    """User and system time of a process, seconds: fields 14 and 15 of /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    for label, value in measure(parser.parse_args().events).rows:
        print(f"{label:24} {value}")


def _events(count: int) -> Iterator[tuple[str, dict[str, object]]]:
    registry = load_registry()
    templates = []
    for event, varied in _EVENTS.items():
        line = next(iter(example_lines(registry, event, 1)))
        fields = {name: value for name, value in line.items() if name not in registry.envelope["properties"]}
        templates.append((event, fields, varied))
    for number in range(count):
        event, fields, varied = templates[number % len(templates)]
        yield event, {**fields, varied: round(number * 7919 % 100_003 / 37, 3)}


def _child_cpu_s(command: list[str]) -> float:
    before = os.times()
    subprocess.run(command, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    main()
