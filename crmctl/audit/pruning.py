"""Prune the log: entries older than a day lose their text, leaf and place stay (security.md 2(d), retention).

Nothing is pruned of a log that does not verify, nothing behind the newest checkpoint that counts, never the newest
entry. The first transaction spends the approval, empties the first chunk and appends the entry that says how far the
prune will go; what a killed prune emptied is therefore always the beginning of what an entry names, and it is finished
by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import sha256
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, func, select, update

from crmctl import clock
from crmctl.approvals import asking, using
from crmctl.audit import checkpoints, entries, standing
from crmctl.audit.export import time_of
from crmctl.audit.policy import kept_until
from crmctl.audit.problems import Problems
from crmctl.audit.pruned import ACT, Kept, Mark, position
from crmctl.audit.tables import audit_entry
from crmctl.audit.verify_entries import Log, check_entries
from crmctl.audit.verify_kept import Leaves
from crmctl.clock import stamp
from crmctl.errors import IntegrityFailed, Refused, ValueUndecided
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security import serverrights
from crmctl.store import engine

CHUNK = 5000
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Plan:
    """What a prune does: entries from `first` on lose their text, then the first `size` have none.

    `signed` entries are covered by a checkpoint that counts. `begun` is what the log says of a prune that did not come
    to its end and is finished now.
    """

    instance: str
    first: int
    size: int
    root: bytes
    kept: Kept
    signed: int
    begun: Mark | None = None

    @property
    def count(self) -> int:
        """How many entries lose their text."""
        return self.size - self.first

    @property
    def subject(self) -> str:
        """What an approval is about."""
        return f"prune:{self.size}"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 over all that decides what is done: what an approval is bound to."""
        told = {
            "first": self.first,
            "instance": self.instance,
            "kept": self.kept.number,
            "kept_root": self.kept.root.hex(),
            "root": self.root.hex(),
            "size": self.size,
        }
        return sha256(b"crmctl-prune-v1\n" + orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def require_rights(run: Run) -> None:
    """Raise PermissionMissing, in the log, for a login of the database that may not change entries."""
    with runs.denial_noted(run):
        serverrights.require(run, audit_entry.name, "UPDATE")


def plan(run: Run, before: date, tell: Tell) -> Plan:
    """Return what pruning all entries older than `before`, a day of the company, would do; verifies the log first.

    Raises ValueUndecided while audit.yaml does not say how long texts are kept, Refused for a day within that time and
    for entries that are not signed yet, IntegrityFailed 13 for a log that does not verify.
    """
    _old_enough(run, before)
    settings = checkpoints.settings_of(run.policies)
    trust, pins = checkpoints.trust_of(run.workspace, settings), standing.pins(run.workspace, settings)
    problems = Problems()
    with engine.read(run.engine) as conn, closing(Leaves()) as leaves:
        log = check_entries(conn, problems, leaves.said, tell, trust, pins)
        leaves.check(conn, log, problems, tell)
        if problems.total:
            raise IntegrityFailed(
                _("the log does not verify ({number} problems); nothing was pruned").format(number=problems.total),
                hint=_("see what differs with: crmctl audit verify --changes"),
                code="LOG_INVALID",
            )
        begun = log.marks[0] if log.marks and log.marks[0].begun else None
        size = begun.size if begun else _older(conn, run, before, log)
        if begun is None and log.pruned < size > log.signed:
            raise _unsigned(size, log.signed)
        root = position(conn, size).root
        return Plan(str(run.workspace.get("instance")), log.pruned, size, root, leaves.kept(size), log.signed, begun)


def _old_enough(run: Run, before: date) -> None:
    """Raise where texts are kept longer, or nobody decided for how long."""
    text = checkpoints.settings_of(run.policies).keep_bodies
    if text is None:
        raise ValueUndecided(
            _("policies/audit.yaml: `keep_bodies` is not decided: how long entries keep their text"),
            hint=_("write it there, 6 months or more, as in: keep_bodies: 36 months"),
        )
    latest = kept_until(text, runs.today(run.policies, run.at))
    if before > latest:
        raise Refused(
            _("entries keep their text for {period}: nothing from {day} on is pruned").format(period=text, day=latest),
            hint=_("give --before {day} or an earlier day; policies/audit.yaml says how long (`keep_bodies`)").format(
                day=latest
            ),
            code="KEPT_LONGER",
        )


def _older(conn: Connection, run: Run, before: date, log: Log) -> int:
    """Return how many entries of the beginning are older than a day, the newest of all not counted."""
    began = datetime.combine(before, time(), ZoneInfo(run.zone))
    seq = audit_entry.c.seq
    found = conn.execute(select(func.min(seq)).where(time_of(conn) >= stamp(began))).scalar_one()
    older = log.tree.size if found is None else int(found)
    return max(min(older, log.tree.size - 1), log.pruned)


def _unsigned(size: int, signed: int) -> Refused:
    return Refused(
        _("entries up to {last} would be pruned, and only {signed} are signed").format(last=size - 1, signed=signed),
        hint=_("sign it first: crmctl audit checkpoint"),
        code="PRUNE_UNSIGNED",
    )


def ask(run: Run, wanted: Plan) -> int | None:
    """Ask for agreement to a prune; return the approval, None where access.yaml asks for nobody."""
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        number = asking.ask(
            conn, run, act=ACT, subject=wanted.subject, subject_hash=wanted.fingerprint, rows=wanted.count
        )
        runs.finish(conn, run, "done", 0, {})
        about = {"obj": wanted.subject, "n": wanted.count, "source": wanted.fingerprint, "approval": number}
        entries.append(conn, run.entry("done", act=f"{ACT}.ask", at=clock.now(), **about))
    return number


def prune(run: Run, wanted: Plan, tell: Tell) -> None:
    """Do it, chunk by chunk. Raises PermissionMissing and PlanStale as `using.require` does, changing nothing."""
    approval = wanted.begun.approval if wanted.begun else None
    if wanted.begun is None:
        with runs.denial_noted(run), engine.read(run.engine) as conn:
            approval = using.require(
                conn, run, act=ACT, subject=wanted.subject, subject_hash=wanted.fingerprint, rows=wanted.count
            )
    run = runs.begin(run)
    with runs.recorded_failure(run):
        for start in range(wanted.first, wanted.size, CHUNK):
            with engine.write(run.engine) as conn:
                if start == wanted.first and wanted.begun is None and approval is not None:
                    using.spend(conn, run, approval)
                _empty(conn, start, min(start + CHUNK, wanted.size))
                if start == wanted.first and wanted.begun is None:
                    entries.append(conn, _entry(run, "begun", wanted, approval))
            tell(min(CHUNK, wanted.size - start))
        with engine.write(run.engine) as conn:
            runs.finish(conn, run, "done", 0, {"pruned": wanted.count})
            entries.append(conn, _entry(run, "done", wanted, approval))


def _empty(conn: Connection, start: int, end: int) -> None:
    seq = audit_entry.c.seq
    conn.execute(update(audit_entry).where(seq >= start, seq < end).values(body=""))


def _entry(run: Run, result: str, wanted: Plan, approval: int | None) -> dict[str, object]:
    """Return the entry of a prune: the range, how many entries, the root of all that is pruned by then."""
    span = [wanted.first, wanted.size - 1] if wanted.count else None
    return run.entry(
        result,
        at=clock.now(),
        rows=span,
        n=wanted.count,
        pruned=wanted.size,
        pruned_root=wanted.root.hex(),
        kept=wanted.kept.number,
        kept_root=wanted.kept.root.hex(),
        source=wanted.fingerprint,
        approval=approval,
    )
