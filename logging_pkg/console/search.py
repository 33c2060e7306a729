"""What people type into the search field, as a search.

In: text. Out: a Search, or the ID it is. Never: LogQL of anybody's own making; conditions are quoted.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from logging_pkg import conf
from logging_pkg.analysis.filters import Condition, ConditionError, condition
from logging_pkg.console.selection import Selection
from logging_pkg.pipeline.event_search import Search, event_names
from logging_pkg.schemas import Registry, load_registry

#: An ID or the beginning of one; dashes as in a UUID. Shorter ones are words more often.
_ID = re.compile(r"[0-9a-f]{6,32}")
_CONDITION = re.compile(r"[a-z][a-z0-9_]*(=~|!~|!=|>=|<=|=|>|<)")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes:
        text: as typed.
        event: a name, or a pattern of names (`db.*`), or several with `|` between them; empty is all.
    """

    text: str
    event: str

    @property
    def some_id(self) -> str:
        """The ID, where it is nothing else."""
        digits = self.text.strip().lower().replace("-", "")
        return digits if _ID.fullmatch(digits) and any(digit.isdigit() for digit in digits) else ""

    def search(self, chosen: Selection) -> Search:
        """The search.

        Raises:
            ConditionError: a condition cannot be read, or no event has such a field or name.
        """
        conditions, words = self._parts()
        names = event_names(registry(), re.split(r"[|,\s]+", self.event) if self.event else [], conditions)
        return Search(names, conditions, " ".join(words), chosen.scope)

    def _parts(self) -> tuple[tuple[Condition, ...], list[str]]:
        try:
            parts = shlex.split(self.text)
        except ValueError as error:
            raise ConditionError(f"{self.text[:60]!r}: a quotation mark is not closed ({error})") from error
        conditions = tuple(condition(part) for part in parts if _CONDITION.match(part))
        return conditions, [part for part in parts if not _CONDITION.match(part)]


def is_id(text: str) -> bool:
    """Whether a text has the digits of an ID, and dashes at most."""
    return bool(re.fullmatch(r"[0-9a-f-]{4,36}", text.lower()))


def registry() -> Registry:
    """The declared events of this project."""
    return _registry(conf.settings().schema_directories)


@lru_cache(maxsize=4)
def _registry(directories: tuple[Path, ...]) -> Registry:
    return load_registry(directories)
