"""A small world to tamper with: customers and contacts, their changes, the entries that commit to them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import workspaces
from desks import _desks, desk
from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from crmctl.audit import changes as log
from crmctl.audit import entries
from crmctl.audit.tables import audit_entry, audit_head, change
from crmctl.audit.tree import Frontier, leaf_hash
from crmctl.audit.verify import Verification, verify_in
from crmctl.customers.protected import CONTACT, CUSTOMER
from crmctl.security.actor import Actor
from crmctl.store import bulk
from crmctl.store.engine import open_engine, write

__all__ = ["_desks", "desk"]

AT = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
STAMP = "2026-11-21T12:00:00Z"


def actor(person: str = "li.na") -> Actor:
    return Actor(person, 1001, "direct", ("steward",))


def looked(**fields: Any) -> dict[str, Any]:
    return entries.entry(**{"act": "customer.show", "actor": actor(), "at": AT, "result": "done", **fields})


@dataclass
class World:
    """Writes as the program does: rows, changes and entry of a chunk in one transaction."""

    engine: Engine
    random: random.Random = field(default_factory=lambda: random.Random(7))
    next_change: int = 1
    next_customer: int = 1
    rows: dict[tuple[str, int, int], tuple[dict[str, Any], bytes, int]] = field(default_factory=dict)

    def create(self, run: int, chunk: int, customers: int) -> None:
        """One chunk of new customers, every other one with a contact."""
        with write(self.engine) as conn:
            made = log.Changes(run, chunk, self.next_change)
            for _ in range(customers):
                number = self.next_customer
                self.next_customer += 1
                self._make(conn, made, "customer", number, number)
                if number % 2:
                    self._make(conn, made, "contact", number, 1)
            self._close(conn, made, run, chunk)

    def update(self, run: int, chunk: int, *customers: int, reseal: bool = True) -> None:
        """One chunk that changes the region of customers, and their envelope."""
        with write(self.engine) as conn:
            made = log.Changes(run, chunk, self.next_change)
            for number in customers:
                key = ("customer", number, number)
                clear, sealed, version = self.rows[key]
                after = {**clear, "region": f"region {version}", "updated_at": STAMP, "version": version + 1}
                envelope = self.random.randbytes(48) if reseal else sealed
                made.update(
                    (number, "customer", number),
                    version + 1,
                    log.fields_json(frozenset({"region"})),
                    self._before(clear, sealed),
                    log.After(log.clear_hash(after), sha256(envelope).digest()),
                )
                self.rows[key] = after, envelope, version + 1
                values = (number, after["region"], STAMP, version + 1, envelope, sha256(envelope).digest())
                columns = ("region", "updated_at", "version", "sealed", "sealed_hash")
                bulk.update_rows(conn, CUSTOMER.table, ("customer_id",), columns, [values])
            self._close(conn, made, run, chunk)

    def destroy(self, run: int, chunk: int, number: int) -> None:
        """One chunk that removes a customer and its contact."""
        with write(self.engine) as conn:
            made = log.Changes(run, chunk, self.next_change)
            for code, own in (("contact", 1), ("customer", number)):
                found = self.rows.pop((code, number, own), None)
                if found is not None:
                    clear, sealed, version = found
                    made.destroy((number, code, own), version + 1, "[]", self._before(clear, sealed))
                    table, keys = (CONTACT.table, (number, own)) if code == "contact" else (CUSTOMER.table, (number,))
                    names = ("customer_id", "contact_id")[: len(keys)]
                    bulk.delete_rows(conn, table, names, [keys])
            self._close(conn, made, run, chunk)

    def look(self, times: int = 1) -> None:
        """Entries without changes."""
        with write(self.engine) as conn:
            for _ in range(times):
                self.append(conn, obj=f"customer:{self.random.randint(1, 9)}", n=1, fields=["mobile"])

    def append(self, conn: Connection, **fields: Any) -> entries.Appended:
        return entries.append(conn, looked(**fields))

    def _make(self, conn: Connection, made: log.Changes, code: str, owner: int, number: int) -> None:
        table = CUSTOMER if code == "customer" else CONTACT
        clear: dict[str, Any] = dict.fromkeys(table.clear_columns)
        clear |= {"customer_id": owner, "batch_id": 1, "created_at": STAMP, "updated_at": STAMP, "version": 1}
        if code == "customer":
            clear |= {"type": "enterprise", "status": "draft", "company_name": f"公司{number}", "derived_version": 0}
            clear |= {"first_added_at": "2026-01-02T03:04:05Z", "annual_amount": 10_000_000 + number}
        else:
            clear |= {"contact_id": number, "is_primary": 1}
        sealed = self.random.randbytes(64)
        hashed = sha256(sealed).digest()
        columns = (*table.clear_columns, "sealed", "sealed_hash")
        bulk.insert_rows(conn, table.table, columns, [(*clear.values(), sealed, hashed)])
        made.create((owner, code, number), "[]", log.After(log.clear_hash(clear), hashed))
        self.rows[code, owner, number] = clear, sealed, 1

    def _before(self, clear: dict[str, Any], sealed: bytes) -> log.Before:
        image = log.clear_json(clear)
        return log.Before(image.decode(), sealed, sha256(image).digest(), sha256(sealed).digest())

    def _close(self, conn: Connection, made: log.Changes, run: int, chunk: int) -> None:
        bulk.insert_rows(conn, change, log.CHANGE_COLUMNS, made.rows)
        self.next_change += len(made.rows)
        number, root = made.summary()
        body = looked(act="customer.import", run=run, chunk=chunk, changes=number, changes_root=root, batch=1)
        entries.append(conn, body)


@pytest.fixture
def world(engine: Engine) -> World:
    """Three chunks of new customers, changes to some, one destroyed, and looks in between: 17 entries."""
    return _built(engine)


def _built(engine: Engine) -> World:
    built = World(engine)
    built.look(3)
    for chunk in range(3):
        built.create(1, chunk, 8)
        built.look(2)
    built.update(2, 0, 3, 5, 8, 21)
    built.update(3, 0, 5, reseal=False)
    built.destroy(4, 0, 7)
    built.look(2)
    return built


@pytest.fixture
def entry() -> Callable[..., dict[str, Any]]:
    """Builds a valid entry; keyword arguments replace its parts."""
    return looked


@pytest.fixture
def make_actor() -> Callable[..., Actor]:
    return actor


@pytest.fixture
def later() -> Callable[[int], datetime]:
    """The moment so many seconds after the usual one."""
    return lambda seconds: AT + timedelta(seconds=seconds)


@pytest.fixture
def sqlite_world(sqlite_url: str) -> Iterator[World]:
    """The same world on SQLite only."""
    from crmctl.store.engine import open_engine

    engine = open_engine(sqlite_url)
    yield _built(engine)
    engine.dispose()


class Tamper:
    """What somebody with the database in hand can do, at places that `random` chooses."""

    def __init__(self, conn: Connection, seed: str) -> None:
        self.conn = conn
        self.random = random.Random(seed)

    def row(self, table: Table, *conditions: Any) -> Any:
        """Any row that meets the conditions."""
        keys = list(table.primary_key)
        return self.random.choice(self.conn.execute(select(table).where(*conditions).order_by(*keys)).all())

    def where(self, table: Table, row: Any) -> list[Any]:
        return [column == getattr(row, column.name) for column in table.primary_key]

    def set(self, table: Table, row: Any, **values: Any) -> None:
        assert self.conn.execute(update(table).where(*self.where(table, row)).values(**values)).rowcount == 1

    def flipped(self, value: bytes) -> bytes:
        """One bit different."""
        at = self.random.randrange(len(value))
        return value[:at] + bytes([value[at] ^ 1 << self.random.randrange(8)]) + value[at + 1 :]

    def edited(self, text: str) -> str:
        """One character different."""
        at = self.random.randrange(len(text))
        other = chr((ord(text[at]) - 32 + self.random.randint(1, 94)) % 95 + 32)
        return text[:at] + other + text[at + 1 :]

    def newest(self) -> int:
        return int(self.conn.execute(select(func.max(audit_entry.c.seq))).scalar_one())

    def rewrite(self, start: int, change_body: Callable[[str], str]) -> None:
        """What a patient forger does: change an entry, then every leaf, prev and the head after it."""
        rows = self.conn.execute(select(audit_entry).order_by(audit_entry.c.seq)).all()
        tree, prev, changed = Frontier(), bytes(32), []
        for row in rows:
            body = change_body(row.body) if row.seq == start else row.body
            body = body.replace(row.prev.hex(), prev.hex())
            leaf = leaf_hash(body.encode())
            changed.append({"seq": row.seq, "leaf": leaf, "prev": prev, "body": body})
            tree.append(leaf)
            prev = leaf
        self.conn.execute(delete(audit_entry))
        self.conn.execute(insert(audit_entry), changed)
        self.conn.execute(update(audit_head).values(size=tree.size, last_leaf=prev, frontier=tree.to_bytes()))

    def shorten(self, keep: int) -> None:
        """Cut the log's end off, head and all."""
        self.conn.execute(delete(audit_entry).where(audit_entry.c.seq >= keep))
        leaves = self.conn.execute(select(audit_entry.c.leaf).order_by(audit_entry.c.seq)).scalars().all()
        tree = Frontier()
        tree.extend(leaves)
        values = {"size": keep, "last_leaf": leaves[-1], "frontier": tree.to_bytes()}
        self.conn.execute(update(audit_head).values(**values))


