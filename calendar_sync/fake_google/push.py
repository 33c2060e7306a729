"""Delivery of push notifications: one thread, in order for each channel, again after a failure that may pass.

In: channels with messages to deliver.
Out: an empty POST per message to the channel's address, and what came of it.
Never: an API request that waits for a delivery, or one channel that waits for another's next attempt.

Source: Google Calendar API guide, "Push notifications" (headers, which answers are tried again).
"""

from __future__ import annotations

import email.utils
import heapq
import http.client
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

TIMEOUT_S = 2.0
# Waits before the second, third and fourth attempt; Google's are longer. Then the message is given up.
RETRY_DELAYS_S = (0.05, 0.2, 0.8)
_TAKEN = frozenset({102, 200, 201, 202, 204})
_RETRIED = frozenset({500, 502, 503, 504})


@dataclass
class Channel:
    """A notification channel and how its deliveries went.

    Attributes:
        watched: the account or calendar record whose changes are told.
        expires: seconds since the epoch.
        stopped: whether its owner ended it.
        sent: messages so far; their number is the header X-Goog-Message-Number.
        delivered, failed: messages taken by the receiver, and given up.
        attempts: POSTs made, repeated ones included.
        last_status: of the newest attempt; None before the first, or where nobody answered.
    """

    id: str
    account: str
    address: str
    token: str | None
    expires: float
    resource_id: str
    resource_uri: str
    watched: object
    stopped: bool = False
    sent: int = 0
    delivered: int = 0
    failed: int = 0
    attempts: int = 0
    last_status: int | None = None
    pending: deque[tuple[int, str]] = field(default_factory=deque)
    tries: int = 0


class Pusher:
    """The thread that delivers; it runs from the first message until `stop`, and again after that."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Channel]] = []
        self._order = count()
        self._thread: threading.Thread | None = None

    def send(self, channel: Channel, state: str) -> None:
        """Queue a message (`sync`, `exists` or `not_exists`) behind those of the channel."""
        with self._changed:
            channel.sent += 1
            channel.pending.append((channel.sent, state))
            if len(channel.pending) == 1:
                self._schedule(channel, 0)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fake-google-push", daemon=True)
                self._thread.start()

    def drop(self, channel: Channel) -> None:
        """Forget what is queued for a channel; a delivery under way is finished."""
        with self._changed:
            channel.pending.clear()

    def counts(self, channel: Channel) -> dict[str, int | None]:
        """How a channel's deliveries went so far."""
        with self._changed:
            return {
                "sent": channel.sent,
                "pending": len(channel.pending),
                "delivered": channel.delivered,
                "failed": channel.failed,
                "attempts": channel.attempts,
                "last_status": channel.last_status,
            }

    def stop(self) -> None:
        """End the thread after the delivery under way; what is queued is forgotten."""
        with self._changed:
            thread, self._thread = self._thread, None
            for _, _, channel in self._due:
                channel.pending.clear()
            self._due.clear()
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _schedule(self, channel: Channel, delay_s: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._order), channel))
        self._changed.notify_all()

    def _run(self) -> None:
        while (channel := self._next()) is not None:
            with self._changed:
                message = channel.pending[0] if channel.pending else None
            if message is None:
                continue
            status = _post(channel, *message)
            with self._changed:
                self._settle(channel, message, status)

    def _next(self) -> Channel | None:
        """The channel whose turn it is, waited for; None when this thread is to end."""
        with self._changed:
            while self._thread is threading.current_thread():
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait_s)
            return None

    def _settle(self, channel: Channel, message: tuple[int, str], status: int | None) -> None:
        channel.attempts += 1
        channel.last_status = status
        if self._thread is not threading.current_thread():
            channel.pending.clear()
        if not channel.pending or channel.pending[0] != message:
            return  # dropped meanwhile
        delay_s = 0.0
        if (status is None or status in _RETRIED) and channel.tries < len(RETRY_DELAYS_S):
            delay_s = RETRY_DELAYS_S[channel.tries]
            channel.tries += 1
        else:
            channel.pending.popleft()
            channel.tries = 0
            if status in _TAKEN:
                channel.delivered += 1
            else:
                channel.failed += 1
        if channel.pending:
            self._schedule(channel, delay_s)


def _post(channel: Channel, number: int, state: str) -> int | None:
    """Deliver one message; the status it was answered with, None without an answer."""
    target = urlsplit(channel.address)
    headers = {
        "User-Agent": "FakeGoogleCalendar",
        "X-Goog-Channel-ID": channel.id,
        "X-Goog-Channel-Expiration": email.utils.formatdate(channel.expires, usegmt=True),
        "X-Goog-Message-Number": str(number),
        "X-Goog-Resource-ID": channel.resource_id,
        "X-Goog-Resource-State": state,
        "X-Goog-Resource-URI": channel.resource_uri,
    }
    if channel.token is not None:
        headers["X-Goog-Channel-Token"] = channel.token
    connection = http.client.HTTPConnection(str(target.hostname), target.port or 80, timeout=TIMEOUT_S)
    try:
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        connection.request("POST", path, b"", headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
