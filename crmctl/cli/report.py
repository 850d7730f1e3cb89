"""What a bug leaves behind: enough to find it, no personal data.

Frames and code lines, class names, the words of messages without the values they quote, the command line
without values.
"""

from __future__ import annotations

import contextlib
import os
import re
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from crmctl.log import scrub

_HARMLESS = re.compile(r"(table|json|ndjson|csv|xlsx|zh|en|text|code|create|update|upsert|keep|clear|\d{1,5})\Z")
_NAME = re.compile(r"-{1,2}[A-Za-z][A-Za-z-]*")
_DEPTH = 10  # causes and members followed


def write_report(error: BaseException, arguments: Sequence[str], workspace: str) -> Path | None:
    """Write the report owner-only into the workspace's `reports`, else the temporary folder, else return None."""
    import tempfile

    from crmctl.clock import now

    name = f"crmctl-report-{now():%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    text = report_text(error, arguments).encode("utf-8", "backslashreplace")
    folders = []
    with contextlib.suppress(PermissionError):  # a workspace of somebody else's
        if workspace and Path(workspace, "crmctl.yaml").is_file():
            folders.append(Path(workspace, "reports"))
    for folder in [*folders, Path(tempfile.gettempdir())]:
        path = folder / name
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(text)
        except OSError:
            continue
        return path.absolute()
    return None


def report_text(error: BaseException, arguments: Sequence[str]) -> str:
    """Return the report."""
    import platform
    import sys

    from crmctl import __version__

    lines = [
        f"crmctl {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: crmctl {' '.join(redacted(arguments))}",
        f"modules: {', '.join(_versions(sys.modules))}",
        "",
        *_story(error, 0),
        "",
    ]
    return "\n".join(lines)


def redacted(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the command line without values: the command's words, names of options, harmless choices."""
    from crmctl.cli.table import COMMANDS

    words = {word for entry in COMMANDS for word in entry.path.split()}
    for argument in arguments:
        name = _NAME.match(argument)
        if argument in words or _HARMLESS.match(argument) or argument in ("-", "--"):
            yield argument
        elif name and name.end() == len(argument):
            yield argument if argument.startswith("--") else argument[:2]
        elif name and argument.startswith("--"):
            yield f"{name.group()}=…"
        else:
            yield "…"


def _versions(modules: dict[str, object] | object) -> Iterator[str]:
    for name in ("click", "sqlalchemy", "pysqlite3", "psycopg", "cryptography", "pydantic", "pydantic_core"):
        module = modules.get(name) if isinstance(modules, dict) else None
        version = vars(module).get("__version__") if module is not None else None
        if module is not None:
            yield f"{name} {version or ''}".strip()


def _story(error: BaseException, depth: int) -> Iterator[str]:
    """Yield the failure with its causes, innermost last; no local values, no quoted values."""
    if depth > _DEPTH:
        return
    frames = traceback.extract_tb(error.__traceback__, limit=-40)
    yield "Traceback (most recent call last):"
    yield from (line.rstrip("\n") for line in traceback.format_list(frames))
    yield f"{type(error).__module__}.{type(error).__qualname__}: {scrub(_text(error))}"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions[:_DEPTH]:
            yield from ("", "One of:", *_story(member, depth + 1))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from ("", "Caused by:" if error.__cause__ else "While handling:", *_story(cause, depth + 1))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a message that cannot be made must not hide the failure
        return ""


def place_of(error: BaseException) -> str:
    """Return where the failure happened, as file:line of the innermost frame of this program."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if f"{os.sep}crmctl{os.sep}" in frame.filename and "site-packages" not in frame.filename
    ]
    if not frames:
        return "?"
    frame = (own or frames)[-1]
    return f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
