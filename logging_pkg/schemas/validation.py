"""Say what is wrong with an event in sentences that name the field, the expectation and the file, never the value.

In: a jsonschema-rs validator and the instance it refused. Out: sentences. Never: a value of the event.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

#: Nearest spellings are looked for in so many problems of one event; they cost 50 us each, and more say nothing new.
MAX_HINTS = 10
#: Characters of a field's name that are shown and compared.
_NAME_CHARACTERS = 64


def problems_of(
    validator: Any, instance: Mapping[str, Any], *, event: str, known_fields: Iterable[str], source: str
) -> list[str]:
    """Return one sentence per problem, e.g.

        http.request_finished: unknown field "stauts_code" (did you mean "status_code"?);
        see log_schemas/http.request_finished.json

    Args:
        validator: the compiled validator that refused the instance.
        instance: the event's fields.
        event: its name.
        known_fields: declared field names, for the nearest spelling.
        source: schema file name shown to the reader.
    """
    see = f"; see log_schemas/{source}"
    known = sorted(known_fields)
    problems: list[str] = []
    try:
        errors = list(validator.iter_errors(instance))
    except (ValueError, TypeError):
        # jsonschema-rs cannot even represent it: bytes, sets, names with lone surrogates …
        return [f"{event}: a field has a value that JSON cannot hold{see}"]
    for error in errors:
        sentences = _sentences(error, known if len(problems) < MAX_HINTS else [])
        problems += [f"{event}: {text}{see}" for text in sentences]
    return problems


def has_non_finite(value: Any) -> bool:
    """Whether a float that JSON cannot hold is in there; orjson writes those as null."""
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(has_non_finite(item) for item in value.values())
    return isinstance(value, list | tuple) and any(has_non_finite(item) for item in value)


def admits_any_value(schema: Mapping[str, Any]) -> bool:
    """Whether some place in a value may hold anything at all, NaN included, which no declared type admits.

    What is declared by other keywords than these (`$ref`, `anyOf`, `patternProperties` …) counts as anything.
    """
    if "enum" in schema or "const" in schema:
        return False
    kinds = schema.get("type", ())
    if not kinds or "patternProperties" in schema or "prefixItems" in schema:
        return True
    if "array" in kinds and admits_any_value(schema.get("items") or {}):
        return True
    if "object" not in kinds:
        return False
    return schema.get("additionalProperties") is not False or any(
        admits_any_value(member) for member in schema.get("properties", {}).values()
    )


def _sentences(error: Any, known: list[str]) -> list[str]:
    kind = error.kind
    path = ".".join(str(part) for part in error.instance_path)
    name = type(kind).__name__.rsplit("_", 1)[-1]
    if name == "AdditionalProperties":
        return [_unknown_field(key, known if index < MAX_HINTS else []) for index, key in enumerate(kind.unexpected)]
    if name == "Required":
        return [f'missing field "{kind.property}"']
    if name == "Type":
        return [f'field "{path}" is of the wrong type, expected {_expected(kind.types)}']
    if name in ("Enum", "Constant"):
        options = getattr(kind, "options", None) if name == "Enum" else [kind.expected_value]
        return [f'field "{path}" is not one of {json.dumps(options)}']
    limit = getattr(kind, "limit", None)
    if limit is not None:
        return [f'field "{path}" breaks {_keyword(error)} {limit}']
    if name == "Pattern":
        return [f'field "{path}" does not match {kind.pattern}']
    return [f'field "{path or "(event)"}" breaks {_keyword(error)}']


def _expected(types: Any) -> str:
    return " or ".join(str(kind) for kind in types) if not isinstance(types, str) else types


def _keyword(error: Any) -> str:
    return str(error.schema_path[-1]) if error.schema_path else "its schema"


def _unknown_field(key: str, known: list[str]) -> str:
    shown = key[:_NAME_CHARACTERS]
    near = get_close_matches(shown, known, n=1)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    return f'unknown field "{shown}"{hint}'
