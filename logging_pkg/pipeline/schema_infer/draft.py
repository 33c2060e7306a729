"""The draft of one event's schema.

In: the profile of an event's lines. Out: a schema that loads and accepts those lines' own fields. Never: values that
look sensitive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from logging_pkg.pipeline.schema_infer.fields import object_schema, property_schema
from logging_pkg.pipeline.schema_infer.notes import description, metric_candidates
from logging_pkg.pipeline.schema_infer.profile import Profile


@dataclass(frozen=True, slots=True)
class Draft:
    """One event.

    Attributes:
        event: its name here, in the house grammar.
        logged_as: what the producer calls it.
        line_count: how many lines it was drafted from.
        document: the schema.
        left_out: fields that the envelope has already.
        suggestions: names of fields, and what to call them instead, as a phrase.
    """

    event: str
    logged_as: str
    line_count: int
    document: dict[str, Any]
    left_out: tuple[str, ...]
    suggestions: tuple[tuple[str, str], ...]


def document_of(event: str, logged_as: str, profile: Profile, level: str) -> dict[str, Any]:
    """The schema: loadable, closed, and with notes where a human has to decide.

    Args:
        event: its name here.
        logged_as: what the producer calls it.
        profile: of its lines, each an object of the event's own fields.
        level: most frequent one; empty when the lines have none of ours.
    """
    renamed = "" if event == logged_as else f' Logged as "{logged_as[:100]}": the producer has to be told the new name.'
    shape = object_schema(profile)
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": event,
        "description": f"Say when it is logged. Drafted from {profile.count:,} lines.{renamed}",
        "type": "object",
        "x-since": "unreleased",
        "x-schema-version": 1,
        **({"x-level": level} if level else {}),
        "x-metrics": [],
        "x-metric-candidates": metric_candidates(event, profile.members),
        "properties": {
            name: {**property_schema(member), "description": description(name, member, profile.count)}
            for name, member in profile.members.items()
        },
        "required": shape.get("required", []),
        "additionalProperties": False,
    }
    if profile.is_open:
        document["$comment"] = "There were more fields than can be told apart: are their names values?"
        document["patternProperties"] = {"": {}}
    return document
