"""`crmctl complaint list`: what to do this morning, by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Table
from crmctl.errors import InvalidInput, UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from datetime import datetime

    from crmctl.complaints.filtering import Filters
    from crmctl.complaints.listing import Found
    from crmctl.runs.run import Run

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74)
GROUPS = ("owner", "department", "handler")


@command(
    example=(
        "crmctl complaint list --mine",
        "crmctl complaint list --due today",
        "crmctl complaint list --overdue --check",
        "crmctl complaint list --by handler",
    ),
    exits=READING_EXITS,
    as_of=True,
)
@click.option("--mine", is_flag=True, help=N_("Only what you handle or received first."))
@click.option("--due", default="", metavar="DAY", help=N_("Only with a limit that ends today, tomorrow or on a day."))
@click.option("--overdue", is_flag=True, help=N_("Only with a limit that is over (CMP-09)."))
@click.option("--waiting", is_flag=True, help=N_("Only where it is the customer's turn: a plan waits for an answer."))
@click.option("--no-progress", is_flag=True, help=N_("Only where the customer was told nothing for too long (CMP-10)."))
@click.option("--unhandled", is_flag=True, help=N_("Only what nobody in post handles."))
@click.option("--handler", default="", metavar="STAFF", help=N_("Only what this person handles."))
@click.option("--owner", default="", metavar="STAFF", help=N_("Only of customers of this owner."))
@click.option("--department", default="", metavar="NAME", help=N_("Only of this responsible party."))
@click.option("--stage", default="", metavar="CODE", help=N_("Only with this limit running: code or label."))
@click.option("--status", default="", help=N_("Only in this state: code or label, as in proposed."))
@click.option("--category", default="", help=N_("Only of this category: code, label or synonym."))
@click.option("--severity", default="", help=N_("Only of this severity: code, label or synonym."))
@click.option("--customer", default="", metavar="CUSTOMER", help=N_("Only of this customer, as in C-000123."))
@click.option("--closed", is_flag=True, help=N_("Closed ones and duplicates instead of open ones."))
@click.option("--all", "all_", is_flag=True, help=N_("Open and closed ones."))
@click.option("--by", type=click.Choice(GROUPS), help=N_("Counts for each person or department instead of the list."))
@click.option("--check", is_flag=True, help=N_("Exit 1 when there are any; for cron."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--after", default="", metavar="PLACE", help=N_("Continue after this place, as the last page says."))
def list_command(call: Invocation, by: str | None, check: bool, limit: int, after: str, **given: Any) -> int | None:  # noqa: ANN401
    """List open complaints, the first deadline first, with the working time that is left.

    A line tells of the limit that ends first: of all that run, or of those that --due, --overdue, --stage or
    --no-progress ask for. Several options narrow. With --as-of limits are judged as at that moment.
    """
    from crmctl.complaints import listing
    from crmctl.runs import run as runs

    if given["closed"] and given["all_"]:
        raise UsageProblem(_("--closed and --all do not go together"), hint=_("leave one of them out"))
    with runs.open_run(call, "complaint list", "complaint.list") as run:
        filters = _filters(run, given)
        if by is not None:
            return _emit_groups(call, run, filters, by, check=check)
        found = listing.find(run, filters, limit, _place(after))
        looks = sorted({listing.whose(line.row) for line in found.lines})
        run = runs.record_reading(run, n=len(found.lines), looks=looks)
        total = found.counts["count"]
        document = {
            "run_id": run.run_id,
            "at": _local(run, found.at),
            "next": _place_text(found.next),
            **found.counts,
            **({"not_configured": found.not_configured} if filters.no_progress else {}),
        }
        rows = [listing.list_row(run, line) for line in found.lines]
        failed = check and total > 0
        if failed or not (check and call.quiet and call.output == "table"):  # cron mails whatever is said
            table = Table(listing.list_columns(run, found.people), rows, "complaints")
            call.emit(document, table, *_lines(found, filters), trouble=failed)
    return 1 if failed else 0


def _lines(found: Found, filters: Filters) -> list[str]:
    told = _(
        "{count} complaints; overdue: {overdue}, due today: {due_today}, nobody handles: {unhandled}, the "
        "customer's turn: {waiting}"
    )
    lines = [told.format(**{name: f"{number:,}" for name, number in found.counts.items()})]
    if filters.no_progress and found.not_configured:
        told = _("progress: not configured for {number} complaints, which are not listed: their policy sets no limit")
        lines.append(told.format(number=f"{found.not_configured:,}"))
    if found.next is not None:
        lines.append(_("more: --after {number}").format(number=_place_text(found.next)))
    return lines


def _emit_groups(call: Invocation, run: Run, filters: Filters, by: str, *, check: bool) -> int:
    from crmctl.complaints import listing
    from crmctl.runs import run as runs

    groups, people = listing.grouped(run, filters, by)
    run = runs.record_reading(run, n=len(groups))
    failed = check and bool(groups)
    document = {
        "run_id": run.run_id,
        "at": _local(run, run.as_of),
        "by": by,
        "groups": [listing.group_document(by, group, people) for group in groups],
    }
    if failed or not (check and call.quiet and call.output == "table"):
        rows = [listing.group_row(by, group, people) for group in groups]
        call.emit(document, Table(listing.group_columns(by), rows), trouble=failed)
    return 1 if failed else 0


def _filters(run: Run, given: dict[str, Any]) -> Filters:
    from crmctl.complaints import asking, filtering
    from crmctl.customers import showing
    from crmctl.runs import run as runs

    state = "closed" if given["closed"] else "all" if given["all_"] else "open"
    handler, owner = (asking.staff_ids(run, (given[name],)) for name in ("handler", "owner"))
    mine = (run.standing.staff_ids if run.standing else ()) if given["mine"] else None
    if mine == ():
        raise InvalidInput(
            _("--mine: the staff register does not know your account"),
            hint=_("crmctl staff update NUMBER --uids, or --handler STAFF"),
            code="STAFF_UNKNOWN",
        )
    return filtering.Filters(
        state=state,
        mine=None if mine is None else tuple(mine),
        due=asking.day_named(given["due"], runs.today(run.policies, run.as_of), "--due"),
        handler=handler[0] if handler else None,
        owner=owner[0] if owner else None,
        department=given["department"].strip(),
        status=asking.status_named(given["status"]),
        customer=showing.parse_number(given["customer"]) if given["customer"] else None,
        stage=asking.code_named(run, "stage", given["stage"]),
        category=asking.code_named(run, "category", given["category"]),
        severity=asking.code_named(run, "severity", given["severity"]),
        **{name: given[name] for name in ("overdue", "waiting", "no_progress", "unhandled")},
    )


def _local(run: Run, moment: datetime) -> str:
    from crmctl import clock

    return clock.local(moment, run.zone)


def _place_text(place: tuple[datetime | None, str] | None) -> str | None:
    """Return a place in the list as one word: the deadline in UTC, then the number; `-` for no deadline."""
    from crmctl import clock

    if place is None:
        return None
    ends, number = place
    return f"{'-' if ends is None else clock.stamp(ends)}/{number}"


def _place(text: str) -> tuple[datetime | None, str] | None:
    """Return the place that `_place_text` wrote. Raises InvalidInput for anything else."""
    from crmctl import clock
    from crmctl.cases import numbers

    if not text:
        return None
    ends, slash, number = text.strip().partition("/")
    try:
        if not slash:
            raise ValueError(text)
        return (None if ends == "-" else clock.parse_stamp(ends)), numbers.parsed(number)
    except ValueError:
        raise InvalidInput(
            _("--after: not a place in the list"),
            hint=_("take it from the last line of the page, or `next`"),
            code="PLACE_INVALID",
        ) from None
