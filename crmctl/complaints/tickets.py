"""An open complaint as ticket: reason enough to use the information of its customer, of no other (ACC-04, USE-02)."""

from __future__ import annotations

from collections.abc import Collection

from crmctl.cases import numbers
from crmctl.complaints import facts, judging, scope
from crmctl.complaints.model import Case
from crmctl.complaints.policy import numbered
from crmctl.errors import PermissionMissing
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.store import engine

PURPOSE = "complaint"  # as use.yaml calls it


def stands_for(run: Run, ticket: str, customers: Collection[int]) -> str | None:
    """Return the purpose an open complaint of these customers stands for; None for a number that is no complaint's.

    Raises PermissionMissing for one there is not or which is nothing of the person's (told alike), for who keeps out of
    it, for one that is closed, for one of somebody else.
    """
    if not numbers.FORM.fullmatch(ticket) or ticket.partition("-")[0] not in numbered(run.policies):
        return None
    with engine.read(run.engine) as conn:
        place = facts.place_of(conn, ticket)
        case = facts.case(conn, place) if place and scope.visible(conn, run, place) else None
        if case is None:
            raise PermissionMissing(
                _("--ticket {number}: there is no such complaint").format(number=ticket),
                hint=_("see: crmctl complaint list"),
                code="TICKET_UNKNOWN",
            )
        judging.require_person(conn, run, case)
    _require_open(case)
    if not case.concerned.issuperset(customers):
        raise PermissionMissing(
            _("--ticket {number}: is a complaint of somebody else").format(number=case.number),
            hint=_("a complaint stands for its own customer alone: crmctl complaint show {number}").format(
                number=case.number
            ),
            code="TICKET_OF_ANOTHER",
        )
    return PURPOSE


def _require_open(case: Case) -> None:
    if not case.standing.open:
        other = case.row["duplicate_of"]
        raise PermissionMissing(
            _("--ticket {number}: is closed, so it stands for nothing any more").format(number=case.number),
            hint=_("it repeats {number}, whose number to use").format(number=other)
            if other
            else _("if it goes on: crmctl complaint reopen {number}").format(number=case.number),
            code="TICKET_CLOSED",
        )
