"""What stands on a handover sheet (交接单): both people, the customers, what is still open, and where both sign."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from crmctl import clock
from crmctl.cases import openwork
from crmctl.cases.openwork import OpenCase
from crmctl.customers import records, showing
from crmctl.customers.contracts import FIELD
from crmctl.i18n import _, lang, pick
from crmctl.orders.tables import purchase_order
from crmctl.owners.bench import Bench
from crmctl.owners.handovers import CAUSES, STATES, Handover, Item
from crmctl.runs.run import Run
from crmctl.sheets.formats.money import written
from crmctl.store import bulk, engine

PAGE = 1000
_ORDER = ("customer_id", "number", "ordered_on", "amount", "currency", "delivered_on")


@dataclass(frozen=True)
class Part:
    """A table of the sheet: its title, headings, rows of text.

    Where it has none it says so; `by_hand` is what is said of a table that the program keeps nothing for.
    """

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    by_hand: str = ""


@dataclass(frozen=True)
class Sheet:
    """A handover sheet in the reader's language, ready to be written."""

    title: str
    language: str
    facts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    none: str
    signatures: tuple[tuple[str, str], ...]
    line: str
    confidential: str


def sheet(run: Run, found: Handover, items: Sequence[Item], people: Bench) -> Sheet:
    """Return the sheet of a handover: customers as the person may see them, masked."""
    numbers = [item.customer_id for item in items]
    with engine.read(run.engine) as conn:
        orders = list(_orders(conn, run, numbers))
    complaints = openwork.complaints_of(run, numbers)
    kept = [each.number for each in complaints if each.handler_id == found.from_id]
    labels: Any = run.policies.company.name
    receivers = sorted({item.to_id for item in items})
    day = clock.local(found.created_at, run.zone)[:10]
    return Sheet(
        title=_("Handover sheet {number}").format(number=found.handover_id),
        language="zh-CN" if lang().startswith("zh") else "en",
        facts=(
            (_("Company"), pick(labels, "")),
            (_("Day"), day),
            (_("Handed over by"), people.name(found.from_id)),
            (_("Taken over by"), ", ".join(map(people.name, receivers))),
            (_("Because"), _(CAUSES.get(found.reason, found.reason))),
            (_("Ordered by"), found.ordered_by),
            (_("Customers"), str(len(items))),
            *(((_("Goes on handling"), ", ".join(kept)),) if kept else ()),
        ),
        parts=(
            _customers(run, items, people),
            _open_orders(orders),
            Part(_("Open promises"), (_("Customer"), _("Promise"), _("Due")), (), _by_hand()),
            _open_complaints(complaints, found.from_id, people),
        ),
        none=_("none recorded"),
        signatures=(
            (_("Handed over by"), people.name(found.from_id)),
            *((_("Taken over by"), people.name(each)) for each in receivers),
            (_("Supervisor"), ""),
        ),
        line=_("Signature and day"),
        confidential=_(
            "Customer information: keep it locked away, and destroy it when the register of copies says so."
        ),
    )


def _by_hand() -> str:
    return _("crmctl does not keep these yet: write them in by hand before you sign.")


def _customers(run: Run, items: Sequence[Item], people: Bench) -> Part:
    label = showing.labels(run.policies)
    headings = (
        _("Customer"), _("Name"), _("Type"), _("Tier"), _("Region"), _("Contact"), _("Mobile"), _("Last contact"),
        _("Contract end"), _("Taken over by"), _("State"),
    )  # fmt: skip
    by_number = {item.customer_id: item for item in items}
    rows = []
    for shown in _shown(run, sorted(by_number)):
        item, clear = by_number[shown.customer_id], shown.clear
        contact: Any = shown.contacts[0] if shown.contacts else {}
        last = clear.get("last_contact_at")
        rows.append(
            (
                showing.number_text(shown.customer_id),
                str(clear.get("company_name") or shown.personal.get("name") or ""),
                label("type", clear.get("type")),
                label("tier", clear.get("tier")),
                label("region", clear.get("region")),
                str(contact.get("name") or ""),
                str(contact.get("mobile") or shown.personal.get("mobile") or ""),
                clock.local(clock.parse_stamp(last), run.zone)[:10] if last else "",
                str(clear.get(FIELD) or ""),
                people.name(item.to_id),
                _(STATES.get(item.state, item.state)),
            )
        )
    return Part(_("Customers"), headings, rows)


def _shown(run: Run, numbers: Sequence[int]) -> Iterator[records.Shown]:
    for at in range(0, len(numbers), PAGE):
        wanted = tuple(numbers[at : at + PAGE])
        yield from records.page(run, records.Filters(numbers=wanted), PAGE).customers


def _orders(conn: Connection, run: Run, numbers: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Yield orders that are not delivered yet, by customer and day."""
    settings: Any = run.policies.settings("customers")
    decimals = {each.code: each.decimals for each in settings.currencies}
    rows = bulk.fetch_by_keys(conn, purchase_order, "customer_id", list(numbers), _ORDER)
    for number, order, day, amount, currency, delivered in sorted(rows, key=lambda row: (row[0], row[2], row[1])):
        if delivered is None:
            told = f"{written(amount, decimals.get(currency, 2))} {currency}"
            yield showing.number_text(number), str(order), str(day), told


def _open_orders(orders: Sequence[tuple[str, ...]]) -> Part:
    headings = (_("Customer"), _("Order"), _("Ordered on"), _("Amount"))
    return Part(_("Open orders (not delivered)"), headings, orders)


def _open_complaints(complaints: Sequence[OpenCase], giver: int, people: Bench) -> Part:
    """Return the open complaints, numbers and times alone; handing customers over changes nothing about them."""
    headings = (
        _("Customer"), _("Acceptance number"), _("State"), _("Stage"), _("Due"), _("First receiver"), _("Handled by"),
    )  # fmt: skip
    stays = _("{name}, still")
    rows = [
        (
            showing.number_text(each.customer_id),
            each.number,
            each.state,
            each.stage,
            each.due,
            people.name(each.first_receiver_id),
            stays.format(name=people.name(giver)) if each.handler_id == giver else people.name(each.handler_id),
        )
        for each in complaints
    ]
    return Part(_("Open complaints"), headings, rows)
