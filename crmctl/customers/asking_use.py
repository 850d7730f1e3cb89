"""What people type to export customers or to ask for it → wishes, in codes."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.customers import disclosing, exporting, records
from crmctl.customers.asking import code_of
from crmctl.customers.records import Filters
from crmctl.errors import UsageProblem
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.use import purposes, requests

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

PRIVATE = "company"  # the one filter that is free text


@dataclass(frozen=True)
class Requested:
    """A request that was recorded, and which fields its export will have in full and masked."""

    request: requests.Request
    full: list[str]
    masked: list[str]


def filters_of(run: Run, given: Mapping[str, Any]) -> Filters:
    """Return the filters of options. Raises InvalidInput for names that nobody knows."""
    return Filters(
        tier=code_of(run.policies, "tier", given["tier"]),
        owner=given["owner"],
        status=code_of(run.policies, "status", given["status"]),
        type=code_of(run.policies, "type", given["type_"]),
        org_unit=code_of(run.policies, "org_unit", given["org_unit"]),
        batch=given["batch"],
        flag=given["flag"].upper() or ("*" if given["flagged"] else ""),
        company=given["company"],
    )


def export_wish(run: Run, call: Invocation, out: Path, use: int | None, given: Mapping[str, Any]) -> exporting.Wish:
    """Return what `customer export` was asked for; what is left out is the use request's, where one is named.

    Raises UsageProblem for what neither says.
    """
    fields, purpose, recipient = given["fields"], given["purpose"], given["recipient"]
    filters = filters_of(run, given)
    if use is not None:
        with purposes.denials_logged(run, exporting.ACT), engine.read(run.engine) as conn:
            request = requests.of_own(conn, run, use, exporting.ACT)
        fields = fields or ",".join(request.fields)
        purpose, recipient = purpose or request.purpose, recipient or request.recipient
        if filters == Filters():
            kept = {name: value for name, value in request.selection.items() if name != "digest"}
            filters = Filters(**kept, **requests.told(run, request)["private"])
    for option, value in (("--fields", fields), ("--purpose", purpose), ("--recipient", recipient)):
        if not value:
            raise UsageProblem(
                _("customer export: {option} is missing").format(option=option),
                hint=_("name fields, purpose and recipient, or an approved request with --use"),
            )
    return exporting.Wish(
        fields=disclosing.names(run, fields, "--fields", own=True),
        purpose=purpose,
        recipient=recipient,
        ticket=given["ticket"],
        filters=filters,
        source=given["source"],
        form=call.output,
        headers=call.headers,
        path=out,
        use=use,
    )


def request(run: Run, why: str, given: Mapping[str, Any]) -> Requested:
    """Record a use request for `customer export`. Raises PermissionMissing (logged) for what can never be approved.

    Raises Refused (logged) where the filters find nobody.
    """
    codes = disclosing.names(run, given["fields"], "--fields", own=True)
    responsible = requests.person_or_number(given["responsible"])
    manner = purposes.manner(run.policies, given["manner"])
    filters = filters_of(run, given)
    with purposes.denials_logged(run, run.act, fields=list(codes)):
        purpose = purposes.purpose(run.policies, given["purpose"])
        recipient = purposes.recipient(run.policies, given["recipient"])
        asked = disclosing.asked(run, codes, purpose)
        numbers = array("q", records.numbers(run, filters))
        requests.needed(run, exporting.ACT, recipient, len(numbers))
    if not numbers:
        raise exporting.nobody(run, codes, purpose, recipient)
    with purposes.denials_logged(run, run.act, fields=list(codes)):
        kept = {name: value for name, value in asdict(filters).items() if value not in ("", None, 0)}
        wish = requests.Wish(
            act=exporting.ACT,
            purpose=purpose,
            manner=manner.code,
            responsible=responsible,
            recipient=recipient,
            fields=codes,
            selection={name: value for name, value in kept.items() if name != PRIVATE},
            private={name: value for name, value in kept.items() if name == PRIVATE},
            rows=len(numbers),
            digest=requests.number_digest(numbers),
            necessity=why,
        )
        begun = runs.begin(run)
        with runs.recorded_failure(begun):
            made = requests.ask(begun, wish)
    full = [each.code for each in asked if each.how == "full"]
    return Requested(made, full, [each.code for each in asked if each.how == "masked"])
