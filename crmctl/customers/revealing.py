"""`customer show --reveal`: personal values in clear, for a purpose, logged before they are shown (ACC-04, USE-02)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers import disclosing, ended, records, scope
from crmctl.customers.model import PUT_AWAY
from crmctl.customers.records import Shown
from crmctl.runs import allowance
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.use import purposes, tickets
from crmctl.use import records as uses

ACT = "customer.reveal"


@dataclass(frozen=True)
class Wish:
    """What is asked to be shown in clear: fields, purpose and ticket as typed; an open case as ticket says what for."""

    fields: str
    purpose: str
    ticket: str


@dataclass(frozen=True)
class Revealed:
    """A customer with these fields in clear; `record_id` is the record of use that says so."""

    run: Run
    shown: Shown
    fields: Sequence[str]
    purpose: str
    record_id: int


def reveal(run: Run, number: int, wish: Wish) -> Revealed:
    """Return a customer with some fields in clear. When it returns, entry and record of use are committed.

    Raises Refused for a customer there is none of (or out of scope), and for who is put away, but for an open case of
    theirs; PermissionMissing (logged) for a forbidden purpose, a field kept back, a limit reached. Whatever keeps the
    entry from being written keeps the values from being shown. The envelope opens whole: the customer's other fields
    are decrypted too, inside this process.
    """
    codes = disclosing.names(run, wish.fields, "--reveal")
    scope.require(run, (number,))
    of = f"customer:{number}"
    with purposes.denials_logged(run, ACT, obj=of, fields=list(codes)):
        purpose, ticket = tickets.justified(run, wish.purpose, wish.ticket, (number,))
        disclosing.revealable(run, codes, purpose)
        page = records.page(run, records.Filters(numbers=(number,)), 1, codes)
        if not page.customers:  # destroyed this moment
            raise scope.refused(run, number)
        case = tickets.stands_for(run, ticket, (number,))  # an open one of theirs is reason enough
        if page.customers[0].clear["status"] == PUT_AWAY and case is None:
            raise ended.put_away(number)
        run = runs.begin(run)
        with runs.recorded_failure(run), engine.write(run.engine) as conn:
            record = uses.record(conn, run, act=ACT, purpose=purpose.code, rows=1)
            runs.finish(conn, run, "done", 0, {"fields": len(codes)})
            allowance.within(conn, run, ACT)
            body = run.entry(
                "done", at=clock.now(), obj=of, n=1, fields=list(codes), purpose=purpose.code, ticket=ticket
            )
            entries.append(conn, body)
    return Revealed(run, page.customers[0], codes, purpose.code, record)


def blank(found: Revealed) -> list[str]:
    """Return the fields that were asked for and of which neither the customer nor a contact person has a value."""
    shown = found.shown
    places = (shown.clear, shown.personal, *shown.contacts)
    return [code for code in found.fields if all(place.get(code) in (None, "") for place in places)]
