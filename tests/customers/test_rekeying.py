"""Identities under another index key: everybody is found and recognised as before, and nothing else moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import workspaces
from golden import Result, call
from sqlalchemy import func, select, update

from crmctl.audit.tables import change
from crmctl.customers import opened, records, rekeying, tables
from crmctl.security import keyrotate
from crmctl.store import engine

SHEET = """\
customer_type,company,name,mobile,email,uscc,external_code
enterprise,甲一样例有限公司,王小明,13800000001,a@example.com,91330106MA2CCCCC52,K1
enterprise,甲一样例有限公司,钱多多,13800000011,,91330106MA2CCCCC52,K1
enterprise,乙二样例有限公司,李四光,13800000002; 13800000022,b@example.com,,K2
individual,,张三丰,13800000004,d@example.com,,K4
individual,,赵无号,,,,
enterprise,丙三样例有限公司,,,,,
"""
Say = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Path:
    database = "" if database_url.startswith("sqlite") else database_url
    made = workspaces.make(tmp_path / "crm", database)
    (tmp_path / "a.csv").write_text(SHEET, "utf-8")
    assert call(["-w", str(made), "customer", "import", str(tmp_path / "a.csv"), "--source", "erp"]).exit_code == 0
    return made


@pytest.fixture
def say(folder: Path) -> Say:
    return lambda *words: call(["-w", str(folder), *map(str, words)])


def identities(folder: Path) -> list[tuple[int, int, int]]:
    with workspaces.running(folder, "customer list", dry_run=True) as run, engine.read(run.engine) as conn:
        columns = tables.identity.c
        return sorted(map(tuple, conn.execute(select(columns.kind, columns.slot, columns.customer_id))))


def moved(folder: Path) -> tuple[int, list[tuple[int, int]]]:
    """Return how long the change log is, and the version of every customer."""
    with workspaces.running(folder, "customer list", dry_run=True) as run, engine.read(run.engine) as conn:
        columns = tables.customer.c
        versions = conn.execute(select(columns.customer_id, columns.version).order_by(columns.customer_id))
        return conn.execute(select(func.count()).select_from(change)).scalar_one(), [tuple(row) for row in versions]


def test_everybody_is_recognised_and_nothing_else_moves(
    folder: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "AT_ONCE", 2)
    before, log = identities(folder), moved(folder)
    assert len(before) > 12
    done = say("keys", "rotate", "--index", "-o", "json")
    assert done.exit_code == 0 and '"lost": 0' in done.stdout
    assert identities(folder) == before and moved(folder) == log
    with workspaces.running(folder, "customer list", dry_run=True) as run:
        assert set(run.keys.index_keys()[1]) == {2}
        with engine.read(run.engine) as conn:
            assert set(conn.execute(select(tables.identity.c.epoch)).scalars()) == {2}
    again = say("customer", "import", folder.parent / "a.csv", "--source", "erp", "-o", "json")
    assert '"created": 0' in again.stdout, "bare rows and codes of their system too"
    assert say("audit", "verify", "--rows").exit_code in (0, 14)


def test_look_ups_find_everybody_while_both_keys_stand(folder: Path) -> None:
    def found() -> list[tuple[int, ...]]:
        with workspaces.running(folder, "customer list", dry_run=True) as run:
            asked = (
                ("mobile", "+8613800000001", ""),
                ("mobile", "+8613800000022", ""),
                ("email", "d@example.com", ""),
                ("uscc", "91330106MA2CCCCC52", ""),
                ("external_code", "K2", "erp"),
                ("external_code", "K2", "crm"),
                ("person_name", "钱多多", ""),
            )
            return [records.holders(run, *each) for each in asked]

    before = found()
    assert before[:5] == [(1,), (2,), (3,), (1,), (2,)] and before[5] == () and before[6]
    with workspaces.running(folder, "keys rotate") as run:
        keyrotate.new_index(run.keys, run.at)
    assert found() == before
    with workspaces.running(folder, "keys rotate") as run:
        forgetting, rekeying._forget = rekeying._forget, lambda *_arguments: None
        try:
            rekeying.rekey(run, lambda _more: None)
        finally:
            rekeying._forget = forgetting
    assert found() == before, "made under the new key, not gone from the old one"


def test_what_no_longer_follows_from_its_customer_is_counted(folder: Path, say: Say) -> None:
    """A name that changed past the program, and a bare row known by the digest of what it said."""
    with workspaces.running(folder, "customer list", dry_run=True) as run, engine.write(run.engine) as conn:
        conn.execute(update(tables.customer).where(tables.customer.c.customer_id == 5).values(company_name="改名公司"))
        conn.execute(update(tables.customer).where(tables.customer.c.customer_id == 4).values(region="330106"))
    done = say("keys", "rotate", "--index", "-o", "json")
    assert '"lost": 2' in done.stdout, "its name and its row"


def test_an_import_waits_until_the_change_is_finished(folder: Path, say: Say) -> None:
    with workspaces.running(folder, "keys rotate") as run:
        keyrotate.new_index(run.keys, run.at)
    for words in (
        ("customer", "import", folder.parent / "a.csv"),
        ("customer", "import", folder.parent / "a.csv", "-n"),
    ):
        refused = say(*words, "-o", "json")
        assert refused.exit_code == 1 and "INDEX_CHANGING" in refused.stderr
    rehearsed = say("keys", "rotate", "--index", "-n", "-o", "json")
    assert rehearsed.exit_code == 0 and '"resumed": true' in rehearsed.stdout
    assert say("keys", "rotate", "--index").exit_code == 0
    assert say("customer", "import", folder.parent / "a.csv", "--source", "erp").exit_code == 0
