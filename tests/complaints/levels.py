"""Policies with levels of escalation and channels for tests, and what became of clocks and notices."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import pytest
from casework import TEXTS, Office
from desks import STEWARD
from sqlalchemy import select

from crmctl.cli.invocation import Invocation
from crmctl.complaints import opening
from crmctl.complaints.drafting import Request, draft
from crmctl.complaints.tables import complaint_clock
from crmctl.notify.tables import notification
from crmctl.runs import run as runs
from crmctl.store import engine

LEVELS = (
    "{code: warn, labels: {en: Near}, when: before, by: 2 working hours, to: [handler], channels: [group]}",
    '{code: overdue, labels: {en: Over}, when: at_end, to: [handler, "post:complaint"], channels: [group]}',
    '{code: manager, labels: {en: Up}, when: after, by: 1 working day, to: ["post:manager"], channels: [group, mail]}',
)
NOTIFY = """\
kind: notify
schema: 1
version: 2
owner: information post
settings:
  channels:
    - {code: group, labels: {en: Group}, by: command, command: [%s]}
    - {code: mail, labels: {en: Mail}, by: mail, lang: en, spool: data/mail, from: crm@example.cn, people_file: people}
"""


def leveled(office: Office, *levels: str, program: str = "/bin/true") -> None:
    """Give complaints these levels, the usual ones unless said, and the workspace two channels."""
    policies = office.desk.folder / "policies"
    block = "  escalation:\n" + "".join(f"    - {level}\n" for level in levels or LEVELS)
    for path in policies.glob("complaints*.yaml"):
        text = path.read_text("utf-8")
        text, count = re.subn(r"  escalation:\n(?:    .*\n)+", lambda _m: block, text)
        assert count == 1
        path.write_text(text, "utf-8")
    (policies / "notify.yaml").write_text(NOTIFY % program, "utf-8")
    people = office.desk.folder / "people"
    people.write_text("".join(f"K{n} k{n}@example.cn\n" for n in range(1, 8)) + "W1 w@example.cn\n", "utf-8")
    people.chmod(0o600)


def escalate(office: Office, *words: object, status: int = 0) -> dict[str, Any]:
    """Escalate as the administrator does from cron."""
    return office.json(1004, "complaint", "escalate", *words, status=status)


def counted(done: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Return how many limits went up, by level and stage."""
    return {(row["level"], row["stage"]): row["count"] for row in done["by_level"]}


def notices(office: Office) -> list[Mapping[str, Any]]:
    """Return the outbox, oldest first."""
    return [dict(row) for row in office.desk.rows(select(notification).order_by(notification.c.notification_id))]


def said(office: Office) -> list[tuple[str, str, str, str]]:
    """Return what the outbox says: channel, stage, level, recipient, in order."""
    found = []
    for row in notices(office):
        data = row["data"] if isinstance(row["data"], dict) else orjson.loads(row["data"])
        found.append((row["channel"], data["stage"], row["event"], row["recipient"]))
    return sorted(found)


def levels_of(office: Office) -> dict[int, int]:
    """Return the level of every clock."""
    return {row["clock_id"]: row["level"] for row in office.desk.rows(select(complaint_clock))}


def many(office: Office, number: int) -> Sequence[str]:
    """Open so many complaints of customer C-1 at once, as the steward; return their numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (STEWARD, STEWARD, STEWARD))
        call = Invocation(command="complaint open", workspace=office.desk.folder)
        with runs.open_run(call, "complaint open", "complaint.open") as run:
            run = runs.begin(run)
            with engine.read(run.engine) as conn:
                who = opening.complainant(conn, 1)
            handler = office.staff_ids["K1"]
            request = Request("phone", "quality", TEXTS, first_receiver=handler, handler=handler)
            prepared = draft(run, request, who, office.hours.at)
            with engine.write(run.engine) as conn:
                found = opening.register(conn, run, [(1, prepared, handler)] * number, who)
    return [each for each, _own in found]
