"""Why a channel did not take a digest, as a short code: never an address, a secret or an answer's text."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.i18n import N_, _


class NotTaken(Exception):
    """A digest was not taken. `tried` is false where nothing was sent at all: that is no attempt."""

    def __init__(self, code: str, *, tried: bool = True) -> None:
        super().__init__(code)
        self.code = code
        self.tried = tried


MEANINGS: Mapping[str, str] = {
    "ADDRESS_MISSING": N_("people_file names no address for the recipient"),
    "ANSWER_UNREADABLE": N_("the robot answered something that is no JSON with an errcode"),
    "CHANNEL_UNKNOWN": N_("notify.yaml names no such channel"),
    "FILE_UNREADABLE": N_("a file of the channel is missing, unreadable here, or open to others"),
    "HOST_UNKNOWN": N_("the name of the host is not known"),
    "INTERNAL": N_("an error of the program itself; the log names it"),
    "NOT_STARTED": N_("the program could not be started"),
    "REDIRECT": N_("the robot sends elsewhere, which is not followed"),
    "REFUSED": N_("the host refused the connection"),
    "STORAGE": N_("the folder of mails cannot be written"),
    "TIMEOUT": N_("it took too long"),
    "TLS": N_("the host could not prove who it is"),
    "UNREACHABLE": N_("the connection failed"),
    "WEBHOOK_INVALID": N_("webhook_file holds no https address"),
    "DROPPED_DUPLICATE": N_("dropped: said elsewhere"),
    "DROPPED_MISTAKE": N_("dropped: it was a mistake"),
    "DROPPED_OBSOLETE": N_("dropped: no longer true"),
    "DROPPED_OTHER": N_("dropped: for another reason"),
}
_NUMBERED: Mapping[str, str] = {
    "ERRCODE": N_("the robot answered with an error of its own: {number}"),
    "EXIT": N_("the program ended with {number}"),
    "HTTP": N_("the host answered with status {number}"),
    "SIGNAL": N_("the program was ended by signal {number}"),
}
MOST_DIGITS = 6


def numbered(kind: str, number: int) -> str:
    """Return a code such as HTTP_500; of a number that is no code of theirs only that it was another."""
    text = str(abs(number))
    return f"{kind}_{text}" if len(text) <= MOST_DIGITS else f"{kind}_OTHER"


def meaning(code: str) -> str:
    """Return what a code says, in the reader's language."""
    if code in MEANINGS:
        return _(MEANINGS[code])
    kind, _line, number = code.partition("_")
    return _(_NUMBERED[kind]).format(number=number.lower()) if kind in _NUMBERED else code
