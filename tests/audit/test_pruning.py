"""`audit prune`: texts of old entries go, the log verifies as before; refused, asked for, killed, tampered with."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bundles
import pytest
import workspaces
from golden import call
from sqlalchemy import Connection, Table, select, update

from crmctl import clock
from crmctl.audit import entries, note, pruning, signing
from crmctl.audit.bundle_verify import verify_bundle
from crmctl.audit.checkpoints import settings_of, trust_of
from crmctl.audit.tables import audit_entry, audit_head, change, look
from crmctl.audit.tree import Frontier, leaf_hash
from crmctl.audit.verifier import verify_audit
from crmctl.audit.verify import verify_in
from crmctl.runs import allowance
from crmctl.store.engine import read, write

sys.path += [str(Path(__file__).parents[1] / "approvals"), str(Path(__file__).parent)]
from office import PEOPLE, Office, account, write_access  # noqa: E402

LONG_AGO = datetime(2020, 3, 1, 8, 0, 0, tzinfo=UTC)
DAY = "2023-01-01"
ADMIN, BOSS, AUDITOR = 1001, 1002, 1009


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A workspace of 2020 with changes and looks, signed; now it is today, and texts are kept for 36 months."""
    url = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create(request.getfixturevalue("_postgres_template"))
        url = server.url(name)
    with monkeypatch.context() as then:
        then.setattr(clock, "now", lambda: LONG_AGO)
        folder = workspaces.make(tmp_path / "w", url)
    made = Office(folder, url or f"sqlite:///{folder / 'data' / 'crmctl.db'}")
    write_access(folder, people={**PEOPLE, "he.k": ((AUDITOR,), ("auditor",))})
    allow(folder, "audit.prune: {by: [supervisor, admin]}")
    keep(folder, "36 months")
    monkeypatch.setattr(bundles, "START", LONG_AGO + timedelta(days=1))
    log = bundles.Log(made.engine)
    for part in range(4):
        log.shows(range(1, 12))
        log.imports(1000 + part, 0, range(1, 6))
        log.lists(2000 + part, [3, 7, 5])
    assert made.say(ADMIN, "audit", "list").exit_code == 0  # an entry of today
    yield made
    made.close()
    if request.param == "postgresql":
        server.drop(name)


def allow(folder: Path, rule: str) -> None:
    path = folder / "policies" / "access.yaml"
    found = path.read_text("utf-8")
    before = found[found.index("  approvals:\n") : found.index("  deputies:")]
    path.write_text(found.replace(before, f"  approvals:\n    {rule}\n\n" if rule else "  approvals: {}\n\n"), "utf-8")


def keep(folder: Path, period: str) -> None:
    path = folder / "policies" / "audit.yaml"
    lines = [line for line in path.read_text("utf-8").splitlines(True) if not line.startswith("  keep_bodies")]
    path.write_text("".join(lines) + (f"  keep_bodies: {period}\n" if period else ""), "utf-8")


def sign(office: Office) -> dict[str, Any]:
    return office.json(ADMIN, "audit", "checkpoint")


def agreed(office: Office, *words: object) -> dict[str, Any]:
    asked = office.json(ADMIN, "audit", "prune", "--before", DAY, "--ask", *words)
    office.approve(BOSS, asked["approval"])
    return asked


def pruned(office: Office) -> dict[str, Any]:
    """Sign, ask, agree, prune, sign."""
    sign(office)
    agreed(office)
    done = office.json(ADMIN, "audit", "prune", "--before", DAY)
    sign(office)
    return done


def texts(office: Office) -> list[str]:
    return [row.body for row in office.rows(select(audit_entry).order_by(audit_entry.c.seq))]


def prunes(office: Office) -> list[dict[str, Any]]:
    found = [json.loads(body) for body in texts(office) if body]
    return [body for body in found if body["act"] == "audit.prune"]


def verdict(office: Office, *words: object, status: int = 0) -> dict[str, Any]:
    sign(office)
    return office.json(ADMIN, "audit", "verify", *words, status=status)


