"""kill -9 at exact and at random moments of a re-grade: what is committed is whole, and the next run does the rest."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
from commands import inside, killed_after, strike
from sqlalchemy import func, select

from crmctl.audit.verify import verify
from crmctl.customers.tables import customer
from crmctl.store import engine
from crmctl.tiers.tables import tier_change

SEED = 20260106
STANDARD = '{contact: {as_needed: true}, source: ["004 §5②"]}'
TYPES = ("enterprise", "individual", "government")  # a policy for each, so that a run has several chunks
CORE = 500_000  # yuan

POINTS = {
    # where: (call, whether anything of the first chunk is committed)
    "the run is begun": ("after:1:crmctl.runs.run:begin", False),
    "all moves are known": ("after:1:crmctl.tiers.regrade:surveyed", False),
    "numbers of changes are taken": ("after:1:crmctl.store.counters:take:change", False),
    "tiers are written, not committed": ("after:1:crmctl.store.bulk:update_rows", False),
    "history is written, not committed": ("after:2:crmctl.store.bulk:insert_rows", False),
    "the entry is written, not committed": ("after:1:crmctl.audit.entries:append", False),
    "chunk 1 is committed": ("after:1:crmctl.tiers.regrade:apply", True),
    "chunk 2 is written, not committed": ("after:2:crmctl.audit.entries:append", True),
    "the last chunk is committed": ("after:4:crmctl.tiers.regrade:apply", True),
    "the run is finished, not committed": ("after:1:crmctl.runs.run:finish", True),
    "the last word is written, not committed": ("after:5:crmctl.audit.entries:append", True),
}


def policies(folder: Path) -> None:
    """Let each of `TYPES` have a policy of its own, and the company decide its numbers."""
    company = folder / "policies" / "company.yaml"
    text = company.read_text("utf-8")
    for name, amount in (("core_annual_amount", 1_000_000), ("important_annual_amount", 300_000)):
        text = text.replace(f"    {name}:\n      value: unset", f"    {name}:\n      value: {amount}")
    company.write_text(text, "utf-8")
    for kind in TYPES:
        (folder / "policies" / f"tiers.{kind}.yaml").write_text(
            f"kind: tiers\nschema: 1\nname: {kind}\nversion: 1\nowner: grading post\n"
            f"scope: {{customer_type: [{kind}]}}\nsettings:\n  tiers:\n"
            f"    - {{code: core, rank: 1, labels: {{zh: 核心}}, when: {{annual_amount: {{gte: {CORE}}}}},\n"
            f'       standard: {STANDARD}, source: ["004 §5①"]}}\n'
            f'    - {{code: ordinary, rank: 3, labels: {{zh: 普通}}, standard: {STANDARD}, source: ["004 §5①"]}}\n',
            "utf-8",
        )


def filled(folder: Path, given: commands.Given) -> None:
    policies(folder)
    assert inside(folder, "customer", "import", given.path).status == 3


def wanted(kind: str, amount: int | None) -> str:
    """Return the tier that the policies mean."""
    yuan = (amount or 0) / 100
    if kind in TYPES:
        return "core" if yuan >= CORE else "ordinary"
    return "core" if yuan >= 1e6 else "important" if yuan >= 300_000 else "ordinary" if yuan > 0 else "potential"


def state(folder: Path) -> tuple[int, int]:
    """Return how many customers there are and how many have a tier, after looking that nothing is half done."""
    newest = select(tier_change.c.customer_id, func.max(tier_change.c.change_id)).group_by(tier_change.c.customer_id)
    with oracle.opened(folder) as run:
        assert [problem.message for problem in verify(run.engine, changes=True, rows=True).problems] == []
        with engine.read(run.engine) as conn:
            people = conn.execute(select(customer)).mappings().all()
            history: Any = conn.execute(select(tier_change)).mappings().all()
            last = {(row[0], row[1]) for row in conn.execute(newest)}
    told = {row["customer_id"]: row["to_tier"] for row in history if (row["customer_id"], row["change_id"]) in last}
    assert told == {row["customer_id"]: row["tier"] for row in people if row["tier"] is not None}
    assert len(history) == len(told), "graded once, told once"
    for row in people:
        if row["tier"] is not None:
            assert row["tier"] == wanted(row["type"], row["annual_amount"])
            assert row["derived_version"] == 1
    return len(people), len(told)


def finish(folder: Path) -> None:
    """Type the command again, and once more: it completes, then has nothing to do."""
    everybody, done = state(folder)
    again = inside(folder, "tier", "regrade", "-o", "json")
    assert (again.status, again.err) == (0, b"")
    assert (again.document["graded"], again.document["changed"]) == (everybody, everybody - done)
    assert state(folder) == (everybody, everybody)
    assert inside(folder, "tier", "regrade", "-o", "json").document["changed"] == 0


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(folder: Path, small: commands.Given, where: str) -> None:
    point, committed = POINTS[where]
    filled(folder, small)
    done = strike(f"SIGKILL:{point}", folder, "tier", "regrade")
    assert (done.status, done.out) == (-signal.SIGKILL, b""), done.err

    everybody, graded = state(folder)
    assert (graded > 0) is committed
    if "last" in where or "finished" in where:
        assert graded == everybody
    finish(folder)


def test_killed_while_an_override_is_set(folder: Path, small: commands.Given) -> None:
    """The override is committed, the customer not graded yet: the next run does it, with nothing said again."""
    filled(folder, small)
    assert inside(folder, "tier", "regrade").status == 0
    with oracle.opened(folder) as run, engine.read(run.engine) as conn:
        number = conn.execute(
            select(func.min(customer.c.customer_id)).where(customer.c.tier == "ordinary")
        ).scalar_one()
    words = ("tier", "override", number, "--pin", "core", "--reason", "r")
    done = strike("SIGKILL:after:1:crmctl.tiers.overrides:put", folder, *words)
    assert done.status == -signal.SIGKILL, done.err

    again = inside(folder, "tier", "regrade", "-o", "json")
    assert again.document["matrix"] == {"ordinary": {"core": 1}}
    with oracle.opened(folder) as run:
        assert verify(run.engine, changes=True, rows=True).problems == ()


def test_killed_at_random_moments(make: Callable[..., Path], kind: str, files: Path, full: bool) -> None:
    kills, rows = (30, 50_000) if full else (2, 3_000)
    given = commands.generated(files, rows)
    chance = random.Random(SEED)
    folder = make(kind)
    filled(folder, given)
    begun = time.monotonic()
    assert inside(folder, "tier", "regrade", "--dry-run").status == 0
    whole = 1.5 + 3 * (time.monotonic() - begun)  # a process starts, surveys and writes
    hits, attempts = 0, 0
    while hits < kills:
        attempts += 1
        assert attempts < 10 * kills, "too fast to be killed"
        hits += killed_after(chance.uniform(0.3, whole), folder, "tier", "regrade")
        everybody, graded = state(folder)
        if graded == everybody and hits < kills:  # begin again with nobody graded
            folder = make(kind, f"again{attempts}")
            filled(folder, given)
    finish(folder)
