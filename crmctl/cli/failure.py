"""Every failure → one line (and what to do next) or one JSON object on standard error, and the exit status.

    crmctl: customers.csv: is not a regular file
      → give a file, or - for standard input

Under -o json or ndjson: {"code", "exit_code", "message", "hint", "details"} on one line, in ASCII.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from crmctl.cli.escape import safe, styled
from crmctl.cli.screen import is_terminal
from crmctl.errors import BUG, CrmctlError, Interrupted
from crmctl.i18n import N_, _, reason
from crmctl.log import redact

_STORAGE = {errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_TYPES = {
    "integer": N_("whole number"),
    "integer range": N_("whole number"),
    "float": N_("number"),
    "float range": N_("number"),
}
_PROBLEMS_SHOWN = 50


class Failure(NamedTuple):
    """What the caller is told. `page` is a help page shown to people before the message."""

    exit_code: int
    code: str
    message: str
    hint: str = ""
    details: Mapping[str, Any] = {}
    page: str = ""


class Caller(NamedTuple):
    """Who asked: in which form failures are told, the command line and workspace for a bug's report."""

    as_json: bool = False
    arguments: Sequence[str] = ()
    workspace: str = ""
    color: bool = False


def told(error: BaseException, caller: Caller) -> int:
    """Tell the caller about a failure and return the exit status."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, BrokenPipeError) and output_is_gone():
        return 1  # `| head` had enough; whoever reads cares no more
    failure = explain(error, caller)
    _write(failure, caller)
    return failure.exit_code


def explain(error: BaseException, caller: Caller) -> Failure:
    """Return what to say about a failure; a bug also leaves its report."""
    if isinstance(error, Interrupted | KeyboardInterrupt | click.Abort):
        return _interrupted(error)
    if isinstance(error, CrmctlError):
        return Failure(error.exit_code, error.code, error.message, error.hint, error.details)
    if isinstance(error, click.UsageError):
        return _usage(error)
    if isinstance(error, click.ClickException):
        return Failure(4 if isinstance(error, click.FileError) else 1, "REFUSED", error.format_message())
    if isinstance(error, OSError) and error.errno in _STORAGE:
        message = _("writing failed: {reason}").format(reason=reason(error))
        return Failure(74, "STORAGE_FAILED", message, _("free space, then run the same command again"))
    return _bug(error, caller)


def _interrupted(error: BaseException) -> Failure:
    number = error.exit_code if isinstance(error, Interrupted) else 130
    if number == 143:
        return Failure(143, "TERMINATED", _("terminated; what was in progress is rolled back"))
    return Failure(130, "INTERRUPTED", _("interrupted; what was in progress is rolled back"))


def _usage(error: click.UsageError) -> Failure:
    command = error.ctx.command_path if error.ctx else "crmctl"
    hint = _("{command} --help shows how").format(command=command)
    suggestions = list(getattr(error, "suggestions", ()))
    if isinstance(error, click.NoSuchOption) and not suggestions:
        suggestions = [str(option) for option in error.possibilities or ()]
        message = error.message
    else:
        message = _in_words(error, error.format_message())
    if suggestions:
        hint = _("did you mean {choices}?").format(choices=_(" or ").join(suggestions))
    details = {"suggestions": suggestions} if suggestions else {}
    message = redact(message.rstrip(".。"))  # click repeats what was typed, and that may be a phone in the wrong place
    return Failure(2, "USAGE", message, hint, details, getattr(error, "page", ""))


def _in_words(error: click.UsageError, message: str) -> str:
    """Return the message with what people call the type of a value; click's own names are nobody's words."""
    name = error.param.type.name if isinstance(error, click.BadParameter) and error.param else ""
    return message.replace(name, _(_TYPES[name])) if name in _TYPES else message


def _bug(error: BaseException, caller: Caller) -> Failure:
    from crmctl.cli.report import place_of, write_report

    path = write_report(error, caller.arguments, caller.workspace)
    message = _("a bug stopped this command ({kind} at {place})").format(
        kind=type(error).__name__, place=place_of(error)
    )
    if path is None:
        return Failure(BUG, "BUG", message, _("no report could be written; run it again with TMPDIR set"))
    hint = _("the report {path} holds no customer data; please send it in").format(path=path)
    return Failure(BUG, "BUG", message, hint, {"report": str(path)})


def _write(failure: Failure, caller: Caller) -> None:
    """Write to standard error; when even that is gone, the exit status has to do."""
    try:
        sys.stderr.write(_as_json(failure) if caller.as_json else _as_text(failure, caller.color))
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def _as_json(failure: Failure) -> str:
    import json

    fields = {
        "code": failure.code,
        "exit_code": failure.exit_code,
        "message": failure.message,
        "hint": failure.hint,
        "details": dict(failure.details),
    }
    return json.dumps(fields, default=str) + "\n"


def _as_text(failure: Failure, color: bool) -> str:
    lines = [failure.page] if failure.page else []
    problems = failure.details.get("problems") or ()
    lines += [safe(problem_line(problem)) for problem in list(problems)[:_PROBLEMS_SHOWN]]
    if len(problems) > _PROBLEMS_SHOWN:
        lines.append(_("… and {count} more").format(count=len(problems) - _PROBLEMS_SHOWN))
    lines.append(styled("crmctl:", "bad", color) + " " + safe(failure.message))
    if failure.hint:
        lines.append(f"  → {safe(failure.hint)}")
    return "\n".join(lines) + "\n"


def problem_line(problem: Any) -> str:
    """Return one problem of many as path:line:column: CODE message; hint."""
    if not isinstance(problem, Mapping):
        return str(problem)
    place = ":".join(str(problem[key]) for key in ("path", "line", "column") if problem.get(key) is not None)
    words = " ".join(str(problem[key]) for key in ("code", "message") if problem.get(key))
    if problem.get("hint"):
        words += f"; {problem['hint']}"
    return f"{place}: {words}" if place else words


def output_is_gone() -> bool:
    """Say whether the reader of standard output has closed its end."""
    import select

    try:
        watch = select.poll()
        watch.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _descriptor, event in watch.poll(0))
    except (OSError, ValueError):
        return True


def finish(error: BaseException, caller: Caller) -> int:
    """Write out what the command had to say, tell about its failure, and return the exit status."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        status = told(error, caller)
        silence_output()
        return status
    return told(error, caller)


def silence_output() -> None:
    """Point standard output at nothing, so that what is still buffered raises no second failure at exit."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (OSError, ValueError):
        return


def color_wanted(arguments: Sequence[str]) -> bool:
    """Say whether the error's prefix may be coloured, before options are settled."""
    refused = "--no-color" in arguments or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return not refused and is_terminal(sys.stderr)
