"""What every command is asked alike with which somebody agrees to what somebody else asked for, or refuses it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from crmctl.i18n import N_

FILE = click.Path(path_type=Path)


def decision_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a decision on paper, signed, or with a reason."""
    parameters = (
        click.option(
            "--by", default="", metavar="STAFF", help=N_("Enter the decision of this person or staff number.")
        ),
        click.option(
            "--document", default="", metavar="NUMBER", help=N_("Number of the paper or OA flow it was decided in.")
        ),
        click.option("--scan", type=FILE, metavar="FILE", help=N_("Scan of the paper; kept sealed.")),
        click.option(
            "--signature", type=FILE, metavar="FILE", help=N_("SSH signature of what `approval statement` prints.")
        ),
        click.option("--reason", default="", help=N_("Why; kept sealed.")),
    )
    for parameter in reversed(parameters):
        function = parameter(function)
    return function
