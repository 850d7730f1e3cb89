"""Settings of policy kind `audit`: whose signatures under the log count, how often it is signed, who else holds it.

What `audit verify` believes is written here and in the workspace, never read from the database (ACC-07, AUD-06).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from crmctl.audit.note import parse_vkey, valid_name
from crmctl.i18n import N_, _
from crmctl.policy.model import Code, Finding, Lookup, Many, Settings, Sources, Text, Wrong
from crmctl.policy.windows import months_before, window
from crmctl.security.access import Within

KINDS = ("file", "command", "syslog")
LEAST_MONTHS = 6  # Cybersecurity Law of the PRC, article 21 (3)


def _origin(text: str) -> str:
    if not valid_name(text):
        raise Wrong(_("not the name of a log"), _("a name without spaces and +, as in crm.example.cn/audit"))
    return text


def _signer(text: str) -> str:
    try:
        parse_vkey(text)
    except ValueError:
        raise Wrong(_("not a verifier key"), _("as `crmctl audit checkpoint` shows it: name+id+base64")) from None
    return text


def _path(text: str) -> str:
    if not Path(text).is_absolute():
        raise Wrong(_("a full path is wanted"), _("beginning with /"))
    return text


def _keeping(text: str) -> str:
    found = window(text)
    if found is None or found.months < LEAST_MONTHS:
        raise Wrong(
            _("the log is kept for {number} months at least, by law").format(number=LEAST_MONTHS),
            _("as in 36 months or 5 years"),
        )
    return found.text


_TEXT = WithJsonSchema({"type": "string"})
Origin = Annotated[str, StringConstraints(max_length=200), AfterValidator(_origin), _TEXT]
Signer = Annotated[str, StringConstraints(max_length=400), AfterValidator(_signer), _TEXT]
Keeping = Annotated[str, StringConstraints(max_length=20), AfterValidator(_keeping), _TEXT]
FullPath = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_path), _TEXT]


class Anchor(Settings):
    """One place outside the database that gets every checkpoint: exactly one of file, command and syslog."""

    name: Code = Field(description=N_("how messages name it"))
    file: FullPath | None = Field(None, description=N_("append to this file; best one that can only be appended to"))
    command: Many[Text] | None = Field(
        None, description=N_("start this program, words without a shell, the checkpoint on its standard input")
    )
    seconds: int = Field(30, ge=1, le=600, description=N_("how long the program may take"))
    syslog: FullPath | None = Field(None, description=N_("send to the socket of the system's log, as in /dev/log"))
    required: bool = Field(False, description=N_("a checkpoint does not count until it is there"))

    @property
    def path(self) -> Path | None:
        """The file, where the anchor is one."""
        return Path(self.file) if self.file else None


class AuditSettings(Settings):
    """Who signs the log, how often at least, and where checkpoints go."""

    origin: Origin | None = Field(None, description=N_("name of this log in its checkpoints; else crmctl/INSTANCE"))
    signers: Many[Signer] = Field(
        (), description=N_("verifier keys whose checkpoints count, retired ones included; else the workspace's own")
    )
    stale_after: Within = Field("24 hours", description=N_("entries unsigned for longer are wrong to doctor"))
    anchor_stale_after: Within = Field("24 hours", description=N_("so is an anchor behind by longer"))
    anchors: Many[Anchor] = Field((), description=N_("places outside the database that get every checkpoint"))
    export_needs: Many[Literal["recipient", "purpose"]] = Field(
        (), description=N_("what `audit export` must be told: recipient, purpose")
    )
    keep_bodies: Keeping | None = Field(
        None, description=N_("how long entries keep their text at least, 6 months or more; unset: nothing is pruned")
    )
    source: Sources = Field((), description=N_("clauses it comes from"))

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield anchors that are two things or none, names used twice, programs without a full path, keys twice."""
        names: set[str] = set()
        for position, anchor in enumerate(self.anchors):
            at = ("anchors", position)
            if sum(getattr(anchor, kind) is not None for kind in KINDS) != 1:
                message = _("an anchor is one of: {kinds}").format(kinds=", ".join(KINDS))
                yield Finding(at, message, _("write one of them, several anchors for several places"))
            if anchor.command is not None and not (anchor.command and Path(anchor.command[0]).is_absolute()):
                yield Finding((*at, "command"), _("name the command by its full path"))
            if anchor.name in names:
                message = _("'{name}' names two anchors").format(name=anchor.name)
                yield Finding((*at, "name"), message, code="P306")
            names.add(anchor.name)
        for position, signer in enumerate(self.signers):
            if signer in self.signers[:position]:
                yield Finding(("signers", position), _("this key stands here twice"), code="P306")


def duration(text: str) -> timedelta:
    """Return how long `24 hours` or `3 days` is."""
    number, _space, unit = text.partition(" ")
    return timedelta(hours=int(number) * (24 if unit.startswith("day") else 1))


def kept_until(text: str, today: date) -> date:
    """Return the day before which entries need no text any more on `today`, by `keep_bodies` (as in 36 months)."""
    found = window(text)
    assert found is not None
    return months_before(today, found.months)
