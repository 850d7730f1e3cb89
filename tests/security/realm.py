"""People of every role, staff, and customers who are some of theirs; a uid says who does something."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pytest
import workspaces
from golden import Result, call
from sqlalchemy import Engine, select

from crmctl.audit.tables import audit_entry
from crmctl.audit.verify import verify
from crmctl.cli.invocation import Invocation
from crmctl.customers import intake
from crmctl.runs import run as runs
from crmctl.sheets.origin import Request
from crmctl.staff import register
from crmctl.store.engine import open_engine, read, write

STEWARD, SUPERVISOR, AUDITOR, ADMIN, AGENT, OTHER, NORTH = 1001, 1002, 1003, 1004, 1005, 1006, 1007
PEOPLE = {
    "li.na": (STEWARD, "steward"),
    "wang.j": (SUPERVISOR, "supervisor"),
    "an.q": (AUDITOR, "auditor"),
    "zhou.m": (ADMIN, "admin"),
    "chen.x": (AGENT, "agent"),  # on the staff register by uid
    "he.l": (OTHER, "agent"),  # on the staff register by number
}
# C-1 and C-2 are chen.x's, C-3 is he.l's, C-4 nobody's.
CUSTOMERS = """\
customer_type,company,name,mobile,email,uscc,external_code
enterprise,甲一样例有限公司,王小明,13800000001,a@example.com,91330106MA2CCCCC52,K1
enterprise,乙二样例有限公司,李四光,13800000002,b@example.com,,K2
enterprise,丙三样例有限公司,赵敏敏,13800000003,c@example.com,,K3
individual,,张三丰,13800000004,d@example.com,,K4
"""
STAFF = {"E5": {"uids": str(AGENT)}, "E6": {}}
OWNERS = {1: "E5", 2: "E5", 3: "E6"}


def built(folder: Path, database: str) -> Path:
    """Make the company: customers and staff come in by the one who is alone, then everybody has a role."""
    workspaces.make(folder, database, demo=True)
    sheet = folder.parent / "customers.csv"
    sheet.write_text(CUSTOMERS, "utf-8")
    with runs.open_run(Invocation("customer import", workspace=folder), "customer import", "customer.import") as run:
        intake.start(run, Request(str(sheet)), lambda _rows: None)
    for number, fields in STAFF.items():
        with runs.open_run(Invocation("staff add", workspace=folder), "staff add", "staff.add") as run:
            papers = {"trained_on": "2026-01-02", "signed_on": "2026-01-01"}
            register.add(run, {"number": number, "name": "陈某" if number == "E5" else "何某", **papers, **fields})
    path = folder / "policies" / "access.yaml"
    signed = "confidentiality_signed: 2026-01-01, training_passed: 2026-01-01"
    lines = []
    for name, (uid, role) in PEOPLE.items():
        staff = ', staff: "E6"' if name == "he.l" else ""
        lines.append(f'    "{name}": {{uids: [{uid}], pg: [{login(name)}], roles: [{role}]{staff}, {signed}}}\n')
    text = path.read_text("utf-8")
    path.write_text(
        re.sub(r"  people:.*?\n\n", lambda _m: "  people:\n" + "".join(lines) + "\n", text, count=1, flags=re.S),
        "utf-8",
    )
    return folder


def login(name: str) -> str:
    """Return a person's login role on PostgreSQL."""
    return "test_" + name.replace(".", "_")


@dataclass
class Realm:
    """The company's workspace and database."""

    folder: Path
    url: str
    _open: list[Engine] = field(default_factory=list)

    def say(self, uid: int, *words: object) -> Result:
        """Run a command from an account."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getresuid", lambda: (uid, uid, uid))
            return call(["-w", str(self.folder), *map(str, words)])

    def json(self, uid: int, *words: object, status: int = 0) -> dict[str, Any]:
        """Return the document of a command that ends with `status`; its failure where it has none."""
        done = self.say(uid, *words, "-o", "json")
        assert done.exit_code == status, (done.exit_code, done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout or done.stderr.splitlines()[-1])
        return found

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a policy file, where it stands exactly once."""
        path = self.folder / "policies" / name
        found = path.read_text("utf-8")
        assert found.count(old) == 1, (name, old, found.count(old))
        path.write_text(found.replace(old, new), "utf-8")

    @cached_property
    def engine(self) -> Engine:
        """The database, opened apart from every command."""
        self._open.append(open_engine(self.url))
        return self._open[-1]

    def close(self) -> None:
        """Close it."""
        for each in self._open:
            each.dispose()

    def entries(self, act: str = "") -> list[dict[str, Any]]:
        """Return the entries of an act, oldest first; of every act without one."""
        with read(self.engine) as conn:
            bodies = map(orjson.loads, conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars())
            return [body for body in bodies if act in ("", body["act"])]

    def owned(self) -> None:
        """Give customers their owners by hand, past the log: no command of this program does yet."""
        with write(self.engine) as conn:
            for customer, number in OWNERS.items():
                conn.exec_driver_sql(
                    "UPDATE customer SET owner_id = (SELECT staff_id FROM staff"
                    f" WHERE number = '{number}') WHERE customer_id = {customer}"  # noqa: S608
                )

    def problems(self) -> list[str]:
        """Return what is wrong with the log."""
        return [problem.code for problem in verify(self.engine, changes=True).problems]
