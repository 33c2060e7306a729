"""An operator learns that nothing is shipped, whatever the shipper is waiting for."""

from __future__ import annotations

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.shipper.checks import Shippable
from logging_pkg.shipper.delivery import Counters, Delivery, RetryPolicy


class _EnoughError(Exception):
    pass


def test_a_start_while_loki_is_down_says_so_once() -> None:
    """After a crash the store is asked first; until it is ready the shipper waits, and must not do so in silence."""
    said: list[str] = []
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise _EnoughError

    with LokiClient("http://127.0.0.1:1") as client:
        delivery = Delivery(client, RetryPolicy(), Counters(), pause, said.append)
        item = Shippable(("service", "test", "process.sampled"), "1", "{}", {"event_id": "a-1"})
        with pytest.raises(_EnoughError):
            delivery.deliver([item], in_doubt=True)
    assert said == [
        "not shipping: http://127.0.0.1:1 is not ready. Trying again until it works; the files keep the events"
    ]
