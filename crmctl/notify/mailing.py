"""Mails in a folder (Maildir) that whatever sends mail here empties: one for each recipient and digest."""

from __future__ import annotations

import mailbox
from collections.abc import Mapping
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from zoneinfo import ZoneInfo

from crmctl.notify import private
from crmctl.notify.digest import Digest
from crmctl.notify.failures import NotTaken
from crmctl.notify.policy import Channel


def send(channel: Channel, digest: Digest, root: Path, at: datetime, zone: str) -> None:
    """Put the mail of a digest into the folder, whole or not at all. Raises NotTaken."""
    known = private.people(root, channel.people_file)
    mail = message(channel, digest, known, at.astimezone(ZoneInfo(zone)))
    try:
        folder = mailbox.Maildir(root / (channel.spool or ""), create=True)
        folder.add(mail)  # written beside, flushed, then given its name
        folder.close()
    except (OSError, mailbox.Error):
        raise NotTaken("STORAGE") from None


def message(channel: Channel, digest: Digest, known: Mapping[str, str], at: datetime) -> EmailMessage:
    """Return the mail; what is for nobody in particular goes to the `*` of the file of people. Raises NotTaken."""
    found = EmailMessage()
    try:
        sender = Address(addr_spec=channel.from_ or "")
        address = known[digest.recipient or private.EVERYBODY]
        if not address.isascii() or "@" not in address:
            raise ValueError  # not every mailer takes others
        found["To"] = Address(addr_spec=address)
    except (KeyError, ValueError, IndexError, MessageError):
        raise NotTaken("ADDRESS_MISSING") from None
    found["From"] = sender
    found["Subject"] = digest.title
    found["Date"] = at
    found["Message-ID"] = make_msgid(domain=sender.domain)
    found["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office answers it
    found.set_content(digest.text() + "\n")
    return found
