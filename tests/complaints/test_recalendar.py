"""`calendar update`: what a changed calendar moves, what was told or promised stays (CMP-03, A-04)."""

from __future__ import annotations

import re
from datetime import date

import chinese_calendar
import pytest
from casework import HANDLER, Office, day_off
from desks import ADMIN, STEWARD, SUPERVISOR
from levels import escalate, leveled, many
from sqlalchemy import select

from crmctl.audit.tables import change
from crmctl.complaints import openclocks
from crmctl.runs import chunks
from crmctl.worktime import calendars
from crmctl.worktime.publicdays import PublicDay


def moves(office: Office, *words: str) -> dict[tuple[str, str], tuple[str, str, bool]]:
    """Return what the command lists: case and stage → from, to, told."""
    found = office.json(ADMIN, "calendar", "update", *words)["moves"]
    return {(row["case"], row["stage"]): (row["from"][:16], row["to"][:16], row["told"]) for row in found}


def staying(office: Office) -> dict[str, str]:
    """Return why what the command lists stays, by stage; empty where it moves."""
    return {row["stage"]: row["stays"] for row in office.json(ADMIN, "calendar", "update")["moves"]}


def test_what_moves_and_what_stays(office: Office) -> None:
    number = office.open()  # Monday; verification by Tuesday, progress by Wednesday, the answer by 2 December
    assert moves(office) == {}
    day_off(office, "2026-11-24")
    expected = {
        (number, "feedback"): ("2026-12-02T18:00", "2026-12-03T18:00", True),
        (number, "progress"): ("2026-11-25T18:00", "2026-11-26T18:00", False),
        (number, "verify"): ("2026-11-24T18:00", "2026-11-25T18:00", False),
    }
    before = office.whole()
    assert moves(office) == expected
    assert moves(office, "--apply", "--dry-run") == expected
    assert office.whole() == before, "listed only"
    done = office.json(ADMIN, "calendar", "update", "--apply")
    assert (done["moved"], done["staying"], done["dry_run"]) == (2, 1, False)
    (verify,) = office.clocks(number, "verify")
    assert (verify["due_at"].isoformat(), verify["calendar"], verify["version"]) == (
        "2026-11-25T10:00:00+00:00", "working@2", 2,
    )  # fmt: skip
    assert office.row(number)["feedback_due_at"] == office.clocks(number, "feedback")[0]["due_at"]
    (entry,) = [entry for entry in office.desk.entries("calendar.update") if "chunk" in entry]
    assert (entry["changes"], entry["counts"]) == (2, {"moved": 2, "refreshed": 0, "missed": 0})
    assert moves(office) == {(number, "feedback"): expected[number, "feedback"]}, "told dates never move"
    written = len(office.desk.rows(select(change.c.change_id)))
    assert office.json(ADMIN, "calendar", "update", "--apply")["moved"] == 0
    assert len(office.desk.rows(select(change.c.change_id))) == written
    office.sound()


def test_what_is_over_never_becomes_due_later(office: Office) -> None:
    """A day off of the past makes no late limit timely; a day worked of the past may make one due earlier."""
    number = office.open()  # verification by Tuesday, progress by Wednesday
    day_off(office, "2026-11-24")
    office.hours.to("2026-11-24T18:00:00")  # the due second itself is in time: it moves
    assert staying(office) == {"verify": "", "progress": "", "feedback": "told"}
    office.hours.forward(seconds=1)
    before = office.clocks(number, "verify")
    assert staying(office) == {"verify": "over", "progress": "", "feedback": "told"}
    done = office.json(ADMIN, "calendar", "update", "--apply")
    assert (done["moved"], done["staying"], done["over"]) == (1, 1, 1)
    assert office.clocks(number, "verify") == before
    day_off(office, "2026-11-26")
    told = office.desk.say(ADMIN, "--lang", "en", "calendar", "update", "-o", "table")
    assert "over already: stays" in told.stdout


def test_what_is_over_may_become_due_earlier(office: Office) -> None:
    day_off(office, "2026-11-24")
    number = office.open()  # verification by Wednesday
    office.hours.to("2026-11-26T09:00:00")
    path = office.desk.folder / "policies" / "calendar.yaml"
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"    - {date: 2026-11-24.*\n", "", text).replace("days_off:\n", "days_off: []\n"), "utf-8")
    assert office.json(ADMIN, "calendar", "update", "--apply")["over"] == 0
    (verify,) = office.clocks(number, "verify")
    assert verify["due_at"].isoformat() == "2026-11-24T10:00:00+00:00"


