"""Every noun as data, so that help and completion import no command. Order here is order on the help page."""

from __future__ import annotations

from crmctl.i18n import N_


class GroupEntry:
    """One noun: its line in the list and an example its help begins with.

    `default` is the verb that is meant where none of the words is one: `owner handover 1001` gives.
    """

    __slots__ = ("default", "example", "help", "path")

    def __init__(self, path: str, help: str, example: str, default: str = "") -> None:
        self.path = path
        self.help = help
        self.example = example
        self.default = default


GROUPS: tuple[GroupEntry, ...] = (
    GroupEntry(
        "customer", N_("Customers: import, list, show, find, export, history."), "crmctl customer list --tier core"
    ),
    GroupEntry("batch", N_("Imports and their rejected rows."), "crmctl batch list"),
    GroupEntry("order", N_("Orders: import, list."), "crmctl order import orders.xlsx --dry-run"),
    GroupEntry("staff", N_("Staff: who works with customers, and who may own them."), "crmctl staff list --problems"),
    GroupEntry("staff absence", N_("Absences and deputies."), "crmctl staff absence list"),
    GroupEntry("tier", N_("Tiers: grade customers, explain, override."), "crmctl tier regrade --dry-run"),
    GroupEntry("owner", N_("Owners: who looks after which customer, and why."), "crmctl owner list --without --unfit"),
    GroupEntry(
        "owner handover",
        N_("Books handed from one person to others, accepted, given back."),
        "crmctl owner handover 1001 --to 1002 --dry-run",
        "give",
    ),
    GroupEntry(
        "owner collaborator",
        N_("Collaborators: who works on a customer beside its owner."),
        "crmctl owner collaborator add C-000123 1002 --until 2027-06-30",
    ),
    GroupEntry(
        "complaint",
        N_("Complaints: from acceptance to closing, on real clocks."),
        "crmctl complaint open C-000123 --channel phone --category quality",
    ),
    GroupEntry(
        "hold",
        N_("Holds: what may not be destroyed for now, and why."),
        "crmctl hold set C-000123 --kind legal --reason -",
    ),
    GroupEntry(
        "purge",
        N_("Purges: what is destroyed when its time is over, and the proof of it."),
        "crmctl purge plan",
    ),
    GroupEntry(
        "paper",
        N_("Paper and media: where they lie, who keeps them, what has to be destroyed."),
        "crmctl paper list --due",
    ),
    GroupEntry(
        "approval", N_("Approvals: what somebody else has to agree to, and who did."), "crmctl approval list --open"
    ),
    GroupEntry("use", N_("Use of customer information: ask, record, copies."), "crmctl use copies --due"),
    GroupEntry("notify", N_("Notices: what waits for its channel, what failed."), "crmctl notify list --state failed"),
    GroupEntry(
        "sla",
        N_("Time limits: when one ends, and every interval that counts."),
        'crmctl sla explain --from 2026-09-30T17:00 --within "7 working days"',
    ),
    GroupEntry(
        "calendar", N_("Working calendars: list, show a year, take days in."), "crmctl calendar show --year 2027"
    ),
    GroupEntry("audit", N_("The audit log: read it, verify it."), "crmctl audit verify"),
    GroupEntry("policy", N_("The policy files: check and show them."), "crmctl policy validate"),
    GroupEntry("access", N_("Who may do what, and who saw what."), "crmctl access show"),
    GroupEntry("keys", N_("The key store that the sealed data depends on."), "crmctl keys status"),
    GroupEntry(
        "backup",
        N_("Backups of the data and of the keys: make, verify, restore, try."),
        "crmctl backup create --to /mnt/backup/data",
    ),
    GroupEntry("db", N_("The database and its revision."), "crmctl db current"),
    GroupEntry("config", N_("The workspace's configuration."), "crmctl config show"),
)
