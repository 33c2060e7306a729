"""What has been seen of the values at one place, in bounded memory.

In: values, one at a time. Out: a Profile: types, bounds, a few distinct values, members, items. Never: a schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from logging_pkg.pipeline.schema_infer.texts import ALL_FORMATS, formats_of, sensitive_look, sensitive_name

#: So many different values of a place are remembered; with one more there are "many", and they are forgotten.
MAX_VALUES: Final = 50
#: A longer text is no value of a few: it counts as one of many.
MAX_VALUE_CHARACTERS: Final = 100
#: Members of one object; further ones are not told apart. Whoever has more uses values as names.
MAX_MEMBERS: Final = 200
#: Objects and lists within each other; what lies deeper is not looked at.
MAX_DEPTH: Final = 8
#: Places that are told apart, all events together.
MAX_PLACES: Final = 10_000


@dataclass
class Room:
    """How many more places may be told apart."""

    left: int = MAX_PLACES

    def take(self) -> bool:
        """Whether there is room for one more place, which then is taken."""
        self.left -= 1
        return self.left >= 0


@dataclass
class Profile:
    """The values of one place.

    Attributes:
        room: shared by all places.
        depth: objects and lists around it.
        named: what sensitive thing its name promises; empty when none.
        count: values seen.
        types: JSON Schema types seen, each with how often.
        values: the different texts, or whole numbers, while they are few; None when there are many.
        low, high: of numbers.
        longest: characters of the longest text.
        formats: those that every text had.
        sensitive: what some text looked like.
        most_items: of lists.
        items: of all lists, once there was one.
        members: of objects, by name.
        is_open: there were more members than are told apart.
    """

    room: Room
    depth: int = 0
    named: str = ""
    count: int = 0
    types: dict[str, int] = field(default_factory=dict)
    values: dict[str | int, int] | None = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    longest: int = 0
    formats: frozenset[str] = ALL_FORMATS
    sensitive: str = ""
    most_items: int = 0
    items: Profile | None = None
    members: dict[str, Profile] = field(default_factory=dict)
    is_open: bool = False

    def add(self, value: Any) -> None:
        """Take a value into account."""
        self.count += 1
        match value:
            case None:
                self._type("null")
            case bool():
                self._type("boolean")
            case int():
                self._type("integer")
                self._number(value)
                self._remember(value)
            case float():
                # As JSON Schema has it, 1.0 is a whole number; as producers have it, it is one of many fractions.
                self._type("number")
                self._number(value)
                self.values = None
            case str():
                self._type("string")
                self._text(value)
            case list():
                self._type("array")
                self._list(value)
            case _:
                self._type("object")
                self.add_members(value)

    def add_members(self, members: Mapping[str, Any]) -> None:
        """Take the members of an object into account: the known ones, and new ones while there is room."""
        for name, value in members.items():
            known = self.members.get(name)
            if known is None:
                if self.depth >= MAX_DEPTH or len(self.members) >= MAX_MEMBERS or not self.room.take():
                    self.is_open = True
                    continue
                known = self.members[name] = Profile(self.room, self.depth + 1, named=sensitive_name(name))
            known.add(value)

    def _type(self, name: str) -> None:
        self.types[name] = self.types.get(name, 0) + 1

    def _number(self, value: float) -> None:
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)

    def _text(self, text: str) -> None:
        self.longest = max(self.longest, len(text))
        if self.formats:
            self.formats = formats_of(text, self.formats)
        if not self.sensitive:
            self.sensitive = self.named or sensitive_look(text)
        self._remember(text)

    def _remember(self, value: str | int) -> None:
        if self.values is None:
            return
        is_long = isinstance(value, str) and len(value) > MAX_VALUE_CHARACTERS
        if is_long or (value not in self.values and len(self.values) >= MAX_VALUES):
            self.values = None
        else:
            self.values[value] = self.values.get(value, 0) + 1

    def _list(self, values: list[Any]) -> None:
        self.most_items = max(self.most_items, len(values))
        if self.items is None:
            if not values:
                return
            if self.depth >= MAX_DEPTH or not self.room.take():
                self.is_open = True
                return
            self.items = Profile(self.room, self.depth + 1)
        for value in values:
            self.items.add(value)
