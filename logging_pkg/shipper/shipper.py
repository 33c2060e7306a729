"""The loop: tail → check → journal → push → checkpoint.

In: a log directory, a Loki. Out: every event of the one stored once in the other, every other line in the dead letter.
Never: moves a file's offset before its lines are stored or dead-lettered; keeps more than one batch in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from logging_pkg.loki_client import LokiClient
from logging_pkg.shipper.batch import Batch
from logging_pkg.shipper.checks import LineChecker
from logging_pkg.shipper.dead_letter import DeadLetterFile
from logging_pkg.shipper.delivery import Counters, Delivery, RetryPolicy
from logging_pkg.shipper.errors import StateError, UndeliveredError
from logging_pkg.shipper.state import Checkpoint, DirectoryLock, Journal
from logging_pkg.shipper.status import StatusReporter
from logging_pkg.shipper.tail import SEGMENT_BYTES, Segment, Tail

#: Longest sleep in one piece, so that a signal is seen soon.
_SLICE_S = 0.2


class _StopRequestedError(Exception):
    """Raised out of a wait when `stop` has been called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipperOptions:
    """What can be set.

    Attributes:
        directory: where the event files are; the checkpoint, the journal and a lock are kept beside them.
        state_directory: where the dead letter goes.
        batch_bytes: bytes of lines in one push; JSON makes about half more of them, and 3 MiB of that is the limit.
        linger_s: longest wait for a batch to fill.
        poll_s: time between two looks at the directory when there is nothing to do.
        status_interval_s: time between two shipper.status_reported.
        torn_after_s: an unfinished last line is given up when its writer is gone and it has rested this long.
        dead_letter_max_bytes, dead_letter_keep: size of one dead letter file, and how many rotated ones are kept.
        retry: see RetryPolicy.
    """

    directory: Path
    state_directory: Path
    batch_bytes: int = 1024 * 1024
    linger_s: float = 1.0
    poll_s: float = 0.2
    status_interval_s: float = 10.0
    torn_after_s: float = 5.0
    dead_letter_max_bytes: int = 16 * 1024 * 1024
    dead_letter_keep: int = 4
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Shipper:
    """Ships one directory. Creating it takes the lock; `close` (or `with`) releases it.

    Args:
        options: see ShipperOptions.
        client: the Loki to ship to.
        events: names of the declared events.
        emit: takes the name and fields of the shipper's own events.
        notify: takes a sentence for the operator, when something starts or stops to work.

    Raises:
        AlreadyRunningError: another shipper has the directory.
        ShipperError: the checkpoint cannot be read.
    """

    def __init__(
        self,
        options: ShipperOptions,
        client: LokiClient,
        events: Collection[str],
        emit: Callable[[str, Mapping[str, Any]], None],
        notify: Callable[[str], None],
    ) -> None:
        self._options = options
        self._notify = notify
        self._locks = [DirectoryLock(options.directory)]
        try:
            if options.state_directory.resolve() != options.directory.resolve():
                self._locks.append(DirectoryLock(options.state_directory))
            self._checkpoint = Checkpoint(options.directory)
            self._journal = Journal(options.directory)
            self._tail = Tail(options.directory, self._checkpoint.load(), options.torn_after_s)
        except BaseException:
            self._release()
            raise
        self._checker = LineChecker(events)
        self._dead_letter = DeadLetterFile(
            options.state_directory, options.dead_letter_max_bytes, options.dead_letter_keep
        )
        self._counters = Counters()
        self._delivery = Delivery(client, options.retry, self._counters, self._wait_for_loki, notify)
        self._status = StatusReporter(emit, self._counters, options.status_interval_s)
        self._is_stopping = False
        self._deadline: float | None = None
        self._waiting_since: float | None = None
        self._is_state_failing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release files and locks."""
        self._tail.close()
        self._journal.close()
        self._release()

    def stop(self) -> None:
        """Have `run` or `drain` return after the batch at hand, or at once while Loki does not answer.

        May be called from a signal handler.
        """
        self._is_stopping = True

    def run(self) -> None:
        """Ship until `stop`."""
        try:
            self._recover()
            while not self._is_stopping:
                self._tail.scan()
                if self._is_batch_due():
                    self._ship(self._collect())
                    self._report_if_due()
                else:
                    self._pause(self._options.poll_s)
        except _StopRequestedError:
            return

    def drain(self, timeout_s: float | None = None) -> bool:
        """Ship what there is now, and a last status report; return whether all of it is stored or dead-lettered.

        False after `stop` only.

        Raises:
            UndeliveredError: not done within `timeout_s`.
        """
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            self._recover()
            self._ship_backlog()
            self._report()
            self._ship_backlog()
        except _StopRequestedError:
            return False
        return True

    def _ship_backlog(self) -> None:
        self._tail.scan()
        wanted = {file.file_id: file.size for file in self._tail.files if file.file_id is not None}
        while not self._is_stopping:
            batch = self._collect()
            if batch.segments:
                self._ship(batch)
                self._report_if_due()
            elif self._tail.has_torn_ends():
                self._pause(self._options.poll_s)
            else:
                return
            self._tail.scan()
            # What other programs write in the meantime is theirs to drain.
            if all(self._tail.shipped.get(file_id, 0) >= size for file_id, size in wanted.items()):
                return
        raise _StopRequestedError

    def _recover(self) -> None:
        """Settle the batch that an earlier run has begun and not checkpointed."""
        self._tail.scan()
        batch = Batch()
        for item in self._journal.last():
            start = max(item.start, self._tail.shipped.get(item.file_id, 0))
            if start >= item.end:
                continue
            file = self._tail.find(item.file_id)
            try:
                if file is None:
                    raise FileNotFoundError(item.file_id)
                for segment in file.read_again(start, item.end):
                    self._add(batch, segment)
            except FileNotFoundError:
                self._notify(
                    f"the file that begins with event {item.file_id} is gone; bytes {start} to {item.end} of it were "
                    "being shipped when the last shipper died and may be missing"
                )
        if batch.segments:
            batch.leave_out(self._dead_letter.recorded(item.file_id for item in batch.bounds))
            self._ship(batch, in_doubt=True)

    def _is_batch_due(self) -> bool:
        backlog = self._tail.backlog_bytes
        if not backlog:
            self._waiting_since = None
            return False
        now = time.monotonic()
        if self._waiting_since is None:
            self._waiting_since = now
        return backlog >= self._options.batch_bytes or now - self._waiting_since >= self._options.linger_s

    def _collect(self) -> Batch:
        self._waiting_since = None
        batch = Batch()
        # A segment may add SEGMENT_BYTES, so stop short of that.
        limit = max(1, self._options.batch_bytes - SEGMENT_BYTES)
        while batch.line_bytes < limit and (segment := self._tail.next_segment()) is not None:
            self._add(batch, segment)
        return batch

    def _add(self, batch: Batch, segment: Segment) -> None:
        position_ns = batch.add(segment, self._checker)
        if position_ns:
            self._tail.set_position(segment.file_id, position_ns)

    def _ship(self, batch: Batch, *, in_doubt: bool = False) -> None:
        bounds = batch.bounds
        if not bounds:
            return
        self._insist(lambda: self._journal.record(bounds))
        self._insist(lambda: self._dead_letter.append(batch.letters))
        self._counters.dead_letter_count += len(batch.letters)
        refused = self._delivery.deliver(batch.items, in_doubt=in_doubt)
        if refused:
            letters = batch.refuse(refused)
            self._insist(lambda: self._dead_letter.append(letters))
            self._counters.dead_letter_count += len(letters)
        for item in bounds:
            self._tail.mark_shipped(item.file_id, item.end)
        self._insist(lambda: self._checkpoint.save(self._tail.shipped))
        self._counters.read_count += batch.line_count
        self._status.moved(batch.last_seqs)

    def _insist(self, write: Callable[[], None]) -> None:
        """Write to the shipper's own files, again and again while the disk is full."""
        while True:
            try:
                write()
            except StateError as error:
                if not self._is_state_failing:
                    self._is_state_failing = True
                    self._notify(str(error))
                self._pause(self._options.retry.first_delay_s * 2)
                continue
            if self._is_state_failing:
                self._is_state_failing = False
                self._notify("shipping again")
            return

    def _wait_for_loki(self, seconds: float) -> None:
        self._pause(seconds)
        # Deleting files has to free the disk now: what was not shipped of them is lost, and counted by who deletes.
        self._tail.scan(keep_deleted=False)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            self._report_if_due()
            if self._is_stopping:
                raise _StopRequestedError
            now = time.monotonic()
            if self._deadline is not None and now >= self._deadline:
                raise UndeliveredError(
                    f"{self._options.directory}: {self._tail.unshipped_bytes} bytes were not shipped in time. They are "
                    "still there: see why above, then run this again"
                )
            if now >= until:
                return
            time.sleep(min(_SLICE_S, until - now))

    def _report_if_due(self) -> None:
        if self._status.is_due:
            self._report()

    def _report(self) -> None:
        self._status.report(
            backlog_bytes=self._tail.unshipped_bytes, oldest_unshipped_ns=self._tail.oldest_unshipped_ns()
        )

    def _release(self) -> None:
        for lock in self._locks:
            lock.release()
        self._locks = []
