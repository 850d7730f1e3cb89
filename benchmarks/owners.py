"""Measure `owner assign`: two customers in three without an owner, then nobody.

    python -m benchmarks.owners                       # 667,000 of 1,000,000 customers, 5,000 people, both databases
    python -m benchmarks.owners --customers 60000     # does it run at all

Customers, their tiers and the register are written straight into the tables: assigning reads figures, not people.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks.contenders import environment
from benchmarks.machine import script
from benchmarks.regrade import _run
from benchmarks.report import Budget
from benchmarks.sitting import Sitting, sit
from crmctl.customers.columns import CUSTOMER
from crmctl.customers.ownership import OWNERSHIP, ownership
from crmctl.customers.tables import customer
from crmctl.staff.tables import staff
from crmctl.store import bulk, engine

AT = "2026-01-01T00:00:00Z"
STAFF = 5_000
TIERS = ("core", "important", "ordinary", "ordinary", "potential", "potential", "potential")
REGIONS = ("浙江省", "江苏省", "上海市", "广东省", "北京市")
POLICY = """\
kind: owners
schema: 1
version: 1
owner: grading post
settings:
  rules:
    - code: core
      labels: {en: Core}
      when: {tier: {eq: core}}
      staff: {posts: [grading], level_from: senior, same: [region]}
      else_next: true
      source: ["004 §5②"]
    - {code: rest, labels: {en: Rest}, staff: {posts: [grading], same: [region]}, source: ["004 §5②"]}
  load: {by: tier, weights: [{tier: core, weight: 5}, {tier: important, weight: 2}]}
  former_owner: {within: 6}
  locked_out: {after: [reclaim], within: 90}
"""


def customers(number: int) -> Iterator[tuple[Any, ...]]:
    """Yield customers, every third with an owner."""
    given = {"type": "enterprise", "status": "draft", "created_at": AT, "updated_at": AT, "version": 1}
    given |= {"derived_version": 1, "sealed": b"", "sealed_hash": bytes(32), "completeness": 80}
    row = [given.get(name) for name in CUSTOMER]
    at = {name: CUSTOMER.index(name) for name in ("customer_id", "tier", "region", "owner_id")}
    for number_ in range(1, number + 1):
        row[at["customer_id"]] = number_
        row[at["tier"]] = TIERS[number_ % len(TIERS)]
        row[at["region"]] = REGIONS[number_ % len(REGIONS)]
        row[at["owner_id"]] = _owner(number_)
        yield tuple(row)


def _owner(number: int) -> int | None:
    return number % STAFF + 1 if number % 3 == 0 else None


def held(number: int) -> Iterator[tuple[Any, ...]]:
    """Yield the open rows of those who have an owner."""
    given = {"role": "owner", "since_at": AT, "reason": "import", "rule": "", "policy": "", "policy_version": 0}
    given |= {"inputs": "{}", "run_id": 1, "ordered_by": "bench"}
    for number_ in range(3, number + 1, 3):
        own = {"customer_id": number_, "ownership_id": number_, "staff_id": _owner(number_), **given}
        yield tuple(own.get(name) for name in OWNERSHIP)


def fill(url: str, number: int) -> None:
    """Write customers, their owners and the register."""
    base = engine.open_engine(url)
    each = {"state": "active", "post": "grading", "trained_on": "2025-01-06", "signed_on": "2025-01-06", "version": 1}
    stamps = {"created_at": datetime.fromisoformat(AT), "updated_at": datetime.fromisoformat(AT)}
    people = [
        {"staff_id": n, "number": f"B{n:05}", "name": f"N {n}", "region": REGIONS[n % len(REGIONS)],
         "level": "senior" if n % 2 else "mid", "capacity": number // STAFF * 3 // 2 + 10, **each, **stamps}
        for n in range(1, STAFF + 1)
    ]  # fmt: skip
    with engine.write(base) as conn:
        conn.execute(staff.delete())
        conn.execute(insert(staff), people)
    with engine.write(base) as conn:
        bulk.insert_rows(conn, customer, CUSTOMER, customers(number))
    with engine.write(base) as conn:
        bulk.insert_rows(conn, ownership, OWNERSHIP, held(number))
    if url.startswith("postgresql"):
        with base.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("ANALYZE")
    base.dispose()


def measured(name: str, url: str, number: int, home: Path) -> tuple[list[list[Any]], list[Budget], dict[str, Any]]:
    """Return table lines, verdicts and raw figures of one database."""
    crmctl, env = script("crmctl"), environment(home)
    assert crmctl is not None
    workspace = home / name
    _run(["init", workspace, "--demo", *(["--database", url] if url else [])], env, crmctl)
    (workspace / "policies" / "owners.yaml").write_text(POLICY, "utf-8")
    rules = workspace / "policies" / "staff.yaml"
    text = rules.read_text("utf-8").replace("    training_valid_for: $training_valid_months\n", "")
    rules.write_text(text, "utf-8")
    fill(url or f"sqlite:///{workspace / 'data' / 'crmctl.db'}", number)
    words = ["-w", workspace, "owner", "assign", "-o", "json", "--limit", "0"]
    runs = {"dry run": _run([*words, "-n"], env, crmctl), "first": _run(words, env, crmctl)}
    runs["second"] = _run(words, env, crmctl)
    told = {which: json.loads(run.stdout) for which, run in runs.items()}
    without = number - number // 3
    if told["first"]["assigned"] != without or told["second"]["assigned"] or told["first"]["unassignable"]:
        sys.exit(f"FAILED: {name}: {told['first']['assigned']} of {without} assigned")
    lines = [
        [f"{name}: {which}", f"{told[which]['assigned']:,}", f"{run.seconds:.2f}", f"{run.cpu_seconds:.1f}",
         f"{run.largest:.0f}"]
        for which, run in runs.items()
    ]  # fmt: skip
    scale = 600_000 / without
    must = 50 if name == "sqlite" else 70
    budgets = [Budget(f"{name}: 600,000 without owner", runs["first"].seconds * scale, "≤", must, 20, " s")]
    return lines, budgets, {which: run.seconds for which, run in runs.items()}


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    headers = ["case", "assigned", "wall s", "CPU s", "MB"]
    sitting = Sitting("owners", "customers", 1_000_000, _title, headers, measured)
    return sit(sitting, __doc__, argv)


def _title(customers: int) -> str:
    return f"Assigning owners, {customers:,} customers, {STAFF:,} people"


if __name__ == "__main__":
    sys.exit(main())
