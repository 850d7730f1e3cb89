"""`crmctl complaint escalate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.complaints.escalating import Outcome
    from crmctl.runs.run import Run


@command(
    example=("crmctl complaint escalate", "crmctl complaint escalate --dry-run --limit 20"),
    exits=(0, 1, 2, 3, 4, 6, 10, 11, 74, 130, 143),
    changes=True,
    as_of=True,
)
@click.option("--limit", type=click.IntRange(min=0), default=100, help=N_("How many to list; 0 lists none."))
def escalate_command(call: Invocation, limit: int) -> int | None:
    """Warn before limits end and escalate those that are over, level by level, each once. For cron.

    The levels are those of the policy that a complaint was accepted under. Whoever a level names is told through the
    channels of notify.yaml; nobody whom the complaint is about is told, nor who keeps out with them. A channel that
    does not take its notices does not change the exit code: they wait. What cannot be judged, or told as its
    channel is gone, is named, exit 3.
    """
    from crmctl.complaints import escalating
    from crmctl.errors import REJECTED_ROWS
    from crmctl.runs import run as runs

    with runs.open_run(call, "complaint escalate", "complaint.escalate", lock=escalating.LOCK) as run:
        with call.progress(_("escalating")) as progress:
            outcome = escalating.escalate(run, progress.advance)
        _emit(call, run, outcome, limit)
    return REJECTED_ROWS if outcome.found.troubles else None


def _emit(call: Invocation, run: Run, outcome: Outcome, limit: int) -> None:
    from crmctl.complaints import notices

    found, delivery = outcome.found, outcome.delivery
    words = notices.labels(run.policies)
    document = {
        "run_id": outcome.run_id,
        "dry_run": run.dry_run,
        **found.counts(),
        "listed": min(limit, len(found.raised)),
        "troubles": [trouble._asdict() for trouble in found.troubles],
        "channels_unknown": sorted(found.unknown),
        "delivery": {
            "sent": delivery.sent,
            "waiting": delivery.waiting,
            "failures": [{"channel": channel, "code": code} for channel, code in delivery.failures],
        },
    }
    line = _("running limits: {examined}; gone up: {raised}; notices: {notices}")
    if run.dry_run:
        line = _("running limits: {examined}; would go up: {raised}; notices: {notices}")
    tables = [_level_table(outcome, words), _raised_table(run, outcome, words, limit)]
    shown = tables if call.output == "json" else tables[: bool(found.raised) * (2 if limit else 1)]
    call.emit(document, line.format(**found.counts()), *shown, *_remarks(outcome, limit), trouble=_troubled(outcome))


def _troubled(outcome: Outcome) -> bool:
    return bool(outcome.found.troubles or outcome.delivery.failures)


def _word(words: Any, code: str) -> str:  # noqa: ANN401
    from crmctl.i18n import pick

    return pick(dict(words[code]), code) if code in words else code


def _level_table(outcome: Outcome, words: Any) -> Table:  # noqa: ANN401
    def label(code: str) -> str:
        return _word(words, code)

    columns = (
        Column("level", N_("Level"), show=label),
        Column("stage", N_("Stage"), show=label),
        Column("count", N_("Limits"), right=True),
    )
    rows = [(level, stage, count) for (_place, level, stage), count in outcome.found.by_level().items()]
    return Table(columns, rows, "by_level")


def _raised_table(run: Run, outcome: Outcome, words: Any, limit: int) -> Table:  # noqa: ANN401
    from crmctl import clock
    from crmctl.complaints import telling

    def label(code: str) -> str:
        return _word(words, code)

    raised = outcome.found.raised[:limit]
    people = telling.people(run, [each.handler_id for each in raised])
    columns = (
        Column("number", N_("Complaint")),
        Column("stage", N_("Stage"), show=label),
        Column("level", N_("Level"), show=label),
        Column("due_at", N_("Limit ends"), show=lambda text: str(text)[:16].replace("T", " ")),
        Column("handler", N_("Handler"), show=lambda staff_id: people.get(staff_id, "")),
        Column("notices", N_("Notices"), right=True),
    )
    rows = [
        (each.number, each.stage, each.level, clock.local(each.due_at, run.zone), each.handler_id, each.notices)
        for each in raised
    ]
    return Table(columns, rows, "escalated")


def _remarks(outcome: Outcome, limit: int) -> list[str]:
    from crmctl.notify.failures import meaning

    found, delivery = outcome.found, outcome.delivery
    said = []
    if limit and len(found.raised) > limit:
        said.append(_("… and {number} more").format(number=f"{len(found.raised) - limit:,}"))
    if found.withheld:
        told = _("people who keep out of a complaint and were told nothing: {count}")
        said.append(told.format(count=found.withheld))
    if found.missed:
        said.append(_("stopped or changed meanwhile, left: {count}").format(count=found.missed))
    gone = _("{number}: notify.yaml has no channel {channels}, so nobody can be told and nothing goes up ({code})")
    said += [
        (gone if channels else _("{number}: cannot be judged ({code})")).format(
            number=number, code=code, channels=", ".join(channels)
        )
        for number, code, channels in found.troubles
    ]
    if delivery.sent or delivery.waiting:
        said.append(_("notices sent: {sent}; waiting: {waiting}").format(sent=delivery.sent, waiting=delivery.waiting))
    return [*said, *(f"{channel}: {meaning(code)} ({code})" for channel, code in delivery.failures)]
