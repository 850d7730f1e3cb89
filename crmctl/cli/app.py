"""`main`, the one way in: language first, then the command line, then the exit status.

Nothing here imports a command, SQLAlchemy, YAML or logging: `--help` and `--version` answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crmctl import __version__, front, i18n
from crmctl.cli import prescan
from crmctl.cli.lazy import LazyGroup
from crmctl.cli.screen import use_utf8
from crmctl.cli.shared import DOOR, OWNED, WORKSPACE_VARIABLE
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.front.caller import Front
    from crmctl.front.service import Service

ABOUT = N_("The written customer policy, executable: governed import, evidence and audit.")
EXAMPLES = ("crmctl init crm && cd crm", "crmctl customer import customers.xlsx", "crmctl doctor")
COMPLETION = "_CRMCTL_COMPLETE"


def root() -> LazyGroup:
    """Return the program: a group whose commands come from the table."""
    version = click.Option(
        ("--version",),
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_version,
        help=N_("Show the version and exit."),
    )
    behind = click.Option((front.BEHIND_FRONT,), is_flag=True, is_eager=True, hidden=True, callback=_alone)
    behind.expose_value = False
    program = LazyGroup("", ABOUT, EXAMPLES, [version, behind])
    next(option for option in program.params if option.name == "job").hidden = False  # type: ignore[attr-defined]
    return program


def _alone(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Refuse the word of broker mode's other side where it is not the whole command line (see front)."""
    if value and not context.resilient_parsing:
        raise UsageProblem(
            _("{flag} is for the front alone").format(flag=parameter.opts[0]),
            hint=_("leave it out; see docs/broker.md"),
        )


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"crmctl {__version__}")
        context.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status.

    Without `argv` it is the process's own, and a command then also protects the process's memory (no core dump, no
    debugger); with `argv` (a test, a caller in Python) the process is left as it was found.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    use_utf8()
    instruction = os.environ.get(COMPLETION)
    before = i18n.lang()
    mask = os.umask(0o077)
    early, workspace = prescan.scan(arguments), ""
    i18n.use(prescan.language(early, os.environ, ""))
    if instruction and argv is None:
        i18n.use(prescan.language(early, os.environ, prescan.workspace(early, os.environ, _here())))
        return _complete(instruction)
    try:
        door = _door(early, arguments) if argv is None else None
        if door is not None:
            arguments = list(door.arguments)
            early = prescan.scan(arguments)
        workspace = door.workspace if door is not None else prescan.workspace(early, os.environ, _here())
        i18n.use(prescan.language(early, os.environ, workspace))
        status = run(arguments, owned=argv is None, door=door)
        sys.stdout.flush()
        return status
    except BaseException as error:
        from crmctl.cli import failure

        caller = failure.Caller(early.as_json, arguments, workspace, failure.color_wanted(arguments))
        return failure.finish(error, caller)
    finally:
        os.umask(mask)
        if argv is not None:
            _leave(before)


def _leave(lang: str) -> None:
    """Give a caller in Python its language and its logging back."""
    i18n.use(lang)
    if "logging" in sys.modules:
        from crmctl import log

        log.release()


def _door(early: prescan.Early, arguments: list[str]) -> Front | Service | None:
    return front.door(arguments, early.workspace or os.environ.get(WORKSPACE_VARIABLE, ""))


def run(arguments: list[str], *, owned: bool, door: Front | Service | None = None) -> int:
    """Parse and run; return the command's own status. Raises what the command raises.

    `door` is broker mode's, where the workspace is a service account's.
    """
    program = root()
    try:
        with program.make_context("crmctl", arguments) as context:
            context.meta[OWNED] = owned
            context.meta[DOOR] = door
            return int(program.invoke(context) or 0)
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib costs 4 ms at start
    except OSError:  # the folder was removed under us
        return "/"


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    try:
        return shell_complete(root(), {}, "crmctl", COMPLETION, instruction)
    except Exception:  # a person is typing: no suggestion is better than a traceback across the line
        return 1
