"""A workspace with people at their desks and a few customers, on each database; made once and copied."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
import pytest
import workspaces
from golden import Result, call
from sqlalchemy import Engine, select

from crmctl import workspace
from crmctl.audit.checkpoints import trust_of
from crmctl.audit.policy import AuditSettings
from crmctl.audit.tables import audit_entry
from crmctl.audit.verify import verify
from crmctl.store.engine import open_engine, read, write

STEWARD, SUPERVISOR, AUDITOR, ADMIN, OTHER = 1001, 1002, 1003, 1004, 1005
PEOPLE = {
    "li.na": (STEWARD, "steward"),
    "wang.j": (SUPERVISOR, "supervisor"),
    "an.q": (AUDITOR, "auditor"),
    "zhou.m": (ADMIN, "admin"),
    "he.l": (OTHER, "steward"),
}
# Every personal value is one of a kind, so that a test can look for it anywhere.
_HEAD = "customer_type,company,name,mobile,email,id card,address,notes,uscc,annual_amount,tags,phone,external_code"
_FIRM = "西湖区示例路1号,喜欢绿茶,91330106MA2CCCCC52,120000.50,重点客户;长期合作,0571-88880000,K1,2026-03-05 14:30"
CUSTOMERS = f"""\
{_HEAD},first_added_at
enterprise,杭州示例科技有限公司,王小明,13812345678,wang.xm@example.com,,{_FIRM}
enterprise,杭州示例科技有限公司,李四光,13912345679,li.sg@example.com,,{_FIRM}
individual,,张三丰,13712345670,zhang.sf@example.com,110101199003078515,朝阳区建国路88号,武当旧识,,99,,,K2,2026-03-06
individual,,赵敏敏,13612345671,,,,,,,,,K3,
"""
PERSONAL = (
    "王小明", "李四光", "张三丰", "赵敏敏", "13812345678", "13912345679", "13712345670", "13612345671", "wang.xm",
    "li.sg", "zhang.sf", "110101199003078515", "西湖区示例路", "建国路88", "喜欢绿茶", "武当旧识", "88880000",
)  # fmt: skip


@dataclass
class Desk:
    """A workspace and its database; a uid says who does something."""

    folder: Path
    url: str
    _open: list[Engine] = field(default_factory=list)

    def say(self, uid: int, *words: object, **more: Any) -> Result:
        """Run a command from an account."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getresuid", lambda: (uid, uid, uid))
            return call(["-w", str(self.folder), *map(str, words)], **more)

    def json(self, uid: int, *words: object, status: int = 0) -> dict[str, Any]:
        """Run a command from an account that ends with `status`; return its document, or its failure."""
        done = self.say(uid, *words, "-o", "json")
        assert done.exit_code == status, (done.exit_code, done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout or done.stderr.splitlines()[-1])
        return found

    def refusal(self, uid: int, *words: object, status: int = 6) -> str:
        """Return the code with which a command is refused; nothing is on standard output."""
        done = self.say(uid, *words, "-o", "json")
        assert (done.exit_code, done.stdout) == (status, ""), (done.exit_code, done.stdout, done.stderr)
        return str(json.loads(done.stderr.splitlines()[-1])["code"])  # warnings may stand before it

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a policy file, where it stands exactly once."""
        path = self.folder / "policies" / name
        found = path.read_text("utf-8")
        assert found.count(old) == 1, (name, old, found.count(old))
        path.write_text(found.replace(old, new), "utf-8")

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
            return list(conn.execute(query).mappings().all())

    @contextlib.contextmanager
    def broken_log(self) -> Iterator[None]:
        """Let the database refuse every entry of the log."""
        sqlite = self.engine.dialect.name == "sqlite"
        with write(self.engine) as conn:
            for statement in (BREAK_SQLITE,) if sqlite else BREAK_POSTGRES:
                conn.exec_driver_sql(statement)
        yield
        with write(self.engine) as conn:
            conn.exec_driver_sql("DROP TRIGGER broken" if sqlite else "DROP TRIGGER broken ON audit_entry")

    def log(self) -> list[bytes]:
        """Return the bytes of every entry, oldest first."""
        return [row["body"].encode() for row in self.rows(select(audit_entry).order_by(audit_entry.c.seq))]

    def entries(self, act: str) -> list[dict[str, Any]]:
        """Return the entries of an act, oldest first."""
        return [body for body in map(orjson.loads, self.log()) if body["act"] == act]

    def problems(self) -> list[str]:
        """Return what is wrong with log, changes and rows."""
        trust = trust_of(workspace.find(self.folder), AuditSettings())
        return [problem.code for problem in verify(self.engine, changes=True, rows=True, trust=trust).problems]


BREAK_SQLITE = "CREATE TRIGGER broken BEFORE INSERT ON audit_entry BEGIN SELECT RAISE(ABORT, 'refused'); END"
BREAK_POSTGRES = (
    "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'refused'; END $$",
    "CREATE TRIGGER broken BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse()",
)


def staffed(folder: Path) -> None:
    """Write the people into access.yaml, with whatever papers are wanted."""
    path = folder / "policies" / "access.yaml"
    papers = "confidentiality_signed: 2026-01-01, training_passed: 2026-01-01"
    lines = [f'    "{name}": {{uids: [{uid}], roles: [{role}], {papers}}}\n' for name, (uid, role) in PEOPLE.items()]
    text = path.read_text("utf-8")
    found = re.sub(r"  people:.*?\n\n", lambda _m: "  people:\n" + "".join(lines) + "\n", text, count=1, flags=re.S)
    path.write_text(found, "utf-8")


def imported(folder: Path, text: str, *words: object) -> Result:
    """Import customers as the steward."""
    source = folder.parent / "customers.csv"
    source.write_text(text, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (STEWARD, STEWARD, STEWARD))
        return call(["-w", str(folder), "customer", "import", str(source), *map(str, words)])


@pytest.fixture(scope="session")
def _desks() -> dict[str, tuple[Path, str]]:
    """What was made already: by kind of database the workspace, and on PostgreSQL its database."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(
    request: pytest.FixtureRequest, _desks: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """A workspace of its own with `PEOPLE` and `CUSTOMERS`; afterwards its log must be sound."""
    with copied(str(request.param), request, _desks, tmp_path_factory.mktemp("desk") / "crm", tmp_path) as found:
        yield found