def test_old_texts_go_and_every_level_verifies(office: Office) -> None:
    before = texts(office)
    done = pruned(office)
    after = texts(office)
    size = done["last"] + 1
    assert (done["first"], done["count"], size) == (0, size, 1 + 4 * 13)
    assert after[:size] == [""] * size
    assert after[size : len(before)] == before[size:]
    for words in ((), ("--changes",)):
        said = verdict(office, *words)
        assert (said["ok"], said["pruned"], said["unsigned"]) == (True, size, 0)
    begun, ended = prunes(office)
    assert (begun["result"], ended["result"]) == ("begun", "done")
    for body in (begun, ended):
        assert (body["rows"], body["n"], body["pruned"], body["pruned_root"]) == (
            [0, size - 1], size, size, done["root"]
        )  # fmt: skip
        assert (body["kept"], body["approval"], body["source"]) == (8, 1, done["plan"])
    assert office.state(1) == "used"
    told = office.say(ADMIN, "audit", "verify")
    assert f"entries 0 to {size - 1}: pruned, covered by the checkpoint of" in told.stdout


def test_it_goes_on_from_there_and_later_prunes_cover_the_earlier(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pruned(office)
    assert office.json(ADMIN, "audit", "prune", "--before", DAY)["count"] == 0
    office.say(ADMIN, "audit", "list")
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(days=1900))
    office.say(ADMIN, "audit", "list")
    sign(office)
    later = (datetime.now(UTC) + timedelta(days=700)).date().isoformat()
    asked = office.json(ADMIN, "audit", "prune", "--before", later, "--ask")
    office.approve(BOSS, asked["approval"])
    second = office.json(ADMIN, "audit", "prune", "--before", later)
    assert second["first"] == first["last"] + 1
    said = verdict(office, "--changes")
    assert (said["ok"], said["pruned"]) == (True, second["last"] + 1)
    assert prunes(office)[-1]["kept"] == 8


def test_what_is_refused(office: Office) -> None:
    def refusal(uid: int, *words: object, status: int) -> str:
        return str(office.json(uid, "audit", "prune", *words, status=status)["code"])

    assert refusal(ADMIN, "--before", DAY, status=1) == "PRUNE_UNSIGNED"
    sign(office)
    assert refusal(ADMIN, "--before", clock.now().date(), status=1) == "KEPT_LONGER"
    assert refusal(ADMIN, "--before", "soon", status=4) == "DATE_INVALID"
    assert refusal(BOSS, "--before", DAY, status=6) == "ACT_NOT_GRANTED"
    assert refusal(ADMIN, "--before", DAY, status=6) == "APPROVAL_MISSING"
    keep(office.folder, "")
    assert refusal(ADMIN, "--before", DAY, "--dry-run", status=4) == "VALUE_UNDECIDED"
    keep(office.folder, "5 months")
    assert refusal(ADMIN, "--before", DAY, status=4) == "POLICY_INVALID"
    keep(office.folder, "36 months")
    with write(office.engine) as conn:
        conn.execute(update(change).where(change.c.change_id == 3).values(leaf=bytes(32)))
    assert refusal(ADMIN, "--before", DAY, status=13) == "LOG_INVALID"
    assert "" not in texts(office)


def test_an_approval_is_of_exactly_this_and_used_once(office: Office) -> None:
    sign(office)
    asked = agreed(office)
    assert asked["count"] > 0
    smaller = (LONG_AGO + timedelta(days=1, hours=10)).date().isoformat()
    other = office.json(ADMIN, "audit", "prune", "--before", smaller, status=6)
    assert other["code"] == "APPROVAL_MISSING"
    dry = office.json(ADMIN, "audit", "prune", "--before", DAY, "--dry-run")
    assert (dry["plan"], dry["count"]) == (asked["plan"], asked["count"])
    assert "" not in texts(office)
    office.json(ADMIN, "audit", "prune", "--before", DAY)
    with write(office.engine) as conn:  # the texts are put back, the approval is not
        conn.execute(update(audit_entry).where(audit_entry.c.body == "").values(body="{}"))
    assert office.json(ADMIN, "audit", "prune", "--before", DAY, status=13)["code"] == "LOG_INVALID"


