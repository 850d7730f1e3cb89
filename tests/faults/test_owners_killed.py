"""kill -9 of whatever changes owners: assignment, plan, handover, acceptance, return, reclaim, take; and run again.

Whenever it strikes: exactly one open ownership of a customer, `owner_id` is what the open row says, the history has no
gap, a handover counts what its customers say, and changes, rows and log fit each other (OWN-01, OWN-03).
"""

from __future__ import annotations

import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import oracle
import pytest
from commands import PROGRAM, crmctl, inside, killed_after
from sqlalchemy import Engine, select

from crmctl.audit.verify import verify
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.owners.tables import handover, handover_item
from crmctl.runs.tables import run as run_table
from crmctl.staff.tables import staff
from crmctl.store import engine

SEED = 20261122
PIECES = Path(__file__).with_name("pieces.py")
CUSTOMERS, SEATS = 60, 4  # three chunks of twenty
HEAD = "kind: owners\nschema: 1\nversion: 1\nowner: grading post\nlimits: {max_percent: 100}\n"
POLICY = f"""{HEAD}settings:
  plan_valid_hours: 72
  rules:
    - {{code: all, labels: {{en: All}}, source: []}}
  pools:
    - code: public
      labels: {{en: Pool}}
      reclaim: [{{contract_ended_for: 10}}]
"""
BEGUN, FINISHED = "after:1:crmctl.runs.run:begin", "after:1:crmctl.runs.run:finish"
WRITTEN = "after:1:crmctl.audit.entries:append"
# Of each command, where it is struck: in CI the first on SQLite, the second on PostgreSQL; with --full all on both.
ASSIGN = [
    "after:2:crmctl.owners.assign:apply", "after:2:crmctl.store.bulk:insert_rows", BEGUN, WRITTEN, FINISHED,
    "after:3:crmctl.owners.assign:apply",
]  # fmt: skip
PLAN = [
    "after:1:crmctl.owners.planning:apply", "after:1:crmctl.runs.plans:close", "after:2:crmctl.runs.plans:advance",
    BEGUN, FINISHED, "after:3:crmctl.owners.planning:apply",
]  # fmt: skip
GIVE = [
    "after:1:crmctl.owners.handing:apply", "after:1:crmctl.owners.handing:_items", FINISHED, BEGUN,
    "after:2:crmctl.owners.handing:apply", "after:1:crmctl.owners.handing:_open",
]  # fmt: skip
GIVE_BACK = [
    "after:2:crmctl.owners.closing:apply", "after:1:crmctl.owners.closing:apply",
    "after:1:crmctl.owners.closing:_close", BEGUN, FINISHED, "after:1:crmctl.owners.closing:_settle",
]  # fmt: skip
ACCEPT = [FINISHED, "after:1:crmctl.owners.closing:_settle", BEGUN, WRITTEN, "after:1:crmctl.owners.closing:_close", ""]
RECLAIM = [
    "after:2:crmctl.owners.reclaiming:apply", "after:2:crmctl.store.bulk:update_rows", BEGUN, WRITTEN, FINISHED,
    "after:3:crmctl.owners.reclaiming:apply",
]  # fmt: skip
TAKE = [
    "after:1:crmctl.owners.taking:apply", "after:2:crmctl.store.bulk:insert_rows", BEGUN, WRITTEN, FINISHED, "",
]  # fmt: skip


