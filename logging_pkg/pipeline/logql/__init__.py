"""LogQL with positions: what the lint needs to point at a field of a query.

In: the text of a query. Out: an Expression tree, or a LogQLError with offsets. Never: network.
"""

from logging_pkg.pipeline.logql.parser import parse
from logging_pkg.pipeline.logql.tokens import LogQLError

__all__ = ["LogQLError", "parse"]
