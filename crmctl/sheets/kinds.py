"""The kinds of import there are. A new kind is one line here; its room is imported when a batch of it is touched."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.sheets.intake import Importer
    from crmctl.sheets.policy import SheetSettings


class ImportKind(NamedTuple):
    """One kind: `batch.kind`, what it is called, and the `module:function` of its settings and of its importer."""

    name: str
    label: str
    settings: str
    importer: str


KINDS: tuple[ImportKind, ...] = (
    ImportKind("customer", N_("customers"), "crmctl.customers.records:settings_of", "crmctl.customers.intake:importer"),
    ImportKind("order", N_("orders"), "crmctl.orders.records:settings_of", "crmctl.orders.intake:importer"),
    ImportKind(
        "complaint",
        N_("complaints"),
        "crmctl.complaints.intake:settings_of",
        "crmctl.complaints.intake:importer",
    ),
    ImportKind("staff", N_("staff"), "crmctl.staff.intake:policy_of", "crmctl.staff.intake:importer"),
)


def settings_of(run: Run, kind: str) -> SheetSettings:
    """Return the field policy that files of a kind are read by."""
    found: SheetSettings = _resolve(_kind(kind).settings)(run)
    return found


def importer_of(kind: str) -> Importer:
    """Return what imports files of a kind."""
    found: Importer = _resolve(_kind(kind).importer)()
    return found


def label_of(kind: str) -> str:
    """Return what people call a kind."""
    return next((_(known.label) for known in KINDS if known.name == kind), kind)


def _kind(name: str) -> ImportKind:
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise InvalidInput(
        _("this program knows no imports of kind {kind}").format(kind=name),
        hint=_("use the version of the program that made the batch"),
        code="BATCH_KIND",
    )


def _resolve(target: str) -> Any:  # noqa: ANN401 - whatever the room keeps there
    module, _colon, name = target.partition(":")
    return getattr(import_module(module), name)
