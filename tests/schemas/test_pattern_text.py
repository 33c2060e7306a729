"""Texts made for patterns match them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from logging_pkg.exceptions import SchemaError
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.pattern_text import MAX_MORE, text_matching

REGISTRY = load_registry()


def patterns_in(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for value in schema.values():
            yield from patterns_in(value)


DECLARED = sorted(
    {p for s in [REGISTRY.envelope, *(e.document for e in REGISTRY.events.values())] for p in patterns_in(dict(s))}
)
OTHERS = [
    "",
    "^$",
    "abc",
    "^(?:a|bc)+$",
    "^(a|)(?<name>b{2})?c*$",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
    r"^[^a-z]{3,}$",
    r"^\d+\.\w\s[\]\-^]$",
    r"^[-a]{2}[a-]{2}.\t$",
    r"^a{2}b{1,3}c{0,}d{2}?$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", [*DECLARED, *OTHERS])
def test_a_text_matches_its_pattern_whole(pattern: str) -> None:
    """Whatever chance decides, for every pattern the schemas use and for each construct."""
    for seed in range(200):
        assert re.search(rf"\A(?:{pattern.replace('(?<', '(?P<')})\Z", text_matching(pattern, random.Random(seed)))


def test_the_same_seed_gives_the_same_text() -> None:
    """And another one another."""
    texts = [text_matching("^[a-z]{20}$", random.Random(seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_what_repeats_without_end_ends_soon() -> None:
    """A text stays short."""
    assert max(len(text_matching("^a+$", random.Random(seed))) for seed in range(100)) == 1 + MAX_MORE


@pytest.mark.parametrize(
    "pattern", ["(?=a)", "(?!a)b", r"(a)\1", r"\p{L}", r"\u0041", "(a", "a)", "[a", "[]", "+", "a\\", "a**"]
)
def test_what_is_not_understood_is_said_with_its_place(pattern: str) -> None:
    """Never a text that may be wrong."""
    with pytest.raises(SchemaError, match=r'no text can be made from character \d+ on; give the field "examples"'):
        text_matching(pattern, random.Random(0))
