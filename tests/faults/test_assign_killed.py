"""kill -9 at exact moments of an assignment: what is committed is whole, and the next run does the rest (OWN-03)."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import commands
import oracle
import pytest
from commands import inside, killed_after, strike
from sqlalchemy import select

from crmctl.audit.verify import verify
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.runs.tables import plan
from crmctl.store import engine

SEED = 20261122
SEATS = 6  # people
HEAD = "kind: owners\nschema: 1\nversion: 1\nowner: grading post\n"
POLICY = HEAD + "settings:\n  plan_valid_hours: 72\n  rules:\n    - {code: all, labels: {en: All}, source: []}\n"

POINTS = {
    # where: (call, whether anything is committed)
    "all is weighed": ("after:1:crmctl.owners.assign:weighing", False),
    "the run is begun": ("after:1:crmctl.runs.run:begin", False),
    "numbers of changes are taken": ("after:1:crmctl.store.counters:take:change", False),
    "owners are written, not committed": ("after:1:crmctl.store.bulk:update_rows", False),
    "history is written, not committed": ("after:2:crmctl.store.bulk:insert_rows", False),
    "the entry is written, not committed": ("after:1:crmctl.audit.entries:append", False),
    "the chunk is committed": ("after:1:crmctl.owners.assign:apply", True),
    "the run is finished, not committed": ("after:1:crmctl.runs.run:finish", True),
    "the last word is written, not committed": ("after:2:crmctl.audit.entries:append", True),
}


def filled(folder: Path, given: commands.Given) -> int:
    """Import customers, give the company its people; return how many customers one may have."""
    (folder / "policies" / "owners.yaml").write_text(POLICY, "utf-8")
    path = folder / "policies" / "staff.yaml"
    text = path.read_text("utf-8").replace("    training_valid_for: $training_valid_months\n", "")
    path.write_text(text, "utf-8")
    assert inside(folder, "customer", "import", given.path).status == 3
    with oracle.opened(folder) as run, engine.read(run.engine) as conn:
        size = len(conn.execute(select(customer.c.customer_id)).all())
    capacity = size // SEATS + 2
    lines = [f"S{number},N,{capacity},2025-01-06,2025-01-06" for number in range(SEATS)]
    sheet = folder.parent / "staff.csv"
    sheet.write_text("\n".join(["number,name,capacity,trained_on,signed_on", *lines]) + "\n", "utf-8")
    done = inside(folder, "staff", "import", sheet)
    assert done.status == 0, done.err
    return capacity


def state(folder: Path, capacity: int) -> tuple[int, int]:
    """Return how many customers there are and how many have an owner, after looking that nothing is half done."""
    with oracle.opened(folder) as run:
        assert [problem.message for problem in verify(run.engine, changes=True, rows=True).problems] == []
        with engine.read(run.engine) as conn:
            owners = {row[0]: row[1] for row in conn.execute(select(customer.c.customer_id, customer.c.owner_id))}
            rows = conn.execute(select(ownership)).mappings().all()
    held = {number: owner for number, owner in owners.items() if owner is not None}
    assert {row["customer_id"]: row["staff_id"] for row in rows if row["until_at"] is None} == held
    assert len([row for row in rows if row["until_at"] is None]) == len(held), "one open ownership a customer"
    assert max(Counter(held.values()).values(), default=0) <= capacity
    return len(owners), len(held)


def finish(folder: Path, capacity: int) -> None:
    """Type the command again, and once more: it completes, then has nothing to do."""
    everybody, done = state(folder, capacity)
    again = inside(folder, "owner", "assign", "-o", "json")
    assert (again.status, again.err) == (0, b"")
    assert (again.document["assigned"], again.document["kept"]) == (everybody - done, done)
    assert state(folder, capacity) == (everybody, everybody)
    assert inside(folder, "owner", "assign", "-o", "json").document["assigned"] == 0


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(folder: Path, small: commands.Given, where: str) -> None:
    point, committed = POINTS[where]
    capacity = filled(folder, small)
    done = strike(f"SIGKILL:{point}", folder, "owner", "assign")
    assert (done.status, done.out) == (-signal.SIGKILL, b""), done.err

    everybody, owned = state(folder, capacity)
    assert owned == (everybody if committed else 0)
    finish(folder, capacity)


def test_a_plan_goes_on_where_it_was_killed(folder: Path, small: commands.Given, kind: str) -> None:
    """Its second chunk is not committed: applied again it does exactly what is left of it."""
    capacity = filled(folder, small)
    planned = inside(folder, "owner", "assign", "--plan", "--limit", "1000", "-o", "json").document
    point = "before:1:crmctl.runs.plans:close"
    done = strike(f"SIGKILL:{point}", folder, "owner", "assign", "--apply", planned["plan"])
    assert done.status == -signal.SIGKILL, done.err
    everybody, owned = state(folder, capacity)
    assert owned == everybody
    again = inside(folder, "owner", "assign", "--apply", planned["plan"], "-o", "json")
    assert again.status == 0, again.err
    with oracle.opened(folder) as run, engine.read(run.engine) as conn:
        owners = {row[0]: row[1] for row in conn.execute(select(customer.c.customer_id, customer.c.owner_id))}
        assert conn.execute(select(plan.c.state)).scalar_one() == "applied"
    assert {move["customer"]: move["to"] for move in planned["moves"]} == owners
    assert state(folder, capacity) == (everybody, everybody)


def test_killed_at_random_moments(make: Callable[..., Path], kind: str, files: Path, full: bool) -> None:
    kills, rows = (30, 50_000) if full else (3, 3_000)
    given = commands.generated(files, rows)
    chance = random.Random(SEED)
    folder = make(kind)
    capacity = filled(folder, given)
    begun = time.monotonic()
    assert inside(folder, "owner", "assign", "--dry-run").status == 0
    whole = 1.5 + 3 * (time.monotonic() - begun)  # a process starts, weighs and writes
    hits, attempts = 0, 0
    while hits < kills:
        attempts += 1
        assert attempts < 10 * kills, "too fast to be killed"
        hits += killed_after(chance.uniform(0.3, whole), folder, "owner", "assign")
        everybody, owned = state(folder, capacity)
        if owned == everybody and hits < kills:  # begin again with nobody owned
            folder = make(kind, f"again{attempts}")
            capacity = filled(folder, given)
    finish(folder, capacity)
