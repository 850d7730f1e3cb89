"""`audit checkpoint`, typed in, on both databases: signing, refusing, adding another's note, verifying."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from golden import Result, call, spawn
from sqlalchemy import Connection, Engine, delete, insert, select, text, update

from crmctl.audit import entries, note
from crmctl.audit.tables import audit_entry, audit_head, checkpoint
from crmctl.audit.tree import Frontier, leaf_hash
from crmctl.store.engine import write

Place = tuple[Path, Engine]
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def crmctl(place: Place, *arguments: str, stdin: bytes = b"") -> Result:
    return call(["-w", str(place[0]), *arguments], stdin)


def document(result: Result) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def sign(place: Place, exit_code: int = 0) -> dict[str, Any]:
    result = crmctl(place, "audit", "checkpoint", "-o", "json")
    assert result.exit_code == exit_code, result.stderr
    return document(result) if not exit_code else dict(json.loads(result.stderr))


def look(place: Place, times: int = 1) -> None:
    for _ in range(times):
        assert crmctl(place, "audit", "list").exit_code == 0


def signer(place: Place) -> Path:
    return place[0].with_name(place[0].name + ".keys") / "signer"


def stored(place: Place) -> list[tuple[int, str]]:
    with place[1].connect() as conn:
        return [
            tuple(row) for row in conn.execute(select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.seq))
        ]


def rewrite(conn: Connection, keep: int, forged: int) -> None:
    """Cut the log to `keep` entries and go on with `forged` others, head and all: a copy put back that grew again."""
    conn.execute(delete(audit_entry).where(audit_entry.c.seq >= keep))
    bodies = [body.encode() for body in conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars()]
    tree, last = Frontier(), entries.GENESIS
    for body in bodies:
        last = leaf_hash(body)
        tree.append(last)
    for _ in range(forged):
        line = entries.line(json.loads(bodies[0]) | {"host": "elsewhere"}, tree.size, last)
        row = {"seq": tree.size, "leaf": leaf_hash(line), "prev": last, "body": line.decode()}
        conn.execute(insert(audit_entry).values(row))
        last = leaf_hash(line)
        tree.append(last)
    conn.execute(update(audit_head).values(size=tree.size, last_leaf=last, frontier=tree.to_bytes()))


def test_the_log_is_signed_to_its_end_and_no_entry_of_its_own(place: Place) -> None:
    assert crmctl(place, "audit", "verify").exit_code == 14
    made = sign(place)
    assert {key: made[key] for key in ("schema", "run_id", "new", "added", "size", "anchors")} == {
        "schema": "crmctl/audit-checkpoint/1", "run_id": None, "new": True, "added": 2, "size": 2, "anchors": {},
    }  # fmt: skip
    assert note.verify(made["note"], made["vkey"])
    assert stored(place) == [(2, made["note"])]
    verified = crmctl(place, "audit", "verify", "-o", "json")
    assert (verified.exit_code, document(verified)["root"], document(verified)["signed"]) == (0, made["root"], 2)
    assert crmctl(place, "audit", "verify").exit_code == 14
    assert document(crmctl(place, "audit", "verify", "-o", "json"))["unsigned"] == 2


def test_the_name_of_the_log_is_that_of_the_installation_and_of_the_key(place: Place) -> None:
    made = sign(place)
    instance = next(
        line.split('"')[1] for line in (place[0] / "crmctl.yaml").read_text().splitlines() if "instance" in line
    )
    assert made["origin"] == f"crmctl/{instance}" == note.parse_vkey(made["vkey"]).name
    assert made["note"].startswith(f"crmctl/{instance}\n1\n")


def test_the_key_is_owner_only_outside_the_workspace_and_published_inside(place: Place) -> None:
    made = sign(place)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in signer(place).iterdir() if path.is_file()}
    assert modes == {"signer.key": 0o400, "signer.vkey": 0o600, "state.json": 0o600}
    assert stat.S_IMODE(signer(place).stat().st_mode) == 0o700
    assert (place[0] / "signer.vkey").read_text() == made["vkey"] + "\n"
    secret = (signer(place) / "signer.key").read_text().splitlines()[1]
    assert not any(secret in path.read_text(errors="replace") for path in place[0].rglob("*") if path.is_file())


def test_a_second_run_in_a_row_has_nothing_to_sign(place: Place) -> None:
    first, second = sign(place), sign(place)
    assert (second["new"], second["added"], second["size"], second["note"]) == (False, 0, 1, first["note"])
    assert len(stored(place)) == 1
    assert "nothing new to sign; 1 entries are signed" in crmctl(place, "audit", "checkpoint").stdout


def test_a_dry_run_signs_nothing(place: Place) -> None:
    result = crmctl(place, "audit", "checkpoint", "-n")
    assert (result.exit_code, result.stdout) == (0, "would sign 1 more entries, 1 in all\n")
    assert not signer(place).exists()
    assert stored(place) == []


def test_checkpoints_follow_one_another(place: Place) -> None:
    sizes = []
    for times in (1, 3, 2):
        look(place, times)
        made = sign(place)
        sizes.append((made["added"], made["size"]))
    assert sizes == [(2, 2), (3, 5), (2, 7)]
    assert crmctl(place, "audit", "verify").exit_code == 0
    assert [size for size, _note in stored(place)] == [2, 5, 7]


@pytest.mark.parametrize("forged", [0, 3, 4, 9])
def test_an_older_copy_of_the_database_is_not_signed(place: Place, forged: int) -> None:
    """F10: rolled back to three entries, with its checkpoints; as it was, or grown again to seven, six or more."""
    look(place, 2)
    sign(place)
    look(place, 3)
    sign(place)
    with write(place[1]) as conn:
        rewrite(conn, 3, forged)
        conn.execute(delete(checkpoint).where(checkpoint.c.size > 3))
    state = (signer(place) / "state.json").read_bytes()
    assert sign(place, 13)["code"] == "LOG_NOT_EXTENDED"
    assert (signer(place) / "state.json").read_bytes() == state
    assert [size for size, _note in stored(place)] == [3]
    assert crmctl(place, "audit", "checkpoint", "-n").exit_code == 13
    verified = crmctl(place, "audit", "verify", "-o", "json")
    assert verified.exit_code == 13
    assert {problem["subject"] for problem in document(verified)["problems"]} == {"signer"}


def test_an_edited_entry_is_not_signed(place: Place) -> None:
    look(place, 2)
    sign(place)
    look(place, 3)
    with write(place[1]) as conn:
        conn.execute(text("UPDATE audit_entry SET body = replace(body, 'audit.list', 'audit.lust') WHERE seq = 4"))
    assert sign(place, 13)["code"] == "LOG_NOT_EXTENDED"
    assert crmctl(place, "audit", "verify").exit_code == 13


def test_the_newest_entry_edited_is_not_signed(place: Place) -> None:
    look(place, 2)
    with write(place[1]) as conn:
        conn.execute(text("UPDATE audit_entry SET body = replace(body, 'audit.list', 'audit.lust') WHERE seq = 2"))
    assert "its head says something else" in sign(place, 13)["message"]


def test_a_gap_is_not_signed(place: Place) -> None:
    sign(place)
    look(place, 3)
    with write(place[1]) as conn:
        conn.execute(delete(audit_entry).where(audit_entry.c.seq == 2))
    assert sign(place, 13)["code"] == "LOG_NOT_EXTENDED"


def test_an_empty_log_is_not_signed(place: Place) -> None:
    with write(place[1]) as conn:
        conn.execute(delete(audit_entry))
        conn.execute(delete(audit_head))
    assert "no entries at all" in sign(place, 13)["message"]


def test_a_log_rewritten_and_signed_with_another_key_is_found(place: Place) -> None:
    look(place, 3)
    made = sign(place)
    with write(place[1]) as conn:
        rewrite(conn, 2, 4)
        head = conn.execute(select(audit_head.c.size, audit_head.c.frontier)).one()
        root = Frontier.from_bytes(head.size, head.frontier).root()
        forged = note.sign(note.checkpoint_text(made["origin"], head.size, root), made["origin"], OTHER)
        conn.execute(update(checkpoint).values(size=head.size, root=root, note=forged))
    for folder in (None, signer(place)):  # with what the signer holds, and without it
        if folder is not None:
            folder.rename(folder.with_name("away"))
        verified = crmctl(place, "audit", "verify", "-o", "json")
        assert verified.exit_code == 13
        assert "CHECKPOINT_SIGNATURE" in {problem["code"] for problem in document(verified)["problems"]}


def test_the_database_is_not_asked_whom_to_trust(place: Place) -> None:
    """A checkpoint whose row says another size or root than its note is not signed for those."""
    look(place, 3)
    made = sign(place)
    look(place)
    with place[1].connect() as conn:
        bodies = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars().all()
    tree = Frontier()
    tree.extend(leaf_hash(body.encode()) for body in bodies)
    with write(place[1]) as conn:
        conn.execute(update(checkpoint).values(size=tree.size, root=tree.root()))
    assert stored(place) == [(tree.size, made["note"])]
    verified = document(crmctl(place, "audit", "verify", "-o", "json"))
    assert [problem["code"] for problem in verified["problems"]] == ["CHECKPOINT_SIGNATURE"]


def test_a_signer_that_lost_its_state_signs_nothing(place: Place) -> None:
    sign(place)
    look(place)
    state = signer(place) / "state.json"
    kept = state.read_text()
    for damaged in (
        None,
        "{}",
        kept.replace('"size": 1', '"size": 0'),
        kept.replace('"last_leaf": "', '"last_leaf": "00'),
    ):
        state.unlink(missing_ok=True)
        if damaged is not None:
            state.write_text(damaged)
            state.chmod(0o600)
        assert sign(place, 13)["code"] == "SIGNER_STATE"
    state.write_text(kept)
    state.chmod(0o600)
    assert sign(place)["added"] == 1


def test_a_lost_key_is_not_made_again_behind_your_back(place: Place) -> None:
    old = sign(place)["vkey"]
    look(place)
    signer(place).rename(signer(place).with_name("lost"))
    assert sign(place, 12)["code"] == "SIGNER_MISSING"
    (place[0] / "signer.vkey").unlink()
    policy = place[0] / "policies" / "audit.yaml"
    assert sign(place)["vkey"] != old
    assert crmctl(place, "audit", "verify").exit_code == 13  # nobody answers for what the old key signed
    vkey = (signer(place) / "signer.vkey").read_text().strip()
    policy.write_text(policy.read_text().replace("signers: []", f'signers: ["{vkey}", "{old}"]'))
    assert sign(place)["vkey"] == vkey
    assert crmctl(place, "audit", "verify").exit_code == 0


def test_a_log_restored_on_purpose_goes_on_under_another_name(place: Place) -> None:
    old = sign(place)["vkey"]
    look(place, 2)
    sign(place)
    with write(place[1]) as conn:
        rewrite(conn, 2, 0)
        conn.execute(delete(checkpoint).where(checkpoint.c.size > 2))
    assert sign(place, 13)["code"] == "LOG_NOT_EXTENDED"
    signer(place).rename(signer(place).with_name("before"))
    (place[0] / "signer.vkey").unlink()
    policy = place[0] / "policies" / "audit.yaml"
    policy.write_text(policy.read_text().replace("\nsettings:\n", "\nsettings:\n  origin: crm.example.cn/audit-2\n"))
    new = sign(place)
    policy.write_text(policy.read_text().replace("signers: []", f'signers: ["{old}", "{new["vkey"]}"]'))
    assert new["origin"] == "crm.example.cn/audit-2"
    assert crmctl(place, "audit", "verify").exit_code == 0


def test_a_signer_whose_key_does_not_count_signs_nothing(place: Place) -> None:
    sign(place)
    policy = place[0] / "policies" / "audit.yaml"
    other = note.vkey("elsewhere", OTHER.public_key().public_bytes_raw())
    policy.write_text(policy.read_text().replace("signers: []", f'signers: ["{other}"]'))
    look(place)
    assert sign(place, 12)["code"] == "SIGNER_UNKNOWN"


def test_a_signer_in_the_workspace_or_open_to_others_is_refused(place: Place) -> None:
    config = place[0] / "crmctl.yaml"
    kept = config.read_text()
    config.write_text(kept + "signer: data/signer\n")
    assert sign(place, 4)["code"] == "SIGNER_IN_WORKSPACE"
    elsewhere = place[0].with_name("elsewhere")
    config.write_text(kept + f'signer: "{elsewhere}"\n')
    elsewhere.mkdir(mode=0o755)
    elsewhere.chmod(0o755)
    assert sign(place, 12)["code"] == "KEYSTORE_INSECURE"
    elsewhere.chmod(0o700)
    assert sign(place)["new"] is True
    assert (elsewhere / "signer.key").exists()


def test_who_may_not_sign_is_refused(place: Place) -> None:
    access = place[0] / "policies" / "access.yaml"
    second = "  people:\n    other: {uids: [4242], roles: [admin]}\n"  # alone one holds every role
    changed = access.read_text().replace("audit.verify, audit.checkpoint,", "audit.verify,")
    access.write_text(changed.replace("  people:\n", second))
    assert crmctl(place, "audit", "checkpoint").exit_code == 6
    assert not signer(place).exists()


def hand_over(place: Place, folder: Path, *after: str, origin: str = "") -> Result:
    """What the other account does: sign the raw log that comes in, without workspace or database."""
    raw = crmctl(place, "audit", "list", "--raw", *after)
    named = ["--origin", origin] if origin else []
    return call(["audit", "checkpoint", "--log", "-", "--state", str(folder), *named], raw.stdout.encode())


@pytest.fixture
def handed(place: Place, tmp_path: Path) -> tuple[Place, Path]:
    """A workspace whose checkpoints another account signs, and that account's folder: one checkpoint is stored."""
    folder = tmp_path / "other account" / "signer"
    policy = place[0] / "policies" / "audit.yaml"
    text_of = policy.read_text()
    policy.write_text(text_of.replace("\nsettings:\n", "\nsettings:\n  origin: crm.example.cn/audit\n"))
    first = hand_over(place, folder, origin="crm.example.cn/audit")
    assert first.exit_code == 0, first.stderr
    refused = crmctl(place, "audit", "checkpoint", "--add", "-", "-o", "json", stdin=first.stdout.encode())
    assert (refused.exit_code, json.loads(refused.stderr)["code"]) == (13, "NOTE_UNTRUSTED")
    vkey = (folder / "signer.vkey").read_text().strip()
    policy.write_text(policy.read_text().replace("signers: []", f'signers: ["{vkey}"]'))
    assert add(place, first.stdout).exit_code == 0
    return place, folder


