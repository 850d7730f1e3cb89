"""The log, its head, its signed checkpoints, and the change log whose leaves it commits to (design §5, §6).

`change` on SQLite is deliberately an ordinary rowid table, and no index besides its key has all of its rows. Measured
with 1.9 million changes in chunks of 20,000 (8 KiB pages, WAL, FULL, 32 MB cache):

=====================================  ===========  ==============  ================================
layout                                 new records  random updates  reading in chunk order
=====================================  ===========  ==============  ================================
WITHOUT ROWID                          11.6 µs      49 µs           10.2 s, sorts 600 MB in memory
rowid table (chosen)                   13.9 µs      23 µs           4.1 s, flat memory (rowid order)
rowid table + (run, chunk, position)   14.3 µs      24 µs           6.1 s, flat memory
=====================================  ===========  ==============  ================================

A row carries images and hashes (about 230 bytes for a creation), so that clustering it by customer makes every update
rewrite a page of its own, while appending it costs a few bytes of key. A chunk's rows are inserted in order of
`position` in one transaction: on SQLite the rowid order *is* the chunk order, PostgreSQL sorts on disk, and
`audit verify` needs no third tree (33 MB and 3 % of an import's change log).

A purge of old values must find, of thousands of small runs, the changes that still have images: `ix_change_images` has
those alone. Measured with 400,000 creations and 200,000 updates it costs creations nothing and an update some 2 µs of
25, 2 % of the room, until the images are gone; to find the runs takes 0.02 s instead of 0.2 s, one run's changes no
scan.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, SmallInteger, Table, Text, text

from crmctl.store.metadata import Digest, JsonText, RowNumber, Sealed, UtcTime, metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("seq", RowNumber, primary_key=True, autoincrement=False, comment="0, 1, 2, … without holes"),
    Column("leaf", Digest, nullable=False, comment="SHA-256(0x00 ‖ body), RFC 6962"),
    Column("prev", Digest, nullable=False, unique=True, comment="leaf of seq - 1: a fork is impossible"),
    Column("body", Text, nullable=False, comment="canonical ASCII JSON; exactly these bytes are hashed"),
    info={"distribution": "coordinator"},
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False, comment="entries in the log"),
    Column("last_leaf", Digest, nullable=False, comment="leaf of the newest entry; zeros before the first"),
    Column("frontier", Digest, nullable=False, comment="roots of the full subtrees, largest first, 32 bytes each"),
    CheckConstraint("id = 1", name="one"),
    info={"distribution": "coordinator"},
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("seq", RowNumber, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False, comment="entries the signature covers"),
    Column("root", Digest, nullable=False, comment="RFC 6962 root of those entries"),
    Column("note", Text, nullable=False, comment="the signed note, C2SP, exact text"),
    Column("added_at", UtcTime, nullable=False),
    info={"distribution": "coordinator"},
)

# Of an import of new customers no change has an image, of a regrade each has: what a purge of old values looks for.
IMAGES = text("(before_clear IS NOT NULL OR before_sealed IS NOT NULL)")

change = Table(
    "change",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False, comment="0: of no customer"),
    Column("change_id", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False),
    Column("chunk", Integer, nullable=False),
    Column("position", Integer, nullable=False, comment="of the leaf in the chunk's tree: 0, 1, 2, …"),
    Column("object", Text, nullable=False, comment="code of the protected table: customer, contact, …"),
    Column("object_id", BigInteger, nullable=False),
    Column("operation", Text, nullable=False, comment="create, update, destroy"),
    Column("version", Integer, nullable=False, comment="of the object's changes: 1, 2, 3, … without holes"),
    Column("fields", JsonText, nullable=False, comment="names of what changed, never values"),
    Column("before_clear", JsonText, comment="clear columns before, without nulls"),
    Column("before_sealed", Sealed, comment="the envelope before, only when it changed"),
    Column("salt", Digest, comment="16 bytes; null after purge, then the leaf tells nothing"),
    Column("clear_before_hash", Digest),
    Column("clear_after_hash", Digest),
    Column("sealed_before_hash", Digest),
    Column("sealed_after_hash", Digest),
    Column("leaf", Digest, nullable=False),
    Index("ix_change_images", "run_id", "change_id", sqlite_where=IMAGES, postgresql_where=IMAGES),
    info={"distribution": "customer_id"},
)

# Customers that one command showed, where its entry commits to them by a root alone (ACC-07): each is provable from
# its row, and without its salt, which a purge empties, tells nothing.
look = Table(
    "look",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False, comment="of the leaf in the tree of the command: 0, 1, 2, …"),
    Column("salt", Digest, comment="16 bytes; null after purge"),
    Column("leaf", Digest, nullable=False, comment="SHA-256(0x00 ‖ salt ‖ customer, run and position)"),
    Index("ix_look_run_id_position", "run_id", "position"),  # written in this order, read so to prove and to verify
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)
