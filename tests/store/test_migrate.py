"""Revisions: from nothing to head, once, whole, and without drift, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import alembic.command  # noqa: F401 - loaded before forking
import children
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from crmctl.errors import DatabaseMissing
from crmctl.locate import shipped
from crmctl.store import migrate
from crmctl.store.engine import open_engine, write

ROOT = Path(__file__).parents[2]


def test_head_is_the_newest_shipped_revision() -> None:
    assert ScriptDirectory(str(shipped("alembic"))).get_heads() == [migrate.HEAD]


def test_upgrade_makes_what_the_program_expects(bare_database_url: str) -> None:
    engine = open_engine(bare_database_url)
    migrate.upgrade(engine)
    migrate.upgrade(engine)
    migrate.require_head(engine)
    assert migrate.current(engine) == migrate.HEAD
    assert migrate.check(engine) == []
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER TABLE run ADD COLUMN extra TEXT", "remove_column: run.extra"),
        ("ALTER TABLE batch DROP COLUMN flagged", "add_column: batch.flagged"),
        ("DROP INDEX ix_customer_batch_id", "add_index: customer.ix_customer_batch_id"),
        ("DROP TABLE reservation", "add_table: reservation"),
        ("CREATE TABLE reservation_copy (a INTEGER PRIMARY KEY)", "remove_table: reservation_copy"),
    ],
)
def test_drift_is_told(engine: Engine, statement: str, told: str) -> None:
    with write(engine) as conn:
        conn.execute(text(statement))
    assert migrate.check(engine) == [told]


def remake(engine: Engine, table: str, declaration: str) -> None:
    with write(engine) as conn:
        conn.execute(text(f"DROP TABLE {table}"))
        conn.execute(text(f"CREATE TABLE {table} ({declaration})"))


def test_drift_that_alembic_does_not_see_is_told_as_well(engine: Engine) -> None:
    remake(engine, "counter", "next_value BIGINT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (name)")
    expected = ["counter: its columns stand in another order"]
    if engine.dialect.name == "postgresql":
        with write(engine) as conn:
            conn.execute(text("ALTER TABLE customer ALTER COLUMN sealed SET STATISTICS -1"))
            conn.execute(text("COMMENT ON COLUMN counter.name IS 'customer, contact, change, run, batch, copy, …'"))
            conn.execute(text("COMMENT ON COLUMN counter.next_value IS 'the first number nobody has'"))
        expected.append("customer.sealed: the server keeps samples of its values")
    else:
        columns = "digest BLOB NOT NULL, kind SMALLINT NOT NULL, epoch SMALLINT NOT NULL, slot BIGINT NOT NULL"
        remake(engine, "identity", f"{columns}, customer_id BIGINT NOT NULL, PRIMARY KEY (digest, kind, epoch, slot)")
        expected += [
            "identity: check constraint ck_identity_slot is missing or unknown",
            "identity: WITHOUT ROWID is not as expected",
        ]
    assert migrate.check(engine) == sorted(expected)


@pytest.mark.parametrize(
    ("revision", "code", "hint"),
    [
        ("0000", "DATABASE_OLDER", "db upgrade"),
        ("9999", "DATABASE_NEWER", "newer crmctl"),
        (None, "DATABASE_EMPTY", "db upgrade"),
    ],
)
def test_another_revision_is_refused_with_the_way_out(
    engine: Engine, revision: str | None, code: str, hint: str
) -> None:
    with write(engine) as conn:
        if revision is None:
            conn.execute(text("DROP TABLE alembic_version"))
        else:
            conn.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    with pytest.raises(DatabaseMissing) as refused:
        migrate.require_head(engine)
    assert (refused.value.exit_code, refused.value.code) == (10, code)
    assert hint in refused.value.hint


def test_a_newer_database_is_left_alone(engine: Engine) -> None:
    with write(engine) as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseMissing) as refused:
        migrate.upgrade(engine)
    assert refused.value.code == "DATABASE_NEWER"
    assert migrate.current(engine) == "9999"


def test_a_missing_folder_is_a_missing_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        migrate.upgrade(open_engine(f"sqlite:///{tmp_path / 'none' / 'crmctl.db'}"))


def upgrade_dying_at(url: str, statement: int) -> None:
    """Upgrade; be killed before the statement of this number."""
    engine = open_engine(url)
    seen = 0

    @event.listens_for(engine, "before_cursor_execute")
    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == statement:
            children.die()

    migrate.upgrade(engine)
    os._exit(99 if seen < statement else 0)


def test_a_killed_upgrade_leaves_the_former_state(bare_database_url: str) -> None:
    step = 3 if bare_database_url.startswith("sqlite") else 9
    statement = 1
    while children.exit_codes(upgrade_dying_at, [(bare_database_url, statement)]) == [-9]:
        engine = open_engine(bare_database_url)
        try:
            found = migrate.current(engine)
        except DatabaseMissing:  # killed before the file was made
            found = None
        assert found in (None, migrate.HEAD)  # nothing between
        engine.dispose()
        statement += step
    assert statement > 15
    engine = open_engine(bare_database_url)
    assert migrate.check(engine) == []
    engine.dispose()


def upgrade(url: str) -> None:
    migrate.upgrade(open_engine(url))
    os._exit(0)


def test_upgrades_at_the_same_moment_do_the_work_once(bare_database_url: str) -> None:
    assert children.exit_codes(upgrade, [(bare_database_url,)] * 4) == [0] * 4
    engine = open_engine(bare_database_url)
    assert migrate.check(engine) == []
    engine.dispose()


ALEMBIC = "import sys; from alembic.config import main; [main(words.split()) for words in sys.argv[1:]]"


def alembic_command(*commands: str) -> subprocess.CompletedProcess[str]:
    """Run the plain `alembic` command in the checkout, several times in one process."""
    return subprocess.run([sys.executable, "-c", ALEMBIC, *commands], cwd=ROOT, capture_output=True, text=True)


def test_the_plain_alembic_command_works_too(bare_database_url: str) -> None:
    place = f"-x url={bare_database_url}"
    done = alembic_command(
        *(f"{place} {words}" for words in ("upgrade head", "check", "current", "upgrade head --sql"))
    )
    assert done.returncode == 0, done.stderr
    assert f"{migrate.HEAD} (head)" in done.stdout
    assert "No new upgrade operations detected" in done.stdout
    assert "CREATE TABLE customer" in done.stdout


def test_alembic_without_a_url_asks_for_one() -> None:
    done = alembic_command("current")
    assert done.returncode != 0
    assert "-x url=" in done.stderr
