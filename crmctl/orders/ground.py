"""What an import of orders stands on: the workspace's database, or, in a dry run, the same with what it would write."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crmctl.customers import facts as customers
from crmctl.orders import apply, facts
from crmctl.orders.apply import Chunk
from crmctl.orders.decide import Facts
from crmctl.orders.model import OrderRow, Stored
from crmctl.orders.seen import Seen
from crmctl.runs.run import Run
from crmctl.store import engine


class Live:
    """Looks up and writes in the workspace's own database."""

    def __init__(self, run: Run, batch_id: int, source: str, epochs: Sequence[int], seen: Seen) -> None:
        self.run, self.batch_id, self.source, self.epochs, self.seen = run, batch_id, source, epochs, seen

    def facts(self, rows: Sequence[OrderRow]) -> Facts:
        """Return what is known of a chunk's rows."""
        numbers = {row.number for row in rows}
        with engine.read(self.run.engine) as conn:
            holders = customers.named(conn, rows, self.epochs)
            orders = facts.orders(conn, numbers, self.source)
        return Facts(holders, orders, self.seen.find(numbers))

    def recall(self, numbers: Collection[str]) -> None:
        """Note which orders earlier rows of the file were about."""
        self.seen.add(numbers)

    def apply(self, chunk: Chunk) -> None:
        """Write a chunk, if the import's lock is still ours."""
        if self.run.held is not None:
            self.run.held.check()
        apply.apply(self.run, self.batch_id, chunk)
        self.seen.add(chunk.taken)


class Rehearsal(Live):
    """Looks up in the workspace's database and in what the run would have written so far; writes nothing."""

    def facts(self, rows: Sequence[OrderRow]) -> Facts:
        """Return what would be known of a chunk's rows."""
        real = super().facts(rows)
        assert isinstance(real.seen, dict)
        imagined = {number: stored for number, stored in real.seen.items() if stored is not None}
        return real._replace(orders={**real.orders, **imagined})

    def apply(self, chunk: Chunk) -> None:
        """Remember a chunk as if it were written."""
        created = ((new.number, Stored(new.customer_id, 0, new.values)) for new in chunk.created)
        edited = ((str(was.values["number"]), was._replace(values=values)) for was, values in chunk.edited)
        self.seen.add(chunk.taken)
        self.seen.imagine(created)
        self.seen.imagine(edited)
