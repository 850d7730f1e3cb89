"""Many people at once: numbers without gaps, one of two who do the same, never two duplicates of each other."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import oracle
import pytest
from commands import Done, ended, inside, started
from sqlalchemy import select

from crmctl.audit.verify import verify
from crmctl.cases.tables import case_number
from crmctl.complaints.tables import complaint, complaint_event
from crmctl.store import engine

PEOPLE = 8
# One process, many commands, all at the same moment; standard error must stay empty.
DESK = """
import contextlib, io, sys
from crmctl.cli.app import main
folder, times, customer = sys.argv[1], int(sys.argv[2]), sys.argv[3]
words = ["complaint", "open", "--unidentified" if customer == "0" else customer,
         "--channel", "phone", "--category", "quality", "--feedback-by", "2099-01-01"]
for name in ("complainant", "contact", "matter", "demand"):
    words += [f"--{name}", f"@{folder}/../text.txt"]
sys.stdin.readline()
for turn in range(times):
    with contextlib.redirect_stdout(io.StringIO()):
        status = main(["-w", folder, "-q", *words])
    if status != 0:
        sys.exit(f"turn {turn} ended with {status}")
"""
# One command at the same moment as another process's; what it says goes out.
STEP = "import sys; from crmctl.cli.app import main; sys.stdin.readline(); sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def company(folder: Path) -> Path:
    """A workspace with three customers, and a text to complain with."""
    (folder.parent / "text.txt").write_text("空调漏水", "utf-8")
    sheet = folder.parent / "customers.csv"
    sheet.write_text("company\nAcme Ltd\n示例企业\nNorthwind\n", "utf-8")
    assert inside(folder, "customer", "import", sheet).status == 0
    return folder


def together(programs: Sequence[tuple[object, ...]]) -> list[Done]:
    """Start these programs, let all of them go on at once, and wait for them."""
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(started(None, program=line, stdin=-1)) for line in programs]
        for process in running:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
        return [ended(process) for process in running]


def rows(folder: Path, query: Any) -> list[Any]:
    with oracle.opened(folder) as run, engine.read(run.engine) as conn:
        assert [problem.message for problem in verify(run.engine, changes=True, rows=True).problems] == []
        return list(conn.execute(query).mappings().all())


def test_eight_people_open_complaints(company: Path, full: bool) -> None:
    """CMP-03: unique, from 1, without a gap, in the order of the log; some for nobody known yet."""
    times = 40 if full else 3
    done = together([(sys.executable, "-c", DESK, company, times, n % 4) for n in range(PEOPLE)])
    assert {(each.status, each.out, each.err) for each in done} == {(0, b"", b"")}
    found = rows(company, select(complaint).order_by(complaint.c.complaint_id))
    days: dict[str, list[int]] = {}
    for row in found:
        _prefix, day, number = row["number"].split("-")
        days.setdefault(day, []).append(int(number))
    assert sum(map(len, days.values())) == PEOPLE * times
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in days.values())
    kept = rows(company, select(case_number))
    assert {(row["number"], row["customer_id"], row["object_id"]) for row in kept} == {
        (row["number"], row["customer_id"], row["complaint_id"]) for row in found
    }
    assert len({row["customer_id"] for row in found}) == 3 + PEOPLE // 4 * times, "each unidentified one has its own"


def opened(folder: Path, customer: object) -> str:
    text = f"@{folder.parent / 'text.txt'}"
    texts = [part for name in ("complainant", "contact", "matter", "demand") for part in (f"--{name}", text)]
    words = ("--channel", "phone", "--category", "quality", "--feedback-by", "2099-01-01", *texts)
    return str(inside(folder, "complaint", "open", customer, *words, "-o", "json").document["number"])


def commands(folder: Path, *lines: tuple[object, ...]) -> list[Done]:
    """Run commands at once."""
    head: tuple[object, ...] = (sys.executable, "-c", STEP, "-w", folder, "complaint")
    return together([(*head, *line, "-o", "json") for line in lines])


def test_two_do_the_same_next_step(company: Path, full: bool) -> None:
    """One wins; the other is told that it is done. Whoever it was, it happened once."""
    number = opened(company, 1)
    reason = ("--department", "安装部", "--cause", "process")
    for verb, words in (
        ("respond", ()), ("verify", reason), ("propose", ("--measures", f"@{company.parent / 'text.txt'}", "--due",
        "2099-01-01")), ("agree", ()), ("rectify", ()), ("revisit", ("--settled",)), ("close", ()),
    ):  # fmt: skip
        if not full and verb not in ("propose", "agree", "close"):
            assert inside(company, "complaint", verb, number, *words).status == 0
            continue
        done = commands(company, (verb, number, *words), (verb, number, *words))
        again = verb in ("verify", "propose", "revisit")  # a correction, another version, another word of the customer
        assert sorted(each.status for each in done) == ([0, 0] if again else [0, 1]), (verb, done)
        if not again:
            (refused,) = [json.loads(each.err)["code"] for each in done if each.status]
            assert refused in ("DONE_ALREADY", "NOT_YET", "CASE_CLOSED")
    kinds = [row["kind"] for row in rows(company, select(complaint_event))]
    assert kinds.count("proposed") == 2, "two plans, two versions"
    assert [kinds.count(kind) for kind in ("accepted", "responded", "agreed", "rectified", "closed")] == [1] * 5


def test_two_are_not_duplicates_of_each_other(company: Path, full: bool) -> None:
    """CMP-23: whoever is second finds that the other is one already; one of them stays open."""
    reason = ("--reason", f"@{company.parent / 'text.txt'}")
    for _turn in range(10 if full else 1):
        first, second = opened(company, 1), opened(company, 1)
        done = commands(
            company,
            ("mark-duplicate", first, "--of", second, *reason),
            ("mark-duplicate", second, "--of", first, *reason),
        )
        assert sorted(each.status for each in done) in ([0, 1], [0, 11]), done
        states = [
            row["status"] for row in rows(company, select(complaint).where(complaint.c.number.in_((first, second))))
        ]
        assert sorted(states) == ["accepted", "duplicate"]
