"""`backup verify`: whatever is not as it was made is found, and who vouches for a set is said (SEC-02)."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from desks import ADMIN, AUDITOR, Desk
from media import Media, configure, flip, pair
from sqlalchemy import select

from crmctl.backups import manifest
from crmctl.backups.tables import backup
from crmctl.store.engine import write

FLIPS = 12  # bits turned in each file of a set, one at a time


def test_a_sound_set_is_whole(desk: Desk, media: Media) -> None:
    media.sign()
    media.create()
    media.create_keys()
    found = desk.json(AUDITOR, "backup", "verify", "--all")["backups"]
    assert [(each["kind"], each["whole"], each["vouched"], each["opened"]) for each in found] == [
        ("data", True, "signed", False),
        ("keys", True, "signed", False),
    ]
    opened = desk.json(ADMIN, "backup", "verify", "1", "2", "--identity", media.private)["backups"]
    assert [(each["whole"], each["opened"]) for each in opened] == [(True, True)] * 2
    assert list((desk.folder / "spool").iterdir()) == []
    assert [each["state"] for each in desk.rows(select(backup))] == ["verified"] * 2


def test_every_flipped_bit_is_found(desk: Desk, media: Media) -> None:
    """F7: in any part, and in the manifest; in the note it costs the signature."""
    media.sign()
    chance = random.Random(20260105)
    for made in (media.create(), media.create_keys()):
        folder = Path(made["folder"])
        for path in sorted(folder.iterdir()):
            whole, wanted = path.read_bytes(), 13
            for at in {0, len(whole) - 1, *(chance.randrange(len(whole)) for _time in range(FLIPS))}:
                flip(path, at)
                if path.name == manifest.NOTE:
                    wanted = 14  # the entry of the log still vouches, and is not signed yet
                desk.json(ADMIN, "backup", "verify", made["backup"], status=wanted)
                path.write_bytes(whole)
        assert media.verify(made["backup"])["whole"]
    assert [each["state"] for each in desk.rows(select(backup))] == ["verified"] * 2


@pytest.mark.parametrize("at", ["counts", "log", "recipients", "made_at", "parts"])
def test_a_manifest_written_anew_is_found(desk: Desk, media: Media, at: str) -> None:
    """Canonical and consistent in itself, and yet not what was made: neither note nor entry is about it."""
    media.sign()
    folder = Path(media.create()["folder"])
    document = json.loads((folder / manifest.FILE).read_bytes())
    if at == "parts":  # with a part of its own, of the right size and hash
        part = document["parts"][1]
        (folder / part["name"]).write_bytes(b"other")
        part |= {"bytes": 5, "sha256": "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"}
    else:
        other = {"counts": {**document["counts"], "customer": 2}, "log": {**document["log"], "size": 1}}
        document[at] = other.get(at) or {"recipients": [], "made_at": "2026-01-01T00:00:00Z"}[at]
    text = json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n"
    (folder / manifest.FILE).write_text(text)

    assert set(media.codes(1)) == {"MANIFEST_REPLACED", "NOT_SIGNED"}
    assert media.codes(folder) == ["MANIFEST_REPLACED", "NOT_SIGNED"]


def test_what_cannot_be_accounted_for_is_a_problem(desk: Desk, media: Media) -> None:
    folder = Path(media.create()["folder"])
    (folder / "more").write_text("x")
    assert media.codes(1) == ["PART_UNKNOWN"]
    (folder / "more").unlink()
    (part,) = folder.glob("workspace*")
    part.rename(folder.parent / "aside")
    assert media.codes(1) == ["PART_MISSING"]
    part.symlink_to(folder.parent / "aside")
    assert media.codes(1) == ["PART_MISSING"]  # a link is not what was made
    part.unlink()
    part.write_bytes((folder.parent / "aside").read_bytes() + b"x")
    assert media.codes(1) == ["PART_SIZE"]
    (entry,) = desk.entries("backup.verify")[-1:]
    assert (entry["result"], entry["codes"], entry["obj"]) == ("failed", ["PART_SIZE"], "backup:1")


def test_a_set_that_is_gone_is_missed(desk: Desk, media: Media) -> None:
    """Absence is failure: a medium that is not there verifies nothing."""
    folder = Path(media.create()["folder"])
    folder.rename(folder.parent / "elsewhere")
    assert media.codes("--all") == ["SET_MISSING"]
    assert desk.json(ADMIN, "backup", "list")["backups"][0]["state"] == "missing"
    assert desk.refusal(ADMIN, "backup", "verify", folder.parent / "nothing", status=4) == "BACKUP_UNKNOWN"
    assert desk.refusal(ADMIN, "backup", "verify", "99", status=4) == "BACKUP_UNKNOWN"
    assert desk.refusal(ADMIN, "backup", "verify", status=2) == "USAGE"


def test_the_log_vouches_where_the_signer_is_another_account(desk: Desk, media: Media) -> None:
    """The entry names the manifest's hash, the next checkpoint signs the entry; before that, exit 14."""
    made = media.create()  # nobody has signed anything yet: there is no signer to read
    assert made["signed"] is False
    assert media.verify(1, status=14)["vouched"] == "waiting"
    media.sign()
    assert media.verify(1)["vouched"] == "entered"


