"""The kinds of policy there are. A new kind is one line here; its model is imported when a file of it is read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from crmctl.i18n import N_

if TYPE_CHECKING:
    from crmctl.policy.model import Settings


class Kind(NamedTuple):
    """One kind: its name, the `module:class` of its settings, what it decides, whether a set must have it.

    `decider` is the `module:function` that decides a case by a policy of the kind (see `deciding`), `explainer` the one
    that says what a customer's policy decides about it and why (see `policy explain`); "" where none does.
    """

    name: str
    target: str
    meaning: str
    required: bool = False
    decider: str = ""
    explainer: str = ""

    def model(self) -> type[Settings]:
        """Return the pydantic model of its settings."""
        module, _colon, name = self.target.partition(":")
        found: type[Settings] = getattr(import_module(module), name)
        return found


KINDS: tuple[Kind, ...] = (
    Kind("company", "crmctl.policy.company:CompanySettings", N_("the company and its own numbers"), required=True),
    Kind("sources", "crmctl.policy.sources:SourcesSettings", N_("the written documents and their clauses")),
    Kind("access", "crmctl.security.access:AccessSettings", N_("people, roles, fields and who may do what")),
    Kind("customers", "crmctl.customers.policy:CustomersSettings", N_("what is recorded about a customer, and how")),
    Kind("tags", "crmctl.customers.tags:TagsSettings", N_("the tags a customer may carry")),
    Kind(
        "tiers",
        "crmctl.tiers.policy:TiersSettings",
        N_("the tiers, who belongs to each, what each is owed"),
        decider="crmctl.tiers.cases:decide_case",
        explainer="crmctl.tiers.explaining:explained",
    ),
    Kind("staff", "crmctl.staff.policy:StaffSettings", N_("what is recorded about staff, and who may own customers")),
    Kind(
        "owners",
        "crmctl.owners.policy:OwnersSettings",
        N_("who looks after which customers, pools and hand-overs"),
        decider="crmctl.owners.cases:decide_case",
    ),
    Kind("orders", "crmctl.orders.policy:OrdersSettings", N_("what is recorded of orders, and exchange rates")),
    Kind("use", "crmctl.use.policy:UseSettings", N_("what information may be used for, and to whom it may go")),
    Kind("notify", "crmctl.notify.policy:NotifySettings", N_("the channels that notices go to")),
    Kind("audit", "crmctl.audit.policy:AuditSettings", N_("who signs the audit log, and who else holds it")),
    Kind(
        "backup",
        "crmctl.backups.policy:BackupSettings",
        N_("how often backups are made and tried, how long they are kept"),
    ),
    Kind(
        "complaints",
        "crmctl.complaints.policy:ComplaintsSettings",
        N_("what a complaint is, its stages and limits, who keeps out, what closes it"),
    ),
    Kind(
        "complaint_sheet",
        "crmctl.complaints.sheetpolicy:ComplaintSheetSettings",
        N_("how a sheet of complaints is read"),
    ),
    Kind(
        "retention",
        "crmctl.retention.policy:RetentionSettings",
        N_("how long data are kept, and what becomes of them then"),
        decider="crmctl.retention.cases:decide_case",
        explainer="crmctl.retention.explaining:explained",
    ),
    Kind("calendar", "crmctl.worktime.policy:CalendarSettings", N_("working hours, holidays, make-up days")),
)

BY_NAME = {kind.name: kind for kind in KINDS}
