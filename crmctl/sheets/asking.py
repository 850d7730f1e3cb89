"""Empty sheets on their way to whoever asked for them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl import files
from crmctl.errors import UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation


def deliver(call: Invocation, data: bytes, out: Path | None) -> None:
    """Write an empty sheet to a file or standard output. Raises UsageProblem when a workbook would go to a terminal."""
    from crmctl.cli.screen import is_terminal

    if out is not None:
        with files.atomic_output(out) as stream:
            stream.write(data)
        call.say(_("{path}: written").format(path=out))
        return
    if call.output == "xlsx" and is_terminal(sys.stdout):
        raise UsageProblem(_("a workbook does not go to a terminal"), hint=_("add > FILE or --out FILE"))
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
