"""kill -9 at every step of a purge: the same command finishes it, nobody is ever half destroyed (DES-06)."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from typing import Any

import pytest
from casework import HANDLER
from desks import ADMIN, STEWARD
from doomed import IMPORTS, PLAN, REJECTED, RUNS, Doomed
from sqlalchemy import delete, insert, select, update

from crmctl.audit import tree
from crmctl.retention.leaves import leaf_of
from crmctl.retention.tables import destruction, destruction_leaf
from crmctl.runs.tables import plan, plan_item, run
from crmctl.store.engine import write

SEED = 20261122
KINDS = ("sqlite", "postgresql")
POINTS = {
    # where: (call, whether there is no way back yet)
    "the run is begun": ("after:1:crmctl.runs.run:begin", False),
    "the beginning is written, not committed": ("before:1:crmctl.audit.entries:append:purge.begin", False),
    "the point of no return": ("after:1:crmctl.retention.records:begin", True),
    "who goes is written, not committed": ("after:1:crmctl.retention.judging:settle", True),
    "who goes is settled of the first": ("after:1:crmctl.runs.chunks:write", True),
    "who goes is settled of all": ("before:1:crmctl.retention.forgetting:forget", True),
    "who goes is fixed, not committed": ("before:1:crmctl.audit.entries:append:purge.settle", True),
    "paper is due, not committed": ("before:1:crmctl.audit.entries:append:purge.paper", True),
    "paper is due": ("after:1:crmctl.paper.marking:mark", True),
    "some identities are gone": ("after:1:crmctl.retention.forgetting:forget_slice", True),
    "identities are gone": ("after:1:crmctl.retention.forgetting:forget", True),
    "the first keys are about to go": ("before:1:crmctl.security.keystore:KeyStore.remove", True),
    "the first keys are gone, their rows are not": ("after:1:crmctl.security.keystore:KeyStore.remove", True),
    "rows are removed, not committed": ("after:1:crmctl.retention.purging:destroy", True),
    "digests are written, not committed": ("after:1:crmctl.retention.records:add", True),
    "the second keys are gone, their rows are not": ("after:2:crmctl.security.keystore:KeyStore.remove", True),
    "the last keys are gone, their rows are not": ("after:4:crmctl.security.keystore:KeyStore.remove", True),
    "which imports go is settled": ("after:1:crmctl.retention.unowned:settle", True),
    "keys of imports are gone, their rows are not": ("after:5:crmctl.security.keystore:KeyStore.remove", True),
    "rejected rows are removed, not committed": ("after:5:crmctl.retention.records:add", True),
    "some rejected rows are gone": ("before:6:crmctl.retention.records:add", True),
    "an import is emptied": ("before:1:crmctl.sheets.batches:spool_file", True),
    "values before changes are about to go": ("before:1:crmctl.retention.clearing:clear", True),
    "all is removed": ("before:1:crmctl.retention.ending:end", True),
    "the stores are settled": ("after:1:crmctl.store.hygiene:settle", True),
    "the end is written, not committed": ("after:1:crmctl.runs.run:finish", True),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the points take turns on the two databases, two of three on SQLite; at full scale all are tried on both."""
    if metafunc.function.__name__ != "test_killed_where":
        return
    turns = [(where, kind) for at, where in enumerate(POINTS) for kind in (KINDS if at % 3 else KINDS[::-1])]
    chosen = turns if metafunc.config.getoption("--full") else turns[::2]
    metafunc.parametrize(("where", "kind"), chosen)


def test_killed_where(doom_of: Callable[[str], Doomed], where: str, kind: str) -> None:
    doomed, (point, begun) = doom_of(kind), POINTS[where]
    done = doomed.purge(f"SIGKILL:{point}")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b""), done.stderr
    _whole_or_gone(doomed, begun)
    again = doomed.purge()
    assert again.returncode == 0, again.stderr
    (outcome,) = json.loads(again.stdout)["purges"]
    assert outcome["resumed"] is begun
    doomed.finished(outcome)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_told_to_end_while_chunks_are_at_work(doomed: Doomed, name: str) -> None:
    """What is at work ends whole, nothing else begins, the locks are free, and the same command goes on."""
    status = {"SIGTERM": 143, "SIGINT": 130}[name]
    done = doomed.purge(f"{name}:after:2:crmctl.retention.purging:destroy")
    assert done.returncode == status, done.stderr
    states = doomed.office.desk.rows(select(run.c.state).where(run.c.command == "purge run"))
    assert [row["state"] for row in states] == ["interrupted"]
    left = doomed.alive()
    assert 0 < left < doomed.customers
    again = doomed.purge()
    assert again.returncode == 0, again.stderr
    (outcome,) = json.loads(again.stdout)["purges"]
    doomed.finished(outcome)


