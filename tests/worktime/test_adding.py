"""Days put into a calendar's file: everything else stays as it was written."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from crmctl.errors import InvalidInput
from crmctl.locate import shipped
from crmctl.policy import PolicySet, load
from crmctl.policy.policyset import Policy
from crmctl.worktime.adding import sort, with_days
from crmctl.worktime.ical import Told
from crmctl.worktime.policy import CalendarSettings

HEAD = "# 日历\nkind: calendar\nschema: 1\nname: working\nversion: 7  # once a year\nowner: information post\n"
HOURS = '  hours:  # office\n    - {days: [mon, tue], shifts: ["09:00-12:00"]}\n'
OFF, WORKED = Told(date(2027, 1, 1), False, '元旦 "休"'), Told(date(2027, 2, 6), True, "make-up: Spring Festival")


def place(tmp_path: Path, text: str) -> tuple[PolicySet, Policy]:
    for source in shipped("policies").glob("*.yaml"):
        if not source.name.startswith("_"):
            shutil.copy(source, tmp_path)
    (tmp_path / "calendar.yaml").write_bytes(text.encode())
    policies = load(tmp_path)
    return policies, policies.policy("calendar")


@pytest.mark.parametrize(
    "settings",
    [
        HOURS,
        HOURS + "  days_off: []\n  days_worked: []  # none yet\n",
        HOURS
        + "  days_off:\n    # the annual meeting\n    - {date: 2027-02-05, labels: {zh: 年会}}\n  holidays: none\n",
        HOURS
        + "  days_off:\n  - date: 2027-02-05\n    labels:\n      zh: 年会\n    # after\n\n  # next\n  holidays: none\n",
        HOURS + "  days_off: [{date: 2027-02-05, labels: {zh: 年会}}]  # flow\n",
        HOURS + "  days_off: [\n    {date: 2027-02-05, labels: {zh: 年会}},\n  ]\n",
        "  days_worked:\n    - {date: 2027-02-07, labels: {en: stock}}\n" + HOURS.rstrip("\n"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_days_are_put_in_and_nothing_else_changes(tmp_path: Path, settings: str, end: str, bom: str) -> None:
    text = bom + (HEAD + "settings:\n" + settings).replace("\n", end)
    policies, policy = place(tmp_path, text)
    before = listed(policy)
    after, data = with_days(policies, policy, [OFF, WORKED])
    found = after.policy("calendar")
    assert listed(found) - before == {(OFF.day, OFF.title), (WORKED.day, WORKED.title)}
    assert before <= listed(found)
    assert found.version == 8
    rest = iter(data.decode())
    old = text.replace("version: 7", "version: 8")
    if "[]" in old:  # an empty list becomes one with a day a line
        old = old.replace(" []", "")
    assert all(character in rest for character in old)  # in this order: nothing was taken away
    assert data.decode().count("\r\n") == (data.decode().count("\n") if end == "\r\n" else 0)


def listed(policy: Policy) -> set[tuple[date, str]]:
    settings = policy.settings
    assert isinstance(settings, CalendarSettings)
    days = [*settings.days_off, *settings.days_worked]
    return {(day.date, next(iter(day.labels.values()))) for day in days}


def test_days_that_are_so_already_need_no_line(tmp_path: Path) -> None:
    settings = HOURS + "  holidays: CN\n  days_off:\n    - {date: 2027-02-05, labels: {zh: 年会}}\n"
    policies, policy = place(tmp_path, HEAD + "settings:\n" + settings)
    told = [
        Told(date(2026, 10, 1), False, "国庆节（休）"),  # a public holiday
        Told(date(2026, 11, 25), False, "休"),  # a Wednesday: not worked here anyway
        Told(date(2026, 11, 23), False, "休"),  # a Monday
        Told(date(2027, 2, 5), False, "休"),  # listed
        Told(date(2027, 2, 5), True, "补班"),  # listed otherwise
        Told(date(2090, 1, 1), False, "休"),  # not announced: becomes certain
    ]
    found = sort(policies, policy, told)
    assert [each.day.isoformat() for each in found.new] == ["2026-11-23", "2090-01-01"]
    assert [each.day.isoformat() for each in found.unchanged] == ["2026-10-01", "2026-11-25", "2027-02-05"]
    assert found.contrary == (told[4],)


@pytest.mark.parametrize(
    "settings",
    ['settings: {hours: [{days: [mon], shifts: ["09:00-12:00"]}]}\n', "settings:\n" + HOURS + "  days_off: [\n  ]\n"],
)
def test_a_layout_without_a_place_for_them_is_refused(tmp_path: Path, settings: str) -> None:
    policies, policy = place(tmp_path, HEAD + settings)
    with pytest.raises(InvalidInput) as refused:
        with_days(policies, policy, [OFF])
    assert refused.value.code == "VALUE_NOT_EDITABLE"
