"""`backup create`: what is in a set, what is not, where it may lie, what is left when it fails (SEC-01, SEC-02)."""

from __future__ import annotations

import json
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from desks import ADMIN, AUDITOR, PERSONAL, STEWARD, Desk
from golden import CHECKOUT
from media import Media, configure, identities
from sqlalchemy import func, select

from crmctl.backups import manifest, sqlitecopy
from crmctl.backups.contents import LEFT_OUT
from crmctl.backups.tables import backup
from crmctl.customers.tables import customer, do_not_recreate, identity
from crmctl.store import schema
from crmctl.store.engine import write


def test_a_set_holds_what_its_manifest_says(desk: Desk, media: Media) -> None:
    """SEC-02: when, where, how many rows of what, which log; every part by size and hash."""
    media.sign()
    made = media.create()
    folder = Path(made["folder"])
    found = manifest.read(folder)

    said = found.manifest
    assert folder.parent == media.data
    assert (said.kind, said.database, said.recipients) == (manifest.DATA, desk.engine.dialect.name, (media.public,))
    assert said.counts["customer"] == len(desk.rows(select(customer))) == 3
    assert said.counts["identity"] == 0
    assert said.log.size == made["log_size"] == len(desk.log()) - 1  # its own entry came after it
    assert said.checkpoint.startswith(f"crmctl/{said.instance}\n")
    for part in said.parts:
        data = (folder / part.name).read_bytes()
        assert (len(data), sha256(data).hexdigest()) == (part.bytes, part.sha256)
    assert made["signed"] and made["sealed"]


def test_register_and_log_name_it(desk: Desk, media: Media) -> None:
    made = media.create()
    (row,) = desk.rows(select(backup))
    (entry,) = desk.entries("backup.create")

    assert row["manifest_hash"].hex() == entry["source"] == made["sha256"]
    assert (row["state"], row["location"], row["kind"]) == ("verified", made["folder"], "data")
    assert (entry["obj"], entry["fields"], entry["run"]) == ("backup:1", ["data"], made["run_id"])
    listed = desk.json(AUDITOR, "backup", "list")["backups"]
    assert [(each["backup"], each["state"], each["log_size"]) for each in listed] == [(1, "verified", row["log_size"])]


def test_sealed_it_says_nothing_to_others(desk: Desk, media: Media) -> None:
    media.create()
    media.create_keys()
    words = [*PERSONAL, "杭州示例科技有限公司", "li.na", "SQLite format 3", "PGDMP", "master-0001"]
    for path in [path for folder in media.sets() for path in folder.iterdir()]:
        data = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [word for word in words if word.encode() in data] == [], path.name
        assert path.suffix in (".json", ".note") or data.startswith(b"age-encryption.org/v1\n")
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in media.sets()} == {0o700}


def test_not_sealed_only_where_that_is_said(desk: Desk, media: Media) -> None:
    configure(desk.folder, "backup_recipients: []")
    assert desk.refusal(ADMIN, "backup", "create", "--to", media.data, status=4) == "RECIPIENTS_MISSING"
    configure(desk.folder, "backup_unsealed: true")
    made = media.create()

    assert made["sealed"] is False
    (dump,) = (path for path in Path(made["folder"]).iterdir() if path.name.startswith("database"))
    data = dump.read_bytes()
    assert data.startswith((b"SQLite format 3", b"PGDMP"))
    examples = "".join(path.read_text("utf-8") for path in (desk.folder / "policies").glob("*.yaml"))
    theirs = [word for word in PERSONAL if word not in examples]
    assert len(theirs) > 8
    assert [word for word in theirs if word.encode() in data] == []
    digests = [digest for digest, *_rest in identities(desk)]
    assert len(digests) > 3
    assert [digest for digest in digests if digest in data or digest.hex().encode() in data] == []


@pytest.mark.parametrize("given", ["age1notakey", "AGE-SECRET-KEY-1QQQQ", "ssh-rsa nothing"])
def test_recipients_are_public_keys(desk: Desk, media: Media, given: str) -> None:
    configure(desk.folder, f'backup_recipients: ["{given}"]')
    done = desk.say(ADMIN, "backup", "create", "--to", media.data)
    assert done.exit_code == 4
    assert given not in done.stdout + done.stderr
    assert media.sets() == []