def add(place: Place, signed: str) -> Result:
    return crmctl(place, "audit", "checkpoint", "--add", "-", stdin=signed.encode())


def test_another_account_signs_and_the_workspace_stores(handed: tuple[Place, Path]) -> None:
    place, folder = handed
    assert crmctl(place, "audit", "verify").exit_code == 0
    look(place, 2)
    position = call(["audit", "checkpoint", "--position", "--state", str(folder)]).stdout
    assert position == "1\n"
    newer = hand_over(place, folder, "--after", position.strip())
    assert newer.exit_code == 0, newer.stderr
    assert "4 more entries signed, 6 in all" in newer.stderr
    added = add(place, newer.stdout)
    assert "4 more entries signed, 6 in all" in added.stdout
    assert crmctl(place, "audit", "verify").exit_code == 0
    assert "nothing new to sign" in add(place, newer.stdout).stdout
    assert [size for size, _note in stored(place)] == [2, 6]
    assert sign(place, 12)["code"] == "SIGNER_MISSING"  # not made here: the key that counts is elsewhere


def test_the_whole_log_and_its_newer_part_give_the_same(handed: tuple[Place, Path]) -> None:
    place, folder = handed
    whole = hand_over(place, folder)
    part = hand_over(place, folder, "--after", "1")
    assert (whole.exit_code, part.exit_code) == (0, 0)
    assert add(place, part.stdout).exit_code == 0
    assert add(place, whole.stdout).exit_code == 0  # an older one may still come
    assert crmctl(place, "audit", "verify").exit_code == 0


