"""Get events into Loki, each once.

In: events. Out: those that Loki refuses for good, with its words; every other one is stored when this returns.
Never: sends an event again before the store has been asked whether it is there.

Which answers leave a doubt: none at all (a timeout, a cut connection) and 5xx, because Loki may still store the push
for as long as its own deadlines run; 4xx, because a push is refused entry by entry. Only "no connection was made"
leaves none.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from logging_pkg.exceptions import LokiError
from logging_pkg.loki_client import (
    LokiAnswerError,
    LokiClient,
    LokiRejected,
    LokiServerError,
    LokiStatusError,
    LokiTooLarge,
    LokiUnanswered,
    LokiUnreachable,
)
from logging_pkg.schemas.conventions import MAX_PUSH_BYTES
from logging_pkg.shipper.batch import compress, encode, group_by_stream
from logging_pkg.shipper.checks import Shippable
from logging_pkg.shipper.readback import stored_event_ids

_HEADERS = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
#: Loki's words for a verdict on single entries, the others of the push being stored (pkg/ingester/stream.go,
#: pkg/validation/validate.go).
_ENTRY_VERDICT = re.compile(
    r"entry with timestamp|timestamp too (old|new)|entry too far behind|max entry size", re.IGNORECASE
)


@dataclass(slots=True)
class Counters:
    """What happened since the last status report."""

    read_count: int = 0
    pushed_count: int = 0
    dead_letter_count: int = 0
    push_count: int = 0
    push_error_count: int = 0
    read_back_count: int = 0
    already_stored_count: int = 0
    pushed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait for what.

    Attributes:
        first_delay_s, max_delay_s: exponential back-off between tries, halved at random.
        settle_s: between a push without an answer (or with 5xx) and reading back. It has to be longer than a request
            can go on inside Loki after we stopped waiting: ingester_client.remote_timeout, 5 s by default. It is
            counted from the moment Loki answers again, so a paused Loki has also taken up what lay in its socket.
        refusal_settle_s: the same after 4xx; other ingesters may still be at work on their part of the push.
        flush_older_than_s: events older than this are looked for again after `POST /flush`, because ingesters are asked
            for the recent past only: querier.query_ingesters_within, 3 h by default.
    """

    first_delay_s: float = 0.5
    max_delay_s: float = 30.0
    settle_s: float = 6.0
    refusal_settle_s: float = 1.0
    flush_older_than_s: float = 3 * 3600.0


class Delivery:
    """Pushes through one client. `pause(seconds)` waits, and raises to give up; `notify(text)` tells the operator."""

    def __init__(
        self,
        client: LokiClient,
        policy: RetryPolicy,
        counters: Counters,
        pause: Callable[[float], None],
        notify: Callable[[str], None],
    ) -> None:
        self._client = client
        self._policy = policy
        self.counters = counters
        self._pause = pause
        self._notify = notify
        self._delay_s = policy.first_delay_s
        self._is_failing = False

    def deliver(self, items: Sequence[Shippable], *, in_doubt: bool = False) -> dict[str, str]:
        """Store the events; return those refused for good: event_id to Loki's words.

        Args:
            items: the events of one batch.
            in_doubt: an earlier run may have sent them.
        """
        refused: dict[str, str] = {}
        first = list(items)
        if in_doubt and first:
            first = self._not_stored(first, self._policy.settle_s)
        # One stream per request: of several, Loki reports the last one's error only, and answers 204 although entries
        # of the others were refused (docs/adr/0030).
        waiting = list(group_by_stream(first).values())
        while waiting:
            part = waiting.pop()
            if part:
                waiting += reversed(self._try(part, refused))
        return refused

    def _try(self, part: list[Shippable], refused: dict[str, str]) -> list[list[Shippable]]:
        """Push events of one stream once; return what is to be pushed next."""
        body = encode(part)
        if len(body) > MAX_PUSH_BYTES and len(part) > 1:
            return _halves(part)
        try:
            self._client.push_encoded(compress(body), _HEADERS)
        except LokiUnreachable as error:
            self._failed(error)
            return [part]
        except (LokiUnanswered, LokiAnswerError) as error:
            # The latter: a good status that is not 204; 260 is a Loki whose ingestion is blocked.
            self._failed(error)
            return [self._not_stored(part, self._policy.settle_s)]
        except LokiStatusError as error:
            if isinstance(error, LokiTooLarge) or (isinstance(error, LokiRejected) and error.status == 400):
                self.counters.push_error_count += 1
                return self._refused(part, error, refused)
            # 429, 5xx, and what a wrong address, tenant or credential is answered with: all pass in time.
            self._failed(error)
            settle_s = self._policy.settle_s if isinstance(error, LokiServerError) else self._policy.refusal_settle_s
            return [self._not_stored(part, settle_s)]
        self._succeeded()
        self.counters.push_count += 1
        self.counters.pushed_count += len(part)
        self.counters.pushed_bytes += sum(len(item.line) for item in part)
        return []

    def _refused(self, part: list[Shippable], error: LokiStatusError, refused: dict[str, str]) -> list[list[Shippable]]:
        missing = self._not_stored(part, self._policy.refusal_settle_s)
        if not missing:
            return []
        is_verdict_on_each = _ENTRY_VERDICT.search(error.message) is not None
        if len(part) == 1 or (is_verdict_on_each and len(missing) == len(part)):
            # Entries that break no rule are stored, so where none was, each of them was refused.
            for item in missing:
                refused[item.event_id] = error.message
            return []
        return [missing] if len(missing) < len(part) else _halves(missing)

    def _not_stored(self, items: list[Shippable], settle_s: float) -> list[Shippable]:
        """Wait until what is under way has ended, then return the events that Loki does not have."""
        flush_before_ns = time.time_ns() - int(self._policy.flush_older_than_s * 1e9)
        while True:
            try:
                while not self._client.ready():
                    self._tell(f"{self._client.url} is not ready")
                    self._back_off()
                self._pause(settle_s)
                stored = stored_event_ids(self._client, items, flush_before_ns, self._pause)
            except LokiError as error:
                self._wait_after(error)
                continue
            self.counters.read_back_count += 1
            self.counters.already_stored_count += len(stored)
            self.counters.pushed_count += len(stored)
            return [item for item in items if item.event_id not in stored]

    def _failed(self, error: LokiError) -> None:
        self.counters.push_error_count += 1
        self._wait_after(error)

    def _wait_after(self, error: LokiError) -> None:
        self._tell(str(error))
        self._back_off()

    def _tell(self, why: str) -> None:
        """Say once that nothing is shipped, until it is again."""
        if not self._is_failing:
            self._is_failing = True
            self._notify(f"not shipping: {why}. Trying again until it works; the files keep the events")

    def _succeeded(self) -> None:
        self._delay_s = self._policy.first_delay_s
        if self._is_failing:
            self._is_failing = False
            self._notify("shipping again")

    def _back_off(self) -> None:
        delay_s, self._delay_s = self._delay_s, min(self._delay_s * 2, self._policy.max_delay_s)
        self._pause(delay_s * random.uniform(0.5, 1.0))


def _halves(items: list[Shippable]) -> list[list[Shippable]]:
    middle = len(items) // 2
    return [items[:middle], items[middle:]]
