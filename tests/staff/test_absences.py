"""Absences on both databases: added, listed, cancelled; the deputy is somebody who is there."""

from __future__ import annotations

from typing import Any

import pytest

SPAN = ("--from", "2026-12-01", "--until", "2026-12-14")


@pytest.fixture
def people(staff: Any) -> Any:
    staff.add("1", "甲", "--trained-on", "2026-01-02", "--signed-on", "2026-01-02")
    staff.add("2", "乙")
    staff.add("3", "丙", "--left-on", "2026-12-14")
    return staff


def test_an_absence_and_its_deputy(people: Any) -> None:
    added = people.json("absence", "add", "1", *SPAN, "--deputy", "2")
    assert added["absence"] == {
        "absence_id": 1,
        "number": "1",
        "from": "2026-12-01",
        "until": "2026-12-14",
        "deputy": "2",
    }
    listed = people.json("absence", "list")["absences"]
    assert [(row["number"], row["deputy"], row["cancelled"]) for row in listed] == [("1", "2", False)]
    assert people.json("absence", "list", "2")["absences"] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("1", "--from", "2026-12-14", "--until", "2026-12-20"), "ABSENCE_OVERLAP"),
        (("2", "--from", "2026-11-01", "--until", "2026-12-01"), "STANDS_IN"),
        (("3", "--from", "2026-12-20", "--until", "2026-12-10"), "ABSENCE_BACKWARDS"),
        (("3", "--from", "2026-12-01", "--until", "2026-12-14"), "ABSENT_INACTIVE"),
        (("1", "--from", "2027-01-01", "--until", "2027-01-02", "--deputy", "1"), "DEPUTY_SELF"),
        (("1", "--from", "2027-01-01", "--until", "2027-01-02", "--deputy", "3"), "DEPUTY_INACTIVE"),
        (("3", "--from", "2026-12-01", "--until", "2026-12-02", "--deputy", "1"), "DEPUTY_ABSENT"),
        (("9", "--from", "2026-12-01", "--until", "2026-12-02"), "STAFF_UNKNOWN"),
    ],
)
def test_absences_that_cannot_be(people: Any, words: tuple[str, ...], code: str) -> None:
    people.json("absence", "add", "1", *SPAN, "--deputy", "2")
    assert people.refused("absence", "add", *words)[:2] == (1, code)
    assert len(people.json("absence", "list", "--all")["absences"]) == 1


def test_one_day_beside_another_absence_is_fine(people: Any) -> None:
    people.json("absence", "add", "1", *SPAN)
    people.json("absence", "add", "1", "--from", "2026-12-15", "--until", "2026-12-15")
    assert len(people.json("absence", "list")["absences"]) == 2


def test_a_cancelled_absence_counts_for_nothing(people: Any) -> None:
    people.json("absence", "add", "1", *SPAN)
    assert people.json("absence", "cancel", "1")["outcome"] == "cancelled"
    assert people.json("absence", "list")["absences"] == []
    assert [row["cancelled"] for row in people.json("absence", "list", "--all")["absences"]] == [True]
    people.json("absence", "add", "1", *SPAN, "--deputy", "2")
    assert people.refused("absence", "cancel", "2")[:2] == (1, "ABSENCE_UNKNOWN")


def test_of_several_one_is_named_by_its_first_day(people: Any) -> None:
    people.json("absence", "add", "1", *SPAN)
    people.json("absence", "add", "1", "--from", "2026-12-20", "--until", "2026-12-21")
    assert people.refused("absence", "cancel", "1")[:2] == (1, "ABSENCE_AMBIGUOUS")
    assert people.json("absence", "cancel", "1", "--from", "2026-12-20")["absence"]["until"] == "2026-12-21"
    assert people.json("absence", "cancel", "1")["absence"]["until"] == "2026-12-14"


def test_who_is_away_without_a_deputy_may_not_own_customers(people: Any) -> None:
    people.json("absence", "add", "1", "--from", "2026-01-10", "--until", "2026-01-20", "--deputy", "2")
    people.json("absence", "add", "1", "--from", "2026-02-10", "--until", "2026-02-20")

    def problems(day: str) -> list[str]:
        rows = people.json("list", "--as-of", day)["staff"]
        return list(next(row["problems"] for row in rows if row["number"] == "1"))

    assert problems("2026-01-15") == []
    assert problems("2026-02-15") == ["ABSENT"]
    assert problems("2026-02-21") == []
    people.json("deactivate", "2", "--left-on", "2026-01-14")  # nobody stands in for 1 any more
    assert problems("2026-01-15") == ["ABSENT"]
    assert problems("2026-01-13") == []
