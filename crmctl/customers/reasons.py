"""Why a row of a customer file was rejected, besides what may be wrong with any table."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.i18n import N_

REASONS: Mapping[str, tuple[str, str]] = {
    "TYPE_UNKNOWN": (N_("unknown customer type"), N_("use a type of policies/customers.yaml, or add the synonym")),
    "IDENTITY_CONFLICT": (
        N_("its keys belong to other customers, or to one with another name"),
        N_("compare with the candidates; correct the row or the customer"),
    ),
    "DO_NOT_RECREATE": (
        N_("asked to be forgotten, and was destroyed for it"),
        N_("take it out of the file; who came back is entered with --recreate"),
    ),
    "NO_MATCH": (N_("no such customer to update"), N_("check its keys, or import with --mode upsert")),
    "TYPE_CONFLICT": (
        N_("a person here, an organisation there"),
        N_("correct the type, or import it as a new customer"),
    ),
}
