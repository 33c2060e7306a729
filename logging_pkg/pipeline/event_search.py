"""Searches for events as LogQL.

In: event names, conditions, a text. Out: a log query. Never: a field the events' schemas do not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import orjson

from logging_pkg.analysis.filters import Condition, ConditionError
from logging_pkg.pipeline.scope import Scope
from logging_pkg.schemas import Registry
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA


@dataclass(frozen=True, slots=True)
class Search:
    """Which events are looked for.

    Attributes:
        events: their names; every event when None.
        conditions: all of which must hold.
        text: that must be in the line; any when empty.
        scope: service, environment, release.
    """

    events: tuple[str, ...] | None = None
    conditions: tuple[Condition, ...] = ()
    text: str = ""
    scope: Scope = field(default_factory=Scope)

    def fits(self, event: dict[str, Any], line: str) -> bool:
        """Whether an event, written as `line`, is one of them."""
        return (
            (self.events is None or event["event"] in self.events)
            and self.scope.fits(event)
            and self.text in line
            and all(condition.fits(event) for condition in self.conditions)
        )

    def finds(self, event: dict[str, Any]) -> bool:
        """The same of an event whose line is not at hand; it is written anew only where a text is looked for in it."""
        return self.fits(event, orjson.dumps(event).decode() if self.text else "")

    def logql(self) -> str:
        """The same as a log query."""
        names = "|".join(re.escape(name) for name in self.events) if self.events is not None else ".+"
        labels = "".join(f", {name}={json.dumps(value)}" for name, value in self.scope.labels.items())
        fields = [
            *(Condition(name, "=", value) for name, value in self.scope.fields.items()),
            *self.conditions,
        ]
        # Labels and structured metadata are there already; parsed again they would be named anew.
        parsed = dict.fromkeys(
            found.field for found in fields if found.field not in {*STREAM_LABELS, *STRUCTURED_METADATA}
        )
        parts = [
            f"{{event=~{json.dumps(names)}{labels}}}",
            *([f"|= {json.dumps(self.text)}"] if self.text else []),
            *(["| json " + ", ".join(f'{name}="{name}"' for name in parsed)] if parsed else []),
            *(f"| {found.field}{found.operator}{_value(found)}" for found in fields),
        ]
        return " ".join(parts)


def event_names(registry: Registry, globs: Sequence[str], conditions: Sequence[Condition]) -> tuple[str, ...] | None:
    """The declared events that a search may find: of such names, and with every field of the conditions.

    Raises:
        ConditionError: no declared event has such a name, or such a field; the message names the nearest.
    """
    named = [name for name in registry.events if not globs or any(fnmatchcase(name, glob) for glob in globs)]
    if not named:
        raise ConditionError(f"no declared event is called {' or '.join(globs)}; `logpipe schema list` names all")
    for found in conditions:
        having = [name for name in named if registry.field(name, found.field) is not None]
        if not having:
            raise ConditionError(_no_field(registry, found.field, named, globs))
        named = having
    return None if len(named) == len(registry.events) else tuple(named)


def _no_field(registry: Registry, field_name: str, named: Sequence[str], globs: Sequence[str]) -> str:
    known = {*registry.envelope["properties"], *(name for event in named for name in registry.events[event].properties)}
    near = get_close_matches(field_name, sorted(known), n=1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    return (
        f"{field_name} is no field of {' or '.join(globs) or 'any event'}{hint}; `logpipe schema show EVENT` lists them"
    )


def _value(found: Condition) -> str:
    return found.value if found.is_numeric else json.dumps(found.value)
