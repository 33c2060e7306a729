"""What breaks each objective, and services that live with healthy traffic until it does.

In: `loki/slos.yaml`'s pages by name. Out: events written by the library, five hours of earlier ones for a push. Never: an assertion.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.live import CALL, Service
from tests.pipeline.events import line

S = 1_000_000_000
#: What was is in Prometheus by remote write, which takes five hours (out_of_order_time_window). The last of them is a quiet one.
PAST_MIN = 290
BUSY_PER_MIN, QUIET_PER_MIN = 4, 1
GOOD_EVERY_S = 30


@dataclass(frozen=True)
class Trouble:
    """What breaks an objective.

    Attributes:
        event: of which it consists.
        good, bad: fields of an event that is well, and of one that is not.
        at_once: bad events at its beginning; that many are over both windows, 1 h and 5 min, at once.
        goes_on: bad events every 30 s from then on, until somebody was told.
        earlier: a bad event so many minutes before, or None.
    """

    event: str
    good: dict[str, Any]
    bad: dict[str, Any]
    at_once: int
    goes_on: int = 4
    earlier_min: int | None = None
    per_min: tuple[float, float] = (BUSY_PER_MIN, QUIET_PER_MIN)
    good_every_s: float = GOOD_EVERY_S

    def past(self, name: str, now_ns: int) -> Iterator[dict[str, Any]]:
        """Its events of five hours before now."""
        busy, quiet = self.per_min
        for step in range(round((PAST_MIN - 60) * busy)):
            yield line(self.event, name, now_ns - round((PAST_MIN - step / busy) * 60 * S), **self.good)
        for step in range(round(60 * quiet)):
            yield line(self.event, name, now_ns - round((60 - step / quiet) * 60 * S), **self.good)
        if self.earlier_min is not None:
            yield line(self.event, name, now_ns - self.earlier_min * 60 * S + 1000, **self.bad)


FAST = {"route": "/dashboard/", "response_time_ms": 20.0, "is_error": 0, "query_count": 1}
GOOD_CALL = {**CALL, "project": "shop", "quota_units": 1, "operation": "events.list", "duration_ms": 50.0}
GOOD_RUN = {"resource": "events", "outcome": "ok", "is_success": 1}

#: Each page and what brings it about, in a service of its own. Of an hour's 60 events and more, 14.4 % bad are a burn rate of 14.4,
#: where 1 % may be; where 5 % may be, 72 %.
TROUBLE = {
    "RequestErrorsSloPage": Trouble(
        "http.request_finished", FAST, {**FAST, "is_error": 1, "status_code": 500, "status_class": "5xx"}, 20
    ),
    "KeyRoutesLatencySloPage": Trouble("http.request_finished", FAST, {**FAST, "response_time_ms": 900.0}, 240),
    "GoogleApiSloPage": Trouble(
        "google_api.call_finished", GOOD_CALL, {**GOOD_CALL, "is_error": 1, "status_code": 500, "status_class": "5xx"}, 20
    ),
    # Few syncs, of which four fail now and one did before: three of one kind within 15 minutes would be SyncFailing, which silences it.
    "SyncSuccessSloPage": Trouble(
        "sync.run_finished",
        GOOD_RUN,
        {"outcome": "failed", "is_success": 0},
        4,
        goes_on=0,
        earlier_min=40,
        per_min=(1, 0.25),
        good_every_s=120,
    ),
}  # fmt: skip


@dataclass
class Live:
    """A service with healthy traffic, and trouble from `break_down` to `mend`."""

    name: str
    trouble: Trouble
    service: Service
    first_bad_ns: int = 0
    last_bad_ns: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)
    _is_broken: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self.service.live()
        for work, every_s in ((self._good, self.trouble.good_every_s), (self._bad, 30.0)):
            threading.Thread(target=self._again, args=(work, every_s), daemon=True).start()

    def stop(self) -> None:
        self._is_over.set()
        self.service.go_down()
        self.service.writer.close()

    def break_down(self) -> None:
        """So many bad events at once, alternating kinds of syncs; with the last of them the objective is broken."""
        for number in range(self.trouble.at_once):
            self.last_bad_ns = self._emit_bad(number)
            self.first_bad_ns = self.first_bad_ns or self.last_bad_ns
        self._is_broken.set()

    def mend(self) -> None:
        self._is_broken.clear()

    def _emit_bad(self, number: int) -> int:
        kind = {"resource": ("events", "calendar_list")[number % 2]} if self.trouble.event.startswith("sync") else {}
        return self.service.emit(self.trouble.event, **self.trouble.bad, **kind)

    def _good(self) -> None:
        self.service.emit(self.trouble.event, **self.trouble.good)

    def _bad(self) -> None:
        for number in range(self.trouble.goes_on if self._is_broken.is_set() else 0):
            self.last_bad_ns = self._emit_bad(number)

    def _again(self, work: Callable[[], None], every_s: float) -> None:
        while not self._is_over.is_set():
            work()
            self._is_over.wait(every_s)
