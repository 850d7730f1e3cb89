"""What an approval is about, as the room it concerns says it: whoever agrees sees what to, not a hash alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from sqlalchemy import Connection

from crmctl.approvals.records import Asked
from crmctl.errors import CrmctlError
from crmctl.runs.run import Run

# By the word before the colon of a subject; dotted names, resolved on use: foundations import no subject.
ABOUT: Mapping[str, str] = {
    "complaint": "crmctl.complaints.approved:about",
    "plan": "crmctl.retention.approved:about",
}


@dataclass(frozen=True)
class About:
    """What is agreed to. `data` is for programs, `lines` (heading, text) for people; nothing personal in either.

    `over` is why nobody can agree to it any more, where that is so.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[tuple[str, str], ...] = ()
    over: CrmctlError | None = None


Tell = Callable[[Connection, Run, Asked], About]


def about(conn: Connection, run: Run, asked: Asked) -> About:
    """Return what was asked to be approved; nothing where no room says more than the subject does."""
    module, _colon, name = ABOUT.get(asked.subject.partition(":")[0], "").partition(":")
    if not module:
        return About()
    return cast("Tell", getattr(import_module(module), name))(conn, run, asked)
