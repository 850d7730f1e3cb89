"""Eight people at once: every look, reveal and export has its entry, in one line of entries; nobody is turned away."""

from __future__ import annotations

import contextlib
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import oracle
import orjson
from commands import crmctl, ended, started
from sqlalchemy import func, select

from crmctl.audit.tables import audit_entry
from crmctl.audit.verify import verify
from crmctl.runs import tables as run_tables
from crmctl.store import engine
from crmctl.use.tables import copy_register, use_record

PEOPLE = 8
# One process, many commands: what costs is the log, not starting Python. Standard error must stay empty.
DESK = """
import contextlib, io, os, sys
from crmctl.cli.app import main
folder, times, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for turn in range(times):
    words = (
        ["customer", "show", "1", "--reveal", "mobile", "--purpose", "contact"],
        ["customer", "find", "--company", "Acme"],
        ["customer", "list", "--limit", "5"],
        ["customer", "export", "--fields", "company_name,mobile", "--recipient", "self", "--purpose", "contact",
         "--company", "Acme", "--out", os.path.join(os.path.dirname(folder), f"{name}-{turn}.csv")],
        ["audit", "list", "--limit", "3"],
    )[turn % 5]
    with contextlib.redirect_stdout(io.StringIO()):
        status = main(["-w", folder, "-q", *words])
    if status != 0:
        sys.exit(f"{words[:2]} ended with {status}")
"""
ACTS = ("customer.reveal", "customer.find", "customer.list", "customer.export", "audit.list")
COMMANDS = ("customer show", "customer find", "customer list", "customer export", "audit list")
LINES = (use_record, copy_register)


def test_eight_people_at_their_desks(make: Any, kind: str, tmp_path: Path, full: bool) -> None:
    times = 40 if full else 10
    folder = make(kind)
    sheet = tmp_path / "customers.csv"
    sheet.write_text("company,contact,mobile\nAcme Ltd,John,13712345679\n示例企业,王小明,13812345678\n", "utf-8")
    assert crmctl(folder, "customer", "import", sheet).status == 0
    lift_limits(folder)
    program = (sys.executable, "-c", DESK)
    with contextlib.ExitStack() as stack:
        people = [stack.enter_context(started(None, folder, times, f"p{n}", program=program)) for n in range(PEOPLE)]
        found = [ended(process) for process in people]
    assert {(done.status, done.out, done.err) for done in found} == {(0, b"", b"")}

    each = PEOPLE * times // len(ACTS)
    with oracle.opened(folder) as run:
        with engine.read(run.engine) as conn:
            bodies = [orjson.loads(body) for body in conn.execute(select(audit_entry.c.body)).scalars()]
            columns = run_tables.run.c
            states = Counter(conn.execute(select(columns.command, columns.state)).all())
            uses, copies = (conn.execute(select(func.count()).select_from(of)).scalar_one() for of in LINES)
        assert verify(run.engine, changes=True, rows=True).problems == ()
    done = Counter(body["act"] for body in bodies if body["act"] in ACTS and body["result"] == "done")
    assert done == dict.fromkeys(ACTS, each)
    assert {states[command, "done"] for command in COMMANDS} == {each}
    assert (uses, copies) == (2 * each, each)
    assert len({body["run"] for body in bodies if body["act"] in ACTS}) == len(ACTS) * each, "a number of a run twice"
    assert len(list(folder.parent.glob("p?-*.csv"))) == each


def lift_limits(folder: Path) -> None:
    """Let people do it as often as they like."""
    path = folder / "policies" / "access.yaml"
    path.write_text(re.sub(r"\n +limits: \{.*\}", "", path.read_text("utf-8")), "utf-8")
