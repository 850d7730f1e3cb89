"""What every command that changes many customers is asked alike: at once, as a saved plan, or by applying one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from crmctl.cli.invocation import Invocation
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
_ONE = N_("Only this customer; repeatable.")


def plan_options(*, max_changes: str, plan: str, limit: str) -> Decorator:
    """Return the decorator; the helps of the three options that speak of the subject are the command's own."""
    whole = click.IntRange(min=0)
    hours = N_("Hours that a saved plan may be applied; else as policy says.")
    parameters = (
        click.option("--customer", "customers", multiple=True, metavar="NUMBER", help=_ONE),
        click.option("--max-changes", type=whole, help=max_changes),
        click.option("--plan", is_flag=True, help=plan),
        click.option("--ask", is_flag=True, help=N_("With --plan: ask for approval to apply it beyond the limits.")),
        click.option("--apply", "apply_", type=click.IntRange(min=1), metavar="PLAN", help=N_("Apply a saved plan.")),
        click.option("--valid", type=click.IntRange(1, 24 * 30), help=hours),
        click.option("--limit", type=whole, default=20, help=limit),
    )

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for parameter in reversed(parameters):
            function = parameter(function)
        return function

    return decorate


def one_way(call: Invocation, given: Mapping[str, Any], customers: tuple[str, ...]) -> None:
    """Raise UsageProblem for options that contradict each other."""
    if given["ask"] and not given["plan"]:
        raise UsageProblem(_("--ask asks for approval of a plan: it goes with --plan"), hint=_("add --plan"))
    if given["plan"] and (given["apply_"] or call.dry_run):
        raise UsageProblem(
            _("--plan saves a plan: it goes with neither --apply nor --dry-run"), hint=_("leave one of them out")
        )
    if given["apply_"] and (customers or call.as_of):
        raise UsageProblem(
            _("--apply takes the plan as it is: neither --customer nor --as-of applies"),
            hint=_("leave one of them out"),
        )
