"""Transactions at a time: in order, none begun after a failure, and a lock that several share keeps others out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import islice

import pytest
from sqlalchemy import Connection, Engine

from crmctl.errors import Locked
from crmctl.store import abreast, turns
from crmctl.store.engine import open_engine, write


@pytest.mark.parametrize("many", [1, 2, 3])
def test_answers_come_in_the_order_of_the_tasks(many: int) -> None:
    first_waits = threading.Event()

    def task(number: int) -> int:
        if many > 1 and number == 0:
            assert first_waits.wait(10)
        if number == 1:
            first_waits.set()
        return number

    assert list(abreast.done((partial(task, number) for number in range(20)), many)) == list(range(20))


@pytest.mark.parametrize("many", [1, 2])
def test_after_a_failure_none_begins_and_those_at_work_end(many: int) -> None:
    begun, ended = [], []

    def task(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("stop")
        ended.append(number)
        return number

    with pytest.raises(ValueError, match="stop"):
        for _number in abreast.done((partial(task, number) for number in range(100)), many):
            pass
    assert len(begun) <= 4 + 2 * many, "those that were out already"
    assert sorted(ended) == sorted(set(begun) - {3})


def test_interrupted_those_at_work_end_first() -> None:
    free, ended = threading.Event(), []

    def task(number: int) -> int:
        if number:
            assert free.wait(10)
        ended.append(number)
        return number

    answers = abreast.done((partial(task, number) for number in range(10)), 2)
    assert next(answers) == 0
    threading.Timer(0.2, free.set).start()
    with pytest.raises(KeyboardInterrupt):
        answers.throw(KeyboardInterrupt)
    assert set(ended) <= {0, 1, 2, 3}
    assert {0, 1} <= set(ended)


def test_whoever_stops_and_closes_it_leaves_nobody_at_work() -> None:
    ended = []

    def task(number: int) -> int:
        time.sleep(0.01)
        ended.append(number)
        return number

    with (
        pytest.raises(ValueError, match="enough"),
        closing(abreast.done(map(partial(partial, task), range(50)), 2)) as n,
    ):
        for number in n:
            if number == 3:
                raise ValueError("enough")
    there = len(ended)
    time.sleep(0.1)
    assert (len(ended), there <= 3 + 1 + 3) == (there, True)


def _within(engine: Engine, does: Callable[[Engine], object]) -> object:
    """Return what is done on a connection of somebody who waits for half a second."""
    other = open_engine(engine.url.render_as_string(hide_password=False), timeout=0.5)
    try:
        return does(other)
    finally:
        other.dispose()


def test_what_is_shared_keeps_who_wants_it_alone_out_and_sharers_in(engine: Engine) -> None:
    """A server's destroyers go side by side; whoever begins something for a customer waits for all of them."""
    if engine.dialect.name == "sqlite":
        assert abreast.at_a_time(engine) == 1
        return
    assert abreast.at_a_time(engine) > 1

    def takes(turn: Callable[[Connection, int], None], other: Engine) -> None:
        with write(other) as conn:
            turn(conn, turns.DESTROYING)

    with write(engine) as conn:
        turns.shared(conn, turns.DESTROYING)
        _within(engine, partial(takes, turns.shared))
        with pytest.raises(Locked):
            _within(engine, partial(takes, turns.alone))
    _within(engine, partial(takes, turns.alone))


def test_who_wants_it_alone_is_next_however_many_share(engine: Engine) -> None:
    """Whoever sets a hold while a purge runs comes between two of its chunks, not after the last of them."""
    shared, over = [], threading.Event()

    def chunk() -> None:
        with write(engine) as conn:
            turns.shared(conn, turns.DESTROYING)
            shared.append(time.monotonic())
            time.sleep(0.05)

    def share() -> None:
        tasks = iter(lambda: None if over.is_set() else chunk, None)
        for _done in abreast.done(islice(tasks, 200), abreast.at_a_time(engine)):
            pass

    sharing = threading.Thread(target=share)
    sharing.start()
    try:
        while len(shared) < 3:
            time.sleep(0.01)
        begun = time.monotonic()
        with write(engine) as conn:
            turns.alone(conn, turns.DESTROYING)
            alone = time.monotonic()
        waited = [each for each in shared if begun < each < alone]
        assert len(waited) <= 2 * 3, "those that were on their way already"
    finally:
        over.set()
        sharing.join()