class _Undo(Exception):
    pass


Act = Callable[[Tamper], None]


@pytest.fixture
def after(world: World) -> Callable[..., Verification]:
    """Does one act in an untouched world, says what verification makes of it, undoes it."""

    def run(act: Act, seed: str = "", **levels: bool) -> Verification:
        with suppress(_Undo), write(world.engine) as conn:
            act(Tamper(conn, seed))
            result = verify_in(conn, **levels)
            raise _Undo
        return result

    return run


@pytest.fixture
def missed(after: Callable[..., Verification]) -> Callable[..., list[str]]:
    """Does acts at eight places each; returns those that verification does not meet with `exit_code`."""

    def run(acts: list[Act], exit_code: int = 13, **levels: bool) -> list[str]:
        found = []
        for act in acts:
            for place in range(8):
                name = f"{act.__name__} {place}"
                result = after(act, name, **levels)
                if result.exit_code != exit_code or (exit_code == 13) != bool(result.problems):
                    found.append(name)
        return found

    return run


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Engine]]:
    """A workspace made by `init`, and its database."""
    if request.param == "sqlite":
        folder = workspaces.make(tmp_path / "w")
        engine = open_engine(f"sqlite:///{folder / 'data' / 'crmctl.db'}")
        yield folder, engine
        engine.dispose()
        return
    server = request.getfixturevalue("postgres_server")
    name = server.create(request.getfixturevalue("_postgres_template"))
    engine = open_engine(server.url(name))
    yield workspaces.make(tmp_path / "w", server.url(name)), engine
    engine.dispose()
    server.drop(name)
