"""`logpipe check`: everything that reads events, held against the schemas that declare them.

In: a project's rule files, dashboards, documents and vector.toml, or files given; a schema registry; maybe a Loki.
Out: a Report of Problems. Never: changes to a file; a server that is not given.
"""

from logging_pkg.pipeline.lint.problem import Problem, Severity, render
from logging_pkg.pipeline.lint.run import Report, lint

__all__ = ["Problem", "Report", "Severity", "lint", "render"]
