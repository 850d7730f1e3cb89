"""How the outbox stands, for `doctor`: what failed, what waits for too long, which files of channels cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from crmctl.errors import KeyMissing
from crmctl.i18n import _
from crmctl.notify import outbox, posting, private
from crmctl.notify.failures import NotTaken, meaning
from crmctl.notify.policy import ROBOTS, Channel, NotifySettings, duration
from crmctl.security.keyfiles import check_private


def troubles(conn: Connection, settings: NotifySettings, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield message and command of what is not well with the outbox."""
    if failed := outbox.count_failed(conn, None):
        yield (_("notices that failed: {count}").format(count=failed), "crmctl notify list --state failed")
    since = outbox.oldest_waiting(conn)
    if since is not None and at - since > duration(settings.late_after):
        message = _("notices wait for longer than {period}").format(period=settings.late_after)
        yield (message, "crmctl notify send")
    for code in outbox.unknown(conn, settings):
        yield (_("notices wait for channel {channel}, which notify.yaml does not name").format(channel=code), "")


def open_files(settings: NotifySettings, root: Path) -> Iterator[tuple[str, str]]:
    """Yield message and hint of each file of a channel that is missing, open to others, or holds what it should not."""
    for channel in settings.channels:
        found = [problem for name in channel.files if (problem := _problem(root / name)) is not None]
        yield from ((f"{channel.code}: {message}", hint) for message, hint in found)
        code = "" if found else _contents(channel, root)
        if code:
            yield f"{channel.code}: {meaning(code)}", ""


def _problem(path: Path) -> tuple[str, str] | None:
    try:
        check_private(path)
    except KeyMissing as error:
        return error.message, error.hint
    return None


def _contents(channel: Channel, root: Path) -> str:
    try:
        private.people(root, channel.people_file)
        if channel.by in ROBOTS:
            posting.checked(private.secret(root, channel.webhook_file or ""))
        if channel.secret_file is not None:
            private.secret(root, channel.secret_file)
    except NotTaken as failure:
        return failure.code
    return ""
