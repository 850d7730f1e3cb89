"""Which rows of a table a scope takes in on PostgreSQL, as the conditions of row policies (ACC-01, mode server).

What hangs on a customer follows the customer. A complaint is also of whoever received or handles it, and of the
customer it was linked to; what belongs to a complaint follows the complaint.
"""

from __future__ import annotations

from psycopg.sql import SQL, Composable, Identifier

SCHEMA, OWN = "public", "crm_access"
# That there is somebody nobody knows yet is no secret, and nothing is in that row; what hangs on it is another matter.
_SOMEBODY = SQL(" AND c.status <> 'provisional'")
# Tables whose rows belong to a complaint `k`, and how that is seen.
_OF_COMPLAINTS = {
    "complaint_event": SQL("k.complaint_id = complaint_event.complaint_id"),
    "complaint_clock": SQL("k.complaint_id = complaint_clock.complaint_id"),
    "complaint_file": SQL("k.complaint_id = complaint_file.complaint_id"),
    "case_number": SQL("case_number.kind = 'complaint' AND k.complaint_id = case_number.object_id"),
    "satisfaction": SQL("satisfaction.related = 'complaint' AND k.complaint_id = satisfaction.related_id"),
}


def fresh(table: str) -> Composable | None:
    """Return what whoever works on complaints may add to a table beyond their scope; None for nothing.

    A customer nobody knows yet, and what changed of a complaint, wherever it lies.
    """
    if table == "customer":
        return SQL("status = 'provisional' AND owner_id IS NULL AND tier IS NULL")
    if table == "change":
        return SQL("EXISTS (SELECT FROM {} k WHERE k.customer_id = change.customer_id)").format(
            Identifier(SCHEMA, "complaint")
        )
    return None


def condition(scope: str, table: str, *, owner_only: bool = False) -> Composable:
    """Return the condition of a scope on the rows of a table.

    With `owner_only` a customer on which somebody is but a collaborator is outside, as far as owners are concerned.
    """
    if scope == "all":
        return SQL("true")
    column, function = ("owner_id", "own_staff") if scope == "own" else ("org_unit", "own_units")
    mine = SQL("{} = ANY (ARRAY(SELECT {}()))").format(Identifier(column), Identifier(OWN, function))
    if table == "customer":
        if scope != "own" or owner_only:
            return mine
        return SQL("{} OR customer_id = ANY (ARRAY(SELECT {}())) OR status = 'provisional'").format(
            mine, Identifier(OWN, "own_shared")
        )
    also: Composable = SQL("")
    if scope == "own":
        also = SQL(" AND c.{}").format(mine) if table == "ownership" and owner_only else _SOMEBODY
    held = SQL("EXISTS (SELECT FROM {customer} c WHERE c.customer_id = {table}.customer_id{also})").format(
        customer=Identifier(SCHEMA, "customer"), table=Identifier(table), also=also
    )
    if table == "change":
        return SQL("customer_id = 0 OR {}").format(held)
    if table == "complaint":
        return SQL(
            "{held} OR EXISTS (SELECT FROM {customer} c WHERE c.customer_id = complaint.linked_customer_id{also})"
            " OR handler_id = ANY (ARRAY(SELECT {own}())) OR first_receiver_id = ANY (ARRAY(SELECT {own}()))"
        ).format(held=held, customer=Identifier(SCHEMA, "customer"), own=Identifier(OWN, "own_staff"), also=also)
    if table in _OF_COMPLAINTS:
        return SQL("{} OR EXISTS (SELECT FROM {} k WHERE k.customer_id = {}.customer_id AND {})").format(
            held, Identifier(SCHEMA, "complaint"), Identifier(table), _OF_COMPLAINTS[table]
        )
    return held