@pytest.mark.parametrize("forged", [0, 1, 4, 9])
def test_the_other_account_does_not_sign_an_older_copy(handed: tuple[Place, Path], forged: int) -> None:
    place, folder = handed
    look(place, 3)
    newer = hand_over(place, folder)
    assert add(place, newer.stdout).exit_code == 0
    with write(place[1]) as conn:
        rewrite(conn, 2, forged)
        conn.execute(delete(checkpoint).where(checkpoint.c.size > 2))
    for after in ([], ["--after", "5"], ["--after", "3"]):
        refused = hand_over(place, folder, *after)
        assert (refused.exit_code, refused.stdout) == (13, ""), refused.stderr
    assert add(place, newer.stdout).exit_code == 13
    assert [size for size, _note in stored(place)] == [2]


def test_what_is_added_is_checked(handed: tuple[Place, Path]) -> None:
    place, folder = handed
    look(place)
    signed = hand_over(place, folder).stdout
    origin = "crm.example.cn/audit"
    said = note.parse_checkpoint(note.parse(signed).text)
    wrong = {
        "": (4, "NOTE_INVALID"),
        "x" * 2_000_000: (4, "NOTE_INVALID"),
        signed.replace(origin, "crm.example.cn/other"): (4, "ORIGIN_DIFFERS"),
        signed.replace(f"\n{said.size}\n", "\n9\n"): (13, "NOTE_UNTRUSTED"),
        note.sign(note.parse(signed).text, origin, OTHER): (13, "NOTE_UNTRUSTED"),
    }
    for text_of, expected in wrong.items():
        result = crmctl(place, "audit", "checkpoint", "--add", "-", "-o", "json", stdin=text_of.encode())
        assert (result.exit_code, json.loads(result.stderr)["code"]) == expected
    assert len(stored(place)) == 1
    with write(place[1]) as conn:
        rewrite(conn, 3, 4)
    result = crmctl(place, "audit", "checkpoint", "--add", "-", "-o", "json", stdin=signed.encode())
    assert (result.exit_code, json.loads(result.stderr)["code"]) == (13, "LOG_NOT_EXTENDED")


