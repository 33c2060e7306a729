"""Exceptions as text: where they come from, and nothing of what they say."""

from __future__ import annotations

import asyncio

import pytest

from logging_pkg.events.stacks import describe_exception


def fail() -> None:
    raise LookupError("hunter2")


def fail_over() -> None:
    try:
        fail()
    except LookupError as error:
        raise ValueError("hunter2") from error


def test_causes_come_first() -> None:
    """Each with its own frames, none with its message."""
    with pytest.raises(ValueError, match="hunter2") as caught:
        fail_over()
    kind, stack = describe_exception(caught.value)
    assert kind == "ValueError"
    first, second = stack.split("\n\n")
    assert first.endswith(" fail\nLookupError")
    assert second.endswith(" fail_over\nValueError")
    assert "hunter2" not in stack


async def test_a_groups_first_exception_is_its_cause() -> None:
    """A task group's own frames do not say what went wrong in which line."""

    async def work() -> None:
        fail()

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(work())
    kind, stack = describe_exception(caught.value)
    assert kind == "ExceptionGroup"
    first, second = stack.split("\n\n")
    assert first.endswith(" fail\nLookupError")
    assert second.endswith("\nExceptionGroup")
    assert "hunter2" not in stack
