"""Open a run: workspace → policies → actor and permission → database at head → lock; record how it ends.

A reading command commits its one audit entry before anything is shown (`record_reading`). A changing command has a
row in `run` from its first write on (`begin`, `finish`), so that a killed one is visible as such.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, insert, select, update

from crmctl import clock, workspace
from crmctl.audit import entries
from crmctl.audit import looks as audit_looks
from crmctl.errors import CrmctlError, Interrupted, KeyMissing, LimitExceeded, PermissionMissing, Refused
from crmctl.i18n import _
from crmctl.runs import allowance, denials, granted, placing, tables
from crmctl.security import actor as actors
from crmctl.security import permissions
from crmctl.store import counters, engine, migrate

if TYPE_CHECKING:
    from crmctl.cli.options import Invocation
    from crmctl.policy import PolicySet
    from crmctl.policy.company import CompanySettings
    from crmctl.security.access import AccessSettings
    from crmctl.security.actor import Actor
    from crmctl.security.keystore import KeyStore
    from crmctl.security.locks import Held
    from crmctl.security.standing import Standing
    from crmctl.workspace import Workspace

HOST = platform.node()[:64]


@dataclass(frozen=True)
class Run:
    """What a verb gets: everything it may use and everything it is answerable with.

    `at` is the real time the run began, `as_of` the moment it decides for. `run_id` is None in a dry run and in a
    reading command until it is recorded.
    """

    command: str
    act: str
    actor: Actor
    workspace: Workspace
    policies: PolicySet
    engine: Engine
    at: datetime
    as_of: datetime
    dry_run: bool = False
    run_id: int | None = None
    held: Held | None = None
    standing: Standing | None = None  # what the staff register says of the actor; None: it says nothing
    cleanup: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)

    @cached_property
    def keys(self) -> KeyStore:
        """The key store, opened on first use."""
        from crmctl.security.keystore import KeyStore

        place = self.workspace
        store = KeyStore.open(
            place.keys, place.instance, master=place.get("master_key"), at=self.at, mirror=place.keys_mirror or None
        )
        self.cleanup.callback(store.close)
        return store

    @property
    def zone(self) -> str:
        """The company's time zone."""
        return company_zone(self.policies)

    def entry(self, result: str, **fields: Any) -> dict[str, Any]:
        """Return an audit entry of this run; `fields` as `audit.entries.entry` takes them."""
        as_of = clock.stamp(self.as_of) if self.as_of != self.at else None
        return entries.entry(
            act=fields.pop("act", self.act),
            actor=self.actor,
            at=fields.pop("at", self.at),
            result=result,
            run=self.run_id,
            policy=self.policies.hash,
            host=HOST,
            as_of=as_of,
            **fields,
        )


def company_zone(policies: PolicySet) -> str:
    """Return the IANA name of the company's time zone from company.yaml."""
    return cast("CompanySettings", policies.settings("company")).timezone


def today(policies: PolicySet, at: datetime) -> date:
    """Return the company's calendar day at a moment: undertakings and access are judged by it (ACC-05)."""
    return at.astimezone(ZoneInfo(company_zone(policies))).date()


def access_of(policies: PolicySet) -> AccessSettings:
    """Return the settings of access.yaml."""
    return cast("AccessSettings", policies.settings("access"))


@contextlib.contextmanager
def open_run(call: Invocation, command: str, act: str, *, lock: str = "") -> Iterator[Run]:
    """Yield the Run of `command`, or raise with the exit code its failure has.

    `act` is the permission needed (ACC-01); a denied attempt is logged before it is refused (ACC-07). `lock` names
    the lock that keeps a second copy of a job out.
    """
    from crmctl import policy

    place = workspace.called(call)
    policies = policy.load(place.policies)
    now = clock.now()
    as_of = clock.parse_as_of(call.as_of, company_zone(policies), now) if call.as_of else now
    with contextlib.ExitStack() as stack:
        base = engine.open_engine(database_url(place), timeout=place.timeout, workspace=place.root)
        stack.callback(base.dispose)
        migrate.require_head(base)
        who = actors.stranger(str(place.get("mode")))
        run = Run(command, act, who, place, policies, base, now, as_of, bool(call.dry_run), cleanup=stack)
        _same_installation(run)
        run = permitted(identified(run))
        if lock and not run.dry_run:
            run = replace(run, held=stack.enter_context(hold(run, lock)))
        yield run


def database_url(place: Workspace) -> str:
    """Return the database URL with the password of `database_password_file`, which is never shown or logged."""
    secret = place.get("database_password_file")
    return with_password(place.database_url, place.root / str(secret) if secret else None)


def with_password(url: str, secret: Path | None) -> str:
    """Return a database URL with the password that an owner-only file holds. Raises KeyMissing for an open one."""
    if secret is None:
        return url
    from sqlalchemy import make_url

    from crmctl.security.keystore import read_secret

    password = read_secret(secret).decode().strip()
    return make_url(url).set(password=password).render_as_string(hide_password=False)


def _same_installation(run: Run) -> None:
    """Raise KeyMissing when the database is another workspace's: nothing of it would open here."""
    with engine.read(run.engine) as conn:
        instance = conn.execute(select(tables.installation.c.instance)).scalar_one_or_none()
    if instance != run.workspace.get("instance"):
        raise KeyMissing(
            _("the database belongs to another workspace ({theirs}, this is {ours})").format(
                theirs=str(instance)[:8], ours=str(run.workspace.get("instance"))[:8]
            ),
            hint=_("correct `database` in crmctl.yaml"),
            code="INSTANCE_WRONG",
        )


