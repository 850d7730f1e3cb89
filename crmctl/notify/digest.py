"""Several notices as one message: the most urgent lines, and how many more there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from crmctl.i18n import N_
from crmctl.notify.texts import Speaker

_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Digest:
    """What one message says: a title, lines, how many notices are not among them, and whom it concerns.

    `numbers` are the notices it stands for, those not among the lines included; `recipient` is "" unless the channel
    writes to each one apart; `named` are the recipients of the lines.
    """

    title: str
    lines: tuple[str, ...]
    more: int
    more_line: str
    recipient: str
    named: tuple[str, ...]
    numbers: tuple[int, ...]
    items: tuple[Mapping[str, Any], ...]

    def text(self, most_bytes: int | None = None, extra: str = "") -> str:
        """Return title, lines and what is left out, the whole with `extra` in at most so many bytes of UTF-8."""
        shown, left = list(self.lines), self.more
        while True:
            rest = [self.more_line.format(count=left)] if left else []
            whole = "\n".join([self.title, *shown, *rest]) + extra
            if most_bytes is None or not shown or len(whole.encode()) <= most_bytes:
                return whole
            shown.pop()
            left += 1


def made(rows: Sequence[Mapping[str, Any]], speaker: Speaker, at_most: int, recipient: str = "") -> Digest:
    """Return the digest of rows of the outbox, the nearest limits first."""
    ordered = sorted(rows, key=lambda row: (row["due_at"] or _LAST, row["notification_id"]))
    shown = ordered[:at_most]
    items = tuple(_item(row, speaker) for row in shown)
    return Digest(
        title=speaker.say(N_("crmctl, notices: {count}")).format(count=len(rows)),
        lines=tuple(str(item["line"]) for item in items),
        more=len(rows) - len(shown),
        more_line=speaker.say(N_("and {count} more")),
        recipient=recipient,
        named=tuple(dict.fromkeys(row["recipient"] for row in shown if row["recipient"])),
        numbers=tuple(row["notification_id"] for row in rows),
        items=items,
    )


def _item(row: Mapping[str, Any], speaker: Speaker) -> dict[str, Any]:
    data = orjson.loads(row["data"])
    due = row["due_at"]
    return {
        "line": speaker.line(row, data),
        "subject": row["subject"],
        "event": row["event"],
        "due": None if due is None else due.isoformat(timespec="seconds"),
        "recipient": row["recipient"],
        "text": row["text_code"],
        "data": data,
    }
