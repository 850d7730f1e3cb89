"""How holds look: their list, one of them with its texts, what was set or lifted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmctl import clock
from crmctl.cli.render import Column, Part, Table
from crmctl.customers import showing
from crmctl.holds import texts
from crmctl.holds.lifting import Outcome as Lifted
from crmctl.holds.model import Hold, label
from crmctl.holds.setting import Outcome as Set
from crmctl.i18n import N_, _
from crmctl.runs.run import Run

_NOTES = {texts.ADDED: N_("Customers added"), texts.LIFTED: N_("Lifted")}
EVERYBODY = N_("everybody")


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def columns() -> tuple[Column, ...]:
    """Return the columns of `hold list`."""
    return (
        Column("hold", N_("Hold"), right=True),
        Column("kind", N_("Kind"), show=label),
        Column("everybody", detail=True),
        Column("customers", N_("Customers"), right=True),
        Column("set_by", N_("Set by")),
        Column("set_at", N_("Set at"), show=_minute),
        Column("review_on", N_("Review on")),
        Column("lifted_by", N_("Lifted by")),
        Column("lifted_at", N_("Lifted at"), show=_minute),
    )


def rows(run: Run, holds: Sequence[Hold], sizes: Mapping[int, int], *, plain: bool) -> list[tuple[Any, ...]]:
    """Return the rows of `hold list`; `plain` for programs: the number of customers is null where it is everybody."""
    return [
        (
            hold.hold_id,
            hold.kind,
            bool(hold.everybody),
            (None if plain else _(EVERYBODY)) if hold.everybody else sizes.get(hold.hold_id, 0),
            hold.set_by,
            clock.local(hold.set_at, run.zone),
            hold.review_on,
            hold.lifted_by,
            clock.local(hold.lifted_at, run.zone) if hold.lifted_at else None,
        )
        for hold in holds
    ]


def document(run: Run, hold: Hold, told: Mapping[str, Any], size: int, first: Sequence[int]) -> dict[str, Any]:
    """Return `hold show` for programs."""
    (row,) = rows(run, (hold,), {hold.hold_id: size}, plain=True)
    notes = [{**note, "at": clock.local(clock.parse_stamp(note["at"]), run.zone)} for note in told["notes"]]
    return {
        "run_id": run.run_id,
        **dict(zip((column.code for column in columns()), row, strict=True)),
        "reason": told["reason"],
        "authority": told["authority"],
        "notes": notes,
        "first": list(first),
    }


def parts(found: Mapping[str, Any]) -> list[Part]:
    """Return `hold show` for people."""
    size = _(EVERYBODY) if found["everybody"] else f"{found['customers']:,}"
    lines = [
        (_("Hold"), str(found["hold"])),
        (_("Kind"), label(found["kind"])),
        (_("Customers"), size),
        (_("Reason"), found["reason"]),
        (_("Authority"), found["authority"]),
        (_("Set by"), f"{found['set_by']}, {_minute(found['set_at'])}"),
        (_("Review on"), found["review_on"] or ""),
    ]
    for note in found["notes"]:
        lines.append((_(_NOTES[note["what"]]), f"{note['person']}, {_minute(note['at'])}: {note['text']}"))
    if found["lifted_at"]:
        lines.append((_("In force"), _("no, since {time}").format(time=_minute(found["lifted_at"]))))
    named = ", ".join(map(showing.number_text, found["first"]))
    if named:
        more = ", …" if found["customers"] > len(found["first"]) else ""
        lines.append((_("Customer numbers"), named + more))
    head = (Column("what", N_("What")), Column("value", N_("Value")))
    return [Table(head, [line for line in lines if line[1]])]


def was_set(run: Run, done: Set) -> tuple[dict[str, Any], list[str]]:
    """Return document and lines of `hold set`."""
    document = {
        "run_id": done.run_id,
        "dry_run": run.dry_run,
        "hold": done.hold,
        "kind": done.kind,
        "everybody": done.everybody,
        "held": done.held,
        "already": done.already,
        "begun": done.begun,
    }
    if done.everybody:
        told = _("everybody would be held") if run.dry_run else _("hold {hold}: everybody is held")
    else:
        told = _("{number} customers would be held") if run.dry_run else _("hold {hold}: {number} customers are held")
    lines = [told.format(hold=done.hold, number=f"{done.held:,}")]
    if done.already:
        lines.append(_("{number} customers were under it before").format(number=f"{done.already:,}"))
    if done.begun:
        lines.append(
            _("it comes too late for {number} customers: their destruction has begun").format(number=f"{done.begun:,}")
        )
    return document, lines


def was_lifted(run: Run, done: Lifted) -> tuple[dict[str, Any], list[str]]:
    """Return document and lines of `hold lift`."""
    document = {
        "run_id": done.run_id,
        "dry_run": run.dry_run,
        "hold": done.hold,
        "kind": done.kind,
        "everybody": done.everybody,
        "lifted": done.lifted,
        "absent": done.absent,
        "whole": done.whole,
    }
    if done.everybody:
        told = _("hold {hold} would be lifted for everybody") if run.dry_run else _("hold {hold} is lifted: everybody")
    elif run.dry_run:
        told = _("hold {hold} would be lifted for {number} customers")
    else:
        told = _("hold {hold} is lifted for {number} customers")
    lines = [told.format(hold=done.hold, number=f"{done.lifted:,}")]
    if done.absent:
        lines.append(_("{number} customers were not under it").format(number=f"{done.absent:,}"))
    if done.whole and not done.everybody:
        lines.append(_("nobody would be left under it") if run.dry_run else _("nobody is left under it: it is over"))
    return document, lines