def test_without_a_rule_nobody_is_asked(office: Office) -> None:
    allow(office.folder, "")
    sign(office)
    assert office.json(ADMIN, "audit", "prune", "--before", DAY, "--ask")["approval"] is None
    assert office.json(ADMIN, "audit", "prune", "--before", DAY)["count"] == 53
    assert verdict(office)["ok"]


@pytest.mark.parametrize("chunks", [1, 2, 5])
def test_killed_between_chunks_it_is_finished_by_the_next(
    office: Office, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    """kill -9: nothing of Python runs any more; what is committed is a beginning of what the entry names."""
    monkeypatch.setattr(pruning, "CHUNK", 10)
    sign(office)
    agreed(office)
    child = os.fork()
    if child == 0:
        told: list[int] = []

        def killing(number: int) -> None:
            told.append(number)
            if len(told) == chunks:
                os.kill(os.getpid(), 9)

        _engines_are_the_parents(office)
        with suppress(BaseException), account(ADMIN):
            _prune(office, killing)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    left = texts(office)
    assert left[: 10 * chunks] == [""] * (10 * chunks)
    assert "" not in left[10 * chunks :]
    assert verdict(office, "--changes")["pruned"] == 10 * chunks
    exported = office.say(AUDITOR, "audit", "export").stdout.splitlines()
    assert json.loads(exported[0])["seq"] == 53  # what is named is treated as gone
    assert office.json(ADMIN, "audit", "prune", "--before", DAY, "--ask", status=2)["code"] == "USAGE"
    done = office.json(ADMIN, "audit", "prune", "--before", DAY)
    assert (done["first"], done["last"]) == (10 * chunks, 52)
    assert verdict(office, "--changes")["pruned"] == 53
    assert [body["approval"] for body in prunes(office)] == [1, 1]


def _engines_are_the_parents(office: Office) -> None:
    if "engine" in office.__dict__:
        office.engine.dispose(close=False)


def _prune(office: Office, tell: Callable[[int], None]) -> None:
    from datetime import date

    from crmctl.cli.invocation import Invocation
    from crmctl.runs import run as runs

    with runs.open_run(Invocation(command="audit prune", workspace=office.folder), "audit prune", "audit.prune") as run:
        pruning.prune(run, pruning.plan(run, date.fromisoformat(DAY), lambda _n: None), tell)


def test_list_raw_export_checkpoint_and_limits_work_across(office: Office) -> None:
    size = pruned(office)["last"] + 1
    listed = office.json(ADMIN, "audit", "list", "--limit", 10000)
    assert [entry["seq"] for entry in listed["entries"]][-1] == size
    lines = office.say(ADMIN, "audit", "list", "--raw").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(size, size + len(lines)))
    lines = office.say(AUDITOR, "audit", "export").stdout.splitlines()
    assert lines == [body for body in texts(office) if body][: len(lines)]
    words = ("audit", "export", "--to", "2021-01-01", "--out", office.folder / "x")
    assert office.json(AUDITOR, *words, status=1)["code"] == "NOTHING_TO_EXPORT"
    assert sign(office)["added"] > 0
    with read(office.engine) as conn:
        assert list(allowance.since_then(conn, LONG_AGO, []))[-1]["seq"] >= size
        assert allowance.used(conn, "李娜", "customer.show", LONG_AGO) == 0


def test_a_new_signer_goes_on_where_somebody_known_signed(office: Office) -> None:
    """The signer is lost: who signed before, named in audit.yaml, vouches for what has no text; nobody else can."""
    size = pruned(office)["last"] + 1
    folder = office.folder.with_name("w.keys") / "signer"
    former = (folder / "signer.vkey").read_text().strip()
    shutil.rmtree(folder)
    (office.folder / "signer.vkey").unlink()
    refused = office.json(ADMIN, "audit", "checkpoint", status=13)
    assert (refused["code"], f"0 to {size - 1} are missing" in refused["message"]) == ("LOG_NOT_EXTENDED", True)
    made = signing.load(folder).vkey
    path = office.folder / "policies" / "audit.yaml"
    path.write_text(
        path.read_text("utf-8").replace("  signers: []", f"  signers: {json.dumps([former, made])}"), "utf-8"
    )
    assert sign(office)["size"] > size
    assert verdict(office)["ok"]


