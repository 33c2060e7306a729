"""Questions are asked once, kept for a while, and not asked of who does not answer.

In: functions as questions. Out: assertions on how often they ran. Never: a server.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

from logging_pkg.console.asking import MAX_WAITING, Asker, Unavailable, settle
from logging_pkg.context import is_unobserved
from logging_pkg.prometheus_client import ServerUnanswered, ServerUnreachable


def ask(asker: Asker, key: str, question: Any, server: str = "S") -> tuple[Future[Any], Any]:
    future = asker.ask(server, key, question)
    settle([future], 5)
    return future, asker.answer(server, key, future)


def test_one_question_of_many_pages_is_asked_once() -> None:
    """While it is under way, and for as long as its answer is good."""
    asker, gate, calls = Asker(keep_s=60), threading.Event(), []

    def question() -> int:
        calls.append(1)
        gate.wait(5)
        return 7

    futures = [asker.ask("S", "key", question) for _ in range(20)]
    assert asker.answer("S", "key", futures[0]).state == "waiting"
    gate.set()
    settle(futures, 5)
    assert [asker.answer("S", "key", future).value for future in futures] == [7] * 20
    assert ask(asker, "key", question)[1].value == 7
    assert len(calls) == 1


def test_an_old_answer_stands_in_while_the_next_is_under_way() -> None:
    """It says how old it is."""
    asker, gate = Asker(keep_s=0), threading.Event()
    assert ask(asker, "key", lambda: 1)[1].value == 1
    later = asker.ask("S", "key", lambda: gate.wait(5) and 2)
    answer = asker.answer("S", "key", later)
    assert (answer.state, answer.value) == ("ready", 1)
    gate.set()
    settle([later], 5)
    assert asker.answer("S", "key", later).value == 2


def test_who_is_away_is_left_in_peace() -> None:
    """After one refused connection, nothing is asked of that server for some seconds; others are."""
    asker, calls = Asker(keep_s=0), []

    def absent() -> int:
        calls.append(1)
        raise ServerUnreachable("nobody there")

    assert ask(asker, "a", absent)[1].problem == "nobody there"
    assert ask(asker, "b", absent)[1].problem == "nobody there"
    assert ask(asker, "c", lambda: 3, server="other")[1].value == 3
    assert len(calls) == 1


def test_one_slow_question_does_not_shut_out_the_others() -> None:
    """Three time-outs in a row do; an answer in between begins the count anew."""
    asker = Asker(keep_s=0)

    def slow() -> int:
        raise ServerUnanswered("no answer in 5 s")

    for key in ("a", "b"):
        assert ask(asker, key, slow)[1].state == "failed"
    assert ask(asker, "good", lambda: 1)[1].value == 1
    for key in ("a", "b", "c"):
        assert ask(asker, key, slow)[1].state == "failed"
    assert ask(asker, "good", lambda: 1)[1].problem == "no answer in 5 s"


def test_at_most_so_many_at_once_and_in_line() -> None:
    """More than the threads wait; more than may wait are told to come again, and nobody is forgotten."""
    asker, gate = Asker(workers=2, keep_s=60), threading.Event()
    running, most = [], []

    def question() -> bool:
        running.append(1)
        most.append(len(running))
        gate.wait(5)
        running.pop()
        return True

    futures = [asker.ask("S", number, question) for number in range(MAX_WAITING + 10)]
    time.sleep(0.1)
    refused = [future for future in futures if future.done()]
    assert len(refused) >= 8
    assert isinstance(refused[0].exception(), Unavailable)
    gate.set()
    settle(futures, 10)
    assert max(most) <= 2
    assert sum(future.exception() is None for future in futures) == len(futures) - len(refused)


def test_a_fault_of_the_console_is_an_answer_too() -> None:
    """No exception reaches a page; and what asks is not observed."""
    asker = Asker()
    answer = ask(asker, "fault", lambda: 1 / 0)[1]
    assert answer.state == "failed"
    assert "ZeroDivisionError" in answer.problem
    assert ask(asker, "seen", is_unobserved)[1].value is True
    assert is_unobserved() is False
