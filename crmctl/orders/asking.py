"""The empty sheet for orders, from the policies of a workspace to whoever asked for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from crmctl.i18n import lang

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.customers.policy import CustomersSettings
    from crmctl.orders.policy import OrdersSettings


def write_template(call: Invocation, out: Path | None) -> None:
    """Write the empty sheet. Raises UsageProblem when a workbook would go to a terminal."""
    from crmctl import policy, workspace
    from crmctl.orders.template import template
    from crmctl.sheets.asking import deliver

    policies = policy.load(workspace.called(call).policies)
    settings = cast("OrdersSettings", policies.settings("orders"))
    shared = settings.sharing(cast("CustomersSettings", policies.settings("customers")))
    deliver(call, template(shared, lang(), call.output), out)
