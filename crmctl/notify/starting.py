"""Start a program with a digest as JSON on its standard input: no shell, its output kept nowhere."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping

from crmctl.notify.digest import Digest
from crmctl.notify.failures import NotTaken, numbered
from crmctl.notify.policy import Channel

# What the program gets of our environment: nothing that could hold a secret.
_PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
SCHEMA = "crmctl/notify-digest/1"


def send(channel: Channel, digest: Digest, seconds: float) -> None:
    """Start the channel's program; it has the digest when it ends with 0. Raises NotTaken.

    One that takes too long is killed, with everything it started and left in its process group.
    """
    quiet = subprocess.DEVNULL
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        process = subprocess.Popen(  # noqa: S603
            list(channel.command), stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env=environment, cwd="/",
            start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError):
        raise NotTaken("NOT_STARTED") from None
    try:
        process.communicate(json.dumps(document(channel, digest)).encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        raise NotTaken("TIMEOUT") from None
    finally:
        if process.returncode is None:  # too long, or a signal came: nothing of it stays behind
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]
            process.wait()
    if process.returncode:
        raise NotTaken(numbered("SIGNAL" if process.returncode < 0 else "EXIT", process.returncode))


def document(channel: Channel, digest: Digest) -> Mapping[str, object]:
    """Return what the program reads."""
    return {
        "schema": SCHEMA,
        "channel": channel.code,
        "title": digest.title,
        "lines": list(digest.lines),
        "more": digest.more,
        "text": digest.text(),
        "notices": [dict(item) for item in digest.items],
    }
