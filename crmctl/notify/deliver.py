"""Deliver what waits: each channel one digest, one deliverer at a time, never longer than a run may spend on it.

Who delivers holds the lock `notify`, which a killed process loses at once: what it had not marked is sent by the next
one. A digest that was taken but not yet marked is then sent again: at least once, never not at all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crmctl import clock
from crmctl.audit import entries
from crmctl.errors import CrmctlError, Interrupted, Locked
from crmctl.notify import digest as digests
from crmctl.notify import outbox
from crmctl.notify.digest import Digest
from crmctl.notify.failures import NotTaken
from crmctl.notify.outbox import Ready
from crmctl.notify.policy import Channel, NotifySettings, enforced, seconds, settings_of
from crmctl.notify.queue import FAILED
from crmctl.notify.sending import send
from crmctl.notify.texts import Speaker
from crmctl.runs.run import Run
from crmctl.security import locks
from crmctl.store import engine

ACT = "notify.send"
LOCK = "notify"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """What became of the outbox: notices sent now, those that wait still, those whose last attempt this was.

    `failures` are the channels that did not take a digest, with the code of why; `busy`: another process delivers.
    """

    sent: int = 0
    waiting: int = 0
    failed: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    busy: bool = False


def deliver(run: Run, *, deadline: float | None = None) -> Delivery:
    """Send what waits, after the run's own work is committed; what a channel does not take, waits for the next run.

    Call it while the run is open and holds no transaction.

    Takes `deadline` seconds at most (None: `spend_at_most` of notify.yaml) and raises nothing but a signal: neither a
    channel nor the outbox is a reason for the run to fail. A dry run sends nothing.
    """
    if run.run_id is None or run.dry_run:
        return Delivery()
    try:
        done = attempt(run, deadline=deadline)
        for channel, code in done.failures:
            log.warning("notices for channel %s wait: %s", channel, code)
        return done
    except Interrupted:
        raise
    except Locked:
        return _standing(run, busy=True)
    except CrmctlError as error:
        log.warning("notices were not delivered: %s", error.code)
    except Exception as error:  # the run's own work is committed: it did not fail, whatever is wrong here
        log.warning("notices were not delivered: %s", type(error).__name__)
    return Delivery()


def attempt(run: Run, *, deadline: float | None = None, patience: float = 0.0) -> Delivery:
    """Do as `deliver` does, but raise Locked where another process delivers for longer than `patience` seconds.

    Raises what the database raises.
    """
    settings = settings_of(run.policies)
    spend = float(seconds(settings.spend_at_most)) if deadline is None else deadline
    with engine.read(run.engine) as conn:
        idle = not outbox.waiting(conn)
    if idle:
        return Delivery()
    if not enforced(run.policies):
        return _standing(run)
    with locks.hold(
        LOCK,
        workspace=run.workspace.root,
        engine=run.engine if run.engine.dialect.name == "postgresql" else None,
        holder=f"{run.actor.person} (run {run.run_id}, {run.command})",
        timeout=patience,
        instance=run.workspace.instance,
    ):
        return _Round(run, settings, time.monotonic() + spend).all()


def _standing(run: Run, *, busy: bool = False) -> Delivery:
    try:
        with engine.read(run.engine) as conn:
            return Delivery(waiting=outbox.waiting(conn), busy=busy)
    except Interrupted:
        raise
    except CrmctlError:
        return Delivery(busy=busy)


@dataclass
class _Round:
    """One delivery: what it has done so far, and until when (monotonic seconds) it may go on."""

    run: Run
    settings: NotifySettings
    until: float
    sent: int = 0
    failed: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def all(self) -> Delivery:
        """Send to one channel after the other until nothing is left that can be sent, or the time is over."""
        begun = False
        while (what := self._next()) is not None:
            left = self.until - time.monotonic()
            limit = float(seconds(what.channel.timeout))
            if left <= 0 or (begun and left < limit):  # a shortened attempt would count against the channel
                break
            begun = True
            self._channel(what)
        with engine.read(self.run.engine) as conn:
            for code in outbox.unknown(conn, self.settings):
                self.failures.setdefault(code, "CHANNEL_UNKNOWN")
            waiting = outbox.waiting(conn)
        return Delivery(self.sent, waiting, self.failed, tuple(self.failures.items()))

    def _next(self) -> Ready | None:
        with engine.read(self.run.engine) as conn:
            found = outbox.ready(conn, self.settings, clock.now())
        return next((each for each in found if each.channel.code not in self.failures), None)

    def _channel(self, what: Ready) -> None:
        """Send one channel's digests and mark what became of them, with the entry that says so."""
        with engine.read(self.run.engine) as conn:
            rows = outbox.rows_of(conn, what)
        taken: list[int] = []
        refused: list[tuple[Digest, NotTaken]] = []
        for digest in composed(self.run, what.channel, rows):
            left = self.until - time.monotonic()
            if left <= 0:
                break
            failure = send(self.run, what.channel, digest, min(seconds(what.channel.timeout), left))
            if failure is None:
                taken += digest.numbers
            else:
                refused.append((digest, failure))
        self._mark(what.channel, taken, refused)

    def _mark(self, channel: Channel, taken: Sequence[int], refused: Sequence[tuple[Digest, NotTaken]]) -> None:
        counts = {"sent": 0, "waiting": 0, "failed": 0}
        changed = False
        at = clock.now()
        with engine.write(self.run.engine) as conn:
            counts["sent"] = outbox.mark_sent(conn, taken, at)
            for digest, failure in refused:
                numbers = digest.numbers
                if failure.tried:
                    marked = outbox.mark_tried(conn, numbers, at, failure.code, channel.attempts)
                    spent = sum(state == FAILED for state in outbox.states_of(conn, numbers).values())
                    counts["failed"] += spent
                    counts["waiting"] += marked - spent
                else:
                    marked = outbox.mark_untried(conn, numbers, failure.code)
                    counts["waiting"] += marked
                changed = changed or bool(marked)
            if counts["sent"] or changed:
                entries.append(conn, entry(self.run, channel.code, counts, [each.code for _d, each in refused]))
        self.sent += counts["sent"]
        self.failed += counts["failed"]
        if refused:
            self.failures[channel.code] = refused[0][1].code


def entry(run: Run, channel: str, counts: Mapping[str, int], codes: Sequence[str]) -> dict[str, Any]:
    """Return the audit entry of a digest, or of several to the recipients of one channel."""
    return run.entry(
        "failed" if codes else "done",
        act=ACT,
        at=clock.now(),
        obj=f"channel:{channel}",
        n=counts["sent"],
        counts={name: number for name, number in counts.items() if number},
        codes=sorted(set(codes)),
    )


def composed(run: Run, channel: Channel, rows: Sequence[Mapping[str, Any]]) -> list[Digest]:
    """Return the digests that rows of one channel make: one, or one for each recipient."""
    speaker = Speaker(run.policies, channel.lang, run.zone, clock.now())
    if not channel.by_person:
        return [digests.made(rows, speaker, channel.at_most)] if rows else []
    people: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        people.setdefault(row["recipient"], []).append(row)
    return [digests.made(own, speaker, channel.at_most, name) for name, own in people.items()]
