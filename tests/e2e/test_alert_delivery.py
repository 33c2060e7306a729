"""Every critical alert on the clock: from the line that brings it about to its receiver, and its end; and the dead man's switch.

In: events written by the library, `logpipe ship`, `logpipe probe`, the servers, rules and configuration as they are shipped.
Out: seconds from emission to delivery. Never: a shortened interval. A quarter of an hour long: `make test-long`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.stack import DeadMansSwitch, Stack, WebhookReceiver
from tests.e2e.live import CALL, Service, running
from tests.writer.support import events_so_far

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "loki" / "rules"
PROMISED_S = 300
CRITICAL = {
    rule["alert"]
    for path in sorted(RULES.glob("*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if rule.get("labels", {}).get("severity") == "critical"
}

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


class HealthPage:
    """Answers `status`."""

    def __init__(self) -> None:
        self.status = 200
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(page.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/healthz"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class World:
    """Everything that runs."""

    stack: Stack
    receiver: WebhookReceiver
    switch: DeadMansSwitch
    said: queue.SimpleQueue[str]
    logs: Path
    page: HealthPage
    services: dict[str, Service] = field(default_factory=dict)

    def service(self, name: str) -> Service:
        if name not in self.services:
            self.services[name] = Service(self.logs, name)
            self.services[name].live()
        return self.services[name]

    def last_good_check_ns(self) -> int:
        checks = events_so_far(self.logs, "logpipe-probe-*.ndjson")
        return max(parse_timestamp(event["timestamp"]) for event in checks if event["is_up"])


@pytest.fixture(scope="module")
def world(stack_binaries: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("delivery")
    logs, said = directory / "logs", queue.SimpleQueue()
    logs.mkdir()
    switch = DeadMansSwitch(on_change=said.put)
    page = HealthPage()
    with ExitStack() as everything:
        everything.callback(page.stop)
        receiver = everything.enter_context(WebhookReceiver(switch=switch))
        stack = everything.enter_context(
            Stack(rules_directory=RULES, webhook_url=receiver.url, deadmansswitch_url=receiver.deadmansswitch_url)
        )
        for name, *arguments in (
            ("ship", "--loki-url", stack.loki_url),
            ("probe", "--interval", "5", f"shop={page.url}"),
        ):
            everything.enter_context(running(name, *arguments, logs=logs, output=directory / f"{name}.txt"))
        found = World(stack, receiver, switch, said, logs, page)
        for name in ("down", "failing", "lossy", "syncing"):
            found.service(name)
        yield found
        for service in found.services.values():
            service.go_down()
            service.writer.close()


def fail_health_checks(world: World) -> int:
    world.page.status = 503
    time.sleep(6)  # a check that was under way
    return world.last_good_check_ns()


def lose_events(world: World) -> int:
    world.service("lossy").heartbeat["failed_count"] = 3
    return world.service("lossy").emit("process.sampled", uptime_s=100.0, failed_count=3)


def fill_disk(world: World) -> int:
    """An hour of heartbeats, told at once: the forecast goes by `uptime_s`. Ten more minutes like these, and it is full."""
    service = world.service("filling")
    for minute in range(60):
        at_ns = service.emit("process.sampled", uptime_s=60.0 * minute, log_disk_free_ratio=0.35 - 0.005 * minute)
    service.heartbeat |= {"uptime_s": 3600.0, "log_disk_free_ratio": 0.05}
    return at_ns


def use_up_memory(world: World) -> int:
    service = world.service("hungry")
    service.heartbeat["memory_used_ratio"] = 0.95
    return service.emit("process.sampled", **service.heartbeat)


#: What brings each critical alert of loki/rules about, and HighErrorRate; tells when, in ns: the line without which it would not fire, or after which none came.
TROUBLE: dict[str, Callable[[World], int]] = {
    "HealthCheckFailed": fail_health_checks,
    "AppDown": lambda world: world.service("down").go_down(),
    "HighErrorRate": lambda world: world.service("failing").emit("http.request_finished", 10, is_error=1),
    "EventsLost": lose_events,
    "GoogleQuotaMinute95": lambda world: world.service("syncing").emit(
        "google_api.call_finished", **{**CALL, "project": "minute", "quota_units": 96, "quota_minute_limit": 100}
    ),
    "GoogleQuotaDay95": lambda world: world.service("syncing").emit(
        "google_api.call_finished", **{**CALL, "project": "day", "quota_units": 96, "quota_day_limit": 100}
    ),
    "SyncFailing": lambda world: world.service("syncing").emit(
        "sync.run_finished", 3, resource="events", outcome="failed", is_success=0
    ),
    "DiskFillsUp": fill_disk,
    "MemoryNearLimit": use_up_memory,
}


#: Trouble that was over with its line: a minute later the quota of a minute is free again, whatever else is still broken.
OVER_AT_ONCE = {"GoogleQuotaMinute95"}


def recover(world: World) -> None:
    """Everything is well again; what a window remembers is outweighed, or leaves it in a few minutes."""
    world.page.status = 200
    world.service("down").live()
    world.service("lossy").heartbeat["failed_count"] = 0
    world.service("filling").heartbeat["log_disk_free_ratio"] = 0.9
    world.service("hungry").heartbeat["memory_used_ratio"] = 0.5
    world.service("failing").emit("http.request_finished", 2_000, is_error=0)
    world.service("syncing").emit("google_api.call_finished", **{**CALL, "project": "day", "quota_units": 0})
    world.service("syncing").emit("sync.run_finished", 40, resource="events", outcome="ok", is_success=1)


def is_about(name: str, status: str) -> Callable[[dict[str, Any]], bool]:
    return lambda alert: alert["labels"]["alertname"] == name and alert["status"] == status


def test_each_critical_alert_has_its_trouble() -> None:
    """A new one needs an entry in TROUBLE: what it fires for, and when that was written. Pages of objectives: test_slo_page.py."""
    assert set(TROUBLE) == CRITICAL | {"HighErrorRate"}


def test_every_critical_alert_is_delivered_in_time_and_its_end_too(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under 5 minutes from the line to the receiver, as shipped; and a message that it is over once it is."""
    deadline = time.monotonic() + 60
    while not (world.switch.beats and any(world.logs.glob("logpipe-probe-*"))):
        assert time.monotonic() < deadline + 60, "the pipeline gives no sign of life"
        time.sleep(1)
    emitted_ns = {name: bring_about(world) for name, bring_about in TROUBLE.items()}
    seconds: dict[str, float] = {}
    for name, at_ns in emitted_ns.items():
        found = world.receiver.wait_for(is_about(name, "firing"), PROMISED_S)
        assert found is not None, f"{name} was not delivered within {PROMISED_S} s; {list(seconds)} were"
        seconds[name] = (found[0].received_ns - at_ns) / 1e9
    recovered_ns = time.time_ns()
    recover(world)
    ends = {}
    for name, at_ns in emitted_ns.items():
        found = world.receiver.wait_for(is_about(name, "resolved"), 600)
        assert found is not None, f"{name} does not end"
        over_ns = at_ns if name in OVER_AT_ONCE else recovered_ns
        ends[name] = (found[0].received_ns - over_ns) / 1e9
    with capsys.disabled():
        print("\nalert                 delivered after  over after")
        for name, took_s in seconds.items():
            print(f"{name:22} {took_s:11.1f} s {ends[name]:9.1f} s")
    assert max(seconds.values()) < PROMISED_S
    assert min(ends.values()) > 0
    # Nothing else that pages: no alert is brought about by another's trouble.
    firing = {alert["labels"]["alertname"] for delivery in world.receiver.deliveries for alert in delivery.alerts}
    assert firing & CRITICAL == set(TROUBLE) & CRITICAL
    assert world.said.empty(), world.said.get()


def test_a_dead_loki_is_told_of_in_time(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed, it fires nothing any more: the dead man's switch raises the alarm within the promised time; then it lives again."""
    world.stack.kill("loki")
    killed = time.monotonic()
    assert world.said.get(timeout=PROMISED_S).startswith("PIPELINE SILENT")
    silent_s = time.monotonic() - killed
    world.stack.start("loki")
    started = time.monotonic()
    assert world.said.get(timeout=PROMISED_S).startswith("PIPELINE ALIVE AGAIN")
    with capsys.disabled():
        print(
            f"\nLoki killed: told of after {silent_s:.1f} s; alive again {time.monotonic() - started:.1f} s after its start"
        )
