"""Turn an event into one validated, stamped JSON line in a file or on stdout.

In: an event's name and fields. Out: a line. Never: structlog, Django, network; raises for a write that failed.
"""

from logging_pkg.writer.sinks import FileSink, NullSink, Sink, StdoutSink, make_sink
from logging_pkg.writer.writer import Writer, get_writer, set_writer

__all__ = ["FileSink", "NullSink", "Sink", "StdoutSink", "Writer", "get_writer", "make_sink", "set_writer"]
