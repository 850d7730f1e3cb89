"""Tickets that are cases of ours: an open one is reason enough to use its customer's information, and no other's.

Which cases there are is said by their rooms; a number of no such form is a ticket of another system, known by its form
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from typing import TYPE_CHECKING

from crmctl.errors import UsageProblem
from crmctl.i18n import _
from crmctl.use import purposes
from crmctl.use.policy import Purpose

if TYPE_CHECKING:
    from crmctl.runs.run import Run

# Each names a function of (run, ticket, customers): it returns the code of the purpose that such a case stands for,
# None for a number that is none of its own, and raises PermissionMissing where the case is closed, nothing of the
# person's or not about these customers.
TICKETS: tuple[str, ...] = ("crmctl.complaints.tickets:stands_for",)
StandsFor = Callable[["Run", str, Collection[int]], str | None]


def justified(run: Run, purpose: str, ticket: str, customers: Collection[int]) -> tuple[Purpose, str | None]:
    """Return purpose and ticket of a use of these customers' information; a case of ours says both with its number.

    Raises as `purposes.purpose` and `purposes.ticket_of`; PermissionMissing for a case that is closed, unknown to the
    person, one they keep out of, or of another customer; UsageProblem where nothing says what it is for.
    """
    if purpose:
        chosen = purposes.purpose(run.policies, purpose)
        number = purposes.ticket_of(chosen, ticket)
        stands_for(run, number, customers)
        return chosen, number
    code = stands_for(run, purposes.formed(ticket), customers)
    if code is None:
        raise UsageProblem(
            _("--purpose is missing"),
            hint=_("only the number of an open case says what it is for; give --purpose as well"),
        )
    return purposes.purpose(run.policies, code), ticket


def stands_for(run: Run, ticket: str | None, customers: Collection[int]) -> str | None:
    """Return the purpose that a case of ours stands for; None for any other ticket, and where none is given."""
    if not ticket:
        return None
    for target in TICKETS:
        module, _colon, name = target.partition(":")
        known: StandsFor = getattr(import_module(module), name)
        code = known(run, ticket, customers)
        if code is not None:
            return code
    return None
