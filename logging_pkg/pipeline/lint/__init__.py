"""`logpipe check`: everything that reads events, held against the schemas that declare them.

In: a project's rule files, dashboards, documents and vector.toml, and a schema registry. Out: a Report of Problems.
Never: network, changes to a file.
"""

from logging_pkg.pipeline.lint.problem import Problem, Severity, render
from logging_pkg.pipeline.lint.run import Report, lint

__all__ = ["Problem", "Report", "Severity", "lint", "render"]
