"""How notices look in `notify list`: columns and rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from crmctl import clock
from crmctl.cli.render import Column
from crmctl.i18n import N_, _, lang
from crmctl.notify.failures import meaning
from crmctl.notify.queue import DROPPED, FAILED, SENT, WAITING
from crmctl.notify.texts import Speaker
from crmctl.runs.run import Run

STATE_WORDS = {WAITING: N_("waiting"), SENT: N_("sent"), FAILED: N_("failed"), DROPPED: N_("dropped")}

LISTED = (
    Column("notice", N_("Notice"), right=True),
    Column("state", N_("State"), show=lambda code: _(STATE_WORDS.get(code, code))),
    Column("channel", N_("Channel")),
    Column("recipient", N_("Recipient")),
    Column("line", N_("Text")),
    Column("subject", detail=True),
    Column("event", detail=True),
    Column("text", detail=True),
    Column("data", detail=True),
    Column("due", detail=True),
    Column("attempts", N_("Attempts"), right=True),
    Column("failure", N_("Why not"), show=meaning),
    Column("created_at", N_("Written at")),
    Column("tried_at", detail=True),
    Column("sent_at", N_("Sent at")),
    Column("run", detail=True),
)


def rows(run: Run, found: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Return rows of `LISTED`, each with the line that its channel says, in the reader's language."""
    speaker = Speaker(run.policies, lang(), run.zone, run.at)
    return [_row(run, each, speaker) for each in found]


def _row(run: Run, row: Mapping[str, Any], speaker: Speaker) -> tuple[Any, ...]:
    data = orjson.loads(row["data"])
    due, created, tried, sent = (
        None if row[name] is None else clock.local(row[name], run.zone)
        for name in ("due_at", "created_at", "tried_at", "sent_at")
    )
    return (
        row["notification_id"], row["state"], row["channel"], row["recipient"] or None, speaker.line(row, data),
        row["subject"], row["event"], row["text_code"], data, due, row["attempts"], row["failure"], created, tried,
        sent, row["run_id"],
    )  # fmt: skip
