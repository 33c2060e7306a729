"""One line of `logpipe doctor`.

In: what was found of a stage. Out: a Stage. Never: a stage that is fine because nobody was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from logging_pkg.exceptions import LokiError
from logging_pkg.prometheus_client import ServerError

State = Literal["ok", "late", "broken", "not asked"]
#: Processes send a heartbeat every 15 s: four are missing.
QUIET_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One line: `figures` are the numbers in `figure`, for programs; `next` is empty where all is well.

    `queries` are the LogQL or PromQL behind the figures; empty where they come from elsewhere.
    """

    name: str
    state: State
    figure: str
    next: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    is_unanswered: bool = False
    queries: tuple[str, ...] = ()


def looked_at(name: str, look: Callable[[], Stage], next_step: str) -> Stage:
    """A stage as it is looked at, or broken where its server does not answer."""
    try:
        return look()
    except (LokiError, ServerError) as error:
        return Stage(name, "broken", str(error), next_step, is_unanswered=True)
