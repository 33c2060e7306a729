"""A calendar service that is well, for as long as asked: busy by day, quiet by night and at the weekend, deployed each morning.

In: a length and a seed. Out: events with their times, as the application, the shipper and the prober write them. Never: a number
drawn by the clock; the same seed makes the same week.

Well is not spotless: one request in a thousand fails, nights have a cold start, a check gets lost, Google errs or is slow now and
then, a query is slow, memory and disks fill up and are freed again.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

from logging_pkg.pipeline.rules_test.inputs import ANY_TIMESTAMP, IDENTITY
from logging_pkg.pipeline.rules_test.model import EventLine
from logging_pkg.pipeline.rules_test.sample import plain_event
from tests.pipeline.events import REGISTRY

S = 1_000_000_000
DAY_S = 86_400
#: Requests a second at the busiest moment of a working day.
PEAK_RATE = 0.3
ACCOUNTS = [f"{number:016x}" for number in range(25)]
ROUTES = {"/dashboard/": 80, "/accounts/{id}/": 140, "/calendars/{id}/toggle": 40}
#: How often each is asked for: the dashboard often enough to be compared with last week (300 requests an hour).
SHARES = [6, 2, 2]
DISK_BYTES = 100_000_000_000
WEB, WORKER = "calendar-sync", "calendar-sync-worker"
_INSTANCE = "0" * 31 + "1"


def healthy(length_s: int, seed: int) -> Iterator[EventLine]:
    """Events from 0 to `length_s`, in no order."""
    chosen = random.Random(seed)
    for make in (_heartbeats, _requests, _findings, _caches, _disks, _syncs, _reports, _checks):
        yield from make(length_s, chosen)


def load(at_s: float) -> float:
    """Share of the peak: a working day's from 0.05 at 4 a.m. to 1 at 4 p.m., a quarter of it at the weekend."""
    of_day = 0.525 - 0.475 * math.cos(2 * math.pi * (at_s - 4 * 3600) / DAY_S)
    return of_day * (0.25 if at_s // DAY_S % 7 >= 5 else 1.0)


_plain: dict[str, dict[str, Any]] = {}


def event(name: str, at_s: float, service_name: str, **fields: Any) -> EventLine:
    """A declared event; what is not given is as plain as its schema allows."""
    if name not in _plain:
        head = {"event": name, "schema_version": REGISTRY.events[name].version, "env": "production"}
        base = {**head, "service_name": WEB, "timestamp": ANY_TIMESTAMP, **IDENTITY, "instance_id": _INSTANCE}
        _plain[name] = {**base, **plain_event(REGISTRY.line_schema(name), base)}
    return EventLine(int(at_s * S), {**_plain[name], "service_name": service_name, **fields})


def _heartbeats(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    for service_name, offset_s in ((WEB, 3), (WORKER, 9)):
        started_s = -7200.0
        releases = 1
        at_s = float(offset_s)
        while at_s < length_s:
            if at_s % DAY_S // 15 == 10 * 240:  # 10 a.m.: the new release is there after 40 s
                at_s += 40
                started_s = at_s - 1
                releases += 1
            instance_id = f"{releases:032x}"
            busy = load(at_s)
            fields = {"instance_id": instance_id, "event_id": f"{instance_id}-1", "release": f"1.{releases}"}
            yield event(
                "process.sampled",
                at_s,
                service_name,
                uptime_s=round(at_s - started_s, 3),
                rss_bytes=180_000_000,
                interval_s=15,
                memory_used_ratio=round(0.55 + 0.1 * busy + chosen.uniform(0, 0.002), 5),
                open_file_ratio=round(0.05 + 0.1 * busy, 5),
                worker_busy_ratio=round(0.1 + 0.5 * busy, 5),
                log_disk_free_ratio=round(_free(at_s), 7),
                log_disk_free_bytes=int(_free(at_s) * DISK_BYTES),
                **fields,
            )
            at_s += 15 + chosen.uniform(0, 0.05)


def _requests(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    at_s = 0.0
    while True:
        at_s += chosen.expovariate(PEAK_RATE)
        if at_s >= length_s:
            return
        if chosen.random() > load(at_s):
            continue
        route = chosen.choices(list(ROUTES), SHARES)[0]
        is_cold = load(at_s) < 0.1 and chosen.random() < 0.02
        took_ms = ROUTES[route] * chosen.lognormvariate(0, 0.5) + 3000 * is_cold
        yield event(
            "http.request_finished",
            at_s,
            WEB,
            route=route,
            response_time_ms=round(took_ms, 3),
            is_error=int(chosen.random() < 0.001),
            query_count=chosen.choice([3, 3, 4, 5]),
            cache_hit_count=4,
            cache_miss_count=int(chosen.random() < 0.2),
        )


def _findings(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    """A few an hour, as every application has them."""
    for name, fields in (
        ("db.slow_query_detected", {"duration_ms": 140.0}),
        ("db.n_plus_one_detected", {"count": 4}),
        ("db.high_query_count_detected", {"query_count": 12}),
    ):
        for begin_s in range(0, length_s - 1800, 1800):
            yield event(name, begin_s + chosen.uniform(0, 900), WEB, route="/accounts/{id}/", **fields)


def _caches(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    for at_s in range(11, length_s, 60):
        asked = 15 + int(200 * load(at_s))
        found = sum(chosen.random() < 0.85 for _ in range(asked))
        fields = {"total_hit_count": found, "total_miss_count": asked - found}
        yield event("cache.usage_reported", at_s, WEB, alias="default", **fields)


def _free(at_s: float) -> float:
    """Share of the disk: two points are written a day, and freed at midnight."""
    return 0.6 - 0.02 * (at_s % DAY_S) / DAY_S


def _disks(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    """The database grows by 50 MB a day; log files are deleted when they have been shipped."""
    for at_s in range(17, length_s, 300):
        size_bytes = 2_000_000_000 + int(at_s / DAY_S * 50_000_000) + chosen.randrange(100_000)
        fields = {"size_bytes": size_bytes, "left_bytes": 22_000_000_000 - size_bytes}
        yield event("db.size_sampled", at_s, WEB, alias="default", **fields)
    for at_s in range(3600, length_s, 6 * 3600):
        yield event("logging.file_deleted", at_s, WEB, lost_event_count=0)


def _syncs(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    """Every account every five minutes, whatever the hour; more calls by day, when calendars change."""
    for pass_s in range(30, length_s - 60, 300):
        for number, account in enumerate(ACCOUNTS):
            at_s = pass_s + number + chosen.random()
            for page in range(1 + (chosen.random() < load(at_s))):
                is_slow = chosen.random() < 0.0003
                # Midnight Pacific is 8 a.m. here.
                since_s = (at_s - 8 * 3600) % DAY_S
                yield event(
                    "google_api.call_finished",
                    at_s + page / 10,
                    WORKER,
                    project="calendar",
                    operation="events.list",
                    account_hash=account,
                    duration_ms=round(120 * chosen.lognormvariate(0, 0.4) + 2500 * is_slow, 3),
                    is_error=int(chosen.random() < 0.005),
                    quota_units=1,
                    quota_day=f"2026-01-{1 + int((at_s + 16 * 3600) // DAY_S):02}",
                    quota_day_left_s=int(DAY_S - since_s),
                    quota_minute_limit=600,
                    quota_user_minute_limit=60,
                    quota_day_limit=20_000,
                )
            fails = chosen.random() < 0.005
            yield event(
                "sync.run_finished",
                at_s + 0.5,
                WORKER,
                resource="events",
                account_hash=account,
                outcome="failed" if fails else "ok",
                is_success=int(not fails),
                duration_ms=900,
            )
            yield event(
                "calendar.connection_checked", at_s + 0.6, WORKER, account_hash=account, status="healthy", is_healthy=1
            )
        yield event("sync.schedule_checked", pass_s + 20, WORKER, interval_s=300, threshold_s=900, calendar_count=50)


def _reports(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    for at_s in range(4, length_s, 10):
        lag_s = round(chosen.expovariate(2), 3)
        yield event(
            "shipper.status_reported",
            at_s,
            "logpipe-shipper",
            shipper="embedded",
            lag_s=lag_s,
            interval_s=10,
            push_count=1,
        )


def _checks(length_s: int, chosen: random.Random) -> Iterator[EventLine]:
    was_lost = False
    for at_s in range(7, length_s, 30):
        was_lost = not was_lost and chosen.random() < 0.002
        outcome = "timed_out" if was_lost else "up"
        yield event(
            "health.check_finished",
            at_s,
            "logpipe-probe",
            check="calendar",
            outcome=outcome,
            is_up=int(not was_lost),
            duration_ms=15,
            tls_expires_in_days=round(60 - at_s / DAY_S, 2),
        )
