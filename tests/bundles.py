"""A signed log of some hundred entries and what is exported of it, for the tests of bundles."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, insert, select

from crmctl.audit import changes, entries, looks, note
from crmctl.audit.bundle import About, fill, new_folder
from crmctl.audit.export import Wanted, choose
from crmctl.audit.tables import audit_head, change, checkpoint
from crmctl.audit.tree import Frontier
from crmctl.security.actor import Actor
from crmctl.store import bulk
from crmctl.store.engine import read, write

ORIGIN = "crm.example.cn/audit/test"
START = datetime(2026, 7, 1, 0, 0, 0, tzinfo=UTC)
ACTOR = Actor("李娜", 1001, "direct", ("steward",))
CUSTOMER = 7


@dataclass
class Signer:
    """A key of a fixed seed and its name."""

    seed: int = 1
    name: str = ORIGIN

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def vkey(self) -> str:
        return note.vkey(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, size: int, root: bytes) -> str:
        return note.sign(note.checkpoint_text(self.name, size, root), self.name, self.private)


def trust(text: str, size: int, root: bytes) -> bool:
    """Believe the usual signer."""
    said = note.parse_checkpoint(note.parse(text).text)
    return said == (ORIGIN, size, root) and note.verify(text, Signer().vkey)


class Log:
    """Writes entries a minute apart, in one transaction each batch."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.number, self.next_change = engine, 0, 1

    def append(self, conn: Connection, **fields: Any) -> entries.Appended:
        self.number += 1
        at = START + timedelta(minutes=self.number)
        given = {"act": "customer.show", "actor": ACTOR, "at": at, "result": "done", **fields}
        return entries.append(conn, entries.entry(**given))

    def shows(self, customers: Sequence[int]) -> None:
        with write(self.engine) as conn:
            for customer in customers:
                self.append(conn, obj=f"customer:{customer}", n=1, purpose="complaint", ticket="CRM-4711")

    def lists(self, run: int, customers: Sequence[int]) -> None:
        with write(self.engine) as conn:
            number, root = looks.commit(conn, run, customers)
            self.append(conn, act="customer.list", run=run, n=number, looks=number, looks_root=root.hex())

    def imports(self, run: int, chunk: int, customers: Sequence[int]) -> None:
        """A chunk with two changes of each customer."""
        with write(self.engine) as conn:
            made = changes.Changes(run, chunk, self.next_change)
            for customer in customers:
                after = changes.After(bytes([customer % 256]) * 32, bytes(32))
                made.create((customer, "customer", customer), "[]", after)
                made.create((customer, "contact", 1), "[]", after)
            bulk.insert_rows(conn, change, changes.CHANGE_COLUMNS, made.rows)
            self.next_change += len(made.rows)
            number, root = made.summary()
            self.append(conn, act="customer.import", run=run, chunk=chunk, batch=1, changes=number, changes_root=root)

    def signed(self, signer: Signer | None = None) -> str:
        """Add a checkpoint of the log as it is; return the note."""
        with write(self.engine) as conn:
            head = conn.execute(select(audit_head)).one()
            root = Frontier.from_bytes(head.size, head.frontier).root()
            text = (signer or Signer()).sign(head.size, root)
            values = {"seq": head.size, "size": head.size, "root": root, "note": text, "added_at": START}
            conn.execute(insert(checkpoint).values(values))
            return text


def build(engine: Engine) -> tuple[Log, list[str]]:
    """Return a log of 250 entries, signed now and then and at its end, and its checkpoints."""
    log = Log(engine)
    notes = []
    for part in range(5):
        log.shows(range(1, 30))
        log.imports(10 + part, 0, range(1, 12))
        notes.append(log.signed())
        log.imports(10 + part, 1, [90, 91, *([CUSTOMER] if part % 2 else [])])
        log.lists(20 + part, [5, CUSTOMER, 6, 30 + part])
        log.lists(40 + part, [1, 2, 3])
        log.shows(range(3, 20))
    notes.append(log.signed())
    return log, notes


def export(engine: Engine, folder: Path, wanted: Wanted | None = None) -> Path:
    """Write a bundle, by default of everything."""
    with read(engine) as conn, new_folder(folder) as made:
        fill(conn, made, choose(conn, wanted or Wanted()), About(480, (Signer().vkey,), trust))
    return folder


def copied(folder: Path, to: Path) -> Path:
    """Return a fresh copy of a bundle."""
    if to.exists():
        shutil.rmtree(to)
    shutil.copytree(folder, to)
    return to
