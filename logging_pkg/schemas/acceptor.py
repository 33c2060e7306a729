"""A schema compiled to Python functions, for the events that are valid: nearly all.

In: the schema of an event's own fields. Out: a function that answers like jsonschema-rs, which it asks wherever it is
not sure. Never: says yes to what the schema refuses; has the last word on a no.

Why: an event comes once per request, when the processor's caches hold other things, so what counts is how much code
runs. One place of the code emits an event with the same fields of the same types each time. That much, the event's
shape, is compared in two steps of C; left are the values with bounds, in one expression made for the shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Accepts = Callable[[Any], bool]

#: What is understood here; a property with any other keyword leaves the whole schema to jsonschema-rs.
_KEYWORDS = frozenset({"type", "enum", "minimum", "maximum", "exclusiveMinimum", "maxLength", "maxItems", "items"})
_OBJECT_KEYWORDS = frozenset({"type", "properties", "required", "additionalProperties"})
#: What asserts nothing, besides our own `x-…`.
_ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "title", "description", "examples", "deprecated"})
_BOUNDS = (("minimum", ">="), ("maximum", "<="), ("exclusiveMinimum", ">"))
#: The types JSON values come as, and what JSON Schema calls them. A subclass is another type.
_KINDS: Mapping[type, frozenset[str]] = {
    str: frozenset({"string"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
    bool: frozenset({"boolean"}),
    type(None): frozenset({"null"}),
    list: frozenset({"array"}),
    dict: frozenset({"object"}),
}
_FROM_ZERO: Mapping[str, Any] = {"minimum": 0}
#: Integers below it are floats, too, without rounding.
_EXACT = 2**53
#: Shapes remembered per event; each optional or nullable field may double them, so a schema of many asks for the rest.
MAX_SHAPES = 128


class _NotCompilable(Exception):  # noqa: N818  (never leaves this module)
    """The schema uses more than is understood here."""


def compile_acceptor(document: Mapping[str, Any], ask: Accepts) -> Accepts:
    """The function; `ask` itself where the schema uses more than is understood here.

    Args:
        document: JSON Schema of an object.
        ask: jsonschema-rs's verdict on it.
    """
    try:
        return _object_acceptor(document, ask)
    except _NotCompilable:
        return ask


def _not_sure(_: Any) -> bool:
    """Within a value nobody is asked: the whole event is, once."""
    return False


def _object_acceptor(schema: Mapping[str, Any], ask: Accepts) -> Accepts:
    if not _keywords_of(schema) <= _OBJECT_KEYWORDS or schema.get("type") != "object":
        raise _NotCompilable
    if schema.get("additionalProperties") is not False:
        raise _NotCompilable
    properties = {name: _Value(declared) for name, declared in schema.get("properties", {}).items()}
    required = frozenset(schema.get("required", ()))
    if not required <= set(properties):
        raise _NotCompilable
    checks: dict[Any, Callable[..., bool]] = {}

    def accepts(value: Any) -> bool:
        if value.__class__ is not dict:
            return ask(value)
        values = tuple(value.values())
        shape = tuple(value), tuple(map(type, values))
        check = checks.get(shape)
        if check is None:
            check = _check_of(properties, required, shape)
            if check is None:
                return ask(value)
            if len(checks) < MAX_SHAPES:
                checks[shape] = check
        return check(*values) or ask(value)

    return accepts


def _check_of(
    properties: Mapping[str, _Value], required: frozenset[str], shape: tuple[tuple[Any, ...], tuple[type, ...]]
) -> Callable[..., bool] | None:
    """A function over the values of an object of this shape, true only where it is valid; None where none can be."""
    names, types = shape
    if not required <= set(names) <= set(properties):
        return None
    tests: list[str] = []
    constants: dict[str, Any] = {}
    floats: list[str] = []
    for number, (name, kind) in enumerate(zip(names, types, strict=True)):
        variable = f"x{number}"
        test = properties[name].test(kind, variable, f"c{number}", constants)
        if test is None:
            return None
        if kind is float and test == _range(variable, _FROM_ZERO, is_float=True):
            # Together they cost one comparison less each: a sum of numbers from 0 is infinite if one of them is.
            test = f"{variable} >= 0.0"
            floats.append(variable)
        tests.append(test)
    if floats:
        tests.append(f"{' + '.join(floats)} < 1e999")
    return _function([f"x{number}" for number in range(len(names))], tests, constants)


def _function(arguments: list[str], tests: list[str], constants: dict[str, Any]) -> Callable[..., bool]:
    """Nothing of the schema is written into it but numbers."""
    # A statement for each: Python compares two numbers without a call only where a short jump follows.
    refusals = "".join(f" if not ({test}): return False\n" for test in tests if test)
    exec(f"def check({', '.join(arguments)}):\n{refusals} return True", constants)  # noqa: S102  (see above)
    made: Callable[..., bool] = constants["check"]
    return made


class _Value:
    """The schema of one value that is no event."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._kinds: frozenset[str] = frozenset()
        self._inner: Accepts | None = None
        if schema.get("type") == "object":
            self._kinds, self._inner = frozenset({"object"}), _object_acceptor(schema, _not_sure)
            return
        if not _keywords_of(schema) <= _KEYWORDS:
            raise _NotCompilable
        if "enum" in schema:
            kinds = {type(value) for value in schema["enum"]}
            if _keywords_of(schema) != {"enum"} or not kinds <= {str, int, float}:
                raise _NotCompilable
            return
        kinds = schema.get("type", ())
        self._kinds = frozenset([kinds] if isinstance(kinds, str) else kinds)
        if not self._kinds or not self._kinds <= {"null", "boolean", "integer", "number", "string", "array"}:
            raise _NotCompilable
        if any(type(schema.get(keyword, 0)) not in {int, float} for keyword, _ in _BOUNDS):
            raise _NotCompilable
        if "array" in self._kinds:
            if "items" not in schema:
                raise _NotCompilable
            self._inner = _Value(schema["items"]).acceptor()

    def acceptor(self) -> Accepts:
        """A function over one value, of any type."""
        if self._inner is not None and self._schema.get("type") == "object":
            return self._inner
        checks: dict[type, Accepts] = {}
        for kind in _KINDS:
            constants: dict[str, Any] = {}
            test = self.test(kind, "x", "c", constants)
            if test is not None:
                checks[kind] = _function(["x"], [test], constants)
        return lambda value: checks.get(type(value), _not_sure)(value)

    def test(self, kind: type, name: str, constant: str, constants: dict[str, Any]) -> str | None:
        """An expression that is true only for valid values of this type, empty where all are; None where none is.

        Args:
            kind: type of the value.
            name: of the variable that holds it.
            constant: name under which the expression may put something into `constants`.
            constants: what the expression's names stand for.
        """
        if kind not in _KINDS:
            return None
        if "enum" in self._schema:
            alike = {str} if kind is str else {int, float} if kind in {int, float} else set()
            values = frozenset(value for value in self._schema["enum"] if type(value) in alike)
            if kind is int and values == {0, 1}:
                return f"0 <= {name} <= 1"  # our flags, and nothing to look up
            constants[constant] = values
            return f"{name} in {constant}" if values else None
        if not self._kinds & _KINDS[kind]:
            return None
        if kind is str:
            return _limit(f"len({name})", self._schema.get("maxLength"))
        if kind is int or kind is float:
            return _range(name, self._schema, is_float=kind is float)
        if self._inner is None or kind not in {list, dict}:
            return ""
        constants[constant] = self._inner
        if kind is dict:
            return f"{constant}({name})"
        limit = _limit(f"len({name})", self._schema.get("maxItems"))
        return f"(not {name} or {limit}{' and ' if limit else ''}all(map({constant}, {name})))"


def _keywords_of(schema: Mapping[str, Any]) -> set[str]:
    """Its keywords that assert something."""
    return {keyword for keyword in schema if keyword not in _ANNOTATIONS and not keyword.startswith("x-")}


def _limit(size: str, limit: Any) -> str:
    return "" if limit is None else f"{size} <= {int(limit)}"


def _range(name: str, schema: Mapping[str, Any], *, is_float: bool) -> str:
    tests = [
        f"{name} {comparison} {_bound(schema[keyword], is_float=is_float)}"
        for keyword, comparison in _BOUNDS
        if keyword in schema
    ]
    if is_float:
        # What is infinite, and NaN, which compares with nothing, orjson would write as null.
        tests.append(f"{name} < 1e999" if "minimum" in schema else f"-1e999 < {name} < 1e999")
    return " and ".join(tests)


def _bound(bound: float, *, is_float: bool) -> str:
    """As a number of the type it is compared with, if there is one: Python has an instruction for two of one type."""
    if is_float:
        return repr(float(bound) if abs(bound) < _EXACT else bound)
    return repr(int(bound) if bound == bound // 1 else bound)
