"""`logpipe schema infer`: draft schemas from JSON logs of any producer.

In: lines. Out: a Draft per event: a schema that `load_registry` takes and that accepts the lines, with candidates and
suggestions as notes. Never: more than a bounded part of the lines in memory; a rename that is not told.
"""

from logging_pkg.pipeline.schema_infer.draft import Draft
from logging_pkg.pipeline.schema_infer.infer import Inference, infer

__all__ = ["Draft", "Inference", "infer"]
