"""How items of the register look: their list, one of them, what was said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crmctl import clock
from crmctl.cli.render import Column, Part, Table
from crmctl.customers.showing import number_text
from crmctl.i18n import N_, _
from crmctl.paper.records import DESTROYED, DUE, KEPT, Item
from crmctl.paper.texts import Texts
from crmctl.runs.run import Run
from crmctl.use import purposes

STATES = {KEPT: N_("kept"), DUE: N_("to be destroyed"), DESTROYED: N_("was destroyed")}


def _codes(run: Run, kind: str) -> Any:  # noqa: ANN401 - a function from code to label
    return lambda code: purposes.label(run.policies, kind, code)


def columns(run: Run) -> tuple[Column, ...]:
    """Return the columns of `paper list`."""
    return (
        Column("item", N_("Item"), right=True),
        Column("kind", N_("Kind"), show=_codes(run, "paper_kinds")),
        Column("keeper", N_("Keeper")),
        Column("customers", N_("Customers"), show=lambda numbers: ", ".join(map(number_text, numbers))),
        Column("state", N_("State"), show=lambda value: _(STATES[value])),
        Column("due_on", N_("Destroy by")),
        Column("plans", N_("Purge plan")),
        Column("destroyed_at", N_("Destroyed")),
        Column("registered_at", N_("Registered"), detail=True),
        Column("registered_by", N_("Registered by"), detail=True),
        Column("moved_at", N_("Moved"), detail=True),
    )


def row(run: Run, item: Item) -> tuple[Any, ...]:
    """Return the line of an item."""
    at, moved, gone = (
        None if moment is None else clock.local(moment, run.zone)
        for moment in (item.registered_at, item.moved_at, item.gone_at)
    )
    return (
        item.item_id,
        item.kind,
        item.keeper,
        [link.customer_id for link in item.links],
        item.state,
        item.due_on,
        sorted({link.plan_id for link in item.links if link.plan_id is not None}),
        gone,
        at,
        item.person,
        moved,
    )


def table(run: Run, items: Sequence[Item]) -> Table:
    """Return items as a table."""
    return Table(columns(run), [row(run, item) for item in items], "items")


def said_columns(run: Run) -> tuple[Column, ...]:
    """Return the columns of whom an item is about, and what was said of each."""
    return (
        Column("customer", N_("Customer"), show=number_text),
        Column("plan", N_("Purge plan"), right=True),
        Column("due_on", N_("Destroy by")),
        Column("destroyed_on", N_("Destroyed on")),
        Column("method", N_("How"), show=_codes(run, "paper_methods")),
        Column("destroyed_by", N_("Said by")),
        Column("witness", N_("Witness")),
        Column("destroyed_at", N_("Said at")),
    )


def said(run: Run, item: Item) -> Table:
    """Return whom an item is about, and what was said of each."""
    rows = [
        (
            link.customer_id,
            link.plan_id,
            link.due_on,
            link.disposed_on,
            link.method,
            link.disposed_by,
            link.witness,
            None if link.disposed_at is None else clock.local(link.disposed_at, run.zone),
        )
        for link in item.links
    ]
    return Table(said_columns(run), rows, "about")


def document(run: Run, item: Item, told: Texts | None) -> dict[str, Any]:
    """Return the JSON of one item, the table of whom it is about apart."""
    values = dict(zip((column.code for column in columns(run)), row(run, item), strict=True))
    return {
        "run_id": run.run_id,
        **values,
        "place": told.place if told else None,
        "note": told.note or None if told else None,
    }


def parts(run: Run, item: Item, told: Texts | None) -> list[Part]:
    """Return what people read of one item."""
    lines = [
        (column.heading(""), column.text(value)) for column, value in zip(columns(run), row(run, item), strict=True)
    ]
    lines += [(_("Place"), told.place), (_("Note"), told.note)] if told else []
    head = Table((Column("what", N_("What")), Column("value", N_("Value"))), [line for line in lines if line[1]])
    return [head, said(run, item)]