def test_nobody_vouches_for_a_stranger(desk: Desk, media: Media, tmp_path: Path) -> None:
    """Anybody can seal to public keys: a set that neither signer nor log knows is worth nothing."""
    made = media.create()
    copy = tmp_path / "copy"
    shutil.copytree(made["folder"], copy)
    with write(desk.engine) as conn:
        conn.execute(backup.delete())
    assert media.codes(copy) == ["NOT_SIGNED"]


def test_a_note_of_another_key_does_not_count(desk: Desk, media: Media) -> None:
    media.sign()
    folder = Path(media.create()["folder"])
    text = (folder / manifest.NOTE).read_text("utf-8")
    name = text.partition("\n")[0]
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from crmctl.audit import note

    own = note.sign(note.parse(text).text, name, Ed25519PrivateKey.generate())
    (folder / manifest.NOTE).write_text(own, "utf-8")
    assert media.verify(1, status=14)["vouched"] == "waiting"


def test_a_checkpoint_is_no_signature_under_a_set(desk: Desk, media: Media) -> None:
    """Notes of one kind are never taken for those of the other."""
    media.sign()
    folder = Path(media.create()["folder"])
    note = manifest.read(folder).manifest.checkpoint
    (folder / manifest.NOTE).write_text(note, "utf-8")
    assert media.verify(1, status=14)["vouched"] == "waiting"


def test_another_private_key_opens_nothing(desk: Desk, media: Media, tmp_path: Path) -> None:
    media.create()
    stranger, _public = pair(tmp_path / "stranger.key")
    words = ("backup", "verify", "1", "--identity")
    assert desk.refusal(ADMIN, *words, stranger, status=12) == "IDENTITY_WRONG"
    stranger.chmod(0o644)
    assert desk.refusal(ADMIN, *words, stranger, status=12) == "KEYSTORE_INSECURE"
    (tmp_path / "none").touch(mode=0o600)
    assert desk.refusal(ADMIN, *words, tmp_path / "none", status=12) == "IDENTITY_INVALID"
    assert list((desk.folder / "spool").iterdir()) == []


def test_what_is_inside_is_compared_with_the_manifest(desk: Desk, media: Media) -> None:
    """Not sealed, somebody can put another database there, and a manifest of it; signed it is not."""
    if desk.engine.dialect.name != "sqlite":
        pytest.skip("a dump is looked into on trial only")
    configure(desk.folder, "backup_recipients: []")
    configure(desk.folder, "backup_unsealed: true")
    folder = Path(media.create()["folder"])
    found = manifest.read(folder)
    from crmctl.backups import inside
    from crmctl.store.engine import open_engine

    base = open_engine(f"sqlite:///{folder / 'database.db'}")
    with write(base) as conn:
        conn.exec_driver_sql("DELETE FROM contact")
        conn.exec_driver_sql("DELETE FROM audit_entry WHERE seq = 3")
    assert {each.code for each in inside.database_problems(base, found.manifest)} == {"ROWS_DIFFER"}
    codes = {each.code for each in inside.log_problems(base, lambda *_said: False, lambda _n: None, rows=True)[1]}
    base.dispose()
    assert "ROW_MISSING" in codes
    assert len(codes) > 1
