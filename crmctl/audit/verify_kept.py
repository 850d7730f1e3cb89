"""Second level: changes and looks, those of pruned entries against the root that took the entries' place."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from crmctl.audit.problems import Problems
from crmctl.audit.pruned import Kept
from crmctl.audit.tree import Frontier
from crmctl.audit.verify_changes import Scratch, Told, check_changes
from crmctl.audit.verify_entries import LOOKS, Chunk, Log
from crmctl.audit.verify_looks import check_looks
from crmctl.i18n import _


class Leaves:
    """What the entries say of changes and of looks, and what there is of both; to be closed."""

    def __init__(self) -> None:
        self._chunks, self._looks = Scratch(), Scratch()

    def close(self) -> None:
        """Forget it all."""
        self._chunks.close()
        self._looks.close()

    def said(self, chunk: Chunk) -> None:
        """Keep what an entry says."""
        (self._looks if chunk.chunk == LOOKS else self._chunks).said(chunk)

    def check(self, conn: Connection, log: Log, problems: Problems, progress: Callable[[int], None]) -> int:
        """Recompute every change and look, and compare with the entries. Returns the number of changes."""
        pruned = log.pruned > 0
        found = check_changes(conn, problems, self._chunks, progress, Told(pruned, log.emptied))
        check_looks(conn, problems, self._looks, progress, pruned=pruned)
        for mark in log.marks:
            if mark.size >= log.pruned and self.kept(mark.size) != mark.kept:
                message = _("changes or looks of pruned entries are not those that it vouches for")
                problems.add("PRUNE_KEPT", f"entry:{mark.seq}", message)
        return found

    def kept(self, below: int) -> Kept:
        """Return what goes on in place of the entries numbered under `below`; after `check`."""
        tree = Frontier()
        for side in (self._chunks, self._looks):
            tree.extend(side.kept(below))
        return Kept(tree.size, tree.root())
