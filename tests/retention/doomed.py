"""An office whose customers' time is over, with a plan to destroy them that somebody else agreed to; made once, copied.

Some of them have contact persons, orders, complaints that are closed, and one is an unidentified complainant's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from casework import HANDLER, Hours, Office, people
from desks import ADMIN, STEWARD, SUPERVISOR, Desk, copied
from sqlalchemy import func, select

from crmctl import clock
from crmctl.cases.tables import case_number
from crmctl.cli.invocation import Invocation
from crmctl.customers.tables import customer, identity
from crmctl.paper.tables import paper_customer
from crmctl.retention.belongings import belongings
from crmctl.retention.tables import destruction_leaf
from crmctl.runs import run as runs
from crmctl.sheets.tables import rejected_row

STRUCK = Path(__file__).with_name("struck.py")
FIRMS = 20
REJECTED = 5  # rows of the import of customers
IMPORTS = 1  # that rejected any
RUNS = 19  # whose changes have values before them, all of these customers
PLAN = 1
PAPER = {1: ("C-5", "C-24"), 2: ("C-9",)}  # items, and whom each is about; 24 is nobody known yet


@dataclass
class Doomed:
    """The office with the approved plan 1; `customers` are all there are: the plan destroys every one of them."""

    office: Office
    customers: int

    def purge(self, point: str = "", *words: object) -> subprocess.CompletedProcess[bytes]:
        """Carry the plan out in a process of its own, struck at a point."""
        return subprocess.run(self.line(point, *words), capture_output=True, timeout=120, check=False)

    def line(self, point: str = "", *words: object) -> list[str]:
        """Return the command that carries the plan out."""
        head = [sys.executable, STRUCK, point, STEWARD, self.office.hours.at.isoformat(), "-w", self.office.desk.folder]
        return [*map(str, [*head, *(words or ("purge", "run", PLAN, "-o", "json"))])]

    def left(self) -> dict[str, int]:
        """Return how many rows of theirs are left, by table, and how many keys."""
        tables = [table for table in (*belongings(), identity) if table.name != "plan_item"]
        found = {table.name: self.count(table) for table in tables}
        found["case_number"] = self.count(case_number, case_number.c.customer_id > 0)
        with self.opened() as run:
            found["keys"] = run.keys.count("customer")
        found["rejected_row"] = self.count(rejected_row)
        return {name: number for name, number in found.items() if number}

    def count(self, table: Any, *where: Any) -> int:
        """Return how many rows a table has."""
        query = select(func.count().label("n")).select_from(table).where(*where)
        return int(self.office.desk.rows(query)[0]["n"])

    def finished(self, outcome: dict[str, Any]) -> None:
        """Assert that a purge that was killed and run again came to what an undisturbed one comes to."""
        assert (outcome["destroyed"], outcome["spared"]) == (FIRMS + 3, {})
        assert outcome["rows"]["customer"] == self.customers
        assert outcome["rows"]["contact"] == 2 * FIRMS + 2
        assert outcome["rows"]["complaint"] == 3
        assert self.left() == {}
        self.office.sound()
        verified = self.office.json(STEWARD, "purge", "verify", PLAN)
        assert verified["clean"], verified
        record = json.loads(self.office.desk.say(STEWARD, "purge", "show", PLAN, "--record").stdout)
        told = (record["destroyed"], record["digests"], record["executed_by"])
        assert told == (FIRMS + 3, self.customers + IMPORTS + RUNS, ["li.na"])
        assert [each["rejected_rows"] for each in record["imports"]["destroyed"]] == [REJECTED]
        assert (record["paper"], record["paper_destroyed"]) == ([*PAPER], [])
        about = self.office.desk.rows(select(paper_customer.c.plan_id, paper_customer.c.due_on))
        assert {row["plan_id"] for row in about} == {PLAN} and all(row["due_on"] for row in about)
        assert [entry["n"] for entry in self.office.desk.entries("purge.paper")] == [len(about)]  # once

    @contextmanager
    def opened(self) -> Iterator[runs.Run]:
        """Yield a run in the workspace that records nothing."""
        call = Invocation(command="customer list", workspace=self.office.desk.folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getresuid", lambda: (STEWARD,) * 3)
            with runs.open_run(call, "customer list", "customer.list") as run:
                yield run

    def digests(self) -> int:
        """Return how many digests the plan has left so far."""
        return self.count(destruction_leaf)

    def ways(self) -> int:
        """Return how many ways to customers there are."""
        return self.count(identity)

    def alive(self) -> int:
        """Return how many customers there are."""
        return self.count(customer)


def _prepare(folder: Path) -> None:
    """Fill the office, let the years go by, plan, and have the plan agreed to."""
    people(folder)
    with pytest.MonkeyPatch.context() as patch:
        hours = Hours()
        patch.setattr(clock, "now", lambda: hours.at)
        office = Office(Desk(folder, database(folder)), hours)
        firms = folder.parent / "firms.csv"
        lines = [f"enterprise,样例{n}号有限公司,经办{n},139{n:08}\nenterprise,样例{n}号有限公司,同事{n},137{n:08}\n"
                 for n in range(FIRMS)]  # fmt: skip
        lines += [f"alien,查无此类{n}号,某人{n},136{n:08}\n" for n in range(REJECTED)]
        firms.write_text("customer_type,company_name,name,mobile\n" + "".join(lines), "utf-8")
        office.json(STEWARD, "customer", "import", firms, status=3)
        orders = folder.parent / "orders.csv"
        bought = [f"O{n},C-{n + 4},100.00,2026-01-05\n" for n in range(FIRMS)]
        orders.write_text("number,customer_number,amount,ordered_on\n" + "".join(bought), "utf-8")
        office.json(ADMIN, "order", "import", orders)
        for whose in ("C-1", "C-5", ""):
            number = office.open(whose)
            if not whose:
                office.json(HANDLER, "complaint", "link", number, "C-6")
            hours.forward(hours=1)
            office.through(number)
        for number in PAPER.values():
            about = [word for each in number for word in ("--customer", each)]
            words = (*about, "--kind", "folder", "--keeper", "K1", "--place", office.text("档案柜"))
            office.json(STEWARD, "paper", "add", *words)
        hours.forward(days=31 * 62)
        office.json(ADMIN, "keys", "rotate")  # the log is of today
        made = office.json(STEWARD, "purge", "plan")
        assert made["old_values"]["runs"] == RUNS, made["old_values"]
        assert sum(made["destroy"].values()) == FIRMS + 3
        assert made["plan"] == PLAN
        office.json(SUPERVISOR, "purge", "approve", PLAN)
        office.desk.close()


def database(folder: Path) -> str:
    """Return the URL of a workspace's database on a server; empty for a file."""
    from crmctl import workspace

    place = workspace.find(folder)
    return str(place.database_url if "://" in place.database_url else "")


@pytest.fixture(scope="session")
def _dooms() -> dict[str, tuple[Path, str]]:
    """What was made already: by kind of database the workspace, and on PostgreSQL its database."""
    return {}


@pytest.fixture
def doom_of(
    request: pytest.FixtureRequest,
    hours: Hours,
    _dooms: Any,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], Doomed]]:
    """A function from a kind of database to the approved plan there; afterwards log and rows must be sound."""
    with ExitStack() as stack:

        def of(kind: str) -> Doomed:
            place = tmp_path_factory.mktemp("doomed") / "crm"
            desk = stack.enter_context(copied(kind, request, _dooms, place, tmp_path, _prepare))
            hours.forward(days=31 * 62, hours=12)
            return Doomed(Office(desk, hours), FIRMS + 4)

        yield of


@pytest.fixture(params=["sqlite", "postgresql"])
def doomed(request: pytest.FixtureRequest, doom_of: Callable[[str], Doomed]) -> Doomed:
    """The approved plan on each database."""
    return doom_of(str(request.param))
