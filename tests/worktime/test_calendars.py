"""Which days are worked and why: public holidays, make-up days, the company's own, years not announced, scopes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest

from crmctl import i18n
from crmctl.errors import InvalidInput
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.worktime.calendars import Calendar, calendar_for, calendar_of
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import limit_of
from crmctl.worktime.policy import CalendarSettings

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEEK = [{"days": ["mon", "tue", "wed", "thu", "fri"], "shifts": ["09:00-12:00", "13:00-18:00"]}]
FIXED = ["01-01", "05-01", "05-02", "10-01", "10-02", "10-03"]


@pytest.fixture(autouse=True)
def english() -> None:
    i18n.use("en")


def make(**more: Any) -> Calendar:  # noqa: ANN401
    settings = {"hours": WEEK, "holidays": "CN", "fixed_holidays": FIXED, **more}
    return calendar_of(CalendarSettings.model_validate(settings), "Asia/Shanghai")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "policies"
    copy.mkdir()
    for source in shipped("policies").glob("*.yaml"):
        if not source.name.startswith("_"):
            shutil.copy(source, copy)
    return copy


@pytest.fixture
def add(folder: Path) -> Callable[[str, str], None]:
    """Return a function that adds a calendar of another name and scope."""

    def one(name: str, head: str) -> None:
        text = (folder / "calendar.yaml").read_text(encoding="utf-8")
        text = text.replace("name: working", f"name: {name}").replace("version: 1\n", f"version: 1\n{head}\n")
        (folder / f"calendar.{name}.yaml").write_text(text, encoding="utf-8")

    return one


@pytest.mark.parametrize("year", [2004, 2015, 2024, 2025, 2026])
def test_every_day_is_worked_as_announced(year: int) -> None:
    calendar = make()
    days = [date(year, 1, 1) + timedelta(place) for place in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]
    assert [day for day in days if calendar.day(day).worked != chinese_calendar.is_workday(day)] == []
    assert [day for day in days if calendar.day(day).provisional] == []


@pytest.mark.parametrize(
    ("day", "why", "label"),
    [
        ("2026-10-01", "holiday", "National Day"),
        ("2026-10-03", "holiday", "National Day"),
        ("2026-09-20", "make_up", "National Day"),
        ("2026-10-10", "make_up", "National Day"),
        ("2026-10-08", "workday", ""),
        ("2026-10-11", "restday", ""),
        ("2026-02-17", "holiday", "Spring Festival"),
    ],
)
def test_days_say_why(day: str, why: str, label: str) -> None:
    found = make().day(date.fromisoformat(day))
    assert (found.why, found.label, found.worked) == (why, label, why in ("workday", "make_up"))


def test_labels_are_in_both_languages() -> None:
    i18n.use("zh")
    assert make().day(date(2026, 10, 1)).label == "国庆节"


def test_the_company_has_the_last_word() -> None:
    own = {"zh": "自定", "en": "own"}
    calendar = make(
        days_off=[{"date": "2026-10-10", "labels": own}, {"date": "2026-11-23", "labels": own}],
        days_worked=[
            {"date": "2026-10-01", "labels": own, "shifts": ["10:00-12:00"]},
            {"date": "2026-10-11", "labels": own},
        ],
    )
    told = {day: calendar.day(date.fromisoformat(day)) for day in ("2026-10-10", "2026-11-23", "2026-10-01")}
    assert [each.why for each in told.values()] == ["day_off", "day_off", "day_worked"]
    assert told["2026-10-01"].shifts == ("10:00-12:00",)
    assert calendar.day(date(2026, 10, 11)).shifts == ("09:00-12:00", "13:00-18:00")


def test_a_make_up_day_has_the_shifts_of_a_monday() -> None:
    """Whatever the company does on other Saturdays; where nobody works on Mondays, those of the first working day."""
    short = [{"days": ["sat"], "shifts": ["09:00-12:00"]}]
    assert make(hours=[*WEEK, *short]).day(date(2026, 10, 10)).shifts == ("09:00-12:00", "13:00-18:00")
    late = make(hours=[{"days": ["wed", "thu"], "shifts": ["10:00-16:00"]}])
    assert late.day(date(2026, 9, 20)).shifts == ("10:00-16:00",)


# A year not announced ---------------------------------------------------------------------------------------------


def test_a_year_not_announced_is_provisional() -> None:
    own = {"en": "own"}
    calendar = make(days_worked=[{"date": "2090-01-01", "labels": own}])
    first, second, weekend = (calendar.day(date(2090, *day)) for day in ((1, 1), (5, 1), (1, 7)))
    assert (first.why, first.provisional) == ("day_worked", False)  # the company's own word is certain
    assert (second.why, second.provisional, second.worked) == ("fixed_holiday", True, False)
    assert (weekend.why, weekend.provisional) == ("restday", True)
    assert not calendar.announced(2090)
    assert calendar.announced(2026)


def test_a_deadline_that_runs_into_it_is_provisional() -> None:
    last = max(chinese_calendar.holidays).year
    eve = datetime(last, 12, 24, 10, tzinfo=SHANGHAI)
    calendar = make()
    assert not due(eve, limit_of("1 working day"), calendar).provisional
    assert due(eve, limit_of("10 working days"), calendar).provisional
    assert due(eve, limit_of("90 working hours"), calendar).provisional
    assert not due(eve, limit_of("10 days"), calendar).provisional  # no calendar decides it
    assert not due(eve, limit_of("300 hours"), calendar).provisional


def test_stop_refuses_and_says_what_to_do() -> None:
    calendar = make(unannounced="stop")
    with pytest.raises(InvalidInput, match="holidays of 2090 are not announced") as refused:
        due(datetime(2090, 3, 1, 10, tzinfo=SHANGHAI), limit_of("1 working day"), calendar)
    assert refused.value.exit_code == 4
    assert "unannounced: provisional" in refused.value.hint
    assert refused.value.details == {"calendar": "calendar", "year": 2090}
    assert due(datetime(2090, 3, 1, 10, tzinfo=SHANGHAI), limit_of("24 hours"), calendar).at


def test_without_public_holidays_the_fixed_ones_hold_every_year() -> None:
    calendar = make(holidays="none", unannounced="stop")
    for year in (2026, 2090):
        found = calendar.day(date(year, 10, 1))
        assert (found.why, found.provisional) == ("fixed_holiday", False)
    assert calendar.day(date(2026, 10, 7)).worked


def test_the_library_is_read_only_for_a_calendar_that_needs_it() -> None:
    script = (
        "import sys\n"
        "from datetime import date\n"
        "from crmctl.worktime.calendars import calendar_of\n"
        "from crmctl.worktime.policy import CalendarSettings\n"
        "for holidays in ('none', 'CN'):\n"
        "    hours = [{'days': ['mon'], 'shifts': ['09:00-12:00']}]\n"
        "    settings = CalendarSettings.model_validate({'hours': hours, 'holidays': holidays})\n"
        "    calendar_of(settings, 'Asia/Shanghai').day(date(2026, 1, 1))\n"
        "    print('chinese_calendar' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


# Which calendar ---------------------------------------------------------------------------------------------------


def test_the_most_specific_calendar_wins(folder: Path, add: Callable[[str, str], None]) -> None:
    text = (folder / "company.yaml").read_text(encoding="utf-8")
    units = "    - {code: north, labels: {en: North}}\n    - {code: shop, labels: {en: Shop}, parent: north}\n"
    text = text.replace("\n  default_org_unit", f"\n{units}  default_org_unit", 1)
    (folder / "company.yaml").write_text(text, encoding="utf-8")
    add("northern", "scope: {org_unit: [north]}")
    policies = load(folder)
    day = date(2026, 6, 1)
    assert calendar_for(policies, day).name == "working"
    assert calendar_for(policies, day, org_unit="north").name == "northern"
    assert calendar_for(policies, day, org_unit="shop").key == "northern@1"
    assert calendar_for(policies, day, org_unit="shop", name="working").name == "working"
    with pytest.raises(InvalidInput, match="no calendar nothern in force") as refused:
        calendar_for(policies, day, name="nothern")
    assert refused.value.hint == "there are: northern, working"


def test_a_calendar_is_that_of_its_day(folder: Path, add: Callable[[str, str], None]) -> None:
    (folder / "calendar.yaml").write_text(
        (folder / "calendar.yaml")
        .read_text(encoding="utf-8")
        .replace("version: 1\n", "version: 1\neffective: {until: 2026-06-30}\n"),
        encoding="utf-8",
    )
    policies = load(folder)
    assert calendar_for(policies, date(2026, 6, 30), name="working").key == "working@1"
    for chosen in ({"name": "working"}, {}):
        with pytest.raises(InvalidInput, match="in force on 2026-07-01"):
            calendar_for(policies, date(2026, 7, 1), **chosen)


def test_equal_calendars_share_their_years() -> None:
    policies = load(shipped("policies"))
    one, other = (calendar_for(policies, date(2026, 1, 1)) for _ in range(2))
    assert one is not other
    assert one == other
    assert one.year(2026) is other.year(2026)
    assert make() != make(unannounced="stop")
