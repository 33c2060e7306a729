"""Notes for whoever makes a schema out of a draft: candidates for annotations, suggested names.

In: a field's name and profile. Out: sentences for its description, candidate metrics. Never: an annotation that works.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from logging_pkg.pipeline.schema_infer.fields import format_of, options_of
from logging_pkg.pipeline.schema_infer.names import ENVELOPE_NAMES, field_name
from logging_pkg.pipeline.schema_infer.profile import Profile
from logging_pkg.pipeline.schema_infer.texts import IDENTIFYING

#: So many values at most make a candidate for a dimension, if they came so often each on average.
_MAX_DIMENSION_VALUES, _TIMES_EACH = 50, 3
#: An ID is one of many: nearly every line has another.
_ID_SUFFIXES = ("id", "uuid", "key", "hash")
#: Suffix of a field -> the metric that suits it: kind and unit.
_METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "_ms": ("histogram", "ms"),
    "_us": ("histogram", "us"),
    "_s": ("histogram", "s"),
    "_bytes": ("histogram", "bytes"),
    "_count": ("counter", "1"),
}


def description(name: str, profile: Profile, lines: int) -> str:
    """A description to be rewritten: what was seen, what may be annotated, what the house would call it."""
    sentences = [f"Say what it holds. Seen in {profile.count:,} of {lines:,} lines{_seen(profile)}."]
    sentences += candidates(name, profile)
    suggested = suggestion(name)
    if suggested:
        sentences.append(f"{suggested[0].upper()}{suggested[1:]}.")
    return " ".join(sentences)


def suggestion(name: str) -> str:
    """What the house calls such a field, as a phrase; empty when it is called so."""
    in_envelope = ENVELOPE_NAMES.get(field_name(name), "")
    if in_envelope:
        return f"may be the envelope's {in_envelope}"
    return f"might be called {field_name(name)}" if field_name(name) != name else ""


def candidates(name: str, profile: Profile) -> Iterator[str]:
    """Which annotations to think about."""
    if is_dimension(name, profile):
        values = len(profile.values or ()) or 2
        bound = json.dumps({"bound": values, "why": "say what keeps it so"})
        yield f'Candidate: "x-dimension": {bound}.'
    sensitive = _sensitive(name, profile)
    if sensitive:
        yield f'Looks like {sensitive}: "x-sensitive": "hashed" or "dropped", or leave it out.'
    for path, what in _sensitive_within(profile):
        yield f"Within it, {path} looks like {what}."
    if set(profile.types) - {"null"} == {"boolean"}:
        yield "As 0 and 1 its share would be one avg_over_time."


def is_dimension(name: str, profile: Profile) -> bool:
    """Whether it took so few values that metrics might be grouped by it."""
    if _sensitive(name, profile) or format_of(profile) or set(profile.types) - {"null"} != {"string"}:
        return False
    if options_of(profile) is not None:
        return True
    values = profile.values or {}
    return 1 < len(values) <= _MAX_DIMENSION_VALUES and sum(values.values()) >= _TIMES_EACH * len(values)


def metric_candidates(event: str, properties: Mapping[str, Profile]) -> list[dict[str, Any]]:
    """Entries for `x-metrics`, once their dimensions have `x-dimension`: of the event, of its numbers with units."""
    dimensions = [name for name, profile in properties.items() if is_dimension(name, profile)]
    by = sorted(dimensions, key=lambda name: len(properties[name].values or ()))[:2]
    base = event.replace(".", "_")
    found: list[dict[str, Any]] = [
        {"name": base, "kind": "counter", "unit": "1", "by": sorted(by), "description": "How many."}
    ]
    for name, profile in properties.items():
        suggested = field_name(name)
        suffix = next((suffix for suffix in _METRICS if suggested.endswith(suffix)), "")
        if suffix and set(profile.types) <= {"integer", "number", "null"} and profile.low is not None:
            kind, unit = _METRICS[suffix]
            metric = f"{base}_{suggested if unit == '1' else suggested.removesuffix(suffix)}"
            entry = {"name": metric, "kind": kind, "field": name, "unit": unit, "by": sorted(by)}
            found.append({**entry, "description": "How much."})
    return found


def _seen(profile: Profile) -> str:
    """How many different values, where they are few and counted."""
    form = format_of(profile)
    if form:
        return f", each a {form}"
    is_counted = profile.values and options_of(profile) is None and set(profile.types) <= {"string", "null"}
    return f", {len(profile.values or ())} different" if is_counted else ""


def _sensitive(name: str, profile: Profile) -> str:
    if profile.sensitive:
        return profile.sensitive
    texts = profile.types.get("string", 0) + profile.types.get("integer", 0)
    is_id = format_of(profile) in IDENTIFYING or field_name(name).split("_")[-1] in _ID_SUFFIXES
    many = profile.values is None or len(profile.values) * 2 > texts
    return "an ID that many lines have one each of" if is_id and many and texts >= 10 else ""


def _sensitive_within(profile: Profile, path: str = "") -> Iterator[tuple[str, str]]:
    """Members, and items of lists, that look sensitive."""
    for name, member in profile.members.items():
        below = f"{path}.{name}" if path else name
        what = _sensitive(name, member)
        if what:
            yield below, what
        yield from _sensitive_within(member, below)
    if profile.items is not None:
        if profile.items.sensitive:
            yield f"{path}[]", profile.items.sensitive
        yield from _sensitive_within(profile.items, f"{path}[]")