def test_recipients_from_a_file(desk: Desk, media: Media) -> None:
    (desk.folder / "recipients.txt").write_text(f"# the safe\n{media.public}\n\n")
    configure(desk.folder, "backup_recipients: recipients.txt")
    assert manifest.read(Path(media.create()["folder"])).manifest.recipients == (media.public,)


def test_what_is_left_out_is_what_is_derived(desk: Desk, media: Media) -> None:
    """Digests of identities, and those of who must not be entered again, are in no set."""
    by_digest = [name for name, table in schema.load_all().tables.items() if table.info["distribution"] == "digest"]
    assert sorted(by_digest) == sorted(LEFT_OUT) == ["do_not_recreate", "identity"]
    with write(desk.engine) as conn:
        conn.execute(do_not_recreate.insert().values(digest=b"d" * 32, plan_id=1, until_on="2099-01-01"))
    configure(desk.folder, "backup_recipients: []")
    configure(desk.folder, "backup_unsealed: true")
    made = media.create()
    assert made["counts"]["do_not_recreate"] == 0
    assert not any(b"d" * 32 in path.read_bytes() for path in Path(made["folder"]).iterdir())
    with write(desk.engine) as conn:
        assert conn.execute(select(func.count()).select_from(identity)).scalar_one() > 0  # of the copy only
        conn.execute(do_not_recreate.delete())


def test_a_dry_run_writes_nothing(desk: Desk, media: Media) -> None:
    before = desk.log()
    done = media.create("--dry-run")
    assert (done["run_id"], done["backup"], done["bytes"], done["dry_run"]) == (None, None, None, True)
    assert media.sets() == []
    assert desk.log() == before


# Places ----------------------------------------------------------------------------------------------------------


def test_nowhere_is_no_place(desk: Desk, media: Media) -> None:
    assert desk.refusal(ADMIN, "backup", "create", status=4) == "BACKUP_PLACE_MISSING"
    gone = ("backup", "create", "--to", media.data / "gone")
    assert desk.refusal(ADMIN, *gone, status=4) == "FOLDER_MISSING"


def test_never_into_workspace_or_keys(desk: Desk, media: Media, tmp_path: Path) -> None:
    inside, keys, link = desk.folder / "data" / "x", Path(f"{desk.folder}.keys") / "x", tmp_path / "link"
    inside.mkdir()
    keys.mkdir()
    link.symlink_to(inside)
    for place in (inside, desk.folder, keys, keys.parent, link):
        assert desk.refusal(ADMIN, "backup", "create", "--to", place, status=1) == "BACKUP_NOT_APART"


def test_both_kinds_never_lie_together(desk: Desk, media: Media, tmp_path: Path) -> None:
    """Whoever gets one folder must not get both; real paths count, in options, configuration and register alike."""
    media.create()
    beside, within, link = media.data.parent / "keys", media.data / "keys", tmp_path / "elsewhere"
    for folder in (beside, within):
        folder.mkdir()
    link.symlink_to(media.data)
    for place in (media.data, beside, within, media.data.parent, link):
        words = ("backup", "create", "--keys", "--to", place)
        assert desk.refusal(ADMIN, *words, status=1) == "BACKUPS_TOGETHER", place

    configure(desk.folder, f"backup_to: {beside}")
    configure(desk.folder, f"backup_keys_to: {media.data.parent / 'other'}")
    (media.data.parent / "other").mkdir()
    assert desk.refusal(ADMIN, "backup", "create", status=1) == "BACKUPS_TOGETHER"
    found = desk.json(ADMIN, "doctor", status=1)["findings"]
    assert [each["level"] for each in found if each["subject"] == "backups" and "together" in each["message"]] == [
        "wrong",
        "wrong",
    ]


