"""Links to panels and comparisons in PromQL: what is read from a rule's text."""

from __future__ import annotations

import pytest

from logging_pkg.pipeline.dashboards.panel_link import FIRST_NUMBER, panel_link, panel_number
from logging_pkg.pipeline.dashboards.rule_book import Limit, compared_in_promql


@pytest.mark.parametrize(
    ("text", "uid", "number", "variables"),
    [
        ("{{ externalURL }}/d/slos?viewPanel=12&from=now-3h&to=now", "slos", 12, {}),
        ("https://g.example/sub/d/a-b_1/slug?orgId=1&viewPanel=panel-12", "a-b_1", 12, {}),
        ("/d/slos", "slos", None, {}),
        ("/d/slos?viewPanel=12a&var-x=", "slos", None, {"x": ""}),
        (
            "/d/slos?viewPanel=12&var-env={{ $labels.env | urlquery }}{{ with $labels.a }}&var-a={{ . | urlquery }}{{ end }}",
            "slos",
            12,
            {"env": "{{ $labels.env | urlquery }}", "a": "{{ . | urlquery }}"},
        ),
    ],
)
def test_a_link_names_dashboard_panel_and_choices(
    text: str, uid: str, number: int | None, variables: dict[str, str]
) -> None:
    """Of templates too; each variable is found where it stands."""
    link = panel_link(text)
    assert link is not None
    assert (link.uid, link.number) == (uid, number)
    assert {variable.name: variable.value for variable in link.variables} == variables
    for variable in link.variables:
        assert text[variable.start : variable.end] == f"var-{variable.name}={variable.value}"


@pytest.mark.parametrize(
    "text",
    ["", "docs/runbooks/A.md", "{{ externalURL }}/explore?panes=/d/slos", "{{ printf `/d/slos?viewPanel=1` }}"],
)
def test_what_is_no_link_to_a_dashboard_is_none(text: str) -> None:
    """Explore's links hold any text."""
    assert panel_link(text) is None


def test_ids_of_panels_are_apart_from_those_of_headings() -> None:
    """And differ by dashboard."""
    numbers = {panel_number(uid, title) for uid in ("a", "b") for title in ("x", "y")}
    assert len(numbers) == 4
    assert min(numbers) >= FIRST_NUMBER


@pytest.mark.parametrize(
    ("expr", "left", "op", "value", "is_all"),
    [
        ("a:b:c < 4", "a:b:c", "<", 4, True),
        ("a / b - 1 > 0.25\nand\na - b > 50\nand a - b > 3 * c", "a / b - 1", ">", 0.25, False),
        ("a - b > 3 * c and a >= bool 1e-3", "a", ">=", 0.001, False),
        (
            'sum by (x) (rate(a{b="c > 9 ("}[5m])) > 1_000 # > 7',
            'sum by (x) (rate(a{b="c > 9 ("}[5m]))',
            ">",
            1000,
            True,
        ),
        ("(a > 14.4\n and b > 14.4) or (c > 6)", "a", ">", 14.4, False),
        ("(\n((a > 3 and b > 3) or (c > 1)) unless on (x) d", "", "", 0, False),
        ("((a > 3 and b > 3) or (c > 1)) unless on (x) d", "a", ">", 3, False),
        ("a unless on (x, y) (b + c) * 2 <= 5", "(b + c) * 2", "<=", 5, False),
        ("absent(a)", "", "", 0, False),
    ],
)
def test_what_promql_compares_with_a_number(expr: str, left: str, op: str, value: float, *, is_all: bool) -> None:
    """The first comparison in no brackets; a factor is no limit; strings and comments are none of it."""
    compared = compared_in_promql(expr)
    if not left:
        assert compared is None
        return
    assert compared is not None
    assert (compared.left, compared.limit, compared.is_all) == (left, Limit(op, value), is_all)