def identified(run: Run) -> Run:
    """Return `run` with its actor. Raises PermissionMissing for nobody known, noted in the log."""
    place = run.workspace
    try:
        who = actors.current(access_of(run.policies), mode=str(place.get("mode")), service_uid=place.get("service_uid"))
    except PermissionMissing as refusal:
        note_denied(run, refusal)
        raise
    return replace(run, actor=who)


def note_denied(run: Run, refusal: PermissionMissing) -> None:
    """Log an attempt that is refused, where the log is ours and takes it: it is refused either way."""
    with contextlib.suppress(CrmctlError):
        migrate.require_head(run.engine)
        _same_installation(run)
        with engine.write(run.engine) as conn:
            denials.note(conn, run, refusal)


def permitted(run: Run) -> Run:
    """Return `run` placed on the staff register when its actor may do its act.

    Raises PermissionMissing, in the log, for whoever may not, or whose database role is somebody else's.
    """
    access = access_of(run.policies)
    with denial_noted(run):
        placed = placing.placed(run, access)
        on = today(run.policies, run.at)
        permissions.require(placed.actor, access, run.act, on=on, standing=placed.standing)
    return placed


@contextlib.contextmanager
def denial_noted(run: Run) -> Iterator[None]:
    """Log what the block refuses with PermissionMissing, in a transaction of its own; the error goes on."""
    try:
        yield
    except PermissionMissing as refusal:
        if not refusal.noted:
            with engine.write(run.engine) as conn:
                denials.note(conn, run, refusal, act=refusal.details.get("act", run.act))
            refusal.noted = True
        raise


def hold(run: Run, name: str) -> contextlib.AbstractContextManager[Held]:
    """Return the lock `name` of the run's workspace, to be held by a with-block. Raises Locked beyond the timeout."""
    from crmctl.security import locks

    return locks.hold(
        name,
        workspace=run.workspace.root,
        engine=run.engine if run.engine.dialect.name == "postgresql" else None,
        holder=f"{run.actor.person} (pid {os.getpid()}, {run.command}, {clock.local(run.at, run.zone)})",
        timeout=run.workspace.timeout,
        instance=run.workspace.instance,
    )


def begin(run: Run) -> Run:
    """Return `run` with its number, recorded as running, and its policy set kept; committed."""
    with denial_noted(run), engine.write(run.engine) as conn:
        numbered = replace(run, run_id=counters.take(conn, "run", 1))
        _insert_run(conn, numbered, "running")
        allowance.within(conn, numbered, run.act)
    return numbered


def _insert_run(conn: Connection, run: Run, state: str) -> None:
    """Write the row of a numbered run, and before it what the log is still to say of those before."""
    granted.note(conn, run)
    denials.flush(conn, run)
    keep_policy_text(conn, run.policies, run.at)
    conn.execute(
        insert(tables.run).values(
            run_id=run.run_id,
            command=run.command,
            person=run.actor.person,
            uid=run.actor.uid,
            host=HOST,
            pid=os.getpid(),
            started_at=run.at,
            ended_at=run.at if state != "running" else None,
            state=state,
            exit_code=0 if state == "done" else None,
            as_of=run.as_of if run.as_of != run.at else None,
            policy_hash=run.policies.hash,
        )
    )


def keep_policy_text(conn: Connection, policies: PolicySet, at: datetime) -> None:
    """Keep the text of a policy set, once: every decision names the hash it was made under."""
    known = conn.execute(
        select(tables.policy_version.c.policy_hash).where(tables.policy_version.c.policy_hash == policies.hash)
    ).first()
    if known is None:
        dialect = import_module(f"sqlalchemy.dialects.{conn.dialect.name}")  # the other one costs 20 ms to import
        values = {"policy_hash": policies.hash, "first_seen_at": at, "text": policies.text()}
        conn.execute(dialect.insert(tables.policy_version).values(values).on_conflict_do_nothing())


def finish(conn: Connection, run: Run, state: str, exit_code: int, counts: Mapping[str, int]) -> None:
    """Record in the caller's transaction how a begun run ended."""
    import orjson

    conn.execute(
        update(tables.run)
        .where(tables.run.c.run_id == run.run_id)
        .values(
            ended_at=clock.now(),
            state=state,
            exit_code=exit_code,
            counts=orjson.dumps(dict(counts), option=orjson.OPT_SORT_KEYS).decode(),
        )
    )


@contextlib.contextmanager
def recorded_failure(run: Run) -> Iterator[None]:
    """Record a begun run as refused, failed or interrupted when the block raises; the error goes on."""
    try:
        yield
    except BaseException as error:
        state = "failed"
        if isinstance(error, (Interrupted, KeyboardInterrupt)):
            state = "interrupted"
        elif isinstance(error, (Refused, LimitExceeded)):
            state = "refused"
        code = error.exit_code if isinstance(error, CrmctlError) else 70
        with contextlib.suppress(CrmctlError), engine.write(run.engine) as conn:
            finish(conn, run, state, code, {})
        raise


def record_reading(run: Run, *, looks: Iterable[int] | None = None, **fields: Any) -> Run:
    """Commit the run row and the one audit entry of a reading command, before anything is shown (ACC-07).

    `looks` are the numbers of the customers that will be shown, each once; the entry commits to them, however many
    they are. Returns the run with its number. A dry run of a reading command is logged as well: it shows the same.
    Raises PermissionMissing, which is in the log, beyond the person's daily limit.
    """
    with denial_noted(run), engine.write(run.engine) as conn:
        number = counters.take(conn, "run", 1)
        numbered = replace(run, run_id=number)
        _insert_run(conn, numbered, "done")
        allowance.within(conn, numbered, fields.get("act", run.act))
        if looks is not None:
            shown, root = audit_looks.commit(conn, number, looks)
            if shown:
                fields = {**fields, "looks": shown, "looks_root": root.hex()}
        entries.append(conn, numbered.entry("done", **fields))
    return numbered
