"""Look into an opened set: is the database sound, is it the one that the manifest describes, does its log verify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from crmctl.audit.verify import Verification, verify
from crmctl.backups import contents, sqlitecopy
from crmctl.backups.checking import Problem
from crmctl.i18n import _
from crmctl.store import engine

if TYPE_CHECKING:
    from crmctl.audit.verify_entries import Pin, Trust
    from crmctl.backups.checking import Tell
    from crmctl.backups.manifest import Manifest


def file_problems(path: Path) -> list[Problem]:
    """Return what SQLite finds wrong with a database file."""
    return [Problem("DATABASE_DAMAGED", path.name, line) for line in sqlitecopy.damage(path)]


def database_problems(base: Engine, said: Manifest) -> list[Problem]:
    """Return where a database is not the one that a manifest describes."""
    with engine.read(base) as conn:
        counts, head = contents.counts(conn, said.counts), contents.log_head(conn)
    found = [
        Problem(
            "ROWS_DIFFER",
            name,
            _("it has {found} rows, the manifest says {wanted}").format(found=number, wanted=said.counts[name]),
        )
        for name, number in counts.items()
        if said.counts[name] != number
    ]
    if head != said.log:
        found.append(Problem("LOG_DIFFERS", "audit_head", _("the log ends elsewhere than the manifest says")))
    return found


def log_problems(
    base: Engine, trust: Trust, tell: Tell, *, rows: bool, pins: Sequence[Pin] = ()
) -> tuple[Verification, list[Problem]]:
    """Verify log and changes, with `rows` every protected row too; return that and its problems as those of a set."""
    result = verify(base, changes=True, rows=rows, progress=tell, trust=trust, pins=pins)
    return result, [Problem(each.code, each.subject, each.message) for each in result.problems]