def test_a_lost_memory_of_how_far_it_went_costs_nothing_but_time(handed: tuple[Place, Path]) -> None:
    place, folder = handed
    reached = place[0] / "data" / "checkpoint.json"
    for content in ("", "{}", reached.read_text().replace('"size": 2', '"size": 1')):
        reached.write_text(content)
        look(place)
        assert add(place, hand_over(place, folder).stdout).exit_code == 0
    reached.unlink()
    look(place)
    assert add(place, hand_over(place, folder).stdout).exit_code == 0
    assert crmctl(place, "audit", "verify").exit_code == 0


def test_a_signer_needs_to_know_what_it_signs(place: Place, tmp_path: Path) -> None:
    folder = tmp_path / "signer"
    missing = hand_over(place, folder)
    assert (missing.exit_code, "--origin" in missing.stderr, folder.exists()) == (4, True, False)
    assert hand_over(place, folder, origin="a").exit_code == 0
    other = hand_over(place, folder, origin="b")
    assert (other.exit_code, "signs the log a, not b" in other.stderr) == (4, True)
    again = hand_over(place, folder)
    assert (again.exit_code, again.stdout.splitlines()[:2]) == (0, ["a", "5"])


def test_a_signer_lives_in_the_state_folder_of_its_account(place: Place, tmp_path: Path) -> None:
    raw = crmctl(place, "audit", "list", "--raw").stdout.encode()
    done = spawn(["audit", "checkpoint", "--log", "-", "--origin", "a"], raw, env={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / ".local" / "state" / "crmctl" / "signer"
    assert note.verify(done.stdout, (folder / "signer.vkey").read_text().strip())
    log = tmp_path / "log"
    log.write_bytes(raw)
    same = spawn(["audit", "checkpoint", "--log", str(log)], env={"XDG_STATE_HOME": str(tmp_path / ".local/state")})
    assert (same.exit_code, same.stdout, same.stderr.splitlines()[0]) == (
        0, done.stdout, "nothing new to sign; 2 entries are signed"
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["--log", "-", "--add", "x"],
        ["--state", "x"],
        ["--origin", "x"],
        ["--position", "-n"],
        ["--position", "--log", "-"],
        ["--add", "x", "--origin", "y"],
    ],
)
def test_options_that_do_not_go_together(place: Place, words: list[str]) -> None:
    assert crmctl(place, "audit", "checkpoint", *words).exit_code == 2
