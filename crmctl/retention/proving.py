"""`purge prove`: show the holder of a receipt that the record of a purge speaks of them (DES-04, DES-05).

The proof is that of RFC 6962 over the plan's digests in the order of their bytes; with the receipt's digest and the
root in the record anybody can compute it again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from crmctl.audit import tree
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.retention import records
from crmctl.retention.leaves import Receipt
from crmctl.retention.records import VERIFIED, Destruction
from crmctl.retention.tables import destruction_leaf
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import engine


@dataclass(frozen=True)
class Proof:
    """That one leaf is in the tree of a record: its place, and the hashes that lead from it to the root."""

    destruction: Destruction
    leaf: bytes
    index: int
    size: int
    path: tuple[bytes, ...]
    root: bytes

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        record_hash = self.destruction.record_hash
        return {
            "plan": self.destruction.plan_id,
            "digest": self.leaf.hex(),
            "index": self.index,
            "size": self.size,
            "proof": [node.hex() for node in self.path],
            "digests_root": self.root.hex(),
            "record_sha256": record_hash.hex() if record_hash else None,
        }


def leaves_of(conn: Connection, number: int) -> tuple[int, bytes]:
    """Return number and root of a plan's leaves, in the order of their bytes."""
    leaves = _leaves(conn, number)
    return len(leaves), tree.root(leaves)


def number_of_leaves(conn: Connection, number: int) -> int:
    """Return how many leaves a plan has: so many customers go with it."""
    query = select(func.count()).select_from(destruction_leaf).where(destruction_leaf.c.plan_id == number)
    return int(conn.execute(query).scalar_one())


def prove(run: Run, receipt: Receipt) -> Proof:
    """Return the proof for the holder of a receipt.

    Raises Refused where the plan is not carried out or not verified, or the holder was kept, saying why.
    """
    with engine.read(run.engine) as conn:
        found = records.begun(conn, receipt.plan_id)
        leaves = _leaves(conn, receipt.plan_id)
        at = bisect_left(leaves, receipt.leaf)
        if at == len(leaves) or leaves[at] != receipt.leaf:
            raise _not_destroyed(conn, receipt)
    if found.state != VERIFIED:
        raise Refused(
            _("plan {plan}: its purge is not verified yet").format(plan=found.plan_id),
            hint=f"crmctl purge verify {found.plan_id}",
            code="PURGE_UNVERIFIED",
        )
    path = tuple(tree.inclusion_proof(leaves, at))
    root = tree.root(leaves)
    if root != found.root or not tree.verify_inclusion(receipt.leaf, at, len(leaves), path, root):
        raise _broken(found)
    return Proof(found, receipt.leaf, at, len(leaves), path, root)


def _leaves(conn: Connection, number: int) -> Sequence[bytes]:
    return sorted(conn.execute(select(destruction_leaf.c.leaf).where(destruction_leaf.c.plan_id == number)).scalars())


def _not_destroyed(conn: Connection, receipt: Receipt) -> Refused:
    from crmctl.retention.telling import reason

    columns = plan_item.c
    query = select(columns.after).where(
        columns.plan_id == receipt.plan_id, columns.customer_id == receipt.customer_id, columns.after.is_not(None)
    )
    why = conn.execute(query).scalar_one_or_none()
    told = _("plan {plan}: the record does not speak of the holder of this receipt")
    if why is not None:
        told = _("plan {plan}: the holder of this receipt was not destroyed: {reason}")
    return Refused(
        told.format(plan=receipt.plan_id, reason=reason(why) if why else ""),
        hint=_("see: crmctl purge show {plan}").format(plan=receipt.plan_id),
        code="RECEIPT_KEPT" if why else "RECEIPT_UNKNOWN",
    )


def _broken(found: Destruction) -> Exception:
    from crmctl.errors import IntegrityFailed

    return IntegrityFailed(
        _("plan {plan}: its digests do not give the root of its record").format(plan=found.plan_id),
        hint=_("see: crmctl audit verify"),
        code="RECORD_BROKEN",
    )
