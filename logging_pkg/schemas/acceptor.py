"""A schema compiled to one Python function, for the events that are valid: nearly all.

In: the schema of an event's own fields. Out: a function that answers like jsonschema-rs, which it asks wherever it is
not sure. Never: says yes to what the schema refuses; has the last word on a no.

Why: an event comes once per request, when the processor's caches hold other things. One run through straight code, over
strings that were just put into the event, costs a third of a walk through a tree of validators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

Accepts = Callable[[Any], bool]

#: What is understood here; a property with any other keyword leaves the whole schema to jsonschema-rs.
_KEYWORDS = frozenset(
    {"type", "enum", "minimum", "maximum", "exclusiveMinimum", "maxLength", "maxItems", "items", "description"}
)
_OBJECT_KEYWORDS = frozenset({"type", "properties", "required", "additionalProperties", "description"})
_ABSENT = object()


class _NotCompilable(Exception):  # noqa: N818  (never leaves this module)
    """The schema uses more than is understood here."""


def compile_acceptor(document: Mapping[str, Any], ask: Accepts) -> Accepts:
    """The function; `ask` itself where the schema uses more than is understood here.

    Args:
        document: JSON Schema of an object.
        ask: jsonschema-rs's verdict on it.
    """
    source = _Source()
    try:
        source.add_object(
            "accepts", {k: v for k, v in document.items() if k not in {"$schema", "$id", "title"}}, "ask(v)"
        )
    except _NotCompilable:
        return ask
    names: dict[str, Any] = {**source.constants, "ask": ask, "absent": _ABSENT}
    exec("\n".join(source.lines), names)  # noqa: S102  (built from the keywords and numbers of a checked schema only)
    accepts: Accepts = names["accepts"]
    return accepts


class _Source:
    """Lines of Python, and the constants they name. Nothing of the schema is written into them but numbers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self._numbers = count()

    def constant(self, value: Any) -> str:
        name = f"c{next(self._numbers)}"
        self.constants[name] = value
        return name

    def add_object(self, name: str, schema: Mapping[str, Any], refuse: str) -> None:
        """A function that takes an object, and returns `refuse` where it is not sure that it is valid."""
        if not _keywords_of(schema) <= _OBJECT_KEYWORDS or schema.get("type") != "object":
            raise _NotCompilable
        if schema.get("additionalProperties") is not False:
            raise _NotCompilable
        properties, required = schema.get("properties", {}), frozenset(schema.get("required", ()))
        if not required <= set(properties):
            raise _NotCompilable
        body = [f"    if v.__class__ is not dict: return {refuse}", f"    n = {len(required)}", "    try:"]
        for field, declared in properties.items():
            key = self.constant(field)
            test = self._test(declared)
            if field in required:
                body += [f"        x = v[{key}]", f"        if not ({test}): return {refuse}"]
            else:
                body += [
                    f"        x = v.get({key}, absent)",
                    "        if x is not absent:",
                    "            n += 1",
                    f"            if not ({test}): return {refuse}",
                ]
        body += ["    except KeyError:", f"        return {refuse}"]
        body += [f"    return True if len(v) == n else {refuse}"]
        if not properties:
            body = [f"    return True if v.__class__ is dict and not v else {refuse}"]
        self.lines += [f"def {name}(v):", *body]

    def _test(self, schema: Mapping[str, Any]) -> str:
        """An expression over `x`, true only where it is valid."""
        if schema.get("type") == "object":
            name = f"o{next(self._numbers)}"
            self.add_object(name, schema, "False")
            return f"{name}(x)"
        if not _keywords_of(schema) <= _KEYWORDS:
            raise _NotCompilable
        if "enum" in schema:
            if _keywords_of(schema) - {"enum", "description"}:
                raise _NotCompilable
            return self._enum_test(schema["enum"])
        kinds = schema.get("type")
        if kinds is None:
            raise _NotCompilable
        return " or ".join(self._type_test(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))

    def _enum_test(self, values: list[Any]) -> str:
        texts = frozenset(value for value in values if type(value) is str)
        numbers = frozenset(value for value in values if type(value) in {int, float})
        if len(texts) + len(numbers) != len(values):
            raise _NotCompilable
        tests = []
        if texts:
            tests.append(f"x.__class__ is str and x in {self.constant(texts)}")
        if numbers:
            tests.append(f"(x.__class__ is int or x.__class__ is float) and x in {self.constant(numbers)}")
        return " or ".join(f"({test})" for test in tests)

    def _type_test(self, kind: str, schema: Mapping[str, Any]) -> str:
        match kind:
            case "null":
                return "x is None"
            case "boolean":
                return "x is True or x is False"
            case "integer":
                return f"(x.__class__ is int{_range_test(schema)})"
            case "number":
                # The difference of NaN and of the infinities with themselves is no number.
                return f"((x.__class__ is int or (x.__class__ is float and x - x == 0.0)){_range_test(schema)})"
            case "string":
                limit = schema.get("maxLength")
                return f"(x.__class__ is str{'' if limit is None else f' and len(x) <= {int(limit)}'})"
            case "array":
                return self._array_test(schema)
            case _:
                raise _NotCompilable

    def _array_test(self, schema: Mapping[str, Any]) -> str:
        if "items" not in schema:
            raise _NotCompilable
        limit = schema.get("maxItems")
        name = f"a{next(self._numbers)}"
        test = self._test(schema["items"])
        self.lines += [
            f"def {name}(v):",
            "    for x in v:",
            f"        if not ({test}): return False",
            "    return True",
        ]
        size = "" if limit is None else f" and len(x) <= {int(limit)}"
        return f"(x.__class__ is list{size} and (not x or {name}(x)))"


def _keywords_of(schema: Mapping[str, Any]) -> set[str]:
    """Its keywords; annotations of ours assert nothing."""
    return {keyword for keyword in schema if not keyword.startswith("x-")}


def _range_test(schema: Mapping[str, Any]) -> str:
    test = ""
    for keyword, comparison in (("minimum", ">="), ("maximum", "<="), ("exclusiveMinimum", ">")):
        bound = schema.get(keyword)
        if bound is not None:
            if type(bound) not in {int, float}:
                raise _NotCompilable
            test += f" and x {comparison} {bound!r}"
    return test
