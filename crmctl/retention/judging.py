"""Whether a customer of an approved plan may still be destroyed: looked at again, in the transaction that settles it.

What is settled is written beside the item: `purging` is destroyed whatever happens, `spared` stays, with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from crmctl import holds
from crmctl.retention import unowned
from crmctl.retention.decide import EDITED, GONE, LATE, NOT_DUE
from crmctl.retention.deciding import ARCHIVE, DESTROY, SHARED
from crmctl.retention.marks import marks
from crmctl.retention.selecting import Basis
from crmctl.retention.together import followers
from crmctl.runs import staying
from crmctl.runs.plans import PURGING, Item, Plan, read_item
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import bulk

SPARED = "spared"
ARCHIVED, STAYED = "archived", "stayed"  # who was to be put away, and was; or stays as it is, with its reason
_ITEM = ("customer_id", "plan_id", "action", "before", "after", "detail")


def as_saved(item: Item) -> Item | None:
    """Return an item as it was when the plan was saved, whatever was settled since; None for one that was added."""
    if not item.detail:
        return None
    if item.action in unowned.LISTINGS:
        return item._replace(after=None)
    if item.action in (ARCHIVED, STAYED):
        return item._replace(action=ARCHIVE, after=None)
    return item._replace(action=DESTROY, after=None) if item.action in (PURGING, SPARED) else item


def group(item: Item) -> tuple[int, ...]:
    """Return the customers that go together in an item."""
    return (item.customer_id, *item.detail[3])


def salt(item: Item) -> bytes:
    """Return the salt of an item's leaf."""
    return bytes.fromhex(item.detail[2])


def undecided(conn: Connection, number: int, most: int, after: int = 0) -> list[Item]:
    """Return items of a plan that are to be destroyed and not settled yet, by customer number."""
    return _items(conn, number, DESTROY, most, after)


def doomed(conn: Connection, number: int, most: int, after: int = 0) -> list[Item]:
    """Return items of a plan that are settled to go and have not gone, by customer number."""
    return _items(conn, number, PURGING, most, after)


def unarchived(conn: Connection, number: int, most: int, after: int = 0) -> list[Item]:
    """Return items of a plan that are to be put away and not settled yet, by customer number."""
    return _items(conn, number, ARCHIVE, most, after)


def _items(conn: Connection, number: int, action: str, most: int, after: int) -> list[Item]:
    columns = plan_item.c
    query = (
        select(columns.customer_id, columns.action, columns.before, columns.after, columns.detail)
        .where(columns.plan_id == number, columns.action == action, columns.customer_id > after)
        .where(columns.detail != "[]")
        .order_by(columns.customer_id)
        .limit(most)
    )
    return [read_item(row) for row in conn.execute(query)]


def settle(conn: Connection, run: Run, found: Plan, base: Basis | None, page: Sequence[Item]) -> dict[int, str]:
    """Settle what becomes of these items in the caller's transaction; return customer → why, of those spared.

    Nobody sets a hold meanwhile: whoever is settled to go cannot be held any more.
    """
    staying.keep_beginnings_out(conn)
    spared = judge(conn, run, found, base, page)
    rows: list[tuple[Any, ...]] = []
    for item in page:
        why = spared.get(item.customer_id)
        rows.append((item.customer_id, found.plan_id, SPARED if why else PURGING, why))
    bulk.update_rows(conn, plan_item, ("customer_id", "plan_id"), ("action", "after"), rows)
    # Who goes with them has an item from now on, so that nobody can be held any more.
    others = [other for item in page if item.customer_id not in spared for other in group(item)[1:]]
    bulk.insert_rows(conn, plan_item, _ITEM, [(other, found.plan_id, PURGING, None, None, "[]") for other in others])
    return spared


def judge(conn: Connection, run: Run, found: Plan, base: Basis | None, page: Sequence[Item]) -> dict[int, str]:
    """Return why customers of these items are spared; whoever is not in it goes. Without `base` all are: too late."""
    if base is None:
        return {item.customer_id: LATE for item in page}
    everyone = [number for item in page for number in group(item)]
    frozen = holds.everybody(conn)
    held = {} if frozen else holds.kept(conn, everyone, run.at)
    stand = marks(conn, everyone)
    due = _due(conn, base, page, asked=bool(found.summary.get("asked")))
    with_them, shared = followers(conn, [item.customer_id for item in page])
    spared = {}
    for item in page:
        number, together = item.customer_id, group(item)
        held_by = next((code for each in together for code in held.get(each, ())), frozen)
        if number not in stand:
            spared[number] = GONE
        elif held_by:
            spared[number] = f"hold:{held_by}"
        elif number in shared:
            spared[number] = SHARED
        elif "|".join(stand.get(each, "") for each in together) != item.before or with_them.get(number, []) != [
            *together[1:]
        ]:
            spared[number] = EDITED
        elif due.get(number) != (item.action == ARCHIVE):
            spared[number] = NOT_DUE
    return spared


def _due(conn: Connection, base: Basis, page: Sequence[Item], *, asked: bool) -> dict[int, bool]:
    """Return those of the items whose time is over on this day, with whether they are put away rather than destroyed.

    Of people who asked, those whom no law wants kept.
    """
    numbers = [item.customer_id for item in page]
    if asked:
        return {each.found.customer_id: False for each in base.named(conn, numbers) if not each.law}
    first, last = numbers[0], numbers[-1]
    found = base.due(conn, lambda number: number.between(first, last))
    return {each.customer_id: base.archives(each) for each in found}
