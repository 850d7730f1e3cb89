"""Windows end on a day and are exact to it, month ends and leap days included."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmctl import i18n
from crmctl.policy.windows import Window, months_before, window

DAYS = st.dates(date(1990, 1, 1), date(2110, 12, 31))


def of(text: str) -> Window:
    found = window(text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "day", "first"),
    [
        ("1 days", "2026-03-01", "2026-03-01"),
        ("30 days", "2026-03-01", "2026-01-31"),
        ("2 weeks", "2026-03-14", "2026-03-01"),
        ("12 months", "2026-11-21", "2025-11-22"),
        ("1 month", "2026-03-31", "2026-03-01"),  # 28 February is the day before the window
        ("1 month", "2024-03-30", "2024-03-01"),
        ("1 month", "2026-02-28", "2026-01-29"),
        ("12 months", "2024-02-29", "2023-03-01"),
        ("12 months", "2025-02-28", "2024-02-29"),
        ("1 year", "2025-02-28", "2024-02-29"),
        ("4 years", "2024-02-29", "2020-03-01"),
        ("3 months", "2026-05-31", "2026-03-01"),
        ("2000 weeks", "0003-01-01", "0001-01-01"),
        ("12 months", "0001-06-01", "0001-01-01"),
    ],
)
def test_the_first_day_inside(text: str, day: str, first: str) -> None:
    assert of(text).start(date.fromisoformat(day)) == date.fromisoformat(first)


@given(DAYS, st.integers(1, 400))
def test_days_are_counted(day: date, count: int) -> None:
    start = of(f"{count} days").start(day)
    assert sum(1 for _ in range((day - start).days + 1)) == count


@given(DAYS, st.integers(1, 60))
@example(date(2024, 2, 29), 12)
@example(date(2026, 3, 31), 1)
def test_months_go_by_the_calendar(day: date, count: int) -> None:
    before = of(f"{count} months").start(day) - timedelta(days=1)
    month = day.year * 12 + day.month - 1 - count
    assert before.year * 12 + before.month - 1 == month
    assert before.day == min(day.day, monthrange(before.year, before.month)[1])
    assert before == months_before(day, count)


@given(DAYS, st.integers(1, 60), st.sampled_from(["days", "weeks", "months", "years"]))
def test_a_later_day_never_reaches_further_back(day: date, count: int, unit: str) -> None:
    found = of(f"{count} {unit}")
    assert found.start(day) <= found.start(day + timedelta(days=1)) <= day + timedelta(days=1)
    assert found.start(day) <= day


@pytest.mark.parametrize(
    "text", ["", "months", "0 months", "1.5 months", "-1 days", "12  months", "12 Months", "12 moons", "１2 months",
             "101 years", "1201 months", "99999 days", "12 months ", "012 months"],
)  # fmt: skip
def test_what_is_no_window(text: str) -> None:
    assert window(text) is None


def test_equal_windows_are_equal_however_written() -> None:
    assert of("1 year") == of("12 months") == of("12 month")
    assert of("2 weeks") == of("14 days")
    assert of("1 month") != of("30 days")
    assert (of("1 year").text, of("12 month").text) == ("1 year", "12 months")
    i18n.use("zh")
    assert "12" in of("12 months").words
