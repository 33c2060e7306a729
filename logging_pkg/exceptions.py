"""The errors of this package.

In: nothing. Out: one class per thing a caller may want to catch. Never: imports from the rest of the package.
"""

from __future__ import annotations


class LogpipeError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(LogpipeError):
    """What was given (an option, a variable, an ID, a file) cannot be used; the message says what is expected."""


class ConfigurationError(InputError):
    """A setting has a value that cannot work; the message names the setting, the value and what is expected."""


class SchemaError(InputError):
    """A schema file is broken; the message names the file, the place in it and what is expected there."""


class EventError(LogpipeError):
    """An event does not match its declaration. Raised in strict mode only.

    Attributes:
        event: the name that was emitted.
        problems: what is wrong, one sentence each, without the event's values.
    """

    def __init__(self, event: str, problems: list[str]) -> None:
        self.event = event
        self.problems = problems
        super().__init__("; ".join(problems))


class UnknownEventError(EventError):
    """No schema declares this event."""


class InvalidEventError(EventError):
    """A field of the event is unknown, missing, of the wrong type, or cannot be written as JSON."""


class LokiError(LogpipeError):
    """A call to Loki did not succeed."""


class StackError(LogpipeError):
    """A server of the stack cannot be found, built, started or reached; the message is one line and says what to do."""


class StackInputError(StackError, InputError):
    """What was given to the stack cannot be used: a server's name, a port, a program, a configuration file."""


class RuleError(InputError):
    """A rule, dashboard or configuration file does not fit the schemas."""
