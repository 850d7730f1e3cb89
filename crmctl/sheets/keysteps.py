"""Before an import writes: is the key store the one that the database goes with, neither older nor newer?

Every import has a key of its own, so that the numbers of imports tell. An older store would lose customers made since
its copy; a newer one means that the database was restored to an older state, whose next numbers have keys already.
"""

from __future__ import annotations

from sqlalchemy import func, select

from crmctl.errors import KeyMissing, Refused
from crmctl.i18n import _
from crmctl.runs import plans
from crmctl.runs.run import Run
from crmctl.sheets.tables import batch
from crmctl.store import counters, engine


def require(run: Run) -> None:
    """Raise KeyMissing for a key store older or newer than the database.

    Raises Refused while its index key is changing, or a purge is not finished.
    """
    columns = counters.counter.c
    with engine.read(run.engine) as conn:
        kept = select(func.max(batch.c.batch_id)).where(batch.c.destroyed_at.is_(None))
        newest = conn.execute(kept).scalar_one_or_none()
        purge = plans.unfinished(conn, plans.PURGE)
        following = conn.execute(select(columns.next_value).where(columns.name == "batch")).scalar_one_or_none() or 1
    if purge is not None:
        raise Refused(
            _("the purge of plan {plan} was interrupted; whom it is about must not be met again").format(plan=purge),
            hint=_("finish it first: crmctl purge run {plan}").format(plan=purge),
            code="PURGE_UNFINISHED",
        )
    if newest is not None and not run.keys.fetch("batch", [newest]):
        raise _other(
            run,
            _("{location}: the keys of workspace {instance} (newest master key {epoch}) are older than the database"),
            "KEYSTORE_OLD",
        )
    if max(run.keys.owner_ids("batch"), default=0) >= following:
        raise _other(
            run,
            _("{location}: the keys of workspace {instance} (newest master key {epoch}) are newer than the database"),
            "KEYSTORE_NEW",
        )
    if len(run.keys.index_keys()[1]) > 1:
        raise Refused(
            _("the change of the index key was interrupted; known customers would not be recognised"),
            hint=_("finish it first: crmctl keys rotate --index"),
            code="INDEX_CHANGING",
        )


def _other(run: Run, message: str, code: str) -> KeyMissing:
    return KeyMissing(
        message.format(
            location=run.keys.location, instance=run.workspace.get("instance"), epoch=run.keys.wrapper.epoch
        ),
        hint=_("restore the newest copy of the key store, and the database that goes with it"),
        code=code,
    )
