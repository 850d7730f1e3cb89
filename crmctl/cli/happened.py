"""What every command is asked alike that records what happened, perhaps earlier than it is entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from crmctl.cli.personal import personal_option
from crmctl.i18n import N_


def happened_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --at, when it happened if earlier, and --late-reason, why it is entered only now."""
    at = click.option(
        "--at",
        default="",
        metavar="TIME",
        help=N_("When it happened, if earlier; never in the future, bounded by policy."),
    )
    late = personal_option("--late-reason", help=N_("Why it is entered only now."))  # sealed with what happened
    decorated: Callable[..., Any] = at(late(function))
    return decorated
