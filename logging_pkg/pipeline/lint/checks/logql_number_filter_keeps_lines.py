"""logql/number-filter-keeps-lines: a comparison with a number drops the lines that have no number there.

In: label filters behind json stages with keys, the schemas. Out: a problem for a comparison with a field that a
selected line may lack. Never: judges a bare `| json`, which makes no label of what is not there.

Loki 3.7: `| json x="x"` makes an empty label x where the line has none, or null; `x > 0` cannot read it, sets
__error__ and keeps the line. A metric over such lines is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from logging_pkg.pipeline.lint.checks._queries import at, log_queries
from logging_pkg.pipeline.lint.describe import named
from logging_pkg.pipeline.lint.labels import events_of, schemas_at
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import ast
from logging_pkg.schemas import Registry

ID = "logql/number-filter-keeps-lines"
NEEDS = (Need.SCHEMAS,)
_NUMBERS = ("number", "duration", "bytes")


def check(project: Project) -> Iterator[Problem]:
    """`| json x="x" | x > 0` over lines without x, with neither `x != ""` nor `__error__=""`."""
    for query, part in log_queries(project, ID):
        events = events_of(part.selector, project.registry)
        paths: dict[str, str] = {}
        for index, stage in enumerate(part.stages):
            _follow(stage, paths)
            for place, condition in enumerate(stage.conditions if isinstance(stage, ast.LabelFilter) else ()):
                name = condition.name.text
                if condition.kind not in _NUMBERS or name not in paths or _is_guarded(part.stages, index, place, name):
                    continue
                lacking = _lacking(paths[name], events, project.registry)
                if lacking:
                    keeps = "also keeps" if query.expression is part else "fails the query for"
                    message = f"{keeps} lines without it: {paths[name]} may be missing or null in {named(lacking)}"
                    is_alone = len(stage.conditions) == 1 if isinstance(stage, ast.LabelFilter) else True
                    pair = f'({name}!="" and {name} {condition.op} …)'
                    hint = f'write | {name}!="" before it' if is_alone else f"write {pair} in its place"
                    yield at(query, condition.name, ID, message, hint)


def _follow(stage: ast.Stage, paths: dict[str, str]) -> None:
    """Keep track of which label has which key of the line."""
    if isinstance(stage, ast.ParserStage) and stage.kind == "json":
        paths.update({extraction.label.text: extraction.path.text for extraction in stage.extractions})
    elif isinstance(stage, ast.LabelFormat):
        for label, source, _template in stage.assignments:
            path = paths.pop(source.text, None) if source else None
            paths.pop(label.text, None)
            if path is not None:
                paths[label.text] = path


def _is_guarded(stages: Sequence[ast.Stage], index: int, place: int, name: str) -> bool:
    """Whether any filter takes lines without the label away, or a later one those with an error."""
    for number, stage in enumerate(stages):
        for position, condition in enumerate(stage.conditions if isinstance(stage, ast.LabelFilter) else ()):
            if condition.name.text == name and _refuses_nothing(condition):
                return True
            is_later = (number, position) > (index, place)
            if is_later and condition.name.text == "__error__" and (condition.op, condition.value) == ("=", ""):
                return True
    return False


def _refuses_nothing(condition: ast.Condition) -> bool:
    return (condition.op, condition.value) in (("!=", ""), ("=~", ".+"))


def _lacking(path: str, events: Sequence[str], registry: Registry) -> list[str]:
    """Events whose lines need not have the field; one within a list or an object need never be there."""
    return [event for event in events if not _is_always_there(path, event, registry)]


def _is_always_there(path: str, event: str, registry: Registry) -> bool:
    schemas = schemas_at(path, [event], registry)
    required = registry.events[event].required | set(registry.envelope["required"])
    return path in required and all("null" not in schema.get("type", ()) for schema in schemas)
