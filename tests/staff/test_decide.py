"""Who may own customers, whose an identity is, and absences: against a model of days."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.staff.decide import (
    PROBLEMS,
    Identities,
    OwnerRules,
    absence_refusals,
    changed_fields,
    may_own,
    months_after,
    state_on,
)
from crmctl.staff.model import Absence, Directory, Staff

DAY = date(2026, 11, 21)
RULES = OwnerRules(valid_months=12)
FIT = Staff(1, "1", "甲", trained_on=date(2026, 1, 1), signed_on=date(2026, 1, 1))


def away(from_on: date, until_on: date, **more: object) -> Absence:
    return Absence(1, 1, from_on, until_on, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ()),
        ({"trained_on": None}, ("UNTRAINED",)),
        ({"trained_on": DAY + timedelta(days=1)}, ("UNTRAINED",)),
        ({"trained_on": DAY}, ()),
        ({"trained_on": date(2025, 11, 21)}, ()),  # the last day that twelve months hold
        ({"trained_on": date(2025, 11, 20)}, ("TRAINING_EXPIRED",)),
        ({"signed_on": None}, ("UNSIGNED",)),
        ({"signed_on": DAY + timedelta(days=1)}, ("UNSIGNED",)),
        ({"left_on": DAY}, ("INACTIVE",)),
        ({"left_on": DAY + timedelta(days=1)}, ()),
        ({"joined_on": DAY}, ()),
        ({"joined_on": DAY + timedelta(days=1)}, ("INACTIVE",)),
        ({"absences": (away(DAY, DAY),)}, ("ABSENT",)),
        ({"absences": (away(DAY - timedelta(days=2), DAY - timedelta(days=1)),)}, ()),
        ({"absences": (away(DAY, DAY, deputy_id=2),)}, ()),
        ({"absences": (away(DAY, DAY, deputy_id=2, deputy_leaves=DAY),)}, ("ABSENT",)),
        ({"absences": (away(DAY, DAY, cancelled="2026-11-20T00:00:00Z"),)}, ()),
        ({"trained_on": None, "signed_on": None, "left_on": DAY}, ("INACTIVE", "UNTRAINED", "UNSIGNED")),
    ],
)
def test_why_somebody_may_not_own_customers(change: dict[str, object], reasons: tuple[str, ...]) -> None:
    assert may_own(replace(FIT, **change), DAY, RULES) == reasons  # type: ignore[arg-type]


def test_a_company_may_ask_for_less() -> None:
    nobody = Staff(1, "1", "甲")
    assert may_own(nobody, DAY, OwnerRules(trained=False, signed=False)) == ()
    assert may_own(replace(FIT, trained_on=date(1990, 1, 1)), DAY, OwnerRules()) == ()


@given(st.dates(date(1990, 1, 1), date(2060, 12, 31)), st.integers(0, 600))
def test_months_are_calendar_months(day: date, months: int) -> None:
    found = months_after(day, months)
    assert (found.year - day.year) * 12 + found.month - day.month == months
    assert found.day == day.day or (found + timedelta(days=1)).day == 1 and found.day < day.day


def test_the_end_of_time_is_a_day() -> None:
    assert months_after(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert months_after(DAY, 10**6) == date.max


@given(
    st.none() | st.dates(DAY - timedelta(days=3), DAY + timedelta(days=3)),
    st.none() | st.dates(DAY - timedelta(days=3), DAY + timedelta(days=3)),
)
def test_the_stored_state_is_that_of_its_day(joined: date | None, left: date | None) -> None:
    values = {"joined_on": joined and joined.isoformat(), "left_on": left and left.isoformat()}
    here = replace(FIT, joined_on=joined, left_on=left).active_on(DAY)
    assert state_on(values, DAY) == ("active" if here else "inactive")


def test_fields_that_differ() -> None:
    assert changed_fields({"a": 1, "b": None}, {"a": 2}) == {"a"}
    assert changed_fields({"a": 1}, {}) == {"a"}


def test_an_identity_is_one_persons() -> None:
    known = Identities()
    known.take(1, {"number": "A1", "wecom_id": "Zhou", "uids": (1001, 1002)})
    taken = [
        ({"number": "a1"}, "NUMBER_TAKEN"),
        ({"number": "B", "wecom_id": "ｚｈｏｕ"}, "WECOM_ID_TAKEN"),
        ({"number": "B", "uids": (1002, 7)}, "UID_TAKEN"),
    ]
    for draft, code in taken:
        assert [(found.code, found.numbers) for found in known.refusals(2, draft)] == [(code, ("A1",))]
        assert list(known.refusals(1, draft)) == []
    known.take(1, {"number": "A2"})
    assert [list(known.refusals(2, draft)) for draft, _code in taken] == [[], [], []]


def test_nobody_leaves_before_joining() -> None:
    draft = {"number": "1", "joined_on": "2026-03-02", "left_on": "2026-03-01"}
    assert [found.code for found in Identities().refusals(0, draft)] == ["LEFT_BEFORE_JOINED"]
    assert list(Identities().refusals(0, {**draft, "left_on": "2026-03-02"})) == []


# Absences against a model: for each person the set of days away, and for whom one stands in on which days.

PEOPLE = 4
FIRST = date(2026, 1, 1)
offsets = st.integers(0, 20)
attempts = st.lists(st.tuples(st.integers(1, PEOPLE), offsets, offsets, st.integers(0, PEOPLE)), max_size=25)
employments = st.lists(st.tuples(st.none() | offsets, st.none() | offsets), min_size=PEOPLE, max_size=PEOPLE)


def days(first: int, last: int) -> set[int]:
    return set(range(first, last + 1))


@given(employments, attempts)
def test_absences_agree_with_a_model_of_days(
    employed: list[tuple[int | None, int | None]], wanted: list[tuple[int, int, int, int]]
) -> None:
    def day(offset: int | None) -> date | None:
        return None if offset is None else FIRST + timedelta(days=offset)

    people = {
        number: Staff(number, str(number), "某", joined_on=day(joined), left_on=day(left))
        for number, (joined, left) in enumerate(employed, start=1)
    }
    there = {
        number: {d for d in range(21) if (joined is None or joined <= d) and (left is None or d < left)}
        for number, (joined, left) in enumerate(employed, start=1)
    }
    gone: dict[int, set[int]] = {number: set() for number in people}
    standing: dict[int, set[int]] = {number: set() for number in people}
    for who, first, last, deputy in wanted:
        span = days(first, last)
        fine = bool(span) and span <= there[who] and not span & (gone[who] | standing[who])
        if deputy:
            fine = fine and deputy != who and span <= there[deputy] and not span & gone[deputy]
        directory = Directory(tuple(people.values()))
        stands_in = people.get(deputy)
        from_on, until_on = FIRST + timedelta(days=first), FIRST + timedelta(days=last)
        refused = list(absence_refusals(directory, people[who], from_on, until_on, stands_in))
        assert bool(refused) == (not fine)
        if fine:
            gone[who] |= span
            if deputy:
                standing[deputy] |= span
            entry = Absence(len(gone[who]), who, from_on, until_on, deputy or None)
            people[who] = replace(people[who], absences=(*people[who].absences, entry))
    for number, person in people.items():
        for offset in range(21):
            away_then = person.away_on(FIRST + timedelta(days=offset))
            assert (away_then is not None) == (offset in gone[number])
        assert not gone[number] & standing[number]


def test_every_problem_has_its_words() -> None:
    from crmctl.staff import reasons

    assert set(reasons.PROBLEMS) == set(PROBLEMS)
