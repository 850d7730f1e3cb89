"""`notify send`: deliver what waits as a run of its own."""

from __future__ import annotations

from crmctl import clock
from crmctl.notify import deliver, outbox
from crmctl.notify.deliver import Delivery
from crmctl.notify.policy import enforced, seconds, settings_of
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine


def sweep(run: Run, patience: float) -> tuple[int | None, Delivery]:
    """Deliver what waits; return the number of the run, None where nothing could be sent now, or in a dry run.

    Nobody waits for it: every channel gets the whole of its time. Raises Locked where another process delivers for
    longer than `patience` seconds.
    """
    settings = settings_of(run.policies)
    with engine.read(run.engine) as conn:
        waiting = outbox.waiting(conn)
        lost = tuple((code, "CHANNEL_UNKNOWN") for code in outbox.unknown(conn, settings))
        idle = not outbox.ready(conn, settings, clock.now())
    if run.dry_run or idle or not enforced(run.policies):
        return None, Delivery(waiting=waiting, failures=lost)
    whole = sum(seconds(channel.timeout) for channel in settings.channels)
    deadline = float(max(whole, seconds(settings.spend_at_most)))
    run = runs.begin(run)
    with runs.recorded_failure(run):
        done = deliver.attempt(run, deadline=deadline, patience=patience)
        state = "failed" if done.failures else "done"
        counts = {"sent": done.sent, "waiting": done.waiting, "failed": done.failed}
        with engine.write(run.engine) as conn:
            runs.finish(conn, run, state, 1 if done.failures else 0, counts)
    return run.run_id, done
