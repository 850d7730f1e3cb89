"""Calendar settings."""

from __future__ import annotations

import pytest

from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.worktime.policy import CalendarSettings, minutes


def test_the_starter_calendar_has_two_shifts_from_monday_to_friday() -> None:
    calendar = load(shipped("policies")).settings("calendar")
    assert isinstance(calendar, CalendarSettings)
    assert [calendar.shifts(day) for day in range(7)] == [("09:00-12:00", "13:00-18:00")] * 5 + [()] * 2
    assert calendar.holidays == "CN"


@pytest.mark.parametrize(
    ("shift", "expected"), [("09:00-12:30", (540, 750)), ("00:00-24:00", (0, 1440)), ("23:59-24:00", (1439, 1440))]
)
def test_shifts_are_minutes_since_midnight(shift: str, expected: tuple[int, int]) -> None:
    settings = CalendarSettings.model_validate({"hours": [{"days": ["mon"], "shifts": [shift]}]})
    assert minutes(settings.shifts(0)[0]) == expected


@pytest.mark.parametrize("shift", ["22:00-06:00", "09:00-09:00", "09:00-24:01", "9:00-12:00", "09:00", "25:00-26:00"])
def test_what_is_no_shift(shift: str) -> None:
    with pytest.raises(ValueError, match="shift"):
        CalendarSettings.model_validate({"hours": [{"days": ["mon"], "shifts": [shift]}]})


@pytest.mark.parametrize("day", ["01-01", "02-29", "12-31"])
def test_fixed_holidays_are_days_of_the_year(day: str) -> None:
    hours = [{"days": ["mon"], "shifts": ["09:00-12:00"]}]
    settings = CalendarSettings.model_validate({"hours": hours, "fixed_holidays": [day]})
    assert settings.fixed_holidays == (day,)


@pytest.mark.parametrize("day", ["1-1", "02-30", "13-01", "2026-01-01", "00-10"])
def test_what_is_no_day_of_the_year(day: str) -> None:
    hours = [{"days": ["mon"], "shifts": ["09:00-12:00"]}]
    with pytest.raises(ValueError, match="no day of the year"):
        CalendarSettings.model_validate({"hours": hours, "fixed_holidays": [day]})