def test_the_same_disk_is_a_warning(desk: Desk, media: Media) -> None:
    done = desk.say(ADMIN, "backup", "create", "--to", media.data)
    assert done.exit_code == 0
    assert "warning" in done.stderr


@pytest.mark.parametrize("person", [STEWARD, AUDITOR])
def test_only_administrators_make_them(desk: Desk, media: Media, person: int) -> None:
    assert desk.refusal(person, "backup", "create", "--to", media.data) == "ACT_NOT_GRANTED"
    assert desk.refusal(person, "backup", "drill", "1") == "ACT_NOT_GRANTED"
    if person == STEWARD:
        assert desk.refusal(person, "backup", "list") == "ACT_NOT_GRANTED"


# Failure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "limit"), [((), 400_000), ((), 20_000), (("--keys",), 30_000)])
def test_a_full_disk_leaves_nothing(desk: Desk, media: Media, words: tuple[str, ...], limit: int) -> None:
    """Exit 74, one message, no half of a set, in the spool neither; a limit on the size of files stands in for it."""
    configure(desk.folder, "backup_recipients: []")
    configure(desk.folder, "backup_unsealed: true")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    if limit == 400_000 and desk.engine.dialect.name == "postgresql":
        limit = 15_000  # a dump is smaller than a file, and the server has no limit
    program = (
        f"import os, sys; os.getresuid = lambda: ({ADMIN},) * 3; from crmctl.cli.app import main; sys.exit(main())"
    )
    line = [sys.executable, "-B", "-c", program, "-w", desk.folder, "backup", "create", *words, "-o", "json", "--to"]
    done = subprocess.run(
        [*line, media.keys if words else media.data],
        capture_output=True, check=False, preexec_fn=limited, env={"PYTHONPATH": str(CHECKOUT)}, timeout=60,
    )  # fmt: skip

    assert done.returncode == 74, done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["exit_code"] == 74
    assert media.sets() == []
    assert list((desk.folder / "spool").iterdir()) == []
    assert desk.rows(select(backup)) == []


def test_without_a_log_there_is_no_set(desk: Desk, media: Media) -> None:
    """What the log cannot name is removed again."""
    with desk.broken_log():
        assert desk.say(ADMIN, "backup", "create", "--to", media.data).exit_code != 0
    assert media.sets() == []


def test_others_write_meanwhile(tmp_path: Path) -> None:
    """A copy is of one moment although a writer commits all the time, and nobody waits for it."""
    source, target = tmp_path / "busy.db", tmp_path / "copy.db"
    raw = sqlitecopy.sqlite.driver().connect(str(source), isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    for name in ("a", "b", "secret"):
        raw.execute(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY, filler BLOB)")
    raw.execute("CREATE INDEX ix_a_filler ON a (filler)")
    raw.execute("INSERT INTO secret VALUES (1, 'x')")
    raw.executemany("INSERT INTO a VALUES (?, zeroblob(2000))", [(n,) for n in range(3_000)])
    raw.executemany("INSERT INTO b VALUES (?, zeroblob(2000))", [(n,) for n in range(3_000)])
    stop, written = threading.Event(), []

    def work() -> None:
        own = sqlitecopy.sqlite.driver().connect(str(source), isolation_level=None, timeout=10)
        number = 3_000
        while not stop.is_set():
            own.execute("BEGIN IMMEDIATE")
            for name in ("a", "b"):  # always both, in one transaction
                own.execute(f"INSERT INTO {name} VALUES (?, zeroblob(200))", (number,))
            own.execute("COMMIT")
            number += 1
            written.append(number)
        own.close()

    writer = threading.Thread(target=work)
    writer.start()
    try:
        while not written:
            pass
        for _time in range(5):
            before = len(written)
            sqlitecopy.copy(source, target, ("secret",), 10)
            copied = sqlite3.connect(target)
            counts = [copied.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("a", "b", "secret")]
            copied.close()
            assert counts[0] == counts[1] >= 3_000 + before
            assert counts[2] == 0
            assert sqlitecopy.damage(target) == []
    finally:
        stop.set()
        writer.join()
        raw.close()
    assert len(written) > 5
