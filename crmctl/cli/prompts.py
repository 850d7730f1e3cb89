"""Questions on a terminal, asked on standard error. Under cron, in a pipe or with --no-input nobody is asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from crmctl.cli.escape import safe
from crmctl.cli.screen import is_terminal
from crmctl.errors import UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

_YES = ("y", "yes", "是", "好")


def ask(call: Invocation, question: str, flag: str) -> str:
    """Return a line typed by the person at the terminal. Raises UsageProblem naming `flag` where there is none.

    click.prompt writes part of its question to standard output, where data belongs; so this reads the line itself.
    """
    if call.no_input or not is_terminal(sys.stdin):
        raise UsageProblem(
            _("{command}: nobody can be asked here: {question}").format(command=call.command, question=question),
            hint=_("give {flag}").format(flag=flag),
            code="INPUT_NEEDED",
        )
    sys.stderr.write(safe(question) + " ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:  # end of input is no answer
        sys.stderr.write("\n")
    return line.strip()


def confirm(call: Invocation, question: str, flag: str) -> bool:
    """Say whether the person answered yes; anything else is no."""
    return ask(call, _("{question} [y/N]").format(question=question), flag).lower() in _YES
