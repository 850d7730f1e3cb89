"""`crmctl notify …`: send, list, test, retry, drop."""

from __future__ import annotations

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Table
from crmctl.i18n import N_, _

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
CHANGING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74, 130, 143)
STATES = ("waiting", "sent", "failed", "dropped")
REASONS = ("obsolete", "duplicate", "mistake", "other")


@command(example="crmctl notify send", exits=CHANGING_EXITS, changes=True)
def send_command(call: Invocation) -> int | None:
    """Send what waits: each channel one digest. For cron; other commands send what they write themselves.

    What a channel does not take waits and is tried again, until it has failed as often as notify.yaml allows. Exit 1
    where a channel did not take what is for it. --dry-run tells how many wait and sends nothing.
    """
    from crmctl.notify import sweep
    from crmctl.notify.failures import meaning
    from crmctl.runs import run as runs

    with runs.open_run(call, "notify send", "notify.send") as run:
        run_id, done = sweep.sweep(run, call.timeout)
    document = {
        "run_id": run_id,
        "sent": done.sent,
        "waiting": done.waiting,
        "failed": done.failed,
        "failures": [{"channel": channel, "code": code} for channel, code in done.failures],
    }
    said = _("notices sent: {sent}; waiting: {waiting}; failed for good: {failed}").format(
        sent=done.sent, waiting=done.waiting, failed=done.failed
    )
    told = [f"{channel}: {meaning(code)} ({code})" for channel, code in done.failures]
    call.emit(document, said, *told, trouble=bool(done.failures))
    return 1 if done.failures else None


@command(
    example=("crmctl notify list", "crmctl notify list --state failed"),
    exits=READING_EXITS,
)
@click.option("--state", type=click.Choice(STATES), help=N_("Only what stands so; else what waits or has failed."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--before", type=click.IntRange(min=1), metavar="NUMBER", help=N_("Continue before this notice."))
def list_command(call: Invocation, state: str | None, limit: int, before: int | None) -> int | None:
    """List notices, newest first: what waits or has failed, and why."""
    from crmctl.notify import listing, outbox
    from crmctl.runs import run as runs
    from crmctl.store import engine

    with runs.open_run(call, "notify list", "notify.list") as run:
        with engine.read(run.engine) as conn:
            found = outbox.newest(conn, (state,) if state else ("waiting", "failed"), before, limit)
        run = runs.record_reading(run, n=len(found))
        call.emit({"run_id": run.run_id}, Table(listing.LISTED, listing.rows(run, found), "notices"))
    return None


@command(example="crmctl notify test complaints_group", exits=CHANGING_EXITS, formats=("table", "json"))
@click.argument("channel", metavar="CHANNEL")
def test_command(call: Invocation, channel: str) -> int | None:
    """Send one test message to a channel now, and tell whether it was taken. Exit 1 where it was not."""
    from crmctl.notify import keeping
    from crmctl.notify.failures import meaning
    from crmctl.runs import run as runs

    with runs.open_run(call, "notify test", "notify.test") as run:
        run, failure = keeping.test(run, channel)
    document = {"run_id": run.run_id, "channel": channel, "taken": failure is None,
                "code": None if failure is None else failure.code}  # fmt: skip
    if failure is None:
        call.emit(document, _("{channel}: has the test message").format(channel=channel))
        return None
    call.emit(document, f"{channel}: {meaning(failure.code)} ({failure.code})")
    return 1


@command(
    example=("crmctl notify retry", "crmctl notify retry --channel complaints_group"),
    exits=CHANGING_EXITS,
    changes=True,
)
@click.option("--channel", default="", metavar="CHANNEL", help=N_("Only what is for this channel."))
def retry_command(call: Invocation, channel: str) -> int | None:
    """Let what failed wait again, and what waits be tried at once: by the next command, or by `notify send`."""
    from crmctl.notify import keeping
    from crmctl.runs import run as runs

    with runs.open_run(call, "notify retry", "notify.retry") as run:
        kept = keeping.retry(run, channel)
    call.emit(
        {"run_id": kept.run_id, "revived": kept.notices},
        _("failed notices that wait again: {count}").format(count=kept.notices),
    )
    return None


@command(example="crmctl notify drop 17 18 --reason obsolete", exits=CHANGING_EXITS, changes=True)
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(min=1), metavar="NUMBER…")
@click.option("--reason", type=click.Choice(REASONS), required=True, help=N_("Why they are not sent."))
def drop_command(call: Invocation, numbers: tuple[int, ...], reason: str) -> int | None:
    """Drop notices that are not sent yet: nobody gets them.

    They stay in the list, and the log says who dropped them.
    """
    from crmctl.notify import keeping
    from crmctl.runs import run as runs

    with runs.open_run(call, "notify drop", "notify.drop") as run:
        kept = keeping.drop(run, numbers, reason)
    call.emit(
        {"run_id": kept.run_id, "dropped": kept.notices},
        _("notices dropped: {count}").format(count=kept.notices),
    )
    return None
