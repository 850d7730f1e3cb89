"""kill -9 of `complaint open` and of steps: nothing half done is there, and the next one works."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import oracle
import pytest
from commands import Done, inside, strike
from sqlalchemy import func, select

from crmctl.audit.verify import verify
from crmctl.cases.tables import case_number
from crmctl.complaints.tables import complaint, complaint_clock, complaint_event, complaint_file
from crmctl.satisfaction.tables import satisfaction
from crmctl.store import engine

TABLES = (complaint, complaint_event, complaint_clock, complaint_file, case_number, satisfaction)
OPEN = {
    # where: (call, complaints there are then)
    "the run is begun": ("after:1:crmctl.runs.run:begin", 0),
    "the number is taken": ("after:1:crmctl.cases.numbers:take", 0),
    "rows are written": ("after:1:crmctl.complaints.writing:write", 0),
    "the place is noted": ("after:1:crmctl.cases.numbers:keep", 0),
    "the run is finished": ("after:1:crmctl.runs.run:finish", 0),
    "the entry is written": ("after:1:crmctl.audit.entries:append", 0),
    "it is committed": ("after:1:crmctl.complaints.opening:open_complaint", 1),
}
STEP = {
    "the run is begun": ("after:1:crmctl.runs.run:begin", 0),
    "it is decided": ("after:1:crmctl.complaints.decide:standing", 0),
    "the event has a number": ("after:1:crmctl.complaints.acting:event_write", 0),
    "rows are written": ("after:1:crmctl.store.bulk:insert_rows", 0),
    "rows are changed": ("after:1:crmctl.store.bulk:update_rows", 0),
    "the entry is written": ("after:1:crmctl.audit.entries:append", 0),
    "it is committed": ("after:1:crmctl.complaints.acting:carry_out", 1),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the points take turns on the two databases; at full scale all are tried on both."""
    points, kinds = (OPEN if "open" in metafunc.function.__name__ else STEP), ("sqlite", "postgresql")
    turns = [(where, kind) for at, where in enumerate(points) for kind in (kinds[at % 2], kinds[1 - at % 2])]
    metafunc.parametrize(("where", "kind"), turns if metafunc.config.getoption("--full") else turns[::2])


def contents(folder: Path) -> Mapping[str, int]:
    """Return how many rows each table has, after looking that rows, changes and log fit each other."""
    with oracle.opened(folder) as run:
        assert [problem.message for problem in verify(run.engine, changes=True, rows=True).problems] == []
        with engine.read(run.engine) as conn:
            return {of.name: conn.execute(select(func.count()).select_from(of)).scalar_one() for of in TABLES}


@pytest.fixture
def company(folder: Path) -> Path:
    """A workspace with a customer, and a text."""
    (folder.parent / "text.txt").write_text("空调漏水", "utf-8")
    sheet = folder.parent / "customers.csv"
    sheet.write_text("company\nAcme Ltd\n", "utf-8")
    assert inside(folder, "customer", "import", sheet).status == 0
    return folder


def opening(folder: Path, *customer: object) -> tuple[object, ...]:
    text = f"@{folder.parent / 'text.txt'}"
    texts = [part for name in ("complainant", "contact", "matter", "demand") for part in (f"--{name}", text)]
    words = ("--channel", "phone", "--category", "quality", "--feedback-by", "2099-01-01", *texts)
    return ("complaint", "open", *(customer or ("--unidentified",)), *words)


def killed(point: str, folder: Path, *words: object) -> None:
    done = strike(f"SIGKILL:{point}", folder, *words)
    assert (done.status, done.out) == (-signal.SIGKILL, b""), (point, done.err)


def typed(folder: Path, *words: object) -> dict[str, Any]:
    """Run a command to its end, which must be well."""
    done: Done = inside(folder, *words, "-o", "json")
    assert done.status == 0, done.err
    return done.document


def test_open_is_whole_or_nothing(company: Path, where: str) -> None:
    """CMP-03: what was killed has taken no number."""
    point, there = OPEN[where]
    before = contents(company)
    killed(point, company, *opening(company, 1))
    after = contents(company)
    assert {name: after[name] - before[name] for name in ("complaint", "case_number")} == {
        "complaint": there, "case_number": there,
    }  # fmt: skip
    assert after["complaint_event"] == there
    assert (after["complaint_clock"] > 0) == bool(there)
    killed(point, company, *opening(company))
    for _again in range(2):
        typed(company, *opening(company, 1))
    with oracle.opened(company) as run, engine.read(run.engine) as conn:
        numbers = conn.execute(select(complaint.c.number).order_by(complaint.c.complaint_id)).scalars().all()
    assert [int(number[-4:]) for number in numbers] == list(range(1, 2 * there + 3))


def test_a_step_is_whole_or_nothing(company: Path, where: str, full: bool) -> None:
    point, there = STEP[where]
    number = typed(company, *opening(company, 1))["number"]
    text = company.parent / "text.txt"
    steps: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("verify", ("--department", "安装部", "--cause", "process")),
        ("propose", ("--measures", f"@{text}", "--due", "2099-01-01")), ("agree", ()), ("rectify", ()),
        ("revisit", ("--settled", "--score", 90)), ("attach", (text,)), ("close", ()),
    )  # fmt: skip
    tried = ("propose", "revisit", "attach", "close") if full else ("revisit", "close")
    for verb, words in steps:
        line = ("complaint", verb, number, *words)
        if verb in tried:
            before = contents(company)
            killed(point, company, *line)
            after = contents(company)
            assert after["complaint_event"] - before["complaint_event"] == there
            if not there:
                assert after == before
            if there and verb != "attach":
                continue
        typed(company, *line)
    with oracle.opened(company) as run, engine.read(run.engine) as conn:
        assert conn.execute(select(complaint.c.status)).scalars().all() == ["closed"]
    contents(company)
