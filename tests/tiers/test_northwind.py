"""Northwind graded by its orders: every tier and every total against a computation of its own (TIER-01)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import workspaces
from sqlalchemy import select

from crmctl.cli.invocation import Invocation
from crmctl.customers.tables import customer
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.tiers.regrade import Outcome, Request, regrade
from crmctl.tiers.tables import tier_change

NORTHWIND = Path(__file__).parents[2] / "docs" / "northwind"
CORE, IMPORTANT = Decimal("34985.60"), Decimal("10328.56")  # exactly what HUNGO and GODOS bought: both belong
LAST_DAY = "1998-05-06"  # of the last order; the twelve months begin on 1997-05-07


def totals(first: str, last: str) -> dict[str, Decimal]:
    """Return what each customer bought from a day to a day, by code; who never ordered is left out."""
    found: dict[str, Decimal] = {}
    with (NORTHWIND / "orders.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            inside = first <= row["order_date"] <= last
            if row["order_date"] <= last:
                found.setdefault(row["customer_code"], Decimal(0))
            if inside:
                found[row["customer_code"]] += Decimal(row["amount_usd"])
    return found


def tier_of(total: Decimal | None) -> str:
    if total is None or total <= 0:
        return "potential"
    return "core" if total >= CORE else "important" if total >= IMPORTANT else "ordinary"


@pytest.fixture
def northwind(tmp_path: Path, database_url: str) -> Iterator[Path]:
    """A workspace of a company that counts in dollars, with Northwind's customers and orders."""
    folder = workspaces.make(tmp_path / "northwind", database_url, demo=True)
    path = folder / "policies" / "company.yaml"
    text = path.read_text("utf-8").replace("currency: CNY", "currency: USD")
    for name, value in (("core_annual_amount", CORE), ("important_annual_amount", IMPORTANT)):
        at = text.index(f"    {name}:\n      value: ") + len(f"    {name}:\n      value: ")
        text = text[:at] + str(value) + text[text.index("\n", at) :]
    path.write_text(text, "utf-8")
    for noun, name in (("customer", "customers.csv"), ("order", "orders.csv")):
        imported(folder, noun, NORTHWIND / name)
    yield folder


def imported(folder: Path, noun: str, file: Path) -> None:
    import subprocess
    import sys

    words = [sys.executable, "-m", "crmctl", "-w", str(folder), noun, "import", str(file), "--source", "northwind"]
    done = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr.decode()


def graded(folder: Path, day: str, *, dry_run: bool = False) -> Outcome:
    call = Invocation(command="tier regrade", workspace=folder, as_of=day, dry_run=dry_run)
    with runs.open_run(call, "tier regrade", "tier.regrade", lock="tiers") as run:
        return regrade(run, Request(max_changes=91), lambda _done: None)


def stored(run: Run) -> dict[str, tuple[str, Any]]:
    """Return tier and what it rests on of each customer, by Northwind's code."""
    with engine.read(run.engine) as conn:
        query = select(customer.c.attributes, customer.c.tier, customer.c.tier_basis)
        return {
            orjson.loads(attributes)["external_codes"]["northwind"]: (tier, orjson.loads(basis))
            for attributes, tier, basis in conn.execute(query)
        }


def test_every_tier_and_every_total(northwind: Path) -> None:
    outcome = graded(northwind, LAST_DAY)
    expected = totals("1997-05-07", LAST_DAY)
    assert expected["HUNGO"] == CORE and expected["GODOS"] == IMPORTANT
    with workspaces.running(northwind, "customer list") as run:
        found = stored(run)
    assert len(found) == 91
    for code, (tier, basis) in found.items():
        assert tier == tier_of(expected.get(code)), code
        amount = basis["inputs"].get("annual_amount")
        assert amount == (None if code not in expected else int(expected[code] * 100)), code
    assert outcome.counts["graded"] == outcome.counts["changed"] == 91
    tiers = [tier for tier, _basis in found.values()]
    assert outcome.matrix == {"none": {tier: tiers.count(tier) for tier in sorted(set(tiers))}}


@pytest.mark.parametrize(
    ("day", "first"),
    [("1998-05-05", "1997-05-06"), ("1998-05-07", "1997-05-08"), ("1998-02-28", "1997-03-01"), ("1996-07-03", "")],
)
def test_windows_are_exact_to_the_day(northwind: Path, day: str, first: str) -> None:
    graded(northwind, day)
    expected = totals(first, day)
    with workspaces.running(northwind, "customer list") as run:
        for code, (tier, basis) in stored(run).items():
            total = expected.get(code)
            assert basis["inputs"].get("annual_amount") == (None if total is None else int(total * 100)), code
            assert tier == tier_of(total), code


def test_the_second_time_nothing_changes_and_the_year_after_what_should(northwind: Path) -> None:
    assert graded(northwind, "1997-05-06", dry_run=True).counts["changed"] == 91
    assert graded(northwind, "1997-05-06").counts["changed"] == 91
    assert graded(northwind, "1997-05-06").counts["changed"] == 0
    before, after = totals("1996-05-07", "1997-05-06"), totals("1997-05-07", LAST_DAY)
    with workspaces.running(northwind, "customer list") as run:
        codes = list(stored(run))
    moved = [code for code in codes if tier_of(before.get(code)) != tier_of(after.get(code))]
    planned = graded(northwind, LAST_DAY, dry_run=True)
    outcome = graded(northwind, LAST_DAY)
    assert outcome.counts["changed"] == len(moved) > 20
    assert (planned.counts, planned.matrix) == (outcome.counts, outcome.matrix)
    assert [move for _tally, move in planned.moves] == [move for _tally, move in outcome.moves]
    with workspaces.running(northwind, "customer list") as run, engine.read(run.engine) as conn:
        history = conn.execute(select(tier_change).order_by(tier_change.c.change_id)).mappings().all()
    assert len(history) == 91 + len(moved)
    assert {row["effective_at"] for row in history[:91]} == {datetime(1997, 5, 6, 15, 59, 59, tzinfo=UTC)}