def both(folder: Path, vkey: str, pin: str, *, whole: bool = False) -> tuple[int, int]:
    ours = verify_bundle(folder, [note.parse_vkey(vkey)], pin, whole=whole).exit_code
    theirs = verify_audit.verify(str(folder), [verify_audit.parse_key(vkey)], pin, whole)
    return ours, verify_audit.exit_status(theirs)


BUNDLES = {"all": (), "period": ("--from", "2020-01-01", "--to", "2030-01-01"), "customer": ("--customer", "7")}


@pytest.mark.parametrize("kind", BUNDLES)
def test_an_export_is_verified_by_both(office: Office, tmp_path: Path, kind: str) -> None:
    size = pruned(office)["last"] + 1
    office.say(ADMIN, "customer", "show", "7")
    with write(office.engine) as conn:
        bundles.Log(office.engine).append(conn, obj="customer:7")
    signed = sign(office)
    folder = tmp_path / "bundle"
    office.json(AUDITOR, "audit", "export", "--bundle", folder, *BUNDLES[kind])
    assert json.loads((folder / "manifest.json").read_text())["pruned"] == size
    assert both(folder, signed["vkey"], signed["note"], whole=kind == "all") == (0, 0)
    told = call(["audit", "verify", "--bundle", str(folder), "--key", signed["vkey"], "--pin", _pin(tmp_path, signed)])
    assert told.exit_code == 0
    assert f"entries 0 to {size - 1}: pruned, covered by the checkpoint of {signed['size']} entries" in told.stdout


@pytest.mark.parametrize("kind", BUNDLES)
def test_an_export_is_verified_by_hand(office: Office, tmp_path: Path, kind: str) -> None:
    """What VERIFY.md says, typed in: the whole tree grows from the hashes of what is pruned and the entries behind."""
    from test_bundle import by_hand

    pruned(office)
    with write(office.engine) as conn:
        bundles.Log(office.engine).append(conn, obj="customer:7")
    signed = sign(office)
    folder = tmp_path / "bundle"
    office.json(AUDITOR, "audit", "export", "--bundle", folder, *BUNDLES[kind])
    pin = Path(_pin(tmp_path, signed))
    done = by_hand(folder, pin, key=signed["vkey"])
    assert (done.returncode, "NOT VALID" in done.stdout) == (0, False), done.stdout + done.stderr
    assert (f"the first {signed['size']} entries give the root of pin.note" in done.stdout) == (kind == "all")
    text = (folder / "proofs.txt").read_text()
    (folder / "proofs.txt").write_text(text[:-2] + ("0" if text[-2] != "0" else "1") + "\n")
    assert by_hand(folder, pin, key=signed["vkey"]).returncode == 13


def _pin(folder: Path, signed: dict[str, Any]) -> str:
    (folder / "pin.note").write_text(signed["note"])
    return str(folder / "pin.note")


def test_no_bundle_while_the_prune_itself_is_unsigned(office: Office, tmp_path: Path) -> None:
    sign(office)
    agreed(office)
    office.json(ADMIN, "audit", "prune", "--before", DAY)
    refused = office.json(AUDITOR, "audit", "export", "--bundle", tmp_path / "bundle", status=1)
    assert refused["code"] == "NOTHING_SIGNED"


# What somebody with the database in hand can do to a pruned log.


def newest_mark(conn: Connection) -> int:
    likely = audit_entry.c.body.contains('"pruned_root"')
    return int(conn.execute(select(audit_entry.c.seq).where(likely).order_by(audit_entry.c.seq)).scalars().all()[-1])


