"""`crmctl audit …`: list the log's entries, verify the log."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Part, Table
from crmctl.errors import CrmctlError, UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.audit.listing import Filters
    from crmctl.audit.verify import Verification
    from crmctl.runs.run import Run

RESULTS = {
    "done": N_("done"),
    "begun": N_("begun"),
    "refused": N_("refused"),
    "denied": N_("denied"),
    "failed": N_("failed"),
}
_PROBLEM = (
    Column("code", N_("Code")),
    Column("subject", N_("What")),
    Column("message", N_("Problem")),
)
_ENTRY = (
    Column("seq", N_("No."), right=True),
    Column("at", N_("At")),
    Column("person", N_("Who")),
    Column("act", N_("Action")),
    Column("result", N_("Result"), show=lambda code: _(RESULTS[code]) if code in RESULTS else str(code)),
    Column("obj", N_("Object")),
    Column("about", N_("Person concerned")),
    Column("granted", N_("Granted")),
    Column("revoked", N_("Revoked")),
    Column("n", N_("Number"), right=True),
    Column("fields", N_("Fields")),
    Column("purpose", N_("Purpose")),
    Column("recipient", N_("Recipient")),
    Column("ticket", N_("Ticket")),
    Column("codes", N_("Reasons")),
    Column("run", N_("Run"), right=True),
    Column("batch", N_("Batch"), right=True),
    Column("chunk", detail=True),
    Column("rows", detail=True),
    Column("counts", detail=True),
    Column("changes", detail=True),
    Column("changes_root", detail=True),
    Column("source", detail=True),
    Column("uid", detail=True),
    Column("via", detail=True),
    Column("roles", detail=True),
    Column("job", detail=True),
    Column("as_of", detail=True),
    Column("policy", detail=True),
    Column("host", detail=True),
    Column("skew", detail=True),
    Column("looks", detail=True),
    Column("looks_root", detail=True),
    Column("approval", detail=True),
    Column("use", detail=True),
    Column("pruned", detail=True),
    Column("pruned_root", detail=True),
    Column("kept", detail=True),
    Column("kept_root", detail=True),
)
ALWAYS = 6  # the first columns are shown even when empty
_OF_ACTOR = ("person", "uid", "via", "roles")


@command(
    example=("crmctl audit list --customer C-000123", "crmctl audit list --act 'customer.*' --from 2026-11-01"),
    exits=(0, 2, 4, 6, 10, 11, 13, 74),
    as_of=True,
)
@click.option(
    "--person", "--who", "who", metavar="PERSON", help=N_("Only what this person did, as access.yaml names people.")
)
@click.option(
    "--act", "--action", "action", metavar="ACT", help=N_("Only this act, as in customer.import, or customer.*")
)
@click.option("--customer", metavar="NUMBER", help=N_("Only what was about this customer, or touched it."))
@click.option("--from", "since", metavar="TIME", help=N_("Only from this date or time on."))
@click.option("--to", "until", metavar="TIME", help=N_("Only up to this date (included) or time."))
@click.option("--result", "--outcome", "outcome", type=click.Choice(list(RESULTS)), help=N_("Only what ended so."))
@click.option("--limit", type=click.IntRange(1, 10000), default=50, help=N_("How many to show."))
@click.option("--before", type=click.IntRange(0), metavar="NUMBER", help=N_("Continue before this entry."))
@click.option("--raw", is_flag=True, help=N_("The exact bytes of every entry, one a line, oldest first."))
@click.option("--after", type=click.IntRange(-1), metavar="NUMBER", help=N_("With --raw: only behind this entry."))
def list_command(call: Invocation, limit: int, raw: bool, after: int | None, **given: Any) -> None:  # noqa: ANN401
    """List entries of the audit log, newest first.

    Entries hold no personal values: who did what, when, to which numbers, and how it ended. Looking is an entry too.
    """
    from crmctl.audit.listing import list_entries
    from crmctl.runs import run as runs

    _refuse_misfits(call, raw, after, given)
    with runs.open_run(call, "audit list", "audit.list") as run:
        if raw:
            _write_raw(run, -1 if after is None else after)
            return
        filters = _filters(run, given)
        page = list_entries(run.engine, filters, limit)
        about: dict[str, Any] = {"obj": f"customer:{filters.customer}"} if filters.customer else {}
        run = runs.record_reading(run, n=len(page.entries), **about)
        rows = [row_of(body, run.zone) for body in page.entries]
        more = [_("more: --before {number}").format(number=page.next)] if page.next is not None else []
        columns = _filled(rows) if call.output == "table" else _ENTRY
        call.emit({"run_id": run.run_id, "next": page.next}, Table(columns, rows, "entries"), *more)


def _refuse_misfits(call: Invocation, raw: bool, after: int | None, given: dict[str, Any]) -> None:
    if after is not None and not raw:
        raise UsageProblem(_("--after goes with --raw"))
    if raw and (call.given & {"output", "as_of"} or any(value is not None for value in given.values())):
        raise UsageProblem(_("--raw gives the log as it is stored: it takes no form, no filter and no --as-of"))


def _write_raw(run: Run, after: int) -> None:
    """Write the exact bytes of the entries behind number `after`, the one of this look included."""
    import sys

    from crmctl.audit import raw
    from crmctl.runs import run as runs
    from crmctl.store.engine import read

    with read(run.engine) as conn:
        last = raw.size(conn)  # the number of the next entry, which is this look's
    runs.record_reading(run, n=max(last - after, 0))
    sys.stdout.flush()
    with read(run.engine) as conn:
        for line in raw.lines(conn, after, last):
            sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def _filters(run: Run, given: dict[str, Any]) -> Filters:
    from datetime import timedelta

    from crmctl.audit.listing import Filters, parse_customer, parse_moment

    until = parse_moment(given["until"], run.zone, end=True) if given["until"] else None
    if run.as_of != run.at:
        shown = run.as_of + timedelta(seconds=1)
        until = min(until, shown) if until else shown
    return Filters(
        who=given["who"] or "",
        act=given["action"] or "",
        customer=parse_customer(given["customer"]) if given["customer"] else 0,
        since=parse_moment(given["since"], run.zone) if given["since"] else None,
        until=until,
        result=given["outcome"] or "",
        before=given["before"],
    )


def _filled(rows: list[list[Any]]) -> list[Column]:
    """Return the columns with those hidden that no row fills: a log entry has many keys and mostly few of them."""
    used = [any(row[place] is not None for row in rows) for place in range(len(_ENTRY))]
    return [
        column if used[place] or place < ALWAYS else replace(column, detail=True) for place, column in enumerate(_ENTRY)
    ]


def all_columns() -> list[Column]:
    """Return every column there is, for a sheet of the whole log; counts are told as JSON."""
    return [replace(column, detail=False, show=column.show or _cell) for column in _ENTRY]


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    import json

    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | bool) else str(value)


def row_of(body: dict[str, Any], zone: str) -> list[Any]:
    """Return an entry's values in the order of the columns, its time in the company's zone."""
    from crmctl import clock

    known = {**body, **{name: body.get("actor", {}).get(name) for name in _OF_ACTOR}}
    with contextlib.suppress(KeyError, TypeError, ValueError):  # an entry that was tampered with is shown all the same
        known["at"] = clock.local(clock.parse_stamp(body["ts"]), zone)
    return [known.get(column.code) for column in _ENTRY]


@command(
    example=("crmctl audit verify --rows", "crmctl audit verify --bundle q3 --key auditor.vkey --pin last.note"),
    exits=(0, 2, 4, 6, 10, 11, 13, 14),
    formats=("table", "json"),
    silent=True,
)
@click.option("--changes", is_flag=True, help=N_("Also recompute every change and each chunk's root."))
@click.option("--rows", is_flag=True, help=N_("Also compare every row with its last change; includes --changes."))
@click.option("--bundle", type=click.Path(path_type=Path), help=N_("Verify this exported folder, offline, instead."))
@click.option("--key", multiple=True, metavar="KEY", help=N_("With --bundle: a verifier key you trust, or its file."))
@click.option(
    "--pin", type=click.Path(path_type=Path), help=N_("With --bundle: file of the newest checkpoint you know.")
)
@click.option("--whole", is_flag=True, help=N_("With --bundle: fail unless every entry of the log is there."))
def verify_command(call: Invocation, changes: bool, rows: bool, **given: Any) -> int:  # noqa: ANN401
    """Recompute the audit log from its bytes, and say what does not fit.

    With --rows every stored customer and contact is compared with what the log says was written last: an edit made with
    another program shows. Exit 13 when anything does not fit, 14 while the newest entries are not signed.

    With --bundle an export is verified, by your own --key and --pin alone: no workspace is needed.
    """
    if given["bundle"] is not None or given["key"] or given["pin"] or given["whole"]:
        from crmctl.audit.bundle_telling import verify_export

        if changes or rows:
            raise UsageProblem(_("--bundle is verified by itself: it takes no --changes and no --rows"))
        return verify_export(call, **given)
    from crmctl.audit import checkpoints, standing
    from crmctl.audit.verify import verify
    from crmctl.runs import run as runs

    with runs.open_run(call, "audit verify", "audit.verify") as run:
        settings = checkpoints.settings_of(run.policies)
        trust, pins = checkpoints.trust_of(run.workspace, settings), standing.pins(run.workspace, settings)
        with call.progress(_("verifying")) as shown:
            result = verify(run.engine, changes=changes, rows=rows, progress=shown.advance, trust=trust, pins=pins)
        run = _record(call, run, result)
        loud = call if result.ok else replace(call, silent=False)  # -q is for good news
        loud.emit({"run_id": run.run_id, **result.document()}, *_told(result))
    return result.exit_code


def _record(call: Invocation, run: Run, result: Verification) -> Run:
    """Note in the log that it was verified; where it takes no entry, warn: nothing personal is shown here."""
    from crmctl.runs import run as runs

    codes = sorted({problem.code for problem in result.problems})
    counts = {"entries": result.entries, "problems": result.problem_count}
    try:
        return runs.record_reading(run, counts=counts, codes=codes)
    except CrmctlError as failure:
        call.warn(_("this verification is not in the log: {reason}").format(reason=failure.message))
        return run


def _told(result: Verification) -> list[Part]:
    """Return what people read: what was looked at, what is wrong, the verdict."""
    lines: list[Part] = [_("entries: {number}").format(number=result.entries)]
    if result.changes is not None:
        lines.append(_("changes: {number}").format(number=result.changes))
    if result.rows is not None:
        lines.append(_("rows: {number}").format(number=result.rows))
    if result.pruned and result.ok:
        from crmctl.audit.bundle_telling import pruned_line

        lines.append(pruned_line(result.pruned, result.signed))
    if result.problems:
        lines.append(Table(_PROBLEM, result.problems))
    if result.problem_count > len(result.problems):
        lines.append(_("… and {number} more").format(number=result.problem_count - len(result.problems)))
    if not result.ok:
        lines.append(_("NOT VALID: {number} problems").format(number=result.problem_count))
    elif result.unsigned:
        lines.append(_("valid; the newest {number} entries are not signed yet").format(number=result.unsigned))
    else:
        lines.append(_("valid, and signed to the end"))
    return lines
