"""A workspace as its people use it, and the database behind their backs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from golden import Result, call
from sqlalchemy import Connection, Engine, select, text

from crmctl.customers.tables import customer
from crmctl.store.engine import open_engine, read, write
from crmctl.tiers.tables import tier_change, tier_grace


def imported(folder: Path, amounts: Sequence[str], mode: str = "create", first: int = 1) -> None:
    """Import companies that declare these amounts in yuan, by their codes of an outer system."""
    lines = ["customerID,company name,annual_amount,type"]
    lines += [
        f"K{number:03},Company {number:03} Ltd,{amount},enterprise" for number, amount in enumerate(amounts, first)
    ]
    file = folder.parent / "customers.csv"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    words = ["customer", "import", str(file), "--source", "desk", "--mode", mode]
    done = call(["-w", str(folder), *words])
    assert done.exit_code == 0, done.stdout + done.stderr


@dataclass
class Company:
    """A workspace and its database."""

    folder: Path
    url: str
    _open: list[Engine] = field(default_factory=list)

    def say(self, *words: object, **more: Any) -> Result:
        """Run a command as a person would."""
        return call(["-w", str(self.folder), *map(str, words)], **more)

    def json(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Run a command that ends with `status`; return its document, or its failure."""
        done = self.say(*words, "-o", "json")
        assert done.exit_code == status, (done.exit_code, done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout or done.stderr)
        return found

    def regrade(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Grade everybody, or say what that would do."""
        return self.json("tier", "regrade", *words, status=status)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a policy file, where it stands exactly once."""
        path = self.folder / "policies" / name
        found = path.read_text("utf-8")
        assert found.count(old) == 1, (name, old, found.count(old))
        path.write_text(found.replace(old, new), "utf-8")

    def declare(self, **amounts: str) -> None:
        """Let companies declare other amounts: `K001="5"`."""
        for code, amount in amounts.items():
            imported(self.folder, [amount], "upsert", int(code[1:]))

    @cached_property
    def engine(self) -> Engine:
        """The database, opened apart from every command."""
        self._open.append(open_engine(self.url))
        return self._open[-1]

    def close(self) -> None:
        """Close it."""
        for each in self._open:
            each.dispose()

    def sql(self, statement: str) -> None:
        """Change the database behind the program's back."""
        with write(self.engine) as conn:
            conn.execute(text(statement))

    def rows(self, query: Any) -> list[Any]:
        """Return what a query finds."""
        with read(self.engine) as conn:
            return list(_all(conn, query))

    def tiers(self) -> dict[int, str | None]:
        """Return the tier of every customer."""
        return {row.customer_id: row.tier for row in self.rows(select(customer.c.customer_id, customer.c.tier))}

    def history(self) -> list[tuple[int, str | None, str | None, str]]:
        """Return all changes of tier, oldest first: customer, from, to, cause."""
        columns = tier_change.c
        query = select(columns.customer_id, columns.from_tier, columns.to_tier, columns.cause)
        return [tuple(row) for row in self.rows(query.order_by(columns.change_id))]

    def waits(self) -> dict[int, tuple[str, str]]:
        """Return who waits for a downgrade: to which tier, since when."""
        return {row.customer_id: (row.to_tier, row.since_on) for row in self.rows(select(tier_grace))}

    def verify(self, status: int = 14) -> dict[str, Any]:
        """Verify log, changes and rows; 14: all is well and nobody has signed yet."""
        return self.json("audit", "verify", "--changes", "--rows", status=status)


def _all(conn: Connection, query: Any) -> Any:
    return conn.execute(query).all()


def scoped(company: Company, name: str, scope: str, head: str = "", core: str = "1") -> None:
    """Add a policy of two tiers for some customers: core from so many yuan, the rest ordinary."""
    standard = '{contact: {as_needed: true}, source: ["004 §5②"]}'
    (company.folder / "policies" / f"tiers.{name}.yaml").write_text(
        f"kind: tiers\nschema: 1\nname: {name}\nversion: 1\nowner: grading post\nscope: {{{scope}}}\n{head}settings:\n"
        "  tiers:\n"
        f"    - {{code: core, rank: 1, labels: {{zh: 核心}}, when: {{annual_amount: {{gte: {core}}}}},\n"
        f'       standard: {standard}, source: ["004 §5①"]}}\n'
        f"    - {{code: ordinary, rank: 3, labels: {{zh: 普通}}, standard: {standard}, "
        'source: ["004 §5①"]}\n',
        "utf-8",
    )
