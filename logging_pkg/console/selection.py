"""What a page is about: how far back, which service, which environment.

In: a request's query string. Out: a Selection, links that keep it, selectors of it. Never: an error; what is not
understood is the default.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from logging_pkg.pipeline.scope import Scope
from logging_pkg.schemas.conventions import ENV_PATTERN, SERVICE_NAME_PATTERN

#: What can be chosen: its name, seconds.
RANGES: Final[Mapping[str, int]] = {
    "15m": 900,
    "1h": 3600,
    "3h": 3 * 3600,
    "6h": 6 * 3600,
    "24h": 24 * 3600,
    "7d": 7 * 24 * 3600,
}
DEFAULT_RANGE: Final = "1h"
#: Points of a chart at most; the recorded series have one every 15 s to 4 min.
_POINTS = 240
_LEAST_STEP_S = 30


@dataclass(frozen=True, slots=True)
class Selection:
    """How far back, and what of.

    Attributes:
        range: one of RANGES.
        env, service: Loki labels; empty is all.
    """

    range: str = DEFAULT_RANGE
    env: str = ""
    service: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Selection:
        """From `range`, `env` and `service` of a query string."""
        chosen, env, service = query.get("range", ""), query.get("env", ""), query.get("service", "")
        return cls(
            chosen if chosen in RANGES else DEFAULT_RANGE,
            env if ENV_PATTERN.fullmatch(env) else "",
            service if SERVICE_NAME_PATTERN.fullmatch(service) else "",
        )

    @property
    def window_s(self) -> int:
        """How far back, s."""
        return RANGES[self.range]

    @property
    def step_s(self) -> int:
        """From one point of a chart to the next, s."""
        return max(_LEAST_STEP_S, self.window_s // _POINTS)

    @property
    def labels(self) -> dict[str, str]:
        """Stream labels that are chosen."""
        chosen = {"env": self.env, "service_name": self.service}
        return {name: value for name, value in chosen.items() if value}

    @property
    def scope(self) -> Scope:
        """The same for tables."""
        return Scope(self.labels)

    @property
    def matchers(self) -> str:
        """For a selector that has one matcher already: `, env="x"`."""
        return "".join(f", {name}={json.dumps(value)}" for name, value in self.labels.items())

    @property
    def braces(self) -> str:
        """A whole selector of a series in PromQL; empty where everything is chosen."""
        return "{" + self.matchers.removeprefix(", ") + "}" if self.labels else ""

    def query(self, **more: str) -> str:
        """A link's query string that keeps what was chosen, and more of it; empty where there is nothing to tell."""
        values = {"range": self.range if self.range != DEFAULT_RANGE else "", "env": self.env, "service": self.service}
        told = {name: value for name, value in {**values, **more}.items() if value}
        return "?" + urlencode(told) if told else ""
