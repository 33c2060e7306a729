"""A character of a YAML value, in whatever style it is written, is found again in the file."""

from __future__ import annotations

import pytest
import yaml

from logging_pkg.pipeline.lint.problem import Problem, render
from logging_pkg.pipeline.lint.project import Query
from logging_pkg.pipeline.lint.source import SourceFile
from logging_pkg.pipeline.lint.yaml_file import Mapping, YamlFile

STYLES = {
    "plain": "a: sum(route) # comment\n",
    "plain over lines": "a: sum(\n    x\n\n    route)\n",
    "single": "a: 'it''s sum(route)'\n",
    "single over lines": "a: 'it''s sum(\n   route)'\n",
    "double": 'a: "\\t\\x41\\u00e9 \\"sum\\" (route)"\n',
    "double over lines": 'a: "sum \\\n    (\n    route)"\n',
    "literal": "b: 1\na: |\n    sum(\n      route\n    )\n",
    "literal without end": "a: |-\n  sum(\n\n  route)\n\nb: 2\n",
    "folded": "a: >-\n    sum\n    (\n\n      x\n    route)\n",
    "json": '{"panels": [], "a": "sum(\\"x\\", route)"}',
    "wide characters": "# 日本 😀\na: '😀 sum(route)'\n",
}


@pytest.mark.parametrize("style", STYLES)
def test_a_word_of_a_value_is_found_in_the_file(style: str) -> None:
    """Line and column of `route` within the value are those of `route` in the file, and its length is its own."""
    text = STYLES[style]
    value = YamlFile.of(SourceFile("a.yaml", text)).root.text("a")
    assert value.text == yaml.safe_load(text)["a"]
    start = value.text.index("route")
    line, column, length = value.place(start, start + len("route"))
    assert text.splitlines()[line - 1][column - 1 : column - 1 + length] == "route"


@pytest.mark.parametrize("style", STYLES)
def test_each_visible_character_of_a_value_is_its_own_in_the_file(style: str) -> None:
    """Escapes aside, the character at the offset is the character of the value."""
    text = STYLES[style]
    value = YamlFile.of(SourceFile("a.yaml", text)).root.text("a")
    for character, offset in zip(value.text, value.offsets, strict=False):
        assert character.isspace() or text[offset] in (character, "\\")


def test_a_problem_over_lines_is_underlined_to_the_end_of_its_first() -> None:
    """The caret line never runs past the line it belongs to."""
    source = SourceFile("a.yaml", "a: |\n  sum(\n    rate\n  )\n")
    value = YamlFile.of(source).root.text("a")
    problem = Problem.at(value, "logql/syntax", "wrong")
    assert render(problem).splitlines()[:3] == [
        "a.yaml:2:3  error  logql/syntax",
        "    2 │ sum(",
        "      │ ^^^^ wrong",
    ]


def test_a_long_line_is_cut_around_the_problem() -> None:
    """What is underlined stays visible, under its characters."""
    text = "x" * 400 + "HERE" + "y" * 400
    problem = Problem.at(SourceFile("a.md", text).snippet(400, 404), "logql/syntax", "wrong")
    _head, line, caret, _page = render(problem).splitlines()
    assert len(line) < 160
    assert line[caret.index("^") : caret.rindex("^") + 1] == "HERE"


def test_dashboards_give_the_queries_of_loki_panels_only() -> None:
    """An `expr` belongs to the nearest data source around it; PromQL is left alone."""
    from logging_pkg.pipeline.lint.query import targets

    text = """{"panels": [
      {"datasource": {"type": "loki", "uid": "x"}, "targets": [{"expr": "{event=\\"a\\"}"}, {"refId": "B"}]},
      {"datasource": {"type": "prometheus"}, "targets": [{"expr": "up"}, {"datasource": {"uid": "loki"}, "expr": "{}"}]}
    ]}"""
    root = YamlFile.of(SourceFile("d.json", text)).root
    assert isinstance(root, Mapping)
    assert [snippet.text for snippet in targets(root)] == ['{event="a"}', "{}"]


def test_a_comment_allows_a_check_only_with_a_reason() -> None:
    """`# allow <check>: <why>`; without the why it is no permission."""
    source = SourceFile(
        "a.md", '{event="a"} # allow logql/bare-json: everything is wanted\n{event="b"} # allow logql/bare-json:'
    )
    first, second = source.text.split("\n")
    assert Query.of(source.snippet(0, len(first)), "document").allowed == {"logql/bare-json"}
    assert Query.of(source.snippet(len(first) + 1, len(source.text)), "document").allowed == frozenset()
    assert second
