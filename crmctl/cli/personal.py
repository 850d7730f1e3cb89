"""Options whose value is personal: process lists and shell histories must not learn it.

`--mobile` alone asks on the terminal, `--mobile -` reads one line of standard input, `--mobile @FILE` reads a file;
`--mobile 138…` works where a person runs the program for themselves, with a warning; in broker mode it is refused
(cli.crossing), and the file is one that the caller has opened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from crmctl.errors import InvalidInput, UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from pathlib import Path

    from crmctl.cli.invocation import Invocation

ASK = "\0ask"  # cannot be typed: no argument contains NUL
_LIMIT = 65536  # bytes


if TYPE_CHECKING:
    _ParamType = click.ParamType[str]  # generic for type checkers only: older versions of click are not
else:
    _ParamType = click.ParamType


class PersonalValue(_ParamType):
    """A value that the command line should not show."""

    name = "personal"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return what help shows in the value's place."""
        return "[-|@FILE]"


def personal_option(*declarations: str, help: str, multiple: bool = False) -> Callable[[Any], Any]:
    """Return the decorator of a personal option; `help` is a message id."""
    return click.option(
        *declarations, type=PersonalValue(), is_flag=False, flag_value=ASK, multiple=multiple, help=help
    )


def resolve_personal(call: Invocation, command: click.Command, values: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with every personal one replaced by its value."""
    stdin_taken = False
    for parameter in command.params:
        name = parameter.name
        if name is None or not isinstance(parameter.type, PersonalValue) or values.get(name) in (None, ()):
            continue
        flag = parameter.opts[0]
        given = values[name]
        several = isinstance(given, tuple | list)
        wanted = list(given) if several else [given]
        if (stdin_taken and "-" in wanted) or wanted.count("-") > 1:
            raise UsageProblem(
                _("{flag} -: standard input is already taken by another option").format(flag=flag),
                hint=_("use {flag} @FILE").format(flag=flag),
            )
        stdin_taken = stdin_taken or "-" in wanted
        found = [_resolve(call, flag, value) for value in wanted]
        values[name] = tuple(found) if several else found[0]
    return values


def _resolve(call: Invocation, flag: str, value: str | Path) -> str:
    if not isinstance(value, str):  # broker mode: @FILE, opened by the caller
        text = _from_file(flag, value)
    elif value == ASK:
        from crmctl.cli.prompts import ask

        text = ask(call, f"{flag}:", _("{flag} - or {flag} @FILE").format(flag=flag))
    elif value == "-":
        text = _decoded(flag, sys.stdin.buffer.readline(_LIMIT + 1))
    elif value.startswith("@"):
        from pathlib import Path

        text = _from_file(flag, Path(value[1:]))
    else:
        call.warn(
            _(
                "{flag}: its value shows in process lists; "
                "{flag} alone (asks), {flag} - or {flag} @FILE keep it private"
            ).format(flag=flag)
        )
        text = value
    if not text.strip():
        raise UsageProblem(_("{flag}: the value is empty").format(flag=flag), hint=_("give a value"))
    return text.strip()


def _from_file(flag: str, path: Path) -> str:
    from crmctl.files import open_input

    with open_input(path) as stream:
        return _decoded(flag, stream.read(_LIMIT + 1))


def _decoded(flag: str, data: bytes) -> str:
    if len(data) > _LIMIT:
        raise InvalidInput(_("{flag}: the value is longer than 64 KiB").format(flag=flag), code="VALUE_TOO_LONG")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(
            _("{flag}: the value is not UTF-8").format(flag=flag), hint=_("save it as UTF-8"), code="ENCODING_INVALID"
        ) from None
