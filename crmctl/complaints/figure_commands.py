"""`crmctl complaint …`: statistics, form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Part, Table
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.complaints.statistics import Statistics
    from crmctl.runs.run import Run

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 74)
FILE_EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74, 130, 143)
KEYS = ("category", "cause", "department", "severity", "channel", "handler", "month")


@command(
    example=(
        "crmctl complaint statistics",
        "crmctl complaint statistics --from 2026-10-01 --until 2026-12-31 --by month",
        "crmctl complaint statistics --by cause -o csv",
    ),
    exits=READING_EXITS,
    as_of=True,
)
@click.option("--from", "from_", default="", metavar="DAY", help=N_("First day; that of this month unless given."))
@click.option("--until", default="", metavar="DAY", help=N_("Last day; today unless given."))
@click.option("--by", type=click.Choice(KEYS), help=N_("In groups besides."))
def statistics_command(call: Invocation, from_: str, until: str, by: str | None) -> int | None:
    """Count the complaints of a period: how many, about what, why, and whether they were handled in time.

    Timely is a complaint none of whose limits was overrun; counted are those closed in the period and those still open
    whose limit is over. What each figure counts and divides by is in the JSON, and in docs/complaints.md.
    """
    from crmctl.complaints import asking, figures, statistics
    from crmctl.runs import run as runs

    with runs.open_run(call, "complaint statistics", "complaint.statistics") as run:
        usual = statistics.default_period(run)
        first = asking.day_named(from_, usual[1], "--from")
        last = asking.day_named(until, usual[1], "--until") or usual[1]
        first = first or min(usual[0], last.replace(day=1))
        if first > last or first > usual[1]:
            raise UsageProblem(
                _("--from {first}: that period has no day yet").format(first=first),
                hint=_("give days of the past, --from before --until"),
            )
        found = statistics.statistics(run, first, last, by or "")
        run = runs.record_reading(run, n=found.total.counts["opened"])
        document = {"run_id": run.run_id, **figures.document(found, run.zone)}
        if by is not None:
            groups = [figures.group_document(by, key, tally) for key, tally in found.groups]
            document |= {"by": by, "groups": groups}
        call.emit(document, *_parts(call, run, found, document, by))
    return None


def _parts(call: Invocation, run: Run, found: Statistics, document: dict[str, Any], by: str | None) -> list[Part]:
    """Return what people get; one table where a file takes only one."""
    groups = [] if by is None else [_groups_table(run, found, by)]
    if call.output in ("csv", "xlsx", "ndjson"):
        return [groups[0] if groups else _figures_table(document)]
    from crmctl.complaints import listing

    label, counts = listing.labels(run.policies), document["counts"]
    told = _(
        "{first} to {last}: {opened} opened, {closed} closed, {duplicates} duplicates, {reopened} reopened; "
        "open before {open_before}, open {open}"
    )
    head = told.format(first=document["from"], last=document["until"], **counts)
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for name, key in (("categories", "category"), ("causes", "cause")):
        rows[name] = [(label(name, row[key]), row["complaints"], row["share"]) for row in document[name]]
    if document["cause_unknown"]:
        rows["causes"].append((_("not verified yet"), document["cause_unknown"], None))
    numbers = ("kept", "judged", "entered_late", "value")
    stages = [(label("stages", row["stage"]), *(row[name] for name in numbers)) for row in document["stages"]]
    parts: list[Part] = [head, "", _figures_table(document)]
    for heading, columns, lines in (
        (N_("Stage"), (N_("In time"), N_("Judged"), N_("Entered late")), stages),
        (N_("Category"), (N_("Complaints"),), rows["categories"]),
        (N_("Cause"), (N_("Complaints"),), rows["causes"]),
    ):
        parts += ["", Table((*_columns(heading, *columns), _share()), lines)] if lines else []
    return [*parts, "", *groups] if groups else parts


def _columns(heading: str, *numbers: str) -> tuple[Column, ...]:
    return (Column("of", heading), *(Column(name, name, right=True) for name in numbers))


def _share() -> Column:
    return Column("value", N_("Per cent"), show=lambda value: f"{value:.1f}", right=True)


def _figures_table(document: dict[str, Any]) -> Table:
    from crmctl.complaints import figures

    notes = {
        "K05": N_("without any limit: {unlimited}; kept, but entered after the limit: {entered_late}"),
        "K15": N_("the volume of service is not recorded, so there is no rate"),
        "K28": N_("without a score: {unanswered}"),
        "K30": N_(
            "kinds with an improvement: {kinds}; before {before}, now {now}; "
            "not verified yet: before {cause_unknown_before}, now {cause_unknown}"
        ),
    }
    columns = (
        Column("definition", N_("Figure")),
        Column("name", N_("Name")),
        Column("value", N_("Per cent"), show=lambda value: f"{value:.1f}", right=True),
        Column("numerator", N_("Counted"), right=True),
        Column("denominator", N_("Divided by"), right=True),
        Column("note", N_("Note")),
    )
    rows = [
        (
            each["definition"], _(figures.NAMES[each["definition"]]), each["value"], each["numerator"],
            each["denominator"], _(notes[each["definition"]]).format(**each) if each["definition"] in notes else "",
        )
        for each in document["figures"]
    ]  # fmt: skip
    return Table(columns, rows)


def _groups_table(run: Run, found: Statistics, by: str) -> Table:
    from crmctl.complaints import figures, telling

    people = telling.people(run, [key for key, _tally in found.groups]) if by == "handler" else {}
    label = _labels(run, by)
    headings = {
        "category": N_("Category"), "cause": N_("Cause"), "department": N_("Department"), "severity": N_("Severity"),
        "channel": N_("Channel"), "handler": N_("Handler"), "month": N_("Month"),
    }  # fmt: skip
    names = (
        N_("Open before"), N_("Opened"), N_("Closed"), N_("Duplicates"), N_("Reopened"), N_("Open"), N_("In time"),
        N_("Judged"),
    )  # fmt: skip
    rows = []
    for key, tally in found.groups:
        told = figures.group_document(by, key, tally)
        numbers = [told[name] for name in (*figures.COUNTS, "timely", "judged", "timeliness")]
        none = _("nobody") if by == "handler" else _("not verified yet")
        rows.append((none if key is None else people.get(key) or label(key), *numbers))
    codes = (*figures.COUNTS, "timely", "judged")
    numbered = (Column(code, name, right=True) for code, name in zip(codes, names, strict=True))
    timely = Column("timeliness", N_("Per cent"), show=lambda value: f"{value:.1f}", right=True)
    return Table((Column(by, headings[by]), *numbered, timely), rows)


def _labels(run: Run, by: str) -> Any:  # noqa: ANN401 - a function from code to label
    from crmctl.complaints import listing
    from crmctl.complaints.drafting import label_of

    lists = {"category": "categories", "cause": "causes", "severity": "severities"}
    if by == "channel":
        return lambda code: label_of(run.policies.company.channels, code)
    label = listing.labels(run.policies)
    return lambda code: label(lists.get(by, by), str(code))


@command(
    example=(
        "crmctl complaint form CMP-20261121-0007 --out 0007.html",
        "crmctl complaint form CMP-20261121-0007 --check 1f0c8a2b9d3e",
    ),
    exits=FILE_EXITS,
    formats=("html", "json"),
)
@click.argument("number")
@click.option("--out", type=click.Path(path_type=Path), help=N_("File to write; it must not exist."))
@click.option("--check", default="", metavar="HASH", help=N_("Whether a printed form is of the complaint as it is."))
@click.option("--purpose", default="", help=N_("For a closed complaint: what it is needed for."))
@click.option("--ticket", default="", help=N_("With --purpose, where that needs one."))
def form_command(call: Invocation, number: str, out: Path | None, check: str, purpose: str, ticket: str) -> int | None:
    """Write the complaint form (投诉处理单), one A4 page to print and sign, with its texts in clear.

    What is longer than its space is cut, and the page says so. The hash on the page is that of the complaint as it
    then was; --check says whether it still is, and reveals nothing. The file can be read by you only and is in the
    register of copies: crmctl use copies.
    """
    from crmctl.cases import numbers
    from crmctl.complaints import form, showing
    from crmctl.runs import run as runs

    if (out is None) == (not check):
        raise UsageProblem(_("give --out to write the form, or --check"), hint="crmctl complaint form --help")
    if out is None:
        with runs.open_run(call, "complaint form", "complaint.show") as run:
            compared = form.compare(run, numbers.parsed(number), check)
            same = _("{number}: {hash} is the complaint as it is")
            other = _("{number}: {hash} is not the complaint as it is; it has changed since, or the hash is another's")
            line = (same if compared["same"] else other).format(number=compared["number"], hash=compared["given"])
            call.emit(compared, line, trouble=not compared["same"])
        return 0 if compared["same"] else 1
    with runs.open_run(call, "complaint form", "complaint.reveal") as run:
        done = form.write(run, numbers.parsed(number), out, showing.Wish(True, purpose, ticket))
    if call.as_json:
        call.emit({**done, "path": str(out)})
        return None
    told = _("{path}: form of {number}, hash {hash} (owner-only); copy {copy}")
    call.say(told.format(path=out, **{name: done[name] for name in ("number", "hash", "copy")}))
    day = done["due_on"] or _("(undecided: copy_retention_days in company.yaml)")
    call.say(_("destroy it by {day}, then: crmctl use destroyed {copy}").format(day=day, copy=done["copy"]))
    return None
