"""What a notice becomes for people: one line each, in the channel's language.

Other rooms add mappings of text codes to `Wording` by a dotted name in `TEXTS`, resolved on use: foundations import no
subject. A code that is in none of them (a program of another version wrote it) still becomes a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crmctl import clock
from crmctl.i18n import N_, speak

if TYPE_CHECKING:
    from crmctl.policy import PolicySet

Labels = Mapping[str, Mapping[str, str]]  # code → {zh:, en:}


@dataclass(frozen=True)
class Wording:
    """A message with names in braces: `what` (the number), `event`, `due`, `recipient`, and those of the data.

    A value that is a code becomes its word: from `words` (code → message), else from `labels`, which asks the policies.
    """

    message: str  # N_ message
    undated: str = ""  # N_ message where nothing is due; else `message` says so by a dash
    words: Mapping[str, str] = field(default_factory=dict)
    labels: Callable[[PolicySet], Labels] | None = None


OWN: Mapping[str, Wording] = {
    "notify.test": Wording(N_("A test of this channel; nothing is due.")),
    "notify.about": Wording(N_("{what} {event}, due {due}"), N_("{what} {event}")),
}
TEXTS: Sequence[str] = ("crmctl.notify.texts:OWN", "crmctl.complaints.notices:TEXTS")

_FALLBACK = OWN["notify.about"]
_NAMED = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


@dataclass(frozen=True)
class Speaker:
    """Says notices in one language, with times of one zone, as of one moment."""

    policies: PolicySet
    lang: str
    zone: str
    at: datetime

    def line(self, row: Mapping[str, object], data: Mapping[str, int | str]) -> str:
        """Return the line of a notice; `row` is its row of the outbox, `data` what it names. Never raises."""
        wording = wording_of(str(row["text_code"])) or _FALLBACK
        due = row["due_at"]
        values = {name: self._word(wording, value) for name, value in data.items()}
        for name, value in data.items():
            if name.endswith("_minutes") and isinstance(value, int):
                values[name.removesuffix("_minutes")] = self.lasting(value)
        values |= {
            "what": str(row["subject"]).partition(":")[2],
            "event": self._word(wording, str(row["event"])),
            "due": self.moment(due) if isinstance(due, datetime) else "-",
            "recipient": str(row["recipient"]),
        }
        message = wording.undated if due is None and wording.undated else wording.message
        return _NAMED.sub(lambda found: values.get(found[1], "-"), speak(message, self.lang))

    def _word(self, wording: Wording, value: int | str) -> str:
        text = str(value)
        if _STAMP.fullmatch(text):
            return self.moment(clock.parse_stamp(text))
        if text in wording.words:
            return speak(wording.words[text], self.lang)
        labels = wording.labels(self.policies).get(text) if wording.labels is not None else None
        return text if not labels else labels.get(self.lang) or next(iter(labels.values()))

    def moment(self, moment: datetime) -> str:
        """Return a moment as `11-21 17:00` of the company's time; with its year where that is another."""
        here, now = moment.astimezone(ZoneInfo(self.zone)), self.at.astimezone(ZoneInfo(self.zone))
        return here.strftime("%m-%d %H:%M" if here.year == now.year else "%Y-%m-%d %H:%M")

    def lasting(self, minutes: int) -> str:
        """Return so many minutes in hours and minutes."""
        hours, left = divmod(minutes, 60)
        if hours and left:
            return self.say(N_("{hours} h {minutes} min")).format(hours=hours, minutes=left)
        return (
            self.say(N_("{hours} h")).format(hours=hours)
            if hours
            else self.say(N_("{minutes} min")).format(minutes=left)
        )

    def say(self, message: str) -> str:
        """Return a message in the channel's language."""
        return speak(message, self.lang)


def wording_of(code: str) -> Wording | None:
    """Return the wording of a text code; None where no room has it."""
    for target in TEXTS:
        module, _colon, name = target.partition(":")
        known: Mapping[str, Wording] = getattr(import_module(module), name)
        if code in known:
            return known[code]
    return None
