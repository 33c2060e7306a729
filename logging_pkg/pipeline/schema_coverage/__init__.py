"""`logpipe schema coverage`: what of the declared events a stream has exercised, and what hangs on the rest.

In: lines of a test run, a file or Loki; a project's files. Out: a Coverage and the readers it leaves in the dark.
Never: changes a file; keeps a line.
"""

from logging_pkg.pipeline.schema_coverage.dark import Dark, in_the_dark
from logging_pkg.pipeline.schema_coverage.report import Report
from logging_pkg.pipeline.schema_coverage.seen import Coverage, EventSeen, FieldSeen

__all__ = ["Coverage", "Dark", "EventSeen", "FieldSeen", "Report", "in_the_dark"]