def body_emptied_behind_the_range(conn: Connection, size: int) -> None:
    conn.execute(update(audit_entry).where(audit_entry.c.seq == size).values(body=""))


def body_emptied_elsewhere(conn: Connection, size: int) -> None:
    conn.execute(update(audit_entry).where(audit_entry.c.seq == size + 3).values(body=""))


def texts_emptied_up_to_the_prune(conn: Connection, _size: int) -> None:
    seq = audit_entry.c.seq
    first = (
        conn.execute(select(seq).where(audit_entry.c.body.contains('"pruned_root"')).order_by(seq)).scalars().first()
    )
    conn.execute(update(audit_entry).where(seq < first).values(body=""))


def prune_entries_emptied(conn: Connection, _size: int) -> None:
    conn.execute(update(audit_entry).where(audit_entry.c.seq <= newest_mark(conn)).values(body=""))


def prune_entries_deleted(conn: Connection, _size: int) -> None:
    conn.execute(audit_entry.delete().where(audit_entry.c.body.contains('"pruned_root"')))


def range_made_larger(conn: Connection, size: int) -> None:
    for seq in (newest_mark(conn) - 1, newest_mark(conn)):
        body = conn.execute(select(audit_entry.c.body).where(audit_entry.c.seq == seq)).scalar_one()
        body = body.replace(f'"pruned":{size}', f'"pruned":{size + 1}')
        conn.execute(update(audit_entry).where(audit_entry.c.seq == seq).values(body=body))
    conn.execute(update(audit_entry).where(audit_entry.c.seq == size).values(body=""))


def range_made_larger_and_all_rewritten(conn: Connection, size: int) -> None:
    """Signed, it shows; the forger even mends every leaf after it."""
    rows = conn.execute(select(audit_entry).order_by(audit_entry.c.seq)).all()
    tree, prev, changed = Frontier(), bytes(32), []
    for row in rows:
        body = row.body.replace(f'"pruned":{size}', f'"pruned":{size + 1}').replace(row.prev.hex(), prev.hex())
        body = "" if row.seq <= size else body
        leaf = leaf_hash(body.encode()) if body else row.leaf
        changed.append({"seq": row.seq, "leaf": leaf, "prev": prev, "body": body})
        tree.append(leaf)
        prev = leaf
    conn.execute(audit_entry.delete())
    conn.execute(audit_entry.insert(), changed)
    conn.execute(update(audit_head).values(size=tree.size, last_leaf=prev, frontier=tree.to_bytes()))


