"""`logpipe schema diff`: what changed between two versions of the schemas, whom it breaks, and what the version says.

In: two registries, a project's files. Out: a Comparison of Changes with the places that read what changed.
Never: changes a file; reads a value of an event.
"""

from logging_pkg.pipeline.schema_diff.changes import KINDS, Change
from logging_pkg.pipeline.schema_diff.compare import differences
from logging_pkg.pipeline.schema_diff.report import Comparison, compared

__all__ = ["KINDS", "Change", "Comparison", "compared", "differences"]
