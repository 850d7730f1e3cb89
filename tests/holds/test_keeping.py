"""What keeps customers: the selects for all of them, the look-up of some, and plain Python say the same (DES-07)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from desks import AUDITOR, STEWARD, SUPERVISOR, Desk
from holdwork import hold, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Integer, LargeBinary, SmallInteger, Table, Text, insert, select

from crmctl.complaints.decide import CLOSED
from crmctl.complaints.tables import complaint
from crmctl.customers.tables import customer
from crmctl.holds import KINDS, everybody, keeping, kept, label, reasons
from crmctl.holds.model import LABELS
from crmctl.holds.tables import legal_hold, legal_hold_item
from crmctl.i18n import use
from crmctl.store.engine import read
from crmctl.store.metadata import UtcTime

AT = datetime(2026, 11, 21, 1, tzinfo=UTC)
PEOPLE = range(1, 9)


class Held(NamedTuple):
    """A hold: its kind, who is under it, whether it is over, whether it is on everybody."""

    kind: str
    customers: frozenset[int]
    over: bool
    everybody: bool


class Complaint(NamedTuple):
    """A complaint: whom it lies with, how it stands, and whom it is linked to."""

    customer: int
    status: str
    linked: int | None


HOLDS = st.lists(
    st.builds(Held, st.sampled_from(KINDS), st.frozensets(st.sampled_from(PEOPLE)), st.booleans(), st.booleans()),
    max_size=6,
)
STATUSES = st.sampled_from(["accepted", "verified", "revisited", "unsettled", *CLOSED])
COMPLAINTS = st.lists(
    st.builds(Complaint, st.sampled_from(PEOPLE), STATUSES, st.none() | st.sampled_from(PEOPLE)), max_size=6
)


def filled(table: Table, **values: object) -> dict[str, object]:
    """Return a row of a table: what is not said is something of its type."""
    row: dict[str, object] = {}
    for column in table.c:
        if column.nullable:
            continue
        kind = column.type
        if isinstance(kind, UtcTime):
            row[column.name] = AT
        elif isinstance(kind, LargeBinary):
            row[column.name] = b"\x00" * 32
        elif isinstance(kind, Integer | SmallInteger):
            row[column.name] = 0
        else:
            row[column.name] = "{}" if column.name == "terms" else "x"
            assert isinstance(kind, Text) or column.name == "terms"
    return {**row, **values}


def store(conn: Connection, holds: list[Held], complaints: list[Complaint]) -> None:
    """Put them into the database."""
    for number, each in enumerate(holds, 1):
        over = {"lifted_at": AT, "lifted_by": "x"} if each.over else {}
        row = filled(legal_hold, hold_id=number, kind=each.kind, everybody=int(each.everybody), **over)
        conn.execute(insert(legal_hold).values(row))
        for who in () if each.over or each.everybody else each.customers:
            conn.execute(insert(legal_hold_item).values(filled(legal_hold_item, customer_id=who, hold_id=number)))
    for number, case in enumerate(complaints, 1):
        row = filled(
            complaint, customer_id=case.customer, complaint_id=number, status=case.status,
            linked_customer_id=case.linked,
        )  # fmt: skip
        conn.execute(insert(complaint).values(row))


def expected(holds: list[Held], complaints: list[Complaint]) -> dict[int, tuple[str, ...]]:
    """Return whom what keeps, worked out without a database."""
    found = {}
    for who in PEOPLE:
        kinds = {each.kind for each in holds if not each.over and not each.everybody and who in each.customers}
        opened = {
            "complaint" for case in complaints if case.status not in CLOSED and who in (case.customer, case.linked)
        }
        codes = tuple(code for code in (*KINDS, "complaint") if code in kinds | opened)
        if codes:
            found[who] = codes
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(holds=HOLDS, complaints=COMPLAINTS, asked=st.frozensets(st.sampled_from(PEOPLE)))
def test_selects_and_look_ups_agree(
    engine: Engine, holds: list[Held], complaints: list[Complaint], asked: frozenset[int]
) -> None:  # fmt: skip
    wanted = expected(holds, complaints)
    with engine.connect() as conn:
        transaction = conn.begin()
        store(conn, holds, complaints)
        assert kept(conn, PEOPLE, AT) == wanted
        assert kept(conn, asked, AT) == {who: codes for who, codes in wanted.items() if who in asked}
        for code, query in reasons(AT).items():
            assert set(conn.execute(query).scalars()) == {who for who, codes in wanted.items() if code in codes}
        first = next((each.kind for each in holds if each.everybody and not each.over), None)
        assert everybody(conn) == first
        transaction.rollback()


def test_many_are_asked_for_in_a_few_statements(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "_AT_ONCE", 3)
    with engine.connect() as conn:
        transaction = conn.begin()
        store(conn, [Held("audit", frozenset(PEOPLE), False, False)], [])
        assert kept(conn, [*PEOPLE, *PEOPLE], AT) == dict.fromkeys(PEOPLE, ("audit",))
        assert kept(conn, (), AT) == {}
        transaction.rollback()


def test_every_reason_has_a_name_in_both_languages() -> None:
    codes = list(reasons(AT))
    assert codes == [*KINDS, *(code for code, _name in keeping.AUTOMATIC)] == list(LABELS)
    assert all(label(code).isascii() for code in codes)
    use("zh")
    assert not any(label(code).isascii() for code in codes)


def test_open_complaints_keep_their_customers(desk: Desk) -> None:
    """Opened by the real command; an unidentified complainant, and whom the complaint is linked to, are both kept."""
    said = [
        part for name in ("complainant", "contact", "matter", "demand") for part in (f"--{name}", text(desk, "漏水"))
    ]
    matter = ("--channel", "phone", "--category", "quality", *said)
    desk.json(SUPERVISOR, "complaint", "open", "C-1", *matter)
    number = desk.json(SUPERVISOR, "complaint", "open", "--unidentified", *matter)["number"]
    (somebody,) = [row["customer_id"] for row in desk.rows(select(customer).where(customer.c.status == "provisional"))]
    with read(desk.engine) as conn:
        assert kept(conn, (1, 2, 3, somebody), AT) == {1: ("complaint",), somebody: ("complaint",)}
    desk.json(SUPERVISOR, "complaint", "link", number, "C-2", "--reason", text(desk, "来电号码"))
    hold(desk, 2, uid=STEWARD)
    with read(desk.engine) as conn:
        assert kept(conn, (1, 2, 3, somebody), AT) == {
            1: ("complaint",), 2: ("legal", "complaint"), somebody: ("complaint",),
        }  # fmt: skip
        inside = select(customer.c.customer_id).where(customer.c.customer_id.in_(reasons(AT)["complaint"]))
        assert set(conn.execute(inside).scalars()) == {1, 2, somebody}
    assert desk.json(AUDITOR, "hold", "list", "--customer", 2)["kept"] == ["legal", "complaint"]
