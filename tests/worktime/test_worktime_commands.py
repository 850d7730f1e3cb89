"""`sla explain`, `calendar list|show|import`: what people and programs get, what is refused, what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chinese_calendar
import pytest
import workspaces
from golden import Result, call

from crmctl import clock
from crmctl.cli.invocation import Invocation
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.worktime import clocks
from crmctl.worktime.calendars import calendar_for
from crmctl.worktime.limits import limit_of

EVENTS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//t//t
BEGIN:VEVENT
DTSTART;VALUE=DATE:20900102
DTEND;VALUE=DATE:20900105
SUMMARY:元旦（休）
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20900107
SUMMARY:元旦 补班
END:VEVENT
{more}END:VCALENDAR
"""
UNCLEAR = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20900308\nSUMMARY:妇女节\nEND:VEVENT\n"
Called = Callable[..., Result]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace that nothing here changes."""
    return workspaces.make(tmp_path_factory.mktemp("w") / "crm")


def ask(place: Path, *words: str, lang: str = "en") -> Result:
    return call(["--lang", lang, "-w", str(place), *words])


def asked(place: Path, *words: str, exit_code: int = 0) -> Any:  # noqa: ANN401
    result = ask(place, *words, "-o", "json")
    assert result.exit_code == exit_code, result.stderr
    return json.loads(result.stdout)


def explained(place: Path, start: str, within: str, *more: str) -> Any:  # noqa: ANN401
    return asked(place, "sla", "explain", "--from", start, "--within", within, *more)


# sla explain -----------------------------------------------------------------------------------------------------


def test_programs_get_every_interval(place: Path) -> None:
    """T2 in working days over National Day 2026: seven days off in a row, a make-up Saturday."""
    told = explained(place, "2026-09-30 17:00", "7 个工作日")
    assert (told["due"], told["provisional"], told["calendar"]) == ("2026-10-15T18:00:00+08:00", False, "working@1")
    assert told["limit"] == {"number": 7, "unit": "working_day", "ends": "close"}
    assert [each["day"] for each in told["intervals"]] == [1, 2, 3, 4, 5, 6, 7]
    assert told["intervals"][2] == {
        "from": "2026-10-10T09:00:00+08:00",
        "until": "2026-10-10T18:00:00+08:00",
        "seconds": 8 * 3600,
        "day": 3,
        "why": "make_up",
        "label": "National Day",
        "provisional": False,
    }
    assert [(each["why"], each["from"][:10]) for each in told["skipped"]] == [
        ("start", "2026-09-30"),
        ("holiday", "2026-10-01"),
        ("restday", "2026-10-11"),
    ]


def test_the_wall_needs_no_calendar(place: Path) -> None:
    told = explained(place, "2026-10-02T10:00", "24 hours")
    assert (told["calendar"], told["due"]) == (None, "2026-10-03T10:00:00+08:00")
    assert explained(place, "2026-10-02T10:00:00Z", "90 minutes")["due"] == "2026-10-02T19:30:00+08:00"


def test_pauses_are_taken_out_and_told(place: Path) -> None:
    pause = ("--pause", "2026-11-23 09:00/2026-11-23 10:00")
    told = explained(place, "2026-11-20 17:00", "2 working hours", *pause)
    assert told["due"] == "2026-11-23T11:00:00+08:00"
    assert told["pauses"] == [{"from": "2026-11-23T09:00:00+08:00", "until": "2026-11-23T10:00:00+08:00"}]
    assert [each["why"] for each in told["skipped"]] == ["restday", "pause"]
    held = explained(place, "2026-11-20 17:00", "2 working hours", "--pause", "2026-11-23 09:00/")
    assert (held["due"], held["skipped"][-1]["until"]) == (None, None)


def test_days_may_end_elapsed(place: Path) -> None:
    assert explained(place, "2026-11-20 17:00", "1 working day", "--ends", "elapsed")["due"][:16] == "2026-11-23T17:00"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_people_get_one_table_in_the_order_of_time(place: Path, lang: str) -> None:
    words = ("sla", "explain", "--from", "2026-11-20 17:00", "--within", "2 working hours")
    shown = ask(place, *words, "--pause", "2026-11-23 09:00/2026-11-23 10:00", lang=lang).stdout.splitlines()
    assert [line.split()[1] for line in shown[4:]] == ["2026-11-20", "2026-11-21", "2026-11-23", "2026-11-23"]
    assert ("周五" if lang == "zh" else "Fri") in shown[0]


def test_midnight_is_the_end_of_a_day(place: Path) -> None:
    assert (
        "due Tue 2026-11-24 24:00"
        in ask(place, "sla", "explain", "--from", "2026-11-23 23:59", "--within", "1 day").stdout
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--from", "2026-11-20"], 2, "give --from and --within"),
        (["--from", "2026-11-20", "--within", "1 day"], 4, "not a time"),
        (["--from", "soon", "--within", "1 day"], 4, "not a time"),
        (["--from", "2026-11-20 17:00", "--within", "3"], 4, "is no time limit"),
        (["--from", "2026-11-20 17:00", "--within", "1 day", "--pause", "2026-11-20 17:00"], 4, "not FROM/UNTIL"),
        (
            ["--from", "2026-11-20 17:00", "--within", "1 day", "--pause", "2026-11-21 17:00/2026-11-20 17:00"],
            4,
            "ends before it begins",
        ),
        (["--from", "2026-11-20 17:00", "--within", "1 day", "--calendar", "x"], 4, "there are: working"),
        (["--from", "2026-11-20 17:00", "--within", "1 day", "--org-unit", "x"], 4, "no such unit"),
        (["--from", "2026-11-20 17:00", "--within", "1 day", "--org-unit", "x", "--calendar", "y"], 2, "not both"),
        (["UNKNOWN-1"], 4, "no case has such a number"),
        (["UNKNOWN-1", "--within", "1 day"], 2, "CASE has its own times"),
    ],
)
def test_what_is_refused_says_so(place: Path, words: list[str], code: int, said: str) -> None:
    result = ask(place, "sla", "explain", *words)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr


def test_stop_is_exit_4(tmp_path: Path) -> None:
    folder = workspaces.make(tmp_path / "crm")
    path = folder / "policies" / "calendar.yaml"
    path.write_text(path.read_text("utf-8").replace("unannounced: provisional", "unannounced: stop"), "utf-8")
    result = ask(folder, "sla", "explain", "--from", "2090-03-01 10:00", "--within", "1 working day")
    assert result.exit_code == 4
    assert "the public holidays of 2090 are not announced" in result.stderr
    assert ask(folder, "calendar", "show", "--year", "2090").exit_code == 4


# A subject's cases, by the registry; this one stands for any.


def _cases(call_: Invocation, reference: str) -> clocks.Case | None:
    if not reference.startswith("T-"):
        return None
    calendar = calendar_for(load(shipped("policies")), datetime(2026, 11, 20, tzinfo=UTC).date())
    start = datetime(2026, 11, 20, 9, tzinfo=UTC)
    first = clocks.Clock("verify", start, limit_of("1 working day"), calendar)
    told = clocks.Clock("answer", start, limit_of("24 hours"), calendar, (), datetime(2026, 11, 22, 9, tzinfo=UTC))
    return clocks.Case(reference, (first, told), 7)


def test_a_subject_answers_for_its_cases(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "CASES", (f"{__name__}:_cases",))
    told = asked(place, "sla", "explain", "T-1")
    assert (told["run_id"], told["case"]) == (7, "T-1")
    assert [(each["label"], each["due"]) for each in told["clocks"]] == [
        ("verify", "2026-11-23T18:00:00+08:00"),
        ("answer", "2026-11-21T17:00:00+08:00"),
    ]
    assert "recorded deadline: Sun 2026-11-22 17:00" in ask(place, "sla", "explain", "T-1").stdout
    assert ask(place, "sla", "explain", "U-1").exit_code == 4


# calendar list, calendar show ------------------------------------------------------------------------------------


def test_a_year_is_what_was_announced(place: Path) -> None:
    told = asked(place, "calendar", "show", "--year", "2026")
    begin, end = datetime(2026, 1, 1, tzinfo=UTC).date(), datetime(2026, 12, 31, tzinfo=UTC).date()
    assert told["working_days"] == len(chinese_calendar.get_workdays(begin, end)) == 248
    assert sum(each["working_days"] for each in told["months"]) == 248
    assert all(each["working_seconds"] == each["working_days"] * 8 * 3600 for each in told["months"])
    worked = [each["date"] for each in told["days"] if each["worked"]]
    assert worked == [day.isoformat() for day in sorted(chinese_calendar.workdays) if day.year == 2026]
    assert told["provisional"] is False


def test_a_year_not_announced_is_marked(place: Path) -> None:
    told = asked(place, "calendar", "show", "--year", "2090", "--calendar", "working")
    assert told["provisional"] is True
    assert {each["why"] for each in told["days"]} == {"fixed_holiday"}
    assert "provisional: the public holidays of 2090" in ask(place, "calendar", "show", "--year", "2090").stdout


def test_the_calendars_are_listed(place: Path) -> None:
    (one,) = asked(place, "calendar", "list")["calendars"]
    assert (one["name"], one["version"], one["days"], one["holidays"]) == (
        "working", 1, ["mon", "tue", "wed", "thu", "fri"], "CN",
    )  # fmt: skip
    assert "周一, 周二" in ask(place, "calendar", "list", lang="zh").stdout


# calendar import -------------------------------------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: Path, database_url: str) -> Path:
    return workspaces.make(tmp_path / "crm", database_url)


def ics(folder: Path, more: str = "") -> str:
    path = folder.parent / "days.ics"
    path.write_text(EVENTS.format(more=more), "utf-8")
    return str(path)


def entries(folder: Path) -> list[dict[str, Any]]:
    return [each for each in asked(folder, "audit", "list")["entries"] if each["act"] == "calendar.import"]


def test_days_are_added_logged_and_counted_with(office: Path) -> None:
    before = (office / "policies" / "calendar.yaml").read_bytes()
    dry = asked(office, "calendar", "import", ics(office), "--dry-run")
    assert (dry["run_id"], dry["added"], dry["unchanged"], dry["rejected"]) == (None, 4, 0, 0)
    assert (office / "policies" / "calendar.yaml").read_bytes() == before
    told = asked(office, "calendar", "import", ics(office))
    assert (told["added"], told["version"]) == (4, 2)
    assert told["days"][0] == {
        "date": "2090-01-02", "worked": False, "title": "元旦（休）", "outcome": "added", "reason": "",
    }  # fmt: skip
    (entry,) = entries(office)
    assert (entry["act"], entry["obj"], entry["n"], entry["fields"]) == (
        "calendar.import", "calendar:working", 4, ["days_off", "days_worked"],
    )  # fmt: skip
    assert entry["run"] == told["run_id"]
    assert entry["policy"] == load(office / "policies").hash
    assert explained(office, "2090-01-01 10:00", "1 working day")["due"] == "2090-01-05T18:00:00+08:00"
    again = asked(office, "calendar", "import", ics(office))
    assert (again["added"], again["unchanged"], again["version"], again["run_id"]) == (0, 4, 2, None)


def test_what_is_not_recognised_is_rejected_and_the_rest_written(office: Path) -> None:
    result = ask(office, "calendar", "import", ics(office, UNCLEAR), "-q")
    assert result.exit_code == 3
    assert "妇女节" in result.stdout
    assert len(load(office / "policies").settings("calendar").days_off) == 3  # type: ignore[attr-defined]


def test_nobody_without_the_right_adds_days(office: Path) -> None:
    """ACC-07: the attempt is in the log."""
    path = office / "policies" / "access.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace(", calendar.*]", "]"), "utf-8")
    result = ask(office, "calendar", "import", ics(office))
    assert (result.exit_code, "calendar.import" in result.stderr) == (6, True)
    assert b"2090" not in (office / "policies" / "calendar.yaml").read_bytes()
    assert [(each["result"], each["codes"]) for each in entries(office)] == [("denied", ["ACT_NOT_GRANTED"])]


def test_an_empty_file_is_an_error(office: Path) -> None:
    path = office.parent / "none.ics"
    path.write_text("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "utf-8")
    result = ask(office, "calendar", "import", str(path))
    assert (result.exit_code, "holds no events" in result.stderr) == (4, True)


# doctor ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("month", "warned"), [(11, False), (12, True)])
def test_doctor_warns_from_december(place: Path, monkeypatch: pytest.MonkeyPatch, month: int, warned: bool) -> None:
    last = max(chinese_calendar.holidays).year
    monkeypatch.setattr(clock, "now", lambda: datetime(last, month, 1, 9, tzinfo=UTC))
    findings = json.loads(ask(place, "doctor", "-o", "json").stdout)["findings"]
    found = [each for each in findings if each["subject"] == "calendar"]
    assert [(each["level"], str(last + 1) in each["message"]) for each in found] == (
        [("warns", True)] if warned else []
    )
