"""The notification channels that are open, and whom a change is told.

In: channels to open or stop; changes from the store.
Out: messages for the delivery thread.
Never: deliveries themselves.
"""

from __future__ import annotations

import threading
from typing import Any

from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.messages import ApiError
from calendar_sync.fake_google.push import Channel, Pusher


class Channels:
    """Every channel that was opened since the start, ended ones included. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_id: dict[str, Channel] = {}
        self._pusher = Pusher()

    def open(self, channel: Channel) -> None:
        """Tell the channel of its resource from now on, first of its opening; ApiError 400 when its ID is in use."""
        with self._lock:
            other = self._by_id.get(channel.id)
            if other is not None and self._is_active(other):
                raise ApiError(400, "channelIdNotUnique", "Channel id not unique")
            self._by_id[channel.id] = channel
            self._pusher.send(channel, "sync")

    def stop(self, channel_id: str, resource_id: str, account_id: str) -> bool:
        """End an account's channel; False when it has no such channel open."""
        with self._lock:
            channel = self._by_id.get(channel_id)
            if channel is None or (channel.resource_id, channel.account) != (resource_id, account_id):
                return False
            was_active = self._is_active(channel)
            channel.stopped = True
            self._pusher.drop(channel)
            return was_active

    def notify(self, watched: object, state: str = "exists") -> None:
        """Tell every open channel of an account or calendar that something there changed."""
        with self._lock:
            for channel in self._by_id.values():
                if channel.watched is watched and self._is_active(channel):
                    self._pusher.send(channel, state)

    def clear(self) -> None:
        """End every channel and forget it, and end the delivery thread."""
        with self._lock:
            self._by_id.clear()
        self._pusher.stop()

    def as_json(self) -> list[dict[str, Any]]:
        """What `/_control/channels` shows of each channel: what it is for, and how its deliveries went."""
        with self._lock:
            return [
                {
                    "id": channel.id,
                    "account": channel.account,
                    "resource_id": channel.resource_id,
                    "resource_uri": channel.resource_uri,
                    "address": channel.address,
                    "expiration": int(channel.expires * 1000),
                    "active": self._is_active(channel),
                    **self._pusher.counts(channel),
                }
                for channel in self._by_id.values()
            ]

    def _is_active(self, channel: Channel) -> bool:
        return not channel.stopped and self._clock.epoch() < channel.expires