@dataclass
class House:
    """A company whose commands about owners are killed; its database is looked at from a process that lives on."""

    folder: Path
    base: Engine

    def json(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Run a command to its end; return its document, or its failure."""
        done = inside(self.folder, *words, "-o", "json")
        assert done.status == status, done.err
        return done.document if status == 0 else done.failure

    def killed(self, point: str, *words: object) -> None:
        """Let a command be killed at a call; what is there then must be whole."""
        if point:
            line = (f"SIGKILL:{point}", "-w", self.folder, *words)
            done = crmctl(None, *line, program=(sys.executable, PIECES), cwd=self.folder.parent)
            assert (done.status, done.out) == (-signal.SIGKILL, b""), (point, done.status, done.err)
        self.held()

    def read(self, query: Any) -> list[Any]:
        """Return what a query finds."""
        with engine.read(self.base) as conn:
            return list(conn.execute(query).mappings().all())

    @cached_property
    def ids(self) -> dict[str, int]:
        """Staff ids by number."""
        return {row["number"]: row["staff_id"] for row in self.read(select(staff))}

    def state(self, number: int) -> str:
        """Return the state of a handover."""
        (row,) = self.read(select(handover).where(handover.c.handover_id == number))
        return str(row["state"])

    def held(self) -> dict[int, int]:
        """Return who has which customers, after looking that nothing is half done."""
        assert [problem.message for problem in verify(self.base, changes=True, rows=True).problems] == []
        owners = {row["customer_id"]: row["owner_id"] for row in self.read(select(customer))}
        found = {number: owner for number, owner in owners.items() if owner is not None}
        history = self.read(select(ownership).order_by(ownership.c.ownership_id))
        still = [row for row in history if row["until_at"] is None and row["role"] == "owner"]
        assert len(still) == len(found), "one open ownership a customer"
        assert {row["customer_id"]: row["staff_id"] for row in still} == found
        for row in history:
            assert (row["until_at"] is None) == (row["ended_run_id"] is None) == (row["end_reason"] is None)
        self._handovers()
        return found

    def _handovers(self) -> None:
        """Look that every handover counts what its customers say, and is closed with the last of them."""
        items: dict[int, Counter[str]] = {}
        for row in self.read(select(handover_item)):
            items.setdefault(row["handover_id"], Counter())[row["state"]] += 1
        for row in self.read(select(handover)):
            states = items.pop(row["handover_id"])
            assert row["customers"] == states.total() > 0
            assert (row["accepted"], row["returned"]) == (states["accepted"], states["returned"])
            assert (row["state"] == "open") == (states["open"] > 0) == (row["closed_at"] is None)
        assert items == {}, "customers of a handover that there is not"


@pytest.fixture
def at(make: Callable[..., Path], kind: str) -> Iterator[House]:
    """A company of four people and sixty customers whose contracts have ended; nobody owns any."""
    folder = make(kind)
    (folder / "policies" / "owners.yaml").write_text(POLICY, "utf-8")
    path = folder / "policies" / "staff.yaml"
    text = path.read_text("utf-8").replace("    training_valid_for: $training_valid_months\n", "")
    path.write_text(text, "utf-8")
    people = [f"S{number},N,{CUSTOMERS},2025-01-06,2025-01-06" for number in range(SEATS)]
    firms = [f"企业客户,样例{number}号有限公司,2025-06-30" for number in range(CUSTOMERS)]
    for noun, head, lines in (
        ("staff", "number,name,capacity,trained_on,signed_on", people),
        ("customer", "客户类型,公司名称,contract_end_on", firms),
    ):
        sheet = folder.parent / f"{noun}.csv"
        sheet.write_text("\n".join([head, *lines]) + "\n", "utf-8")
        done = inside(folder, noun, "import", sheet)
        assert done.status == 0, done.err
    with oracle.opened(folder) as run:
        yield House(folder, run.engine)


def assigned(at: House, place: int) -> None:
    """Everybody without an owner gets one: who has one by now keeps it."""
    at.killed(ASSIGN[place], "owner", "assign")
    done = len(at.held())
    told = at.json("owner", "assign", "--limit", 0)
    assert (told["assigned"], told["kept"], len(at.held())) == (CUSTOMERS - done, done, CUSTOMERS)


def planned(at: House, place: int) -> None:
    """A plan is applied exactly, however often it is begun."""
    wanted = at.json("owner", "assign", "--plan", "--limit", 1000)
    at.killed(PLAN[place], "owner", "assign", "--apply", wanted["plan"])
    at.json("owner", "assign", "--apply", wanted["plan"])
    assert at.held() == {move["customer"]: move["to"] for move in wanted["moves"]}
    assert at.json("owner", "assign", "--apply", wanted["plan"], status=8)["code"] == "PLAN_APPLIED"


def handed(at: House, place: int) -> None:
    """Sixty per cent of somebody's book, not sixty per cent of what a killed run left; then back again."""
    for giver in ("S1", "S2"):
        at.json("owner", "handover", giver, "--to", "S0")
    book = {number for number, owner in at.held().items() if owner == at.ids["S0"]}
    words = ("owner", "handover", "S0", "--to", "S3", "--share", 60)
    before = at.held()
    at.killed(GIVE[place], *words)
    moved = sum(at.held()[number] != owner for number, owner in before.items())
    told = at.json(*words)
    assert (told["handed_over"], told["resumed"]) == (len(book) * 60 // 100, moved)
    items = {row["customer_id"] for row in at.read(select(handover_item).where(
        handover_item.c.handover_id == told["handover"]))}  # fmt: skip
    after = at.held()
    assert {number for number, owner in after.items() if before[number] != owner} == items
    assert len(items) == told["handed_over"], "one handover has them all"
    at.killed(GIVE_BACK[place], "owner", "handover", "return", told["handover"])
    if at.state(told["handover"]) == "open":
        at.json("owner", "handover", "return", told["handover"])
    assert at.held() == before
    assert at.json("owner", "handover", "return", told["handover"], status=1)["code"] == "NOTHING_OPEN"


def named(at: House, place: int) -> None:
    """Customers by number, and who had them stays: a killed run's are not somebody else's, or shared, a second time."""
    numbers = [number for number, owner in at.held().items() if owner == at.ids["S0"]][:25]
    staying = ("--stay-until", "2099-12-31")
    words = ("owner", "handover", "S0", "--by-policy", "--partial", ",".join(map(str, numbers)), *staying)
    at.killed(GIVE[place], *words)
    told = at.json(*words)
    assert told["handed_over"] == len(numbers)
    stays = select(ownership).where(ownership.c.role == "collaborator", ownership.c.until_at.is_(None))
    rows = [(row["customer_id"], row["staff_id"]) for row in at.read(stays)]
    assert sorted(each for each in rows if each[0] in numbers) == [(number, at.ids["S0"]) for number in sorted(numbers)]
    accepted = ("owner", "handover", "accept", told["handover"])
    at.killed(ACCEPT[place], *accepted)
    if at.state(told["handover"]) == "open":
        at.json(*accepted)
    (row,) = at.read(select(handover).where(handover.c.handover_id == told["handover"]))
    assert (row["state"], row["accepted"]) == ("accepted", len(numbers))
    at.held()


def reclaimed(at: House, place: int) -> None:
    """Everybody goes back to the pool, whose contract has ended; then somebody takes one."""
    at.killed(RECLAIM[place], "owner", "reclaim")
    at.json("owner", "reclaim")
    assert at.held() == {}
    taken = ("owner", "take", 7, "--for", "S2")
    at.killed(TAKE[place], *taken)
    again = inside(at.folder, *taken, "-o", "json")
    assert again.status == 0 or again.failure["code"] == "HAS_OWNER", again.err
    assert at.held() == {7: at.ids["S2"]}
    at.json("owner", "reclaim")


def test_killed_where(at: House, kind: str, full: bool) -> None:
    """The same company over and over: what each command leaves is where the next begins."""
    for place in range(6) if full else (("sqlite", "postgresql").index(kind),):
        for step in (assigned, handed, named, reclaimed, planned):
            step(at, place)
        at.json("owner", "reclaim")
        assert at.held() == {}


def test_killed_at_random_moments(at: House, full: bool) -> None:
    """Whatever is typed next finds what the killed ones left."""
    chance, kills = random.Random(SEED), 40 if full else 3
    hits = 0
    for _attempt in range(10 * kills):
        words = chance.choice(
            [("assign",), ("reclaim",), ("handover", "S0", "--by-policy"), ("handover", "S1", "--to", "S2")]
        )
        hits += killed_after(chance.uniform(0.4, 1.6), at.folder, "owner", *words, program=PROGRAM)
        at.held()
        if hits == kills:
            break
    assert hits == kills, "too fast to be killed"
    at.json("owner", "assign", "--limit", 0)
    assert len(at.held()) == CUSTOMERS
    told = at.read(select(run_table.c.state))
    assert {row["state"] for row in told} <= {"done", "running", "refused"}