@contextlib.contextmanager
def copied(
    kind: str,
    request: pytest.FixtureRequest,
    made: dict[str, tuple[Path, str]],
    place: Path,
    tmp_path: Path,
    prepare: Callable[[Path], None] | None = None,
) -> Iterator[Desk]:
    """Yield a copy of the workspace that `made` holds of this kind; the first is made at `place`, and prepared."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    if kind not in made:
        name = server.create(request.getfixturevalue("_postgres_template")) if server else ""
        workspaces.make(place, server.url(name) if server else "", demo=True)
        staffed(place)
        done = imported(place, CUSTOMERS)
        assert done.exit_code == 0, done
        if prepare is not None:
            prepare(place)
        made[kind] = place, name
    template, name = made[kind]
    folder = tmp_path / "crm"
    shutil.copytree(template, folder)
    shutil.copytree(f"{template}.keys", f"{folder}.keys")
    url = f"sqlite:///{folder / 'data' / 'crmctl.db'}"
    if server:
        own = server.create(name)
        url = server.url(own)
        config = folder / "crmctl.yaml"
        config.write_text(
            re.sub(r"^database: .*$", f'database: "{url}"', config.read_text("utf-8"), flags=re.M), "utf-8"
        )
    found = Desk(folder, url)
    yield found
    problems = found.problems()
    found.close()
    if server:
        server.drop(own)
    assert problems == []
