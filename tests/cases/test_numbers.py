"""Acceptance numbers: one a case, from 1 each day, without gaps whatever was rolled back (CMP-03)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from crmctl.cases import numbers
from crmctl.cases.policy import Numbering
from crmctl.errors import InvalidInput
from crmctl.store.engine import read, write

CMP = Numbering(prefix="CMP", digits=4)
DAY = date(2026, 11, 23)


class Undone(Exception):
    """Whatever makes a transaction end without a commit."""


def test_numbers_have_no_gap_however_often_it_comes_to_nothing(engine: Engine) -> None:
    given_out: list[str] = []
    for turn, n in enumerate((1, 3, 2, 1, 20, 4, 1, 1)):
        try:
            with write(engine) as conn:
                taken = numbers.take(conn, CMP, DAY, n)
                numbers.keep(conn, "complaint", [(number, 7, 100 + at) for at, number in enumerate(taken)])
                if turn % 3 == 1:
                    raise Undone
        except Undone:
            continue
        given_out += taken
    assert given_out == [f"CMP-20261123-{number:04d}" for number in range(1, len(given_out) + 1)]
    assert len(given_out) == 1 + 2 + 1 + 4 + 1
    with read(engine) as conn:
        assert all(numbers.place_of(conn, "complaint", number) for number in given_out)
        assert numbers.place_of(conn, "complaint", "CMP-20261123-9999") is None


def test_each_day_and_each_kind_counts_for_itself(engine: Engine) -> None:
    with write(engine) as conn:
        assert numbers.take(conn, CMP, DAY) == ["CMP-20261123-0001"]
        assert numbers.take(conn, CMP, DAY + timedelta(days=1)) == ["CMP-20261124-0001"]
        assert numbers.take(conn, Numbering(prefix="REQ", digits=3), DAY) == ["REQ-20261123-001"]
        assert numbers.take(conn, CMP, DAY) == ["CMP-20261123-0002"]


def test_where_a_case_is_kept(engine: Engine) -> None:
    with write(engine) as conn:
        numbers.keep(conn, "complaint", [("CMP-20261123-0001", 7, 41)])
        numbers.keep(conn, "complaint", [("CMP-20261123-0002", 8, 42), ("CMP-20261123-0003", 9, 43)])
        assert numbers.place_of(conn, "complaint", "CMP-20261123-0001") == (7, 41)
        assert numbers.place_of(conn, "complaint", "CMP-20261123-0003") == (9, 43)
        assert numbers.place_of(conn, "request", "CMP-20261123-0003") is None


def test_beyond_its_digits_a_number_gets_longer(engine: Engine) -> None:
    with write(engine) as conn:
        last = numbers.take(conn, CMP, DAY, 10_001)[-1]
    assert last == "CMP-20261123-10001"
    assert numbers.parsed(last) == last


@pytest.mark.parametrize("text", ["cmp-20261123-0007", " CMP-20261123-0007 ", "ＣＭＰ－２０２６１１２３－０００７"])
def test_a_number_as_people_type_it(text: str) -> None:
    assert numbers.parsed(text) == "CMP-20261123-0007"


@given(st.text(max_size=30))
def test_anything_else_is_refused(text: str) -> None:
    try:
        assert numbers.FORM.fullmatch(numbers.parsed(text))
    except InvalidInput as refusal:
        assert refusal.code == "NUMBER_INVALID"
        assert refusal.message == "not an acceptance number", "what was typed may be anything: it is not said again"
