"""An office that handles complaints: people of every role, a clock that the tests move, the real commands.

The clock stands at a Monday morning of the company and goes on only when a test says so: all happens at exact times.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from desks import ADMIN, AUDITOR, OTHER, STEWARD, SUPERVISOR, Desk, copied
from golden import call
from sqlalchemy import select, text

from crmctl import clock
from crmctl.audit.verify import verify
from crmctl.cases.tables import case_number
from crmctl.complaints.tables import complaint, complaint_clock, complaint_event, complaint_file
from crmctl.runs.tables import denial
from crmctl.staff.tables import staff
from crmctl.store.engine import write

HANDLER, SECOND, AGENT, DEPUTY, TWIN, CALLED = 2001, 2002, 2003, 2004, 2013, 2005
EVERYBODY = (STEWARD, SUPERVISOR, AUDITOR, ADMIN, OTHER, HANDLER, SECOND, AGENT, DEPUTY, TWIN, CALLED)
# Staff numbers in access.yaml; AGENT and TWIN are one person of the register, CALLED is one by a name there alone.
NUMBERS = {"li.na": "L1", "wang.j": "W1", "an.q": "Q1", "zhou.m": "Z1"}
MORE = {
    "hu.y": (HANDLER, "complaints", "K1"),
    "qi.x": (SECOND, "complaints", "K2"),
    "ann": (AGENT, "agent", "K3"),
    "du.f": (DEPUTY, "supervisor", "K4"),
    "ann.two": (TWIN, "complaints", ""),
    "liu.m": (CALLED, "supervisor", ""),
}
REGISTER = (
    "number,name,post,department,uids,wecom_id,trained_on,signed_on,joined_on\n"
    "L1,Li Na,information,客服部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "W1,Wang J,manager,安装部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "Q1,An Q,audit,审计部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "Z1,Zhou M,operations,运维部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "K1,Hu Y,complaint,客服部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "K2,Qi X,complaint,客服部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "K3,Ann,,安装部,2013,,2026-01-05,2026-01-05,2025-01-01\n"
    "K4,Du F,manager,销售部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "K5,Fei,manager,工程部,,,2026-01-05,2026-01-05,2025-01-01\n"
    "K6,Liu M,,工程部,,liu.m,2026-01-05,2026-01-05,2025-01-01\n"
    "K7,Gone,,客服部,,,2026-01-05,2026-01-05,2025-01-01\n"
)
MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai, a working day
ZONE = ZoneInfo("Asia/Shanghai")
TEXTS = {
    "complainant": "投诉人赵铁柱",
    "contact": "13511112222",
    "matter": "空调漏水三次无人处理",
    "demand": "要求更换整机",
}
# Whatever of a complaint's texts must be found nowhere in clear.
SECRETS = (*TEXTS.values(), "更换压缩机", "补偿五百元", "客户说可以")


@dataclass
class Hours:
    """The time it is; it goes on only when a test says so."""

    at: datetime = MONDAY

    def forward(self, **amount: float) -> None:
        """Let so much time go by."""
        self.at += timedelta(**amount)

    def to(self, local: str) -> None:
        """Move on to a time in the company's zone."""
        moment = datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)
        assert moment >= self.at, "time only goes on"
        self.at = moment

    def local(self, **ago: float) -> str:
        """Return the time it was so long ago, as people type it and as JSON has it."""
        return (self.at - timedelta(**ago)).astimezone(ZONE).isoformat(timespec="seconds")

    @property
    def day(self) -> str:
        """The company's day, as in an acceptance number."""
        return f"{self.at.astimezone(ZONE):%Y%m%d}"


