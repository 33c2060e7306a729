"""The checks, one module each: an `ID`, maybe `NEEDS`, and a function `check(project)` that yields Problems.

In: a Project. Out: CHECKS, NEEDS. Never: order among problems (the caller sorts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from logging_pkg.pipeline.lint.checks import (
    dashboards_dead_panel,
    dashboards_syntax,
    logql_bare_json,
    logql_long_window,
    logql_missing_offset,
    logql_number_filter_keeps_lines,
    logql_shadowed_label,
    logql_syntax,
    logql_unbounded_by,
    logql_unknown_event,
    logql_unknown_field,
    logql_unknown_label,
    logql_unwrap_errors,
    logql_unwrap_type,
    loki_rejected_query,
    loki_unknown_stream_label,
    rules_alert_annotations,
    rules_dropped_field,
    rules_duplicate_name,
    rules_generated,
    rules_name_shape,
    rules_panel_link,
    rules_runbook,
    rules_syntax,
    rules_template_variable,
    rules_unexpected_file,
    rules_unknown_series,
    rules_untested,
    vector_events,
    vector_mapping,
)
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

_MODULES: Final = (
    dashboards_dead_panel,
    dashboards_syntax,
    logql_bare_json,
    logql_long_window,
    logql_missing_offset,
    logql_number_filter_keeps_lines,
    logql_shadowed_label,
    logql_syntax,
    logql_unbounded_by,
    logql_unknown_event,
    logql_unknown_field,
    logql_unknown_label,
    logql_unwrap_errors,
    logql_unwrap_type,
    loki_rejected_query,
    loki_unknown_stream_label,
    rules_alert_annotations,
    rules_dropped_field,
    rules_duplicate_name,
    rules_generated,
    rules_name_shape,
    rules_panel_link,
    rules_runbook,
    rules_syntax,
    rules_template_variable,
    rules_unexpected_file,
    rules_unknown_series,
    rules_untested,
    vector_events,
    vector_mapping,
)

#: Every check by its ID.
CHECKS: Final[dict[str, Callable[[Project], Iterable[Problem]]]] = {module.ID: module.check for module in _MODULES}
#: What each cannot do without, besides the files it looks at; a module says so in NEEDS.
NEEDS: Final[dict[str, tuple[Need, ...]]] = {module.ID: getattr(module, "NEEDS", ()) for module in _MODULES}