def test_killed_at_random(doomed: Doomed, full: bool) -> None:
    """Killed again and again before one of its transactions: in the end all is done, and nothing twice."""
    chance, ends = random.Random(SEED), list[int]()
    for _turn in range(50 if full else 4):
        done = doomed.purge(f"SIGKILL:before:{chance.randint(1, 9)}:crmctl.store.engine:write")
        ends.append(done.returncode)
        doomed.office.sound()
        if done.returncode != -signal.SIGKILL:
            break
    assert -signal.SIGKILL in ends
    again = doomed.purge()
    if again.returncode:
        assert json.loads(again.stderr)["code"] == "PLAN_APPLIED"
    assert doomed.left() == {}
    assert doomed.digests() == doomed.customers + IMPORTS + RUNS
    doomed.office.sound()
    assert doomed.office.json(STEWARD, "purge", "verify", PLAN)["clean"]


def _whole_or_gone(doomed: Doomed, begun: bool) -> None:
    """Assert that people can go on working in the state in which the killed run left everything."""
    office = doomed.office
    office.sound()
    listed = office.json(STEWARD, "customer", "list", "--limit", 100)
    assert len(listed["customers"]) <= doomed.alive()
    assert office.json(STEWARD, "purge", "show", PLAN)["state"] == ("begun" if begun else "approved")
    source = office.desk.folder.parent / "meanwhile.csv"
    source.write_text("customer_type,name,mobile\nindividual,新人,13500000001\n", "utf-8")
    if begun:
        assert office.desk.refusal(STEWARD, "customer", "import", source, status=1) == "PURGE_UNFINISHED"


def test_who_was_settled_cannot_be_held_any_more(doomed: Doomed) -> None:
    """DES-07: a hold comes too late once there is no way back, and says so."""
    doomed.purge("SIGKILL:before:1:crmctl.retention.forgetting:forget")
    office = doomed.office
    words: tuple[Any, ...] = ("--kind", "legal", "--reason", office.text("太晚了"))
    assert office.desk.refusal(ADMIN, "hold", "set", "C-6", *words, status=1) == "PURGE_BEGUN"
    assert office.desk.refusal(HANDLER, *office.opening("C-7"), status=1) == "PURGE_BEGUN"
    assert doomed.purge().returncode == 0


def test_a_plan_that_was_edited_behind_our_back_goes_no_further(doomed: Doomed) -> None:
    """Whoever writes a customer into a begun plan destroys nobody: what was agreed to is hashed."""
    doomed.office.sql("UPDATE plan_item SET detail = '[0,1,\"00\",[]]' WHERE customer_id = 7")
    done = doomed.purge()
    assert (done.returncode, json.loads(done.stderr)["code"]) == (8, "PLAN_CHANGED")
    assert doomed.alive() == doomed.customers