@dataclass
class Office:
    """The office, with shorthands; a uid says who does something."""

    desk: Desk
    hours: Hours

    def text(self, words: str) -> str:
        """Return an argument that brings a personal text, from a file."""
        path = self.desk.folder.parent / f"text-{abs(hash(words))}.txt"
        path.write_text(words, "utf-8")
        return f"@{path}"

    def json(self, uid: int, *words: object, status: int = 0) -> dict[str, Any]:
        """Run a command from an account; return its document, or its failure."""
        return self.desk.json(uid, *words, status=status)

    def opening(self, customer: str = "C-1", **more: str) -> list[str]:
        """Return the words of `complaint open`; `more` are further options, by name."""
        given = {"channel": "phone", "category": "quality"} | more
        options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]
        texts = [part for name, value in TEXTS.items() for part in (f"--{name}", self.text(value))]
        return ["complaint", "open", customer or "--unidentified", *options, *texts]

    def open(self, customer: str = "C-1", *, uid: int = HANDLER, **more: str) -> str:
        """Open a complaint; return its acceptance number."""
        return str(self.json(uid, *self.opening(customer, **more))["number"])

    def step(self, number: str, verb: str, *words: object, uid: int = HANDLER, status: int = 0) -> dict[str, Any]:
        """Let something happen to a complaint."""
        return self.json(uid, "complaint", verb, number, *words, status=status)

    def refused(self, number: str, verb: str, *words: object, uid: int = HANDLER, status: int = 1) -> str:
        """Try something with a complaint that is refused, changes nothing, and is in the log; return the code."""
        before, noted = self.whole(), self.attempts()
        code = self.desk.refusal(uid, "complaint", verb, number, *words, status=status)
        assert self.whole() == before
        assert self.attempts() > noted, "an attempt without an entry"
        return code

    def attempts(self) -> int:
        """Return how much the log holds, what it counts of repeated denials included."""
        return len(self.desk.log()) + sum(row["repeated"] for row in self.desk.rows(select(denial)))

    def verify(self, number: str, *words: object, uid: int = HANDLER) -> dict[str, Any]:
        """Name the responsible party and the cause."""
        return self.step(number, "verify", "--department", "安装部", "--cause", "process", *words, uid=uid)

    def propose(self, number: str, due: str = "2026-12-11", *, uid: int = HANDLER) -> dict[str, Any]:
        """Put a plan to the customer."""
        plan = ("--measures", self.text("更换压缩机"), "--compensation", self.text("补偿五百元"))
        return self.step(number, "propose", *plan, "--due", due, uid=uid)

    def through(self, number: str, last: str = "close", *, uid: int = HANDLER, start: str = "verify") -> dict[str, Any]:
        """Take a complaint without trouble from `start` to the step `last`."""
        steps = ("verify", "propose", "agree", "rectify", "revisit", "close")
        done: dict[str, Any] = {}
        for verb in steps[steps.index(start) : steps.index(last) + 1]:
            self.hours.forward(minutes=10)
            match verb:
                case "verify":
                    done = self.verify(number, uid=uid)
                case "propose":
                    done = self.propose(number, uid=uid)
                case "revisit":
                    done = self.step(number, verb, "--settled", "--score", 90, uid=uid)
                case _:
                    done = self.step(number, verb, uid=uid)
        return done

    def row(self, number: str) -> Mapping[str, Any]:
        """Return the row of a complaint."""
        (found,) = self.desk.rows(select(complaint).where(complaint.c.number == number))
        return dict(found)

    def events(self, number: str) -> list[Mapping[str, Any]]:
        """Return what happened to a complaint, oldest first."""
        own = self.row(number)["complaint_id"]
        columns = complaint_event.c
        query = select(complaint_event).where(columns.complaint_id == own).order_by(columns.event_id)
        return [dict(row) for row in self.desk.rows(query)]

    def kinds(self, number: str) -> list[str]:
        """Return the kinds of what happened to a complaint."""
        return [row["kind"] for row in self.events(number)]

    def clocks(self, number: str, stage: str) -> list[Mapping[str, Any]]:
        """Return the clocks of a stage, oldest first."""
        own = self.row(number)["complaint_id"]
        columns = complaint_clock.c
        query = select(complaint_clock).where(columns.complaint_id == own, columns.stage == stage)
        return [dict(row) for row in self.desk.rows(query.order_by(columns.clock_id))]

    def whole(self) -> list[Any]:
        """Return all there is of complaints, row by row."""
        found: list[Any] = []
        for table in (complaint, complaint_event, complaint_clock, complaint_file, case_number):
            found += sorted(repr(tuple(row.values())) for row in self.desk.rows(select(table)))
        return found

    def entries(self, number: str) -> list[dict[str, Any]]:
        """Return the entries of the log that name a complaint, oldest first."""
        import orjson

        name = f"complaint:{self.row(number)['complaint_id']}"
        return [body for body in map(orjson.loads, self.desk.log()) if body.get("obj") == name]

    def sound(self) -> None:
        """Assert that log, changes and rows fit each other."""
        problems = verify(self.desk.engine, changes=True, rows=True).problems
        assert [problem.message for problem in problems] == []

    def sql(self, statement: str, **values: Any) -> None:
        """Change the database behind the program's back."""
        with write(self.desk.engine) as conn:
            conn.execute(text(statement), values)

    @cached_property
    def staff_ids(self) -> dict[str, int]:
        """Staff ids by staff number."""
        return {row["number"]: row["staff_id"] for row in self.desk.rows(select(staff.c.number, staff.c.staff_id))}

    def approvals(self, uid: int = SUPERVISOR) -> list[dict[str, Any]]:
        """Return what was asked to be approved, newest first."""
        found: list[dict[str, Any]] = self.json(uid, "approval", "list")["approvals"]
        return found


