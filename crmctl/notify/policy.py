"""Settings of policy kind `notify`: the channels that notices go to, and how patient each is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from crmctl.i18n import N_, _
from crmctl.policy.model import CodeItem, Finding, Lookup, Many, ScopeName, Settings, Sources, Text, Wrong, lint_codes

if TYPE_CHECKING:
    from crmctl.policy import PolicySet

By = Literal["command", "mail", "wecom", "dingtalk"]
ROBOTS: tuple[By, ...] = ("wecom", "dingtalk")

_PERIOD_PATTERN = r"^[1-9][0-9]{0,3} (second|minute|hour|day)s?$"
_MAILBOX_PATTERN = r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def _period(text: str) -> str:
    if not re.fullmatch(_PERIOD_PATTERN[1:-1], text, re.ASCII):
        raise Wrong(_("a period is wanted"), _("as in 10 seconds, 5 minutes or 24 hours"))
    return text


def _mailbox(text: str) -> str:
    if not re.fullmatch(_MAILBOX_PATTERN[1:-1], text, re.ASCII):
        raise Wrong(_("an e-mail address is wanted"), _("as in crm@example.cn"))
    return text


Period = Annotated[str, AfterValidator(_period), WithJsonSchema({"type": "string", "pattern": _PERIOD_PATTERN})]
Mailbox = Annotated[str, AfterValidator(_mailbox), WithJsonSchema({"type": "string", "pattern": _MAILBOX_PATTERN})]
Place = Annotated[str, StringConstraints(min_length=1, max_length=1000)]  # a full path; else one in the workspace

# The keys of each kind of channel: those it must have, and those it may.
KEYS: Mapping[By, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "command": (("command",), ()),
    "mail": (("spool", "from_", "people_file"), ()),
    "wecom": (("webhook_file",), ("people_file",)),
    "dingtalk": (("webhook_file",), ("secret_file", "people_file")),
}
_OWN = ("command", "spool", "from_", "people_file", "webhook_file", "secret_file")
_FILES = ("webhook_file", "secret_file", "people_file")


class Channel(CodeItem):
    """One place that notices go to, each time as one digest."""

    by: By = Field(description=N_("a program, mails in a folder, or the robot of a WeCom or DingTalk group"))
    lang: Literal["zh", "en"] = Field("zh", description=N_("language of what it says"))
    at_most: int = Field(20, ge=1, le=200, description=N_("lines of a digest; of the rest it says how many they are"))
    timeout: Period = Field("10 seconds", description=N_("how long one digest may take"))
    attempts: int = Field(20, ge=1, le=10_000, description=N_("after so many in vain a notice has failed"))
    retry_after: Period = Field("5 minutes", description=N_("how long a channel rests that did not take a digest"))
    command: Many[Text] = Field((), description=N_("words of the program, no shell; the digest is its standard input"))
    spool: Place | None = Field(None, description=N_("folder (Maildir) that a mailer empties"))
    from_: Mailbox | None = Field(None, alias="from", description=N_("address of a post that the mails come from"))
    people_file: Place | None = Field(
        None, description=N_("owner-only file: staff number or post, then the address or the userid in the group")
    )
    webhook_file: Place | None = Field(None, description=N_("owner-only file with the address of the robot"))
    secret_file: Place | None = Field(None, description=N_("owner-only file with what DingTalk calls are signed with"))

    @property
    def files(self) -> tuple[str, ...]:
        """The owner-only files it needs."""
        named = (getattr(self, key) for key in _FILES)
        return tuple(cast("str", path) for path in named if path is not None)

    @property
    def by_person(self) -> bool:
        """Whether each recipient gets a digest of their own."""
        return self.by == "mail"


class NotifySettings(Settings):
    """Where notices go, and how long a run may spend on them."""

    scopes: ClassVar[tuple[ScopeName, ...]] = ()  # a channel is one for everybody

    channels: Many[Channel] = Field((), description=N_("the channels, by the codes that other policies name"))
    spend_at_most: Period = Field("15 seconds", description=N_("what a run spends on sending after its work is done"))
    late_after: Period = Field("24 hours", description=N_("notices that wait for longer are wrong to doctor"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes of the channels."""
        return {"notify_channel": [channel.code for channel in self.channels]}

    def channel(self, code: str) -> Channel | None:
        """Return the channel of a code; None where there is none."""
        return next((channel for channel in self.channels if channel.code == code), None)

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, keys that are missing or of another kind, and what can never be in time."""
        yield from lint_codes(self.channels, ("channels",))
        for position, channel in enumerate(self.channels):
            at = ("channels", position)
            yield from _misfits(channel, at)
            if seconds(channel.timeout) > seconds(self.spend_at_most):
                message = _("longer than a run spends on sending: {period}").format(period=self.spend_at_most)
                yield Finding((*at, "timeout"), message, _("shorten it, or lengthen spend_at_most"))


def _misfits(channel: Channel, at: tuple[str | int, ...]) -> Iterator[Finding]:
    must, may = KEYS[channel.by]
    for key in _OWN:
        name, given = key.rstrip("_"), bool(getattr(channel, key))
        if key in must and not given:
            yield Finding(at, _("a channel by {by} needs {key}").format(by=channel.by, key=name))
        if given and key not in (*must, *may):
            message = _("{key} does not belong to a channel by {by}").format(key=name, by=channel.by)
            yield Finding((*at, name), message, _("leave it out"))
    if channel.command and not PurePosixPath(channel.command[0]).is_absolute():
        yield Finding((*at, "command", 0), _("name the command by its full path"))


def seconds(period: str) -> int:
    """Return how many seconds `10 seconds` or `5 minutes` is."""
    number, _space, unit = period.partition(" ")
    return int(number) * _UNITS[unit.removesuffix("s")]


def duration(period: str) -> timedelta:
    """Return how long `10 seconds` or `5 minutes` is."""
    return timedelta(seconds=seconds(period))


def settings_of(policies: PolicySet) -> NotifySettings:
    """Return the settings of notify.yaml; no channel where the workspace has none."""
    if not policies.of_kind("notify"):
        return NotifySettings()
    return cast("NotifySettings", policies.settings("notify"))


def enforced(policies: PolicySet) -> bool:
    """Whether notices are sent: in mode report or off they wait."""
    return bool(policies.of_kind("notify")) and policies.policy("notify").mode == "enforce"
