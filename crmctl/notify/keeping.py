"""Look after the outbox by hand: try again what failed, drop what is no longer true, test a channel."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from crmctl import clock
from crmctl.audit import entries
from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.notify import outbox
from crmctl.notify.deliver import composed
from crmctl.notify.failures import NotTaken
from crmctl.notify.policy import Channel, seconds, settings_of
from crmctl.notify.queue import DROPPED, SENT
from crmctl.notify.sending import send
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine

REASONS = ("obsolete", "duplicate", "mistake", "other")


@dataclass(frozen=True)
class Kept:
    """What was done to the outbox: to how many notices, by which run (None: a dry run)."""

    run_id: int | None
    notices: int


def retry(run: Run, channel: str = "") -> Kept:
    """Let what failed wait again, of one channel or of all, and nothing rest. Raises InvalidInput (CHANNEL_UNKNOWN)."""
    code = known(run, channel).code if channel else None
    if run.dry_run:
        with engine.read(run.engine) as conn:
            return Kept(None, outbox.count_failed(conn, code))
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        revived = outbox.revive(conn, code)
        runs.finish(conn, run, "done", 0, {"revived": revived})
        entries.append(conn, run.entry("done", at=clock.now(), n=revived, obj=f"channel:{code}" if code else None))
    return Kept(run.run_id, revived)


def drop(run: Run, numbers: Collection[int], reason: str) -> Kept:
    """Drop notices that are not sent, each with an entry of its own.

    Raises Refused, and drops none, when one does not exist, was sent, or was dropped before.
    """
    wanted = sorted(set(numbers))
    if run.dry_run:
        with engine.read(run.engine) as conn:
            _droppable(outbox.states_of(conn, wanted, locked=False), wanted)
        return Kept(None, len(wanted))
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        _droppable(outbox.states_of(conn, wanted), wanted)
        code = f"DROPPED_{reason.upper()}"
        outbox.drop(conn, wanted, DROPPED, code)
        runs.finish(conn, run, "done", 0, {"dropped": len(wanted)})
        for number in wanted:
            entries.append(conn, run.entry("done", at=clock.now(), obj=f"notification:{number}", n=1, codes=[code]))
    return Kept(run.run_id, len(wanted))


def _droppable(states: dict[int, str], wanted: Collection[int]) -> None:
    for number in wanted:
        state = states.get(number)
        if state in (None, SENT, DROPPED):
            raise Refused(
                _("notice {number}: was sent or dropped already").format(number=number)
                if state
                else _("notice {number}: there is none").format(number=number),
                hint=_("see: crmctl notify list"),
                code="NOTICE_CLOSED" if state else "NOTICE_UNKNOWN",
            )


def test(run: Run, code: str) -> tuple[Run, NotTaken | None]:
    """Send one digest without a notice to a channel now; return the run, and why it was not taken.

    A channel that writes to each person apart writes to whoever stands for nobody in particular. Raises InvalidInput
    (CHANNEL_UNKNOWN).
    """
    channel = known(run, code)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        row = {"notification_id": 0, "subject": f"channel:{code}", "event": "test", "due_at": None, "recipient": "",
               "text_code": "notify.test", "data": "{}"}  # fmt: skip
        failure = send(run, channel, composed(run, channel, [row])[0], float(seconds(channel.timeout)))
        with engine.write(run.engine) as conn:
            state, codes = ("failed", [failure.code]) if failure else ("done", [])
            runs.finish(conn, run, state, 1 if failure else 0, {"sent": 0 if failure else 1})
            entries.append(conn, run.entry(state, at=clock.now(), obj=f"channel:{code}", n=0, codes=codes))
    return run, failure


def known(run: Run, code: str) -> Channel:
    """Return the channel of a code. Raises InvalidInput (CHANNEL_UNKNOWN)."""
    settings = settings_of(run.policies)
    found = settings.channel(code)
    if found is None:
        names = ", ".join(channel.code for channel in settings.channels) or _("none")
        raise InvalidInput(
            _("{channel}: no such channel in notify.yaml").format(channel=code),
            hint=_("channels there: {names}").format(names=names),
            code="CHANNEL_UNKNOWN",
        )
    return found
