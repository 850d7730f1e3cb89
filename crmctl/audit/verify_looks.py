"""Part of the second level: every leaf of a look, and each command's root and number against what its entry says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from operator import itemgetter

from sqlalchemy import Connection, select

from crmctl.audit.looks import leaf_of
from crmctl.audit.problems import Problems
from crmctl.audit.reading import Row, rows
from crmctl.audit.tables import look
from crmctl.audit.tree import Frontier
from crmctl.audit.verify_changes import DIFFERENT, MISSING, TWICE, UNCOVERED, Scratch
from crmctl.audit.verify_entries import LOOKS
from crmctl.i18n import N_, _

_AT_ONCE = 4096
_COMPARISONS = (
    ("LOOKS_CHANGED", N_("whom it showed does not give the number and the root that its entry says"), DIFFERENT),
    ("LOOKS_MISSING", N_("an entry speaks of customers shown that are not there"), MISSING),
    ("LOOKS_UNCOVERED", N_("no entry speaks of these customers shown"), UNCOVERED),
    ("LOOKS_TWICE", N_("more than one entry speaks of the same customers shown"), TWICE),
)


def check_looks(
    conn: Connection, problems: Problems, scratch: Scratch, progress: Callable[[int], None], *, pruned: bool = False
) -> int:
    """Recompute what each command showed; compare with what the entries said. Returns how many looks there are.

    Of a `pruned` log, looks that no entry speaks of are for `verify_kept` to judge.
    """
    columns = look.c
    statement = select(columns.customer_id, columns.run_id, columns.position, columns.salt, columns.leaf)
    statement = statement.order_by(columns.run_id, columns.position)
    total = 0
    for run, shown in groupby(rows(conn, statement), key=itemgetter(1)):
        tree, pending = Frontier(), list[bytes]()
        for place, row in enumerate(shown):
            if not _sound(row, place):
                problems.add("LOOK_LEAF", f"look:{run}/{place}", _("its columns do not give its leaf at this place"))
            pending.append(row[4] if isinstance(row[4], bytes) else b"")
            if len(pending) >= _AT_ONCE:
                tree.extend(pending)
                progress(len(pending))
                pending.clear()
        tree.extend(pending)
        progress(len(pending))
        scratch.found((run, LOOKS), tree.size, tree.root())
        total += tree.size
    wanted = _COMPARISONS if not pruned else [each for each in _COMPARISONS if each[2] != UNCOVERED]
    scratch.compare(problems, wanted, "looks:{run}")
    return total


def _sound(row: Row, place: int) -> bool:
    customer, run, position, salt, leaf = row
    if position != place or not isinstance(leaf, bytes):
        return False
    try:
        return salt is None or leaf_of(salt, customer, position, run) == leaf
    except TypeError:
        return False
