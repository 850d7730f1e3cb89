"""Who is meant by `--by`: a person of access.yaml, or somebody of the staff register who is none of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, or_, select

from crmctl.approvals.decide import Decider
from crmctl.audit import entries
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.run import Run, access_of
from crmctl.security.access import AccessSettings
from crmctl.store import schema

STAFF = "staff:"  # before a staff number, where the decider is nobody of access.yaml
_NAMES = ("number", "wecom_id", "dingtalk_id", "hr_id")


def meant(conn: Connection, run: Run, text: str) -> tuple[Decider, str]:
    """Return who decided, entered by the actor, and what the log calls them.

    Somebody of the staff register whose number or account access.yaml gives a person, or who is called as one there, is
    that person: one pair of eyes. Raises Refused for nobody in post.
    """
    access, operator = access_of(run.policies), run.actor.person
    if text in access.people:
        return Decider(text, None, operator), text
    row = _in_post(conn, text)
    known = person_of(access, row)
    if known is not None:
        return Decider(known, None, operator), known
    return Decider(f"{STAFF}{row['number']}", row["post"] or "", operator), f"staff.{row['staff_id']}"


def person_of(access: AccessSettings, row: Any) -> str | None:  # noqa: ANN401 - a row of the register
    """Return which person of access.yaml a row of the staff register is; None for none of them."""
    return next(_people(access, row), None)


def _people(access: AccessSettings, row: Any) -> Iterator[str]:  # noqa: ANN401 - a row of the register
    accounts = {int(uid) for uid in (row["uids"] or "").split()}
    names = {row[name] for name in _NAMES if row[name]}
    for name, person in access.people.items():
        if row["number"] == person.staff or name in names or accounts & {*person.uids}:
            yield name


def somebody(conn: Connection, run: Run, text: str) -> tuple[str, frozenset[str]]:
    """Return what somebody is called in registers and in the log, and who of access.yaml they are, by every name.

    They are called by their name of access.yaml where it was given, else by the staff number; by the number of the row
    where the log cannot have that. Raises Refused for nobody in post.
    """
    access = access_of(run.policies)
    person = access.people.get(text)
    if person is None:
        row = _in_post(conn, text)
        number = row["number"] if entries.PERSON.fullmatch(row["number"]) else f"staff.{row['staff_id']}"
        return number, frozenset(_people(access, row))
    names = {text}
    with contextlib.suppress(Refused):  # of whom the register knows nothing
        names.update(_people(access, _in_post(conn, person.staff or text)))
    return text, frozenset(names)


def _in_post(conn: Connection, text: str) -> Any:  # noqa: ANN401 - a row of the register
    """Return the row of the register that a number or account there means; a room of subjects, so found by name."""
    staff = schema.load_all().tables["staff"]
    query = select(staff).where(or_(*(staff.c[name] == text for name in _NAMES)), staff.c.state == "active")
    found = conn.execute(query.limit(2)).mappings().all()
    if len(found) != 1:
        raise Refused(
            _("{text}: neither a person of policies/access.yaml nor a staff number in post").format(text=text[:40]),
            hint=_("see: crmctl staff list"),
            code="DECIDER_UNKNOWN",
        )
    return found[0]
