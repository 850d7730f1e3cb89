"""`crmctl access …`: show, check, review, sql."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.security.showing import Answer

EXITS = (0, 2, 4, 6, 10, 11, 74)
_PEOPLE = (
    Column("person", N_("Who")),
    Column("roles", N_("Roles")),
    Column("uids", N_("Accounts")),
    Column("pg", N_("Database roles"), detail=True),
    Column("staff", N_("Staff number")),
    Column("org_unit", N_("Org unit")),
    Column("confidentiality_signed", N_("Undertaking signed")),
    Column("training_passed", N_("Training passed")),
    Column("until", N_("Until")),
    Column("kept_out", N_("Kept out by")),
)
_ROLES = (
    Column("role", N_("Role")),
    Column("can", N_("May")),
    Column("deny", N_("Denied")),
    Column("scope", N_("Scope")),
    Column("view", N_("Shown")),
    Column("mask", N_("Masked")),
    Column("export", N_("Exported")),
    Column("limits", N_("Limits")),
    Column("where", N_("Where")),
)


@command(example=("crmctl access show", "crmctl access show li.na"), exits=EXITS)
@click.argument("person", required=False)
def show_command(call: Invocation, person: str | None) -> int | None:
    """Show who has access: roles, accounts, papers; for one PERSON what each role allows, and where that is written.

    PERSON is a name of access.yaml, or job:NAME. "Kept out by" says what keeps somebody out whatever the roles allow.
    """
    from crmctl.runs import run as runs
    from crmctl.security import showing
    from crmctl.store import engine

    with runs.open_run(call, "access show", "access.show") as run:
        if person is not None:
            rows = showing.rights(run, person)
            run = runs.record_reading(run, n=len(rows), about=person)
            document = {"run_id": run.run_id, "person": person}
            if call.output == "table":
                call.emit(document, _of_roles(rows))
            else:
                call.emit(document, Table(_ROLES, rows, "roles"))
            return None
        with engine.read(run.engine) as conn:
            rows = showing.people(conn, run)
        run = runs.record_reading(run, n=len(rows))
        call.emit({"run_id": run.run_id}, Table(_PEOPLE, rows, "people"))
    return None


def _of_roles(rows: list[tuple[Any, ...]]) -> Table:
    """Return what people read of roles: a line for each thing a role says."""
    lines: list[tuple[str, str, str]] = []
    for role, *values in rows:
        told = [(column.heading(""), column.text(value)) for column, value in zip(_ROLES[1:], values, strict=True)]
        said = [(name if place == 0 else "", part) for name, text in told for place, part in enumerate(_parts(text))]
        lines += [(role if place == 0 else "", *pair) for place, pair in enumerate(said)]
    return Table((_ROLES[0], Column("what", N_("What")), Column("value", N_("Value"))), lines)


def _parts(text: str) -> list[str]:
    """Return a long list of acts as lines that fit a terminal; nothing for no text."""
    return wrap(text, 96, break_long_words=False, break_on_hyphens=False)


@command(
    example=(
        "crmctl access check li.na customer.import",
        "crmctl access check zhao.m customer.show --customer C-000123",
    ),
    exits=(0, 1, 2, 4, 6, 10, 11, 74),
    formats=("table", "json"),
)
@click.argument("person")
@click.argument("act")
@click.option("--customer", default="", metavar="NUMBER", help=N_("Also whether this customer is within the scope."))
def check_command(call: Invocation, person: str, act: str, customer: str) -> int:
    """Say whether PERSON may do ACT now, why, and where that is written: exit status 0 for yes, 1 for no.

    Roles, denials, papers, the staff register, the scope and today's limit are judged as they would be for the person.
    """
    from crmctl.audit.listing import parse_customer
    from crmctl.runs import run as runs
    from crmctl.security import showing
    from crmctl.store import engine

    with runs.open_run(call, "access check", "access.check") as run:
        number = parse_customer(customer) if customer else None
        with engine.read(run.engine) as conn:
            answer = showing.check(conn, run, person, act, number)
        run = runs.record_reading(run, n=1, about=person)
        _emit(call, run, person, act, answer)
    return 0 if answer.allowed else 1


def _emit(call: Invocation, run: Run, person: str, act: str, answer: Answer) -> None:
    document: dict[str, Any] = {
        "run_id": run.run_id,
        "person": person,
        "act": act,
        "allowed": answer.allowed,
        "code": answer.code,
        "reason": answer.reason,
        "where": answer.where,
        "scope": answer.scope or None,
        "limit": answer.limit,
        "used": answer.used,
    }
    lines = [_("yes") if answer.allowed else _("no"), answer.reason]
    if answer.where:
        lines.append(_("written in {where}").format(where=answer.where))
    if answer.limit is not None:
        lines.append(_("today {used} of {limit}").format(used=answer.used, limit=answer.limit))
    call.emit(document, *lines)


@command(example="crmctl access review --from 2026-10-01 --to 2026-12-31", exits=EXITS)
@click.option("--from", "since", metavar="TIME", help=N_("Only from this date or time on; 30 days ago unless given."))
@click.option("--to", "until", metavar="TIME", help=N_("Only up to this date (included) or time."))
def review_command(call: Invocation, since: str | None, until: str | None) -> int | None:
    """Say who saw customers they do not own: looks by person, from the log.

    Counted is each customer that was shown, once an entry. Owners are those of today; whose customers are a person's
    own, the staff register says. Most foreign looks come first.
    """
    from datetime import timedelta

    from crmctl import clock
    from crmctl.audit.listing import parse_moment
    from crmctl.errors import InvalidInput
    from crmctl.runs import run as runs
    from crmctl.security import reviewing, showing
    from crmctl.store import engine

    with runs.open_run(call, "access review", "access.review") as run:
        first = parse_moment(since, run.zone) if since else run.at - timedelta(days=30)
        last = parse_moment(until, run.zone, end=True) if until else run.at + timedelta(seconds=1)
        if last <= first:
            raise InvalidInput(
                _("--to {until}: is before the period begins").format(until=until or clock.local(last, run.zone)),
                hint=_("give --from too: without it the review begins 30 days ago"),
                code="PERIOD_INVALID",
            )
        with engine.read(run.engine) as conn:
            found = reviewing.review(conn, first, last, showing.own(conn, runs.access_of(run.policies)))
        run = runs.record_reading(run, n=len(found))
        columns = (
            Column("person", N_("Who")),
            Column("others", N_("Others' customers"), right=True),
            Column("unowned", N_("Nobody's"), right=True),
            Column("own", N_("Own"), right=True),
            Column("gone", N_("Gone since"), right=True),
            Column("last_at", N_("Last")),
            Column("acts", N_("By"), show=lambda acts: ", ".join(f"{act} {number}" for act, number in acts.items())),
        )
        rows = [
            (
                person, seen.others, seen.unowned, seen.own, seen.gone,
                clock.local(clock.parse_stamp(seen.last), run.zone), dict(sorted(seen.acts.items())),
            )
            for person, seen in sorted(found.items(), key=lambda item: (-item[1].others, -item[1].unowned, item[0]))
        ]  # fmt: skip
        document = {
            "run_id": run.run_id,
            "from": clock.local(first, run.zone),
            "to": clock.local(last, run.zone),
        }
        call.emit(document, Table(columns, rows, "people"))
    return None


@command(example="crmctl access sql | psql -d crm", exits=EXITS, formats=("table",))
def sql_command(call: Invocation) -> int | None:
    """Print the PostgreSQL roles, grants and row policies that match access.yaml, for mode server.

    The database's owner runs the script; again after every change of access.yaml, as often as you like. Login roles it
    does not make: a person's are in access.yaml under `pg`, and the script joins those that exist to their groups. Who
    has not signed or is not trained is in no group.
    """
    from crmctl.runs import run as runs
    from crmctl.security import accesssql

    with runs.open_run(call, "access sql", "access.sql") as run:
        day = runs.today(run.policies, run.at)
        script = accesssql.script(runs.access_of(run.policies), run.policies.hash, day, run.zone)
        runs.record_reading(run, n=1)
    click.echo(script, nl=False)
    return None
