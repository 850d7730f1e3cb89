"""Logging to standard error, as text or JSON lines, without personal data.

Nobody logs a value on purpose; the redaction here is the net beneath: numbers that could be a phone or an identity,
e-mail addresses and messages of exceptions never reach a log. Logging itself is imported when a command starts.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

_SEPARATED = r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)|(?<!\d)0\d{2,3}[ -]\d{7,8}(?!\d)"
_PERSONAL = re.compile(
    r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+"  # an e-mail address, Chinese ones too
    rf"|{_SEPARATED}"
    r"|\d{17}[xX]"  # an identity card
    r"|\b[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}\b"  # 统一社会信用代码
    r"|\d{7,}"
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|‘[^’]*’|“[^”]*”")
_run: dict[str, Any] = {"id": None}


def redact(text: str) -> str:
    """Return `text` with what looks like a phone, an e-mail address or an identity number replaced by ‹redacted›."""
    return _PERSONAL.sub("‹redacted›", text)


def scrub(message: str) -> str:
    """Return what an exception's message says without the values it quotes: ASCII words of its first line."""
    first = message.partition("\n")[0].partition("[SQL:")[0].partition("[parameters:")[0]
    words = _QUOTED.sub("'…'", redact(first)).replace("…", "...")
    return re.sub(r"[^\x20-\x7e]+", "?", words)[:200]


def bind(run_id: int | str | None) -> None:
    """Put this run's id on every log line from here on."""
    _run["id"] = run_id


def configure(verbose: int, form: str, *, quiet: bool = False) -> None:
    """Send log lines to standard error: warnings, with -v what happens, with -vv details, with -q errors only.

    Libraries stay at warnings: SQLAlchemy would print each statement.
    """
    import logging

    own = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    release()
    root = logging.getLogger()
    root.addHandler(_handler(form))
    root.setLevel(max(own, logging.WARNING))
    logging.getLogger("crmctl").setLevel(own)
    logging.captureWarnings(True)
    bind(None)


def release() -> None:
    """Take this program's handler off again, for a caller in Python."""
    import logging

    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if getattr(handler, "crmctl", False)]:
        root.removeHandler(handler)
    logging.captureWarnings(False)


def _handler(form: str) -> logging.Handler:
    import logging

    class Standard(logging.StreamHandler[Any]):
        """Writes to whatever standard error is now, and never prints a traceback about itself."""

        crmctl = True

        def emit(self, record: logging.LogRecord) -> None:
            """Write one line."""
            self.stream = sys.stderr
            super().emit(record)

        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
            """Drop the line: a log that cannot be written must not stop the work or show the record."""

        def format(self, record: logging.LogRecord) -> str:
            """Return the record as one redacted line."""
            return _json_line(record) if form == "json" else _text_line(record)

    return Standard()


def _message(record: logging.LogRecord) -> str:
    text = redact(record.getMessage()) if record.name.startswith("crmctl") else scrub(record.getMessage())
    if record.exc_info and record.exc_info[1] is not None:
        text += f" ({type(record.exc_info[1]).__name__}: {scrub(str(record.exc_info[1]))})"
    return text


def _text_line(record: logging.LogRecord) -> str:
    from crmctl.cli.escape import safe

    run = f" run={_run['id']}" if _run["id"] is not None else ""
    return safe(f"{record.levelname.lower()} {record.name}{run}: {_message(record)}")


def _json_line(record: logging.LogRecord) -> str:
    import json
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return json.dumps(
        {
            "time": moment,
            "level": record.levelname.lower(),
            "logger": record.name,
            "run_id": _run["id"],
            "message": _message(record),
        }
    )
