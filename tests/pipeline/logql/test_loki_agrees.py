"""The parser's verdict on a query is Loki's own."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import LogQLError, parse
from logging_pkg.pipeline.logql.tokens import tokenize
from logging_pkg.schemas import load_registry
from tests.pipeline.logql.queries import BAD, GOOD

if TYPE_CHECKING:
    from logging_pkg.stack import Stack

PROJECT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def loki_takes(loki_server: Stack):
    """Ask the running Loki whether it can parse a query."""
    from logging_pkg.http_session import http_session

    with http_session(loki_server.loki_url) as session:

        def takes(query: str) -> bool:
            url = f"{loki_server.loki_url}/loki/api/v1/format_query"
            answer = session.post(url, data={"query": query}, timeout=10)
            assert answer.status_code in (200, 400), answer.text
            return answer.status_code == 200

        yield takes


@pytest.mark.parametrize("query", GOOD)
def test_what_the_parser_takes_loki_takes(query: str, loki_takes) -> None:
    """A query of the table of good ones parses in both."""
    parse(query)
    assert loki_takes(query)


@pytest.mark.parametrize("query", BAD)
def test_what_the_parser_refuses_loki_refuses(query: str, loki_takes) -> None:
    """A query of the table of bad ones parses in neither, and the error points into it."""
    with pytest.raises(LogQLError) as caught:
        parse(query)
    assert 0 <= caught.value.start <= len(query)
    assert not loki_takes(query)


def test_whatever_the_parser_takes_loki_takes(loki_takes) -> None:
    """Of good queries with tokens left out, doubled, swapped or replaced, those that parse here parse in Loki."""
    chosen = random.Random(7)
    accepted, misjudged = 0, []
    for _ in range(6_000):
        query = _mutated(chosen)
        try:
            parse(query)
        except LogQLError:
            continue
        accepted += 1
        if not loki_takes(query):
            misjudged.append(query)
    assert misjudged == []
    assert accepted > 150


def _mutated(chosen: random.Random) -> str:
    tokens = [token.text for token in tokenize(chosen.choice(GOOD))][:-1]
    others = [token.text for token in tokenize(chosen.choice(GOOD))][:-1]
    for _ in range(chosen.randint(1, 2)):
        place = chosen.randrange(len(tokens))
        match chosen.randrange(4):
            case 0 if len(tokens) > 1:
                del tokens[place]
            case 1:
                tokens.insert(place, tokens[place])
            case 2:
                other = chosen.randrange(len(tokens))
                tokens[place], tokens[other] = tokens[other], tokens[place]
            case _:
                tokens[place] = chosen.choice(others)
    return " ".join(tokens)


def test_every_query_of_the_project_parses_in_loki(loki_takes) -> None:
    """Rules, their links, documents and dashboards hold queries that Loki takes."""
    queries = Project(PROJECT, load_registry()).queries
    assert len(queries) > 50
    refused = [query.snippet.text for query in queries if query.error or not loki_takes(_chosen(query.snippet.text))]
    assert refused == []


def _chosen(query: str) -> str:
    """The query as Grafana sends it, with a range in place of its variables for ranges."""
    return re.sub(r"\[\$__\w+\]", "[5m]", query)
