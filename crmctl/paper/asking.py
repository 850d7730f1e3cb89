"""What people type about paper → what is to be registered, listed, said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crmctl import clock
from crmctl.errors import InvalidInput, Refused, UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.paper.confirming import Said
    from crmctl.paper.records import Asked
    from crmctl.paper.registering import Wish
    from crmctl.runs.run import Run


def wish(run: Run, given: Mapping[str, Any]) -> Wish:
    """Return what the options of `paper add` ask for. Raises UsageProblem, InvalidInput."""
    from crmctl.customers.showing import parse_number
    from crmctl.paper.registering import Wish
    from crmctl.paper.texts import Texts
    from crmctl.use import purposes

    if not given["place"]:
        raise UsageProblem(_("--place is missing"), hint=_("where it lies, as in --place @place.txt"))
    return Wish(
        tuple(sorted({parse_number(number) for number in given["customers"]})),
        purposes.paper_kind(run.policies, given["kind"]).code,
        keeper(run, given["keeper"]),
        Texts(given["place"], given["note"] or ""),
    )


def keeper(run: Run, text: str) -> str:
    """Return who keeps an item: a staff number, or a name of access.yaml. Raises InvalidInput for nobody in post."""
    return _somebody(run, text, "--keeper")[0]


def witness(run: Run, text: str) -> str:
    """Return who saw that an item was destroyed. Raises InvalidInput for nobody in post, and for the actor."""
    number, names = _somebody(run, text, "--witness")
    if run.actor.person in names:
        raise InvalidInput(
            _("--witness: is somebody else than who says so"), hint=_("leave it out"), code="WITNESS_INVALID"
        )
    return number


def _somebody(run: Run, text: str, flag: str) -> tuple[str, frozenset[str]]:
    """Return who is meant, and their names in access.yaml; what was typed is not repeated: it may be a customer's."""
    from crmctl.approvals import deciders
    from crmctl.store import engine

    try:
        with engine.read(run.engine) as conn:
            return deciders.somebody(conn, run, text)
    except Refused:
        raise InvalidInput(
            _("{flag}: neither a person of policies/access.yaml nor a staff number in post").format(flag=flag),
            hint=_("see: crmctl staff list"),
            code=f"{flag.lstrip('-').upper()}_INVALID",
        ) from None


def asked(run: Run, given: Mapping[str, Any]) -> Asked:
    """Return what the options of `paper list` ask for."""
    from crmctl.customers.showing import parse_number
    from crmctl.paper.records import Asked
    from crmctl.runs import run as runs

    return Asked(
        customer=parse_number(given["customer"]) if given["customer"] else None,
        keeper=given["keeper"],
        due=runs.today(run.policies, run.at).isoformat() if given["due"] else "",
        plan=given["plan"],
        all_=given["all_"],
        limit=given["limit"],
        before=given["before"],
    )


def said(run: Run, given: Mapping[str, Any]) -> Said:
    """Return what the options of `paper destroyed` say. Raises InvalidInput for what is unknown."""
    from crmctl.paper.confirming import Said
    from crmctl.use import purposes

    return Said(
        purposes.paper_method(run.policies, given["method"]),
        witness(run, given["witness"]) if given["witness"] else "",
        clock.parse_day(given["day"], "--on") if given["day"] else None,
        given["held"],
    )
