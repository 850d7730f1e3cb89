"""Send a digest by whatever its channel is."""

from __future__ import annotations

from pathlib import Path

from crmctl import clock
from crmctl.notify.digest import Digest
from crmctl.notify.failures import NotTaken
from crmctl.notify.policy import ROBOTS, Channel
from crmctl.runs.run import Run


def send(run: Run, channel: Channel, digest: Digest, seconds: float) -> NotTaken | None:
    """Send a digest in so many seconds; return why it was not taken, None when it was. Never raises for a channel."""
    root = Path(run.workspace.root)
    try:
        if channel.by == "command":
            from crmctl.notify import starting

            starting.send(channel, digest, seconds)
        elif channel.by == "mail":
            from crmctl.notify import mailing

            mailing.send(channel, digest, root, clock.now(), run.zone)
        elif channel.by in ROBOTS:
            from crmctl.notify import robots

            robots.send(channel, digest, root, clock.now(), seconds)
    except NotTaken as failure:
        return failure
    return None
