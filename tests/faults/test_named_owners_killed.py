"""kill -9 while an import gives customers their owners: whoever has one has its row, and the batch goes on (OWN-03)."""

from __future__ import annotations

import signal
from pathlib import Path

import oracle
import pytest
from commands import inside, strike
from sqlalchemy import select

from crmctl.audit.verify import verify
from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.store import engine

POINTS = {
    # where in the second chunk: (call, customers with an owner by then)
    "customers are written, history not": ("before:2:crmctl.customers.ownership:begin", 2),
    "history is written, not committed": ("after:2:crmctl.customers.ownership:begin", 2),
    "the chunk is committed": ("after:2:crmctl.customers.apply:apply", 4),
}
STAFF = "number,name,trained_on,signed_on\nS1,One,2026-01-05,2026-01-05\nS2,Two,2026-01-05,2026-01-05\n"
COMPANIES = 7


def owners(folder: Path) -> dict[int, int]:
    """Return the owner of each company by its number, after looking that customers, open rows and log agree."""
    with oracle.opened(folder) as run, engine.read(run.engine) as conn:
        assert verify(run.engine, changes=True, rows=True).problems == ()
        columns = customer.c
        query = select(columns.customer_id, columns.owner_id, columns.company_name)
        held = conn.execute(query.where(columns.owner_id.is_not(None))).all()
        rows = conn.execute(select(ownership.c.customer_id, ownership.c.staff_id)).all()
    assert sorted(map(tuple, rows)) == sorted((row[0], row[1]) for row in held), "one row for each who has an owner"
    return {int(row[2].split()[-1]): row[1] for row in held}


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(folder: Path, where: str) -> None:
    point, owned = POINTS[where]
    staff, customers = folder.parent / "staff.csv", folder.parent / "owned.csv"
    staff.write_text(STAFF, "utf-8")
    assert inside(folder, "staff", "import", staff).status == 0
    lines = [f"Company {number},{'One' if number % 2 else 'S2'}\n" for number in range(1, COMPANIES + 1)]
    customers.write_text("".join(["company,owner name\n", *lines]), "utf-8")
    done = strike(f"SIGKILL:{point}", folder, "customer", "import", customers, "--chunk", 2)
    assert (done.status, done.out) == (-signal.SIGKILL, b""), done.err

    wanted = {number: 1 if number % 2 else 2 for number in range(1, COMPANIES + 1)}
    assert owners(folder) == {number: wanted[number] for number in range(1, owned + 1)}
    done = inside(folder, "batch", "resume", 2, "-o", "json")
    assert (done.status, done.err) == (0, b"")
    assert owners(folder) == wanted
    assert oracle.complaints(folder) == []
