"""Nodes are where PyYAML's own parser sees them, and errors are in its words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from logging_pkg.pipeline.yaml_nodes import compose

LOKI = Path(__file__).parents[2] / "loki"


def places(node: yaml.Node) -> Iterator[tuple[object, ...]]:
    """Tag, text and place of a node and of all below it."""
    start, end = node.start_mark, node.end_mark
    text = node.value if isinstance(node, yaml.ScalarNode) else None
    yield node.tag, text, start.index, start.line, start.column, end.index, end.line, end.column
    for child in node.value if isinstance(node, yaml.CollectionNode) else []:
        for each in child if isinstance(child, tuple) else [child]:
            yield from places(each)


@pytest.mark.parametrize("name", ["rules/alerts.yaml", "tests/cache_test.yaml"])
def test_nodes_are_where_they_are(name: str) -> None:
    """Which parser made them cannot be told."""
    text = "# ü … 🎈\n" + (LOKI / name).read_text(encoding="utf-8")
    found, expected = compose(text), yaml.compose(text, Loader=yaml.SafeLoader)
    assert found is not None
    assert expected is not None
    assert list(places(found)) == list(places(expected))


def test_an_empty_document_is_none() -> None:
    """As with PyYAML."""
    assert compose("# nothing\n") is None


def test_an_error_is_told_in_the_words_of_pyyaml() -> None:
    """Whether libyaml is there or not."""
    with pytest.raises(yaml.MarkedYAMLError, match="mapping values are not allowed here"):
        compose("a: b: c")
    with pytest.raises(yaml.MarkedYAMLError, match="could not find expected ':'"):
        compose("a: 1\nb\nc: 2")
