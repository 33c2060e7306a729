"""A property schema from the profile of its values.

In: a Profile. Out: the keywords that admit what was seen and little else. Never: notes for people.
"""

from __future__ import annotations

from typing import Any, Final

from logging_pkg.pipeline.schema_infer.profile import Profile
from logging_pkg.pipeline.schema_infer.texts import FORMATS

#: An enum has at most so many options …
MAX_OPTIONS: Final = 10
#: … each seen so often on average, and the field so often in all.
_TIMES_EACH, _TIMES = 5, 20
_MAX_OPTION_CHARACTERS = 40
_ORDER = ("boolean", "integer", "number", "string", "array", "object", "null")
_ROUND_NUMBERS = (1, 2, 5)


def property_schema(profile: Profile) -> dict[str, Any]:
    """What the values of a place may be: type, options or bounds, members, items."""
    options = options_of(profile)
    if options is not None:
        return {"enum": options}
    kinds = [kind for kind in _ORDER if kind in profile.types and not (kind == "integer" and "number" in profile.types)]
    schema: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds} if kinds else {}
    if profile.low is not None and profile.low >= 0:
        schema["minimum"] = 0
    if "string" in profile.types:
        form = format_of(profile)
        schema |= {"pattern": FORMATS[form]} if form else {"maxLength": round_up(max(profile.longest, 16))}
    if "array" in profile.types:
        schema |= {"maxItems": round_up(max(profile.most_items, 10))}
        schema |= {"items": property_schema(profile.items)} if profile.items else {}
    if "object" in profile.types:
        schema |= object_schema(profile)
    return schema


def object_schema(profile: Profile) -> dict[str, Any]:
    """Members, which of them every object had, and no others unless there were too many."""
    objects = profile.types.get("object", 0)
    if profile.is_open:
        return {}  # names are values there: what is known of some says nothing of the next
    return {
        "properties": {name: property_schema(member) for name, member in profile.members.items()},
        "required": [name for name, member in profile.members.items() if member.count == objects],
        "additionalProperties": False,
    }


def format_of(profile: Profile) -> str:
    """The format all its texts have, if any."""
    return next((name for name in FORMATS if name in profile.formats), "") if "string" in profile.types else ""


def options_of(profile: Profile) -> list[Any] | None:
    """The few values it takes, null among them where it was; None when they are many, few by chance, or sensitive."""
    if profile.values is None or profile.sensitive or format_of(profile):
        return None
    kinds = set(profile.types) - {"null"}
    if kinds == {"integer"} and set(profile.values) == {0, 1}:
        options: list[Any] = [0, 1]
    elif kinds == {"string"} and _are_options(profile):
        options = sorted(str(value) for value in profile.values)
    else:
        return None
    return [*options, *([None] if "null" in profile.types else [])]


def _are_options(profile: Profile) -> bool:
    values = profile.values or {}
    texts = sum(values.values())
    return (
        1 < len(values) <= MAX_OPTIONS
        and texts >= max(_TIMES, _TIMES_EACH * len(values))
        and all(len(str(value)) <= _MAX_OPTION_CHARACTERS for value in values)
    )


def round_up(number: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50 … that is twice the number or more: what was seen is not all there is."""
    wanted, power = 2 * number, 1
    while power * _ROUND_NUMBERS[-1] < wanted:
        power *= 10
    return next(digit * power for digit in _ROUND_NUMBERS if digit * power >= wanted)
