"""What crosses between a caller and a service account: which parameters name files, and what becomes of them.

One list, so that whoever reviews broker mode finds on one page all that gets in and out. A parameter that names a
path and is not here is refused (tests/cli/test_crossing.py finds it).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.personal import ASK, PersonalValue
from crmctl.errors import PermissionMissing, UsageProblem
from crmctl.front.caller import Crossing, Front
from crmctl.front.noting import note
from crmctl.front.wire import FOLDER, READ, STREAM, WRITE
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.files import Lent
    from crmctl.front.service import Service

    Lendings = Mapping[tuple[str, int], Lent]

HERE = "here"  # the command then is the caller's own business, whatever workspace there is
_DECIDE = {"scan": READ, "signature": READ}
_IMPORT = {"file": STREAM, "mapping": READ, "rejects": WRITE}

FILES: Mapping[str, Mapping[str, str]] = {
    "customer import": _IMPORT,
    "order import": _IMPORT,
    "staff import": _IMPORT,
    "complaint import": _IMPORT,
    "customer template": {"out": WRITE},
    "customer export": {"out": WRITE},
    "customer cancel": {"listed": STREAM},
    "customer recall": {"listed": STREAM},
    "order template": {"out": WRITE},
    "staff template": {"out": WRITE},
    "complaint template": {"out": WRITE},
    "batch rejects": {"export": WRITE},
    "batch resume": {"file": STREAM, "rejects": WRITE},
    "owner handover sheet": {"out": WRITE},
    "owner handover wecom": {"out": WRITE},
    "hold set": {"listed": STREAM},
    "hold lift": {"listed": STREAM},
    "complaint attach": {"file": READ},
    "complaint file": {"out": WRITE},
    "complaint form": {"out": WRITE},
    "purge form": {"out": WRITE},
    "policy validate": {"paths": HERE},
    "policy test": {"paths": HERE},
    "policy questions": {"filled_in": READ},
    "calendar import": {"file": READ},
    "approval show": {"save_scan": WRITE},
    "approval approve": _DECIDE,
    "purge approve": _DECIDE,
    "purge reject": _DECIDE,
    "approval reject": _DECIDE,
    "audit export": {"out": WRITE, "bundle": FOLDER},
    "audit verify": {"bundle": HERE, "key": HERE, "pin": HERE},
    "audit checkpoint": {"log": HERE, "state": HERE, "add": READ},
}
OWN = frozenset({"init", "demo", "help"})  # commands that no service account has a part in
NEVER: Mapping[str, frozenset[str]] = {  # for the account's own administrator, or its cron
    "keys copy": frozenset({"dest"}),
    "backup create": frozenset({"to"}),
    "backup verify": frozenset({"identity"}),
    "backup restore": frozenset({"into", "identity", "keys_set", "masters"}),
    "backup drill": frozenset({"identity"}),
}


@contextlib.contextmanager
def through(
    door: Front | Service, leaf: click.Command, call: Invocation, values: dict[str, Any]
) -> Iterator[tuple[Invocation, dict[str, Any], int | None]]:
    """Yield call and values as this process is to carry them out, or the exit status when the command is done.

    Raises what `hand_over` and `take_in` raise.
    """
    if isinstance(door, Front):
        yield call, values, hand_over(door, leaf, call, values)
        return
    from pathlib import Path

    call = replace(call, workspace=Path(door.workspace))  # as root registered it
    with door.carried() as lent:
        yield call, take_in(door, lent, leaf, call, values), None


def hand_over(front: Front, leaf: click.Command, call: Invocation, values: Mapping[str, Any]) -> int | None:
    """Have the service account run this command and return its exit status; None where it is the caller's own.

    Raises UsageProblem for a path that is not passed on, or a personal value on the command line.
    """
    crossings = []
    if call.command in OWN:
        return None
    for parameter, position, value in _given(leaf, values):
        use = _use(call.command, parameter)
        if use == HERE:
            return None
        name = _file_name(call.command, parameter, value)
        if name is None:
            continue
        if use is None:
            raise UsageProblem(_refused(parameter), hint=_whose())
        crossings.append(Crossing(str(parameter.name), position, name, use))
    _one_standard_input(leaf, values, crossings)
    return front.pass_on(crossings)


def take_in(
    service: Service, lent: Lendings, leaf: click.Command, call: Invocation, values: dict[str, Any]
) -> dict[str, Any]:
    """Return the values with the caller's open files in place of names.

    Raises PermissionMissing, in the log, for a path that the caller names and has not opened for us, for a personal
    value on the command line, and for a command that no service account runs for somebody.
    """
    if not service.person:
        return values
    try:
        return _with_lent(service, lent, leaf, call, values)
    except PermissionMissing as refusal:
        note(service.workspace, call.command.replace(" ", "."), refusal)
        raise


def _with_lent(
    service: Service, lent: Lendings, leaf: click.Command, call: Invocation, values: dict[str, Any]
) -> dict[str, Any]:
    if call.command in OWN:
        message = _("{command}: not through a service account").format(command=call.command)
        raise PermissionMissing(message, hint=_("run it for yourself, elsewhere"), code="PATH_NOT_LENT")
    changed = {name: list(value) if isinstance(value, tuple) else [value] for name, value in values.items()}
    for parameter, position, value in _given(leaf, values):
        name, use = str(parameter.name), _use(call.command, parameter)
        if _file_name(call.command, parameter, value) is None:
            continue
        found: Lent | str | None = lent.get((name, position)) if use in (READ, WRITE, FOLDER) else None
        if use == STREAM and name == service.streamed and position == 0:
            found = "-"
        if found is None:
            raise PermissionMissing(_refused(parameter), hint=_whose(), code="PATH_NOT_LENT")
        changed[name][position] = found
    return {
        name: tuple(changed[name]) if isinstance(value, tuple) else changed[name][0] for name, value in values.items()
    }


def _given(leaf: click.Command, values: Mapping[str, Any]) -> Iterator[tuple[click.Parameter, int, Any]]:
    """Yield each value that was given, with its parameter and its place among several."""
    for parameter in leaf.params:
        value = values.get(str(parameter.name))
        for position, item in enumerate(value if isinstance(value, tuple) else (value,)):
            if item not in (None, ""):
                yield parameter, position, item


def _use(command: str, parameter: click.Parameter) -> str | None:
    """Return what a parameter's file is for; None for one that does not cross."""
    if isinstance(parameter.type, PersonalValue):
        return READ
    return FILES.get(command, {}).get(str(parameter.name))


