"""Numbers: in ranges, each given once, whoever asks at the same moment."""

from __future__ import annotations

from typing import Any

import children
import pytest
from sqlalchemy.engine import Engine

from crmctl.store import counters
from crmctl.store.engine import open_engine, write

PROCESSES, TIMES, EACH = 8, 25, 3


def test_ranges_follow_each_other(engine: Engine) -> None:
    assert [counters.take(engine, "customer", n) for n in (10, 1, 20_000, 1)] == [1, 11, 12, 20_012]
    assert counters.take(engine, "contact") == 1


def test_numbers_of_a_failed_transaction_are_given_again(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), write(engine) as conn:
        assert counters.take(conn, "change", 5) == 1
        raise ZeroDivisionError
    with write(engine) as conn:
        assert counters.take(conn, "change", 5) == 1
        assert counters.take(conn, "change", 5) == 6


def take_many(url: str, taken: Any) -> None:
    engine = open_engine(url)
    taken.put([counters.take(engine, "customer", EACH) for _ in range(TIMES)])
    engine.dispose()


def test_eight_processes_never_get_the_same_number(database_url: str) -> None:
    taken = children.queue()
    assert children.exit_codes(take_many, [(database_url, taken)] * PROCESSES) == [0] * PROCESSES
    firsts = sorted(first for _ in range(PROCESSES) for first in taken.get(timeout=10))  # type: ignore[attr-defined]
    assert firsts == list(range(1, PROCESSES * TIMES * EACH, EACH))
