"""Rows changed with sqlite3 or psql instead of crmctl: `audit verify --rows` says so and exits 13."""

from __future__ import annotations

from typing import Any

import commands
from commands import crmctl, inside
from storage import direct

CLEAR = "UPDATE customer SET region = 'elsewhere' WHERE customer_id = 5"
DEEDS = {
    "a clear column": CLEAR,
    "a number": "UPDATE customer SET annual_amount = 1 WHERE customer_id = 5",
    "a version": "UPDATE customer SET version = 7 WHERE customer_id = 5",
    "a sealed value of somebody else": (
        "UPDATE customer SET sealed = (SELECT sealed FROM customer WHERE customer_id = 6),"
        " sealed_hash = (SELECT sealed_hash FROM customer WHERE customer_id = 6) WHERE customer_id = 5"
    ),
    "a sealed value, its hash left alone": (
        "UPDATE customer SET sealed = (SELECT sealed FROM customer WHERE customer_id = 6) WHERE customer_id = 5"
    ),
    "a hash": (
        "UPDATE customer SET sealed_hash = (SELECT sealed_hash FROM customer WHERE customer_id = 6)"
        " WHERE customer_id = 5"
    ),
    "a customer gone": "DELETE FROM customer WHERE customer_id = 5",
    "a customer too many": None,
    "a contact gone": "DELETE FROM contact WHERE customer_id = (SELECT min(customer_id) FROM contact)",
    "a contact changed": "UPDATE contact SET is_primary = 0 WHERE customer_id = (SELECT min(customer_id) FROM contact)",
    "a change gone": "DELETE FROM change WHERE customer_id = 5",
    "a change changed": "UPDATE change SET operation = 'destroy' WHERE customer_id = 5",
    "an entry gone": "DELETE FROM audit_entry WHERE seq = (SELECT max(seq) - 1 FROM audit_entry)",
    "an entry changed": "UPDATE audit_entry SET body = replace(body, 'import', 'export') WHERE seq = 2",
}  # fmt: skip


def insert(raw: Any) -> str:
    """Return the statement that puts a copy of customer 5 beside it."""
    names = [column[0] for column in raw.execute("SELECT * FROM customer WHERE customer_id = 5").description]
    listed = ", ".join(names)
    chosen = ", ".join("900001" if name == "customer_id" else name for name in names)
    return f"INSERT INTO customer ({listed}) SELECT {chosen} FROM customer WHERE customer_id = 5"


def test_every_deed_is_found(make: Any, kind: str, small: commands.Given) -> None:
    folder = make(kind)
    assert crmctl(folder, "customer", "import", small.path, "--chunk", 100).status == 3
    words = ("audit", "verify", "--changes", "--rows", "-o", "json")
    unnoticed = []
    with direct(folder) as raw:
        for deed, statement in DEEDS.items():
            kept = Kept(raw, kind)
            raw.execute(statement or insert(raw))
            done = inside(folder, *words)
            if done.status != 13 or not done.document["problems"]:
                unnoticed.append((deed, done.status))
            kept.restore()
    assert unnoticed == []
    assert inside(folder, *words).status == 14, "what was put back is in order: nothing else was found above"


class Kept:
    """What the tables hold now, to be put back."""

    TABLES = ("customer", "contact", "change", "audit_entry", "audit_head", "run", "counter")

    def __init__(self, raw: Any, kind: str) -> None:
        self.raw = raw
        for name in self.TABLES:
            raw.execute(
                f"CREATE {'TEMP' if kind == 'sqlite' else 'TEMPORARY'} TABLE kept_{name} AS SELECT * FROM {name}"
            )

    def restore(self) -> None:
        for name in self.TABLES:
            order = " ORDER BY run_id, chunk, position" if name == "change" else ""
            self.raw.execute(f"DELETE FROM {name}")
            self.raw.execute(f"INSERT INTO {name} SELECT * FROM kept_{name}{order}")
            self.raw.execute(f"DROP TABLE kept_{name}")


def test_the_person_who_looks_reads_where_it_is(make: Any, small: commands.Given) -> None:
    folder = make("sqlite")
    assert crmctl(folder, "customer", "import", small.path).status == 3
    with direct(folder) as raw:
        raw.execute(CLEAR)

    plain = inside(folder, "audit", "verify")
    rows = inside(folder, "audit", "verify", "--rows", "-q")

    assert plain.status == 14, "the log itself is untouched"
    assert rows.status == 13
    assert b"customer:5" in rows.out
    assert b"elsewhere" not in rows.out + rows.err
