"""What people type about paper → what is to be registered, listed, said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crmctl import clock
from crmctl.errors import UsageProblem
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
        keeper(given["keeper"]),
        Texts(given["place"], given["note"] or ""),
    )


def keeper(text: str, flag: str = "--keeper") -> str:
    """Return who keeps, or saw, an item: a staff number or a name of access.yaml. Raises InvalidInput."""
    from crmctl.use import requests

    return requests.person_or_number(text, flag)


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
        keeper(given["witness"], "--witness") if given["witness"] else "",
        clock.parse_day(given["day"], "--on") if given["day"] else None,
    )
