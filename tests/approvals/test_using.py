"""Spending: in the transaction that does the thing, once, whoever else tries at the same moment."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from children import exit_codes
from office import Office, account

from crmctl.approvals import using
from crmctl.cli.invocation import Invocation
from crmctl.errors import PlanStale
from crmctl.runs import run as runs
from crmctl.store.engine import write

LI, WANG = 1001, 1002
RACERS = 4


def _spend(folder: Path, number: int) -> None:
    """Spend an approval that was found usable before, and stay in the transaction a while; exit as a command would."""
    with account(LI), runs.open_run(Invocation(workspace=folder), "tier regrade", "tier.regrade") as run:
        run = runs.begin(run)
        try:
            with write(run.engine) as conn:
                using.spend(conn, run, number)
                time.sleep(0.3)  # the others come meanwhile
        except PlanStale as refused:
            os._exit(refused.exit_code)
    os._exit(0)


def test_of_those_who_spend_at_once_exactly_one_wins(office: Office) -> None:
    office.ask()
    office.approve(WANG, 1)
    assert sorted(exit_codes(_spend, [(office.folder, 1)] * RACERS), key=str) == [0, *[8] * (RACERS - 1)]
    assert office.state(1) == "used"


def test_what_is_undone_spends_nothing(office: Office) -> None:
    office.ask()
    office.approve(WANG, 1)

    class Stopped(Exception):
        pass

    with office.running(LI) as run, pytest.raises(Stopped), write(run.engine) as conn:
        using.spend(conn, run, 1)
        raise Stopped
    assert office.state(1) == "approved"
    assert office.use() == 1


def test_revoked_between_finding_and_spending(office: Office) -> None:
    office.ask()
    office.approve(WANG, 1)
    office.json(WANG, "approval", "revoke", 1, "--reason", "r")
    with office.running(LI) as run, pytest.raises(PlanStale) as refused, write(run.engine) as conn:
        using.spend(conn, run, 1)
    assert refused.value.code == "APPROVAL_REVOKED"


def test_an_approval_not_given_yet_is_not_spent(office: Office) -> None:
    office.ask()
    with office.running(LI) as run:
        for code in ("APPROVAL_MISSING", "APPROVAL_UNKNOWN"):
            with pytest.raises(Exception, match="approval") as refused, write(run.engine) as conn:
                using.spend(conn, run, 1 if code == "APPROVAL_MISSING" else 9)
            assert getattr(refused.value, "code", "") == code
    assert office.state(1) == "open"


def test_what_was_spent_on_exactly_this(office: Office) -> None:
    office.ask()
    office.approve(WANG, 1)
    given = {"act": "tier.regrade", "subject": "plan:12"}
    with write(office.engine) as conn:
        assert using.asked_for(conn, **given)
        assert not using.asked_for(conn, act="tier.regrade", subject="plan:13")
        assert using.spent_on(conn, subject_hash="a" * 64, **given) is None
    office.use()
    with write(office.engine) as conn:
        assert using.spent_on(conn, subject_hash="a" * 64, **given) == 1
        assert using.spent_on(conn, subject_hash="b" * 64, **given) is None