FORGED = f"UPDATE plan_item SET detail = '[0,1,\"{'00' * 16}\",[]]' WHERE customer_id = "
FORGERIES = {
    "who goes, before anybody went": ("before:1:crmctl.retention.settled:fix", f"{FORGED}7"),
    "who goes, after some went": (
        "before:2:crmctl.security.keystore:KeyStore.remove",
        f"{FORGED}(SELECT min(customer_id) FROM plan_item WHERE customer_id > 0 AND detail <> '[]')",
    ),
    "who goes along with them": (
        "before:2:crmctl.security.keystore:KeyStore.remove",
        "UPDATE plan_item SET detail = replace(detail, ',[]]', ',[4]]') WHERE action = 'purging' AND detail <> '[]'",
    ),
    "a digest": (
        "before:2:crmctl.security.keystore:KeyStore.remove",
        "DELETE FROM destruction_leaf WHERE leaf = (SELECT leaf FROM destruction_leaf LIMIT 1)",
    ),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_nobody_goes_whom_nobody_agreed_to(doomed: Doomed, what: str) -> None:
    """DES-02: whoever writes into the plan of a killed purge gets nobody destroyed; the log has who was to go."""
    point, statement = FORGERIES[what]
    doomed.purge(f"SIGKILL:{point}")
    before, ways = doomed.alive(), doomed.ways()
    doomed.office.sql(statement)
    done = doomed.purge()
    assert (done.returncode, json.loads(done.stderr)["code"]) == (13, "PLAN_CHANGED")
    assert doomed.alive() == before
    assert doomed.ways() == ways
    assert doomed.office.desk.refusal(STEWARD, "purge", "verify", PLAN, status=1) == "PURGE_UNFINISHED"


def test_no_import_goes_that_nobody_agreed_to(doomed: Doomed) -> None:
    """DES-02: an import written into the plan of a killed purge keeps its key and its rejected rows."""
    doomed.purge("SIGKILL:before:5:crmctl.security.keystore:KeyStore.remove")
    doomed.office.sql(f'UPDATE plan_item SET detail = \'[[1,0,"","{"00" * 16}"]]\' WHERE customer_id = 0')
    before = doomed.left()
    done = doomed.purge()
    assert (done.returncode, json.loads(done.stderr)["code"]) == (13, "PLAN_CHANGED")
    assert doomed.left() == before
    assert before["rejected_row"] == REJECTED


def test_a_plan_that_was_killed_is_nothing(doomed: Doomed) -> None:
    """What is saved of it part by part is never carried out, says so, and is in nobody's way."""
    words = ("purge", "plan", "-o", "json")
    done = doomed.purge("SIGKILL:after:2:crmctl.runs.plans:Draft.add", *words)
    assert done.returncode == -signal.SIGKILL
    office = doomed.office
    assert office.json(STEWARD, "purge", "show", PLAN + 1)["state"] == "unasked"
    assert office.desk.refusal(STEWARD, "purge", "run", PLAN + 1, status=1) == "PLAN_UNASKED"
    again = json.loads(doomed.purge("", *words).stdout)
    assert (again["plan"], sum(again["destroy"].values())) == (PLAN + 2, 23)
    assert doomed.purge().returncode == 0
    office.sound()


def _forged(doomed: Doomed, plan: int, customer: int) -> None:
    """Write a root, a digest and an item of a purge that goes for one customer."""
    salt = bytes(16)
    leaf = leaf_of(salt, customer, plan)
    item = {"action": "purging", "detail": f'[0,1,"{salt.hex()}",[]]'}
    theirs = (plan_item.c.plan_id == plan, plan_item.c.customer_id == customer)
    with write(doomed.office.desk.engine) as conn:
        conn.execute(delete(destruction_leaf).where(destruction_leaf.c.plan_id == plan))
        conn.execute(insert(destruction_leaf).values(plan_id=plan, leaf=leaf))
        conn.execute(update(plan_item).where(plan_item.c.plan_id == plan).values(action="spared", after="edited"))
        conn.execute(update(plan_item).where(*theirs).values(**item, after=None))
        conn.execute(
            update(destruction)
            .where(destruction.c.plan_id == plan)
            .values(root=tree.root([leaf]), counts='{"going":1}')
        )


def test_nobody_goes_by_a_forged_root(doomed: Doomed) -> None:
    """DES-02: what was to go is in the log; a root written between a kill and the settling is not."""
    doomed.purge("SIGKILL:before:1:crmctl.retention.settled:fix")
    _forged(doomed, PLAN, 7)
    done = doomed.purge()
    assert (done.returncode, json.loads(done.stderr)["code"]) == (13, "PURGE_FORGED")
    assert doomed.alive() == doomed.customers


def test_nobody_goes_by_a_beginning_that_never_was(doomed: Doomed) -> None:
    """DES-02: a plan written as begun, which nobody agreed to, destroys nobody and proves nothing."""
    made = json.loads(doomed.purge("", "purge", "plan", "-o", "json").stdout)["plan"]
    with write(doomed.office.desk.engine) as conn:
        conn.execute(update(plan).where(plan.c.plan_id == made).values(state="applying"))
        values = {"plan_id": made, "state": "begun", "run_id": 1, "begun_at": doomed.office.hours.at, "counts": "{}"}
        conn.execute(insert(destruction).values(**values))
    _forged(doomed, made, 7)
    done = doomed.purge("", "purge", "run", made, "-o", "json")
    assert (done.returncode, json.loads(done.stderr)["code"]) == (13, "PURGE_FORGED")
    assert doomed.alive() == doomed.customers
    with write(doomed.office.desk.engine) as conn:
        conn.execute(update(destruction).where(destruction.c.plan_id == made).values(state="done"))
    assert doomed.office.desk.refusal(STEWARD, "purge", "verify", made, status=13) == "PURGE_FORGED"


def test_no_file_is_written_of_rows_that_are_about_to_go(doomed: Doomed) -> None:
    """DES-06: a copy that the purge does not know of never appears."""
    doomed.purge("SIGKILL:before:5:crmctl.security.keystore:KeyStore.remove")
    office = doomed.office
    (number,) = (row["batch"] for row in office.json(STEWARD, "batch", "list")["batches"] if row["rejected"])
    out = office.desk.folder.parent / "late.csv"
    assert office.desk.refusal(STEWARD, "batch", "rejects", number, "--export", out, status=1) == "PURGE_UNFINISHED"
    assert not out.exists()
    assert doomed.purge().returncode == 0