def day_off(office: Office, day: str) -> None:
    """Let the company take a day off."""
    path = office.desk.folder / "policies" / "calendar.yaml"
    text = re.sub(
        r"  days_off:(?: \[\])?\n",
        f"  days_off:\n    - {{date: {day}, labels: {{en: Power cut}}}}\n",
        path.read_text("utf-8"),
    )
    found = re.search(r"^version: (\d+)$", text, re.M)
    assert found
    path.write_text(text.replace(found[0], f"version: {int(found[1]) + 1}"), "utf-8")


def people(folder: Path) -> None:
    """Write the office's people into access.yaml, and onto the register."""
    path = folder / "policies" / "access.yaml"
    found = path.read_text("utf-8")
    for name, number in NUMBERS.items():
        found = found.replace(f'"{name}": {{uids', f'"{name}": {{staff: {number}, uids')
    papers = "confidentiality_signed: 2026-01-01, training_passed: 2026-01-01"
    lines = [
        f'    "{name}": {{uids: [{uid}], roles: [{role}], {f"staff: {number}, " if number else ""}{papers}}}\n'
        for name, (uid, role, number) in MORE.items()
    ]
    path.write_text(re.sub(r"  people:\n", lambda _m: "  people:\n" + "".join(lines), found, count=1), "utf-8")
    sheet = folder.parent / "register.csv"
    sheet.write_text(REGISTER, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (ADMIN, ADMIN, ADMIN))
        done = call(["-w", str(folder), "staff", "import", str(sheet)])
    assert done.exit_code == 0, done


@pytest.fixture(scope="session")
def _offices() -> dict[str, tuple[Path, str]]:
    """What was made already: by kind of database the workspace, and on PostgreSQL its database."""
    return {}


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    """The time it is for every command of a test: Monday, 23 November 2026, 09:00 until it is moved."""
    found = Hours()
    monkeypatch.setattr(clock, "now", lambda: found.at)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def office(
    request: pytest.FixtureRequest,
    hours: Hours,
    _offices: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Office]:
    """The office on each database, with the customers of `desks`; afterwards log and rows must be sound."""
    place = tmp_path_factory.mktemp("office") / "crm"
    with copied(str(request.param), request, _offices, place, tmp_path, people) as desk:
        yield Office(desk, hours)
