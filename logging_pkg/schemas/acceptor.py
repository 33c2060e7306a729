"""A schema compiled to Python functions, for the events that are valid: nearly all.

In: the schema of an event's own fields. Out: a function that answers like jsonschema-rs, which it asks wherever it is
not sure. Never: says yes to what the schema refuses; has the last word on a no.

Why: an event comes once per request, when the processor's caches hold other things, so what counts is how much code
runs. One place of the code emits an event with the same fields each time. Their names are looked up in one step of C,
and give a function made for them that looks at each value once.
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
#: The types JSON values come as, the likelier ones first, and what JSON Schema calls them. A subclass is another type.
_KINDS: Mapping[type | None, frozenset[str]] = {
    str: frozenset({"string"}),
    float: frozenset({"number"}),
    int: frozenset({"integer", "number"}),
    bool: frozenset({"boolean"}),
    list: frozenset({"array"}),
    dict: frozenset({"object"}),
    None: frozenset({"null"}),
}
#: Integers below it are floats, too, without rounding.
_EXACT = 2**53
#: Sets of names remembered per event; each optional field may double them, so a schema of many asks for the rest.
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
    checks: dict[tuple[Any, ...], Callable[..., bool]] = {}

    def accepts(value: Any) -> bool:
        if value.__class__ is not dict:
            return ask(value)
        names = tuple(value)
        check = checks.get(names)
        if check is None:
            if len(checks) >= MAX_SHAPES or not required <= set(names) <= set(properties):
                return ask(value)
            check = checks[names] = _check_of([properties[name] for name in names])
        return check(*value.values()) or ask(value)

    return accepts


def _check_of(values: list[_Value]) -> Callable[..., bool]:
    """A function of so many arguments, true only where each is a valid value of its schema."""
    constants: dict[str, Any] = {}
    tests = [value.test(f"x{number}", f"c{number}", constants) for number, value in enumerate(values)]
    arguments = ", ".join(f"x{number}" for number in range(len(values)))
    # A statement for each: Python compares two numbers without a call only where a short jump follows. Nothing of the
    # schema is written into it but numbers.
    refusals = "".join(f" if not ({test}): return False\n" for test in tests)
    exec(f"def check({arguments}):\n{refusals} return True", constants)  # noqa: S102  (see above)
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
            items = _Value(schema["items"])
            self._inner = items._inner if items._kinds == {"object"} else _check_of([items])

    def test(self, name: str, constant: str, constants: dict[str, Any]) -> str:
        """An expression that is true only for valid values.

        Args:
            name: of the variable that holds the value.
            constant: name under which the expression may put something into `constants`.
            constants: what the expression's names stand for.
        """
        tests = {kind: test for kind in _KINDS if (test := self._test_of(kind, name, constant)) is not None}
        if "enum" in self._schema:
            constants[constant] = frozenset(self._schema["enum"])
        elif self._inner is not None:
            constants[constant] = self._inner
        return " or ".join(
            f"{name} is None" if kind is None else f"type({name}) is {kind.__name__}{test and ' and '}{test}"
            for kind, test in tests.items()
        )

    def _test_of(self, kind: type | None, name: str, constant: str) -> str | None:
        """What is to be asked of a value of this type, empty where nothing is; None where none is valid."""
        if "enum" in self._schema:
            alike = {str} if kind is str else {int, float} if kind in {int, float} else set()
            values = {value for value in self._schema["enum"] if type(value) in alike}
            if kind is int and values == {0, 1}:
                return f"{name} >= 0 and {name} <= 1"  # our flags, and nothing to look up
            return f"{name} in {constant}" if values else None
        if not self._kinds & _KINDS[kind]:
            return None
        if kind is str:
            return _limit(name, self._schema.get("maxLength"))
        if kind is int or kind is float:
            return _range(name, self._schema, is_float=kind is float)
        if kind is dict:
            return f"{constant}({name})"
        if kind is list:
            limit = _limit(name, self._schema.get("maxItems"))
            return f"(not {name} or {limit}{limit and ' and '}all(map({constant}, {name})))"
        return ""


def _keywords_of(schema: Mapping[str, Any]) -> set[str]:
    """Its keywords that assert something."""
    return {keyword for keyword in schema if keyword not in _ANNOTATIONS and not keyword.startswith("x-")}


def _limit(name: str, limit: Any) -> str:
    return "" if limit is None else f"len({name}) <= {int(limit)}"


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
