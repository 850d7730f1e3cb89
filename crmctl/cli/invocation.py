"""The settled answer to "how was I called": what a command gets as its first argument."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmctl.i18n import _

if TYPE_CHECKING:
    from pathlib import Path

    from crmctl.cli.progress import Progress
    from crmctl.cli.render import Part

DEFAULT_TIMEOUT = 30.0


@dataclass(frozen=True)
class Invocation:
    """One call of one command. Settings are final; methods speak to the caller in the form the caller asked for."""

    command: str = ""
    workspace: Path | None = None
    output: str = "table"
    headers: str = ""
    as_of: str | None = None
    dry_run: bool = False
    yes: bool = False
    no_input: bool = False
    quiet: bool = False
    silent: bool = False  # under -q even the table is dropped: it says only that all went well
    verbose: int = 0
    lang: str = "en"
    log_format: str = "text"
    color: bool = False
    timeout: float = DEFAULT_TIMEOUT
    given: frozenset[str] = frozenset()  # names of the shared options given on the command line

    @property
    def as_json(self) -> bool:
        """Say whether a program reads the result and the failures."""
        return self.output in ("json", "ndjson")

    def say(self, line: str, tone: str = "") -> None:
        """Tell a person one line on standard error; silent under -q, and for programs, whose document has the facts."""
        from crmctl.cli.escape import styled
        from crmctl.cli.screen import is_terminal

        if not self.quiet and (not self.as_json or is_terminal(sys.stderr)):
            sys.stderr.write(styled(line, tone, self.color) + "\n")

    def warn(self, line: str) -> None:
        """Warn on standard error, -q or not: a line for people, an object with `level` and `message` for programs."""
        from crmctl.cli.escape import styled

        if self.as_json:
            import json

            sys.stderr.write(json.dumps({"level": "warning", "message": line}) + "\n")
        else:
            sys.stderr.write(styled(_("crmctl: warning: {message}").format(message=line), "warn", self.color) + "\n")

    def emit(self, document: Mapping[str, Any], *parts: Part, trouble: bool = False) -> None:
        """Write the result to standard output in the form asked for; see `render.emit`.

        `trouble` says that a person must see it even where -q drops the good news.
        """
        from crmctl.cli.render import emit

        if trouble or self.output != "table" or not (self.quiet and self.silent):
            emit(self, document, *parts)

    def confirm(self, question: str, flag: str = "--yes") -> bool:
        """Ask yes or no on a terminal; --yes answers it. Raises UsageProblem naming `flag` where nobody can answer."""
        from crmctl.cli.prompts import confirm

        return self.yes or confirm(self, question, flag)

    def progress(self, label: str, total: int | None = None) -> contextlib.AbstractContextManager[Progress]:
        """Return a block that shows rows and rows a second on a terminal, nothing elsewhere."""
        from crmctl.cli.progress import progress

        return progress(self, label, total)
