"""Send a digest by whatever its channel is."""

from __future__ import annotations

import logging
from pathlib import Path

from crmctl import clock
from crmctl.notify.digest import Digest
from crmctl.notify.failures import NotTaken
from crmctl.notify.policy import ROBOTS, Channel
from crmctl.runs.run import Run

log = logging.getLogger(__name__)


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
    except Exception as error:  # an error of ours in one channel is no reason for the others to wait
        log.warning("channel %s: %s", channel.code, type(error).__name__)
        return NotTaken("INTERNAL")
    return None
