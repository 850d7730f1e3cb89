"""Second level: every leaf of the change log, and each chunk's root and number against what its entry says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import Connection, literal_column, select

from crmctl.audit.changes import CHANGE_COLUMNS, leaf_of
from crmctl.audit.problems import KEPT, Problems
from crmctl.audit.pruned import kept_leaf
from crmctl.audit.reading import batches
from crmctl.audit.tables import change
from crmctl.audit.tree import Frontier
from crmctl.audit.verify_entries import Chunk
from crmctl.i18n import N_, _
from crmctl.store.sqlite import driver

_AT_ONCE = 4096  # leaves that wait for the tree
Row = tuple[Any, ...]

DIFFERENT = (
    "SELECT run, chunk FROM said JOIN found USING (run, chunk) WHERE said.n <> found.n OR said.root <> found.root"
)
MISSING = "SELECT run, chunk FROM said WHERE (run, chunk) NOT IN (SELECT run, chunk FROM found)"
UNCOVERED = "SELECT run, chunk FROM found WHERE (run, chunk) NOT IN (SELECT run, chunk FROM said)"
TWICE = "SELECT run, chunk FROM said GROUP BY run, chunk HAVING count(*) > 1"
_COMPARISONS = (
    ("CHUNK_CHANGED", N_("its changes do not give the number and the root that its entry says"), DIFFERENT),
    ("CHUNK_MISSING", N_("an entry speaks of changes that are not there"), MISSING),
    ("CHUNK_UNCOVERED", N_("no entry speaks of these changes"), UNCOVERED),
    ("CHUNK_TWICE", N_("more than one entry speaks of the same changes"), TWICE),
)


class Told(NamedTuple):
    """What the log says besides: whether it is `pruned`, how many changes of which run purges `emptied` of images."""

    pruned: bool = False
    emptied: Mapping[int, int] = {}


class _Unordered(Exception):
    """The rows of a chunk do not lie together in the order of their positions."""


class Scratch:
    """What the entries say and what the changes give, side by side, however many chunks there are.

    A temporary database, kept by SQLite in a nameless file when it outgrows 2 MB: numbers and hashes only.
    """

    def __init__(self) -> None:
        self._db = driver().connect("", isolation_level=None)
        self._db.execute("CREATE TABLE said (run, chunk, seq, n, root, PRIMARY KEY (run, chunk, seq)) WITHOUT ROWID")
        self._db.execute("CREATE TABLE found (run, chunk, n, root, PRIMARY KEY (run, chunk)) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def close(self) -> None:
        """Forget it all."""
        self._db.close()

    def said(self, chunk: Chunk) -> None:
        """Keep what an entry says of a chunk."""
        self._db.execute("INSERT INTO said VALUES (?, ?, ?, ?, ?)", chunk)

    def found(self, key: Row, number: int, root: bytes) -> None:
        """Keep what the changes of a chunk give; the last word counts."""
        self._db.execute("INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?)", (*key, number, root))

    def has_said(self, key: Row) -> bool:
        """Say whether an entry speaks of this chunk."""
        return self._db.execute("SELECT 1 FROM said WHERE run = ? AND chunk = ?", key).fetchone() is not None

    def has_found(self, key: Row) -> bool:
        """Say whether the changes of this chunk came already."""
        return self._db.execute("SELECT 1 FROM found WHERE run = ? AND chunk = ?", key).fetchone() is not None

    def forget_found(self) -> None:
        """Begin the changes again."""
        self._db.execute("DELETE FROM found")

    def kept(self, below: int) -> Iterator[bytes]:
        """Yield the leaves of what no entry from number `below` on speaks of, in order: see `pruned`."""
        query = (
            "SELECT run, chunk, n, root FROM found"
            " WHERE (run, chunk) NOT IN (SELECT run, chunk FROM said WHERE seq >= ?) ORDER BY run, chunk"
        )
        return starmap(kept_leaf, self._db.execute(query, (below,)))

    def compare(
        self,
        problems: Problems,
        comparisons: Sequence[tuple[str, str, str]] = _COMPARISONS,
        subject: str = "chunk:{run}/{chunk}",
    ) -> None:
        """Report every chunk where the two sides differ."""
        for code, message, query in comparisons:
            total = self._db.execute(f"SELECT count(*) FROM ({query})").fetchone()[0]  # noqa: S608 - from the table above
            for run, chunk in self._db.execute(f"{query} LIMIT {KEPT}"):
                problems.add(code, subject.format(run=run, chunk=chunk), _(message))
            problems.total += max(total - KEPT, 0)


def check_changes(
    conn: Connection, problems: Problems, scratch: Scratch, progress: Callable[[int], None], told: Told
) -> int:
    """Recompute every leaf and every chunk's root; compare with what the entries said. Returns the number of changes.

    On SQLite the order of writing is the order of the chunks (see `tables`) and is read first: nothing is sorted. Only
    when somebody disturbed it, the rows are sorted, in memory. Of a pruned log, changes that no entry speaks of are
    for `verify_kept` to judge, and nobody can say any more whose images a purge took.
    """
    orders: list[tuple[Any, ...]] = [(change.c.run_id, change.c.chunk, change.c.position, change.c.change_id)]
    if conn.dialect.name == "sqlite":
        orders.insert(0, (literal_column("change.rowid"),))
    for order in orders:
        found = Problems()
        pass_ = _Pass(found, scratch, told, strict=order is orders[-1])
        statement = select(*(change.c[name] for name in CHANGE_COLUMNS)).order_by(*order)
        try:
            for batch in batches(conn, statement):
                for row in batch:
                    pass_.take(row)
                progress(len(batch))
            pass_.finish()
            pass_.compare()
        except _Unordered:
            scratch.forget_found()
            continue
        break
    scratch.compare(found, _COMPARISONS if not told.pruned else [each for each in _COMPARISONS if each[2] != UNCOVERED])
    problems.extend(found)
    return pass_.total


class _Pass:
    """One reading of the change log, chunk after chunk; `strict` reports disorder instead of giving up."""

    def __init__(self, problems: Problems, scratch: Scratch, told: Told, *, strict: bool) -> None:
        self.total = 0
        self._problems, self._scratch, self._told, self._strict = problems, scratch, told, strict
        self._without: Counter[int] = Counter()  # changes without images, of runs that purges emptied
        self._key: Row | None = None
        self._tree, self._pending = Frontier(), list[bytes]()

    def take(self, row: Row) -> None:
        """Check one row; it belongs to the chunk at hand or begins the next."""
        self.total += 1
        key = row[2:4]
        if key != self._key:
            self.finish()
            if not self._strict and self._scratch.has_found(key):
                raise _Unordered
            self._key = key
        if row[4] != self._tree.size + len(self._pending):
            if not self._strict:
                raise _Unordered
            self._problems.add("CHANGE_PLACE", f"change:{row[1]}", _("is not at its position in the chunk"))
        for code, message in _faults(row):
            self._problems.add(code, f"change:{row[1]}", _(message))
        if _lacks_image(row) and not self._accounted(key):
            self._problems.add("CHANGE_IMAGE", f"change:{row[1]}", _("its before-image is gone"))
        self._pending.append(row[17] if isinstance(row[17], bytes) else b"")
        if len(self._pending) >= _AT_ONCE:
            self._flush()

    def finish(self) -> None:
        """Close the chunk at hand."""
        if self._key is not None:
            self._flush()
            self._scratch.found(self._key, self._tree.size, self._tree.root())
            self._tree, self._key = Frontier(), None

    def _accounted(self, key: Row) -> bool:
        """Say whether a purge may have taken an image of this chunk; how many it took of the run is compared later."""
        if self._told.pruned and not self._scratch.has_said(key):
            return True
        if key[0] not in self._told.emptied:
            return False
        self._without[key[0]] += 1
        return True

    def compare(self) -> None:
        """Report the runs of which more images are gone than purges say they took."""
        for run, number in self._without.items():
            if number > self._told.emptied[run]:
                message = _("{number} before-images are gone, purges took {emptied}")
                text = message.format(number=number, emptied=self._told.emptied[run])
                self._problems.add("CHANGE_IMAGE", f"run:{run}", text)

    def _flush(self) -> None:
        self._tree.extend(self._pending)
        self._pending.clear()


def _faults(row: Row) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one row in itself: its leaf, its before-image."""
    was_clear, was_sealed, salt, clear_before, _clear_after, sealed_before, _sealed_after, leaf = row[10:18]
    try:
        if salt is not None and leaf_of(row) != leaf:
            yield "CHANGE_LEAF", N_("its columns do not give its leaf")
        if was_clear is not None and sha256(was_clear.encode()).digest() != clear_before:
            yield "CHANGE_IMAGE", N_("its before-image is not the one it was written with")
        if was_sealed is not None and sha256(was_sealed).digest() != sealed_before:
            yield "CHANGE_IMAGE", N_("its before-image is not the one it was written with")
    except (AttributeError, TypeError, ValueError):
        yield "CHANGE_LEAF", N_("its columns do not give its leaf")


def _lacks_image(row: Row) -> bool:
    """Say whether an image of a change is gone though its salt is there."""
    was_clear, was_sealed, salt, clear_before, _clear_after, sealed_before, sealed_after = row[10:17]
    if salt is None:
        return False
    if clear_before is not None and was_clear is None:
        return True
    return sealed_before is not None and sealed_before != sealed_after and was_sealed is None