def leaf_of_a_pruned_entry_changed(conn: Connection, size: int) -> None:
    conn.execute(update(audit_entry).where(audit_entry.c.seq == size // 2).values(leaf=os.urandom(32)))


def pruned_entry_deleted(conn: Connection, size: int) -> None:
    conn.execute(audit_entry.delete().where(audit_entry.c.seq == size // 2))


def pruned_text_invented(conn: Connection, size: int) -> None:
    conn.execute(update(audit_entry).where(audit_entry.c.seq == size // 2).values(body='{"act":"customer.show"}'))


def old_changes_and_their_leaves_edited(conn: Connection, _size: int) -> None:
    row = conn.execute(select(change).where(change.c.run_id == 1001).order_by(change.c.change_id)).first()
    assert row is not None
    _edited(conn, change, change.c.change_id == row.change_id)


def old_look_removed(conn: Connection, _size: int) -> None:
    conn.execute(look.delete().where(look.c.run_id == 2001, look.c.position == 2))


def old_looks_invented(conn: Connection, _size: int) -> None:
    from crmctl.audit import looks

    looks.commit(conn, 2999, [4])


def _edited(conn: Connection, table: Table, which: Any) -> None:
    conn.execute(update(table).where(which).values(leaf=os.urandom(32), salt=None))


FORGERIES = [
    body_emptied_behind_the_range, body_emptied_elsewhere, texts_emptied_up_to_the_prune, prune_entries_emptied,
    prune_entries_deleted, range_made_larger, range_made_larger_and_all_rewritten, leaf_of_a_pruned_entry_changed,
    pruned_entry_deleted, pruned_text_invented, old_changes_and_their_leaves_edited, old_look_removed,
    old_looks_invented,
]  # fmt: skip


class _Undo(Exception):
    pass


def test_tampering_with_a_pruned_log_is_found(office: Office) -> None:
    size = pruned(office)["last"] + 1
    missed = []
    with account(ADMIN), workspaces.running(office.folder, "audit verify", dry_run=True) as run:
        trust = trust_of(run.workspace, settings_of(run.policies))
    for act in [None, *FORGERIES]:
        with suppress(_Undo), write(office.engine) as conn:
            if act is not None:
                act(conn, size)
            found = verify_in(conn, changes=True, trust=trust)
            if found.exit_code != (13 if act else 0):
                missed.append((act, found.problems))
            raise _Undo
    assert missed == []


def test_a_text_emptied_without_any_prune_is_found(office: Office) -> None:
    sign(office)
    with write(office.engine) as conn:
        conn.execute(update(audit_entry).where(audit_entry.c.seq < 4).values(body=""))
    found = office.json(ADMIN, "audit", "verify", status=13)
    assert [problem["code"] for problem in found["problems"]] == ["PRUNE_UNCOVERED"]


def test_a_prune_that_nobody_signed_for_is_found(office: Office) -> None:
    """Leaves without text that no trusted checkpoint covers are anybody's claim."""
    pruned(office)
    with read(office.engine) as conn:
        assert "PRUNE_UNSIGNED" in {problem.code for problem in verify_in(conn).problems}


# What somebody can do to a bundle of it on its way.


def mark_dropped(folder: Path) -> None:
    (folder / "pruned.jsonl").unlink()


def mark_of_more(folder: Path) -> None:
    path = folder / "pruned.jsonl"
    path.write_text(path.read_text().replace('"pruned":53', '"pruned":54'))


def mark_edited(folder: Path) -> None:
    path = folder / "pruned.jsonl"
    path.write_text(path.read_text().replace("li.na", "wu.di"))


def mark_doubled(folder: Path) -> None:
    path = folder / "pruned.jsonl"
    path.write_text(path.read_text() * 2)


def more_withheld(folder: Path) -> None:
    lines = (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)
    proof = f"53 1 {leaf_hash(lines[0][:-1]).hex()}\n"
    (folder / "entries.jsonl").write_bytes(b"".join(lines[1:]))
    (folder / "proofs.txt").write_text((folder / "proofs.txt").read_text() + proof)


def said_whole(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"pruned": 53', '"pruned": 0'))


def said_more(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"pruned": 53', '"pruned": 54').replace('"first": 53', '"first": 54'))


def proof_of_pruned_edited(folder: Path) -> None:
    path = folder / "proofs.txt"
    path.write_text(path.read_text()[:-2] + ("0" if path.read_text()[-2] != "0" else "1") + "\n")


ON_THE_WAY = [
    mark_dropped, mark_of_more, mark_edited, mark_doubled, more_withheld, said_whole, said_more, proof_of_pruned_edited,
]  # fmt: skip


def test_tampering_with_a_bundle_of_it_is_found_by_both(office: Office, tmp_path: Path) -> None:
    from test_tampering_bundle import Tamper

    pruned(office)
    signed = sign(office)
    folder = tmp_path / "bundle"
    office.json(AUDITOR, "audit", "export", "--bundle", folder)
    for act in ON_THE_WAY:
        forged = bundles.copied(folder, tmp_path / "forged")
        act(forged)
        for mended in (False, True):
            if mended:
                tamper = Tamper(forged, "all", "", forged)
                tamper.mend()
                tamper.write(forged)
            assert both(forged, signed["vkey"], signed["note"]) == (13, 13), (act.__name__, mended)


def test_the_four_keys_go_together(entry: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="go together"):
        entry(pruned=3, pruned_root="0" * 64)
    entries.check(entry(pruned=3, pruned_root="0" * 64, kept=0, kept_root="0" * 64))
