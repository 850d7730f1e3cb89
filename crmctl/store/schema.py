"""Every table of the main database, whichever room keeps it."""

from __future__ import annotations

from importlib import import_module

from sqlalchemy import MetaData

from crmctl.store.metadata import metadata

# Dotted names, resolved on use: foundations import no subject. Order is that of creation.
TABLE_MODULES = (
    "crmctl.store.counters",
    "crmctl.audit.tables",
    "crmctl.runs.tables",
    "crmctl.approvals.tables",
    "crmctl.use.tables",
    "crmctl.sheets.tables",
    "crmctl.customers.tables",
    "crmctl.customers.ownership",
    "crmctl.orders.tables",
    "crmctl.staff.tables",
    "crmctl.tiers.tables",
    "crmctl.owners.tables",
    "crmctl.notify.tables",
    "crmctl.cases.tables",
    "crmctl.satisfaction.tables",
    "crmctl.complaints.tables",
    "crmctl.holds.tables",
    "crmctl.paper.tables",
    "crmctl.retention.tables",
    "crmctl.backups.tables",
)


def load_all() -> MetaData:
    """Return the metadata with the tables of every room."""
    for module in TABLE_MODULES:
        import_module(module)
    return metadata