def test_what_was_promised_or_runs_on_the_wall_has_no_calendar(office: Office) -> None:
    """Promised dates never move, extended or not; 24 hours are 24 hours."""
    number = office.open()
    office.through(number, "rectify")  # revisit: within 24 hours; before it rectify, as promised
    other = office.open()
    office.through(other, "agree")
    for day in ("2026-11-24", "2026-12-11"):
        day_off(office, day)
    assert {stage for _case, stage in moves(office)} == {"progress"}


def test_one_calendar_of_several(office: Office) -> None:
    office.open()
    day_off(office, "2026-11-24")
    assert len(moves(office, "--calendar", "working")) == 3
    assert office.desk.refusal(ADMIN, "calendar", "update", "--calendar", "plant", status=4) == "CALENDAR_MISSING"
    plant = office.desk.folder / "policies" / "calendar.plant.yaml"
    text = (office.desk.folder / "policies" / "calendar.yaml").read_text("utf-8")
    text = text.replace("name: working", "name: plant").replace("version: 2", "version: 2\nscope: {org_unit: [plant]}")
    company = office.desk.folder / "policies" / "company.yaml"
    units = company.read_text("utf-8")
    company.write_text(
        units.replace("  default_org_unit:", "    - {code: plant, labels: {en: Plant}}\n  default_org_unit:", 1),
        "utf-8",
    )
    plant.write_text(text, "utf-8")
    assert moves(office, "--calendar", "plant") == {}


def test_a_year_that_is_announced(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provisional until then; once it is known the same date is provisional no more, another one moves."""
    office.hours.to("2026-12-29T09:00:00")
    number = office.open()  # verification by the 30th, progress by the 31st, the answer in 2027
    office.verify(number)  # the plan within 5 working days or so, in 2027
    assert 2027 not in {day.year for day in chinese_calendar.holidays}, "take a later year"
    (plan,) = office.clocks(number, "propose")
    assert plan["provisional"] == 1
    known: dict[date, PublicDay] = {}  # no day of it is another than its day of the week
    whole = calendars._announced
    monkeypatch.setattr(calendars, "_announced", lambda year: known if year == 2027 else whole(year))
    calendars._year.cache_clear()
    try:
        done = office.json(ADMIN, "calendar", "update", "--apply")
        (after,) = office.clocks(number, "propose")
        assert (after["provisional"], done["troubles"]) == (0, [])
        # 1 January was taken for a holiday that the law fixes; nobody announced it here, so the plan is due earlier.
        assert after["due_at"] < plan["due_at"]
        assert done["moved"] >= 1
    finally:
        calendars._year.cache_clear()


def test_levels_follow_the_new_date(office: Office) -> None:
    """Warned of Tuesday; when Wednesday is the date the warning comes again, and nothing is told twice of one date."""
    leveled(office)
    number = office.open()
    office.step(number, "respond")
    office.hours.to("2026-11-24T16:30:00")
    escalate(office)
    assert office.clocks(number, "verify")[0]["level"] == 1
    day_off(office, "2026-11-25")
    office.json(ADMIN, "calendar", "update", "--apply")
    assert office.clocks(number, "verify")[0]["level"] == 1, "its date is the same"
    day_off(office, "2026-11-24")
    office.json(ADMIN, "calendar", "update", "--apply")
    (verify,) = office.clocks(number, "verify")
    assert (verify["level"], verify["due_at"].day) == (0, 26)
    assert escalate(office)["raised"] == 0
    office.hours.to("2026-11-26T16:30:00")
    assert {"level": "warn", "stage": "verify", "count": 1} in escalate(office)["by_level"]


def test_many_in_chunks_and_what_stopped_meanwhile(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openclocks, "PAGE", 30)
    number = office.open()
    many(office, 40)
    day_off(office, "2026-11-24")
    whole = chunks.write

    def late(*arguments: object) -> object:
        monkeypatch.setattr(chunks, "write", whole)
        office.verify(number)
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(chunks, "write", late)
    done = office.json(ADMIN, "calendar", "update", "--apply")
    assert (done["moved"], done["staying"], done["missed"]) == (81, 41, 1)
    assert office.json(ADMIN, "calendar", "update")["moved"] == 0
    office.sound()


def test_who_may(office: Office) -> None:
    for uid in (HANDLER, STEWARD, SUPERVISOR):
        assert office.desk.refusal(uid, "calendar", "update").startswith("ACT_")