def _file_name(command: str, parameter: click.Parameter, value: Any) -> str | None:
    """Return the file that a value names; None where it names none. Raises UsageProblem for an open personal value."""
    if isinstance(parameter.type, PersonalValue):
        return _personal_file(parameter, str(value))
    stdin = str(value) == "-" and _use(command, parameter) in (READ, STREAM)
    if stdin or not names_a_path(command, parameter):
        return None
    return str(value)


def names_a_path(command: str, parameter: click.Parameter) -> bool:
    """Say whether a parameter names a file or folder: by its type, by the list above, or as arguments so called do."""
    listed = parameter.name in FILES.get(command, {})
    called = isinstance(parameter, click.Argument) and any(parameter.name in uses for uses in FILES.values())
    return listed or called or isinstance(parameter.type, click.Path | click.File)


def _personal_file(parameter: click.Parameter, value: str) -> str | None:
    if value in (ASK, "-"):
        return None
    if value.startswith("@"):
        return value[1:]
    flag = parameter.opts[0]
    raise UsageProblem(
        _("{flag}: a personal value does not stand on the command line, which others can see").format(flag=flag),
        hint=_("{flag} alone (asks), {flag} - or {flag} @FILE").format(flag=flag),
        code="VALUE_VISIBLE",
    )


def _one_standard_input(leaf: click.Command, values: Mapping[str, Any], crossings: list[Crossing]) -> None:
    """Raise UsageProblem where a file becomes the other side's standard input and a value wants it too."""
    streamed = any(crossing.use == STREAM for crossing in crossings)
    for parameter, _position, value in _given(leaf, values):
        if streamed and isinstance(parameter.type, PersonalValue) and value in (ASK, "-"):
            flag = parameter.opts[0]
            message = _("{flag} -: standard input is already taken by another option").format(flag=flag)
            raise UsageProblem(message, hint=_("use {flag} @FILE").format(flag=flag))


def _refused(parameter: click.Parameter) -> str:
    return _("{name}: a service account opens no path that a caller names").format(name=parameter.opts[0])


def _whose() -> str:
    return _("the account's administrator runs this as a job; see docs/broker.md")
