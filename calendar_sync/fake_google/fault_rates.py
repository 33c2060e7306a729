"""Faults at random for long runs: how likely each kind is, and the same ones again for the same seed.

In: rates by kind, a seed; then one draw per request.
Out: the kind of fault a request meets, or None.
Never: the machine's randomness, or a look at the request.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class FaultRates:
    """Which share of the requests meets each kind, 0 to 1; the rest is left alone.

    `seed` decides which requests these are, counted from the first one after the rates were set. `status` and
    `retry_after_s` are as in `faults.Fault`.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    status: int = 503
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        for kind, rate in self.rates.items():
            if not 0 <= rate <= 1:
                raise ValueError(f"fault rate of {kind}: {rate:g}: expected 0 to 1")
        if sum(self.rates.values()) > 1:
            raise ValueError(f"fault rates: their sum is {sum(self.rates.values()):g}; expected at most 1")

    def as_json(self) -> dict[str, Any]:
        """The fields, as `/_control/fault-rates` takes them."""
        return {**asdict(self), "rates": dict(self.rates)}


class Draws:
    """One draw after the other by some rates."""

    def __init__(self, rates: FaultRates) -> None:
        self.rates = rates
        self._random = random.Random(rates.seed)
        # By name, so that the order in which the rates were given changes nothing.
        self._kinds = sorted(rates.rates.items())

    def next(self) -> str | None:
        """The kind the next request meets; None for none."""
        drawn = self._random.random()
        for kind, rate in self._kinds:
            if drawn < rate:
                return kind
            drawn -= rate
        return None
