"""People with accounts, each at their own keyboard; asking, deciding, using."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pytest
from golden import Result, call
from sqlalchemy import Engine, select, text, update

from crmctl.approvals import asking, using
from crmctl.approvals.tables import approval
from crmctl.audit.tables import audit_entry
from crmctl.audit.verify import verify
from crmctl.cli.invocation import Invocation
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store.engine import open_engine, read, write

HASH, OTHER = "a" * 64, "b" * 64
SUBJECT = "plan:12"

# By name: accounts and roles. sun.q plans as li.na does; he.l enters what was decided on paper.
PEOPLE: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "li.na": ((1001, 2001), ("admin",)),
    "wang.j": ((1002, 2002), ("supervisor",)),
    "zhao.m": ((1003,), ("supervisor",)),
    "sun.q": ((1004,), ("steward",)),
    "he.l": ((1005,), ("admin",)),
    "chen.b": ((), ("supervisor",)),
}


def write_access(
    folder: Path, *, people: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] | None = None, rule: str = "",
    deputies: Sequence[str] = (), signers: str = "",
) -> None:  # fmt: skip
    """Write access.yaml with these people, the rule of tier.regrade, deputies, and the file of signers."""
    path = folder / "policies" / "access.yaml"
    found = path.read_text("utf-8")
    lines = []
    for name, (uids, roles) in (people or PEOPLE).items():
        lines.append(
            f'    "{name}": {{uids: [{", ".join(map(str, uids))}], roles: [{", ".join(roles)}], '
            'confidentiality_signed: "2026-01-01", training_passed: "2026-01-01"}\n'
        )
    found = re.sub(r"  people:.*?\n\n", lambda _m: "  people:\n" + "".join(lines) + "\n", found, count=1, flags=re.S)
    rule = rule or "by: [supervisor, admin]"
    found = re.sub(r"  approvals:\n.*?\n\n", lambda _m: f"  approvals:\n    tier.regrade: {{{rule}}}\n\n", found,
                   count=1, flags=re.S)  # fmt: skip
    found = re.sub(r"\n  deputies:.*", "", found, flags=re.S) + "\n  deputies:"
    found += "".join(f"\n    - {{{entry}}}" for entry in deputies) or " []"
    if signers:
        found += f'\n  allowed_signers: "{signers}"'
    path.write_text(found + "\n", "utf-8")


@contextlib.contextmanager
def account(uid: int) -> Iterator[None]:
    """Let this process be of another account, as the kernel would say it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (uid, uid, uid))
        yield


@dataclass
class Office:
    """A workspace and its database; uids say who does something."""

    folder: Path
    url: str
    _open: list[Engine] = field(default_factory=list)

    def access(self, **given: Any) -> None:
        """Write access.yaml anew; see `write_access`."""
        write_access(self.folder, **given)

    def say(self, uid: int, *words: object, **more: Any) -> Result:
        """Run a command from an account."""
        with account(uid):
            return call(["-w", str(self.folder), *map(str, words)], **more)

    def json(self, uid: int, *words: object, status: int = 0) -> dict[str, Any]:
        """Run a command from an account that ends with `status`; return its document, or its failure."""
        done = self.say(uid, *words, "-o", "json")
        assert done.exit_code == status, (done.exit_code, done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout or done.stderr)
        return found

    def approve(self, uid: int, number: int, *words: object, status: int = 0) -> dict[str, Any]:
        """Agree."""
        return self.json(uid, "approval", "approve", number, *words, status=status)

    def refusal(self, uid: int, number: int, *words: object, status: int = 6) -> str:
        """Return the code with which agreeing is refused."""
        return str(self.approve(uid, number, *words, status=status)["code"])

    @contextlib.contextmanager
    def running(self, uid: int) -> Iterator[Run]:
        """Yield a begun run of `tier regrade` from an account."""
        with account(uid):
            begun = Invocation(command="tier regrade", workspace=self.folder)
            with runs.open_run(begun, "tier regrade", "tier.regrade") as run:
                yield runs.begin(run)

    def ask(self, uid: int = 1001, subject: str = SUBJECT, subject_hash: str = HASH, rows: int = 3) -> int | None:
        """Ask for agreement to a re-grade."""
        with self.running(uid) as run, write(run.engine) as conn:
            return asking.ask(conn, run, act="tier.regrade", subject=subject, subject_hash=subject_hash, rows=rows)

    def use(self, uid: int = 1001, subject: str = SUBJECT, subject_hash: str = HASH, rows: int = 3) -> int | None:
        """Find the approval of a re-grade and spend it, in one transaction. Raises as `using` does."""
        with self.running(uid) as run, write(run.engine) as conn:
            given = {"act": "tier.regrade", "subject": subject, "subject_hash": subject_hash, "rows": rows}
            number = using.require(conn, run, **given)  # type: ignore[arg-type]
            if number is not None:
                using.spend(conn, run, number)
            return number

    @cached_property
    def engine(self) -> Engine:
        """The database, opened apart from every command."""
        self._open.append(open_engine(self.url))
        return self._open[-1]

    def close(self) -> None:
        """Close it."""
        for each in self._open:
            each.dispose()

    def rows(self, query: Any) -> list[Any]:
        """Return what a query finds."""
        with read(self.engine) as conn:
            return list(conn.execute(query).all())

    def sql(self, statement: str) -> None:
        """Change the database behind the program's back."""
        with write(self.engine) as conn:
            conn.execute(text(statement))

    def state(self, number: int) -> str:
        """Return the state of an approval's row."""
        return str(self.rows(select(approval.c.state).where(approval.c.approval_id == number))[0][0])

    def age(self, number: int, hours: int) -> None:
        """Let an approval have been asked for so many hours earlier."""
        with write(self.engine) as conn:
            found = conn.execute(select(approval).where(approval.c.approval_id == number)).mappings().one()
            earlier = {name: found[name] - timedelta(hours=hours) for name in ("created_at", "expires_at")}
            conn.execute(update(approval).where(approval.c.approval_id == number).values(**earlier))

    def entries(self, act: str = "approval.") -> list[dict[str, Any]]:
        """Return the entries of the log whose act begins so, oldest first."""
        found = [orjson.loads(row.body) for row in self.rows(select(audit_entry).order_by(audit_entry.c.seq))]
        return [body for body in found if body["act"].startswith(act)]

    def problems(self) -> list[str]:
        """Return what is wrong with the log."""
        return [problem.code for problem in verify(self.engine, changes=True, rows=True).problems]
