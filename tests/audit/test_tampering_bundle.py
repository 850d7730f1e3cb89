"""Everything somebody may do to an export on its way: both verifiers find it, and always agree.

Most is done twice: plainly, so that hashes no longer fit; and as a forger does it, who makes the manifest and the sums
anew afterwards. What cannot be found is said in docs/auditor.md and tested in test_bundle.py.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import pytest
from bundles import CUSTOMER, START, Signer, build, export

from crmctl.audit import note
from crmctl.audit.bundle_verify import verify_bundle
from crmctl.audit.export import Wanted
from crmctl.audit.tree import leaf_hash
from crmctl.audit.verifier import verify_audit
from crmctl.store.engine import open_engine

PLACES = 20
KEY = Signer().vkey
WANTED = {
    "all": Wanted(),
    "period": Wanted(since=START + timedelta(minutes=60), until=START + timedelta(minutes=190)),
    "customer": Wanted(customer=CUSTOMER),
}


class Skip(Exception):
    """The act is not possible on this kind of export."""


class Tamper:
    """A bundle as files in memory, and dice."""

    def __init__(self, folder: Path, kind: str, seed: str, older: Path) -> None:
        self.kind, self.random, self.older = kind, random.Random(seed), older
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}

    def lines(self, name: str) -> list[bytes]:
        return self.files[name].splitlines(keepends=True)

    def put(self, name: str, lines: list[bytes]) -> None:
        self.files[name] = b"".join(lines)

    def some(self, name: str) -> tuple[list[bytes], int]:
        lines = self.lines(name)
        if not lines:
            raise Skip
        return lines, self.random.randrange(len(lines))

    def flip(self, data: bytes) -> bytes:
        at = self.random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self.random.randrange(7)]) + data[at + 1 :]

    def manifest(self, **values: object) -> None:
        found = json.loads(self.files["manifest.json"])
        found.update(values)
        self.files["manifest.json"] = json.dumps(found, indent=1, sort_keys=True).encode() + b"\n"

    def mend(self) -> None:
        """Make manifest and sums fit the files again, as a forger would."""
        found = json.loads(self.files["manifest.json"])
        found["entries"] = len(self.lines("entries.jsonl"))
        found["files"] = {
            name: {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in self.files.items()
            if name not in ("manifest.json", "SHA256SUMS")
        }
        self.files["manifest.json"] = json.dumps(found, indent=1, sort_keys=True).encode() + b"\n"
        sums = {name: sha256(data).hexdigest() for name, data in self.files.items() if name != "SHA256SUMS"}
        self.files["SHA256SUMS"] = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()

    def write(self, folder: Path) -> Path:
        """Make the folder hold these files; one that does so already is left alone."""
        there = {path.name for path in folder.iterdir()}
        for name in there - self.files.keys():
            (folder / name).unlink()
        for name, data in self.files.items():
            if name not in there or (folder / name).read_bytes() != data:
                (folder / name).write_bytes(data)
        return folder


def entry_edited(t: Tamper) -> None:
    lines, at = t.some("entries.jsonl")
    lines[at] = t.flip(lines[at])
    t.put("entries.jsonl", lines)


def entry_person_changed(t: Tamper) -> None:
    lines, at = t.some("entries.jsonl")
    lines[at] = lines[at].replace(rb"\u674e\u5a1c", b"wu.di")
    t.put("entries.jsonl", lines)


def entry_dropped(t: Tamper) -> None:
    lines, at = t.some("entries.jsonl")
    del lines[at]
    t.put("entries.jsonl", lines)


def entry_duplicated(t: Tamper) -> None:
    lines, at = t.some("entries.jsonl")
    lines.insert(at, lines[at])
    t.put("entries.jsonl", lines)


def entries_swapped(t: Tamper) -> None:
    lines, at = t.some("entries.jsonl")
    other = t.random.choice([place for place in range(len(lines)) if place != at])
    lines[at], lines[other] = lines[other], lines[at]
    t.put("entries.jsonl", lines)


def tail_cut_off(t: Tamper) -> None:
    lines, at = t.some("entries.jsonl")
    t.put("entries.jsonl", lines[: max(at, 1)] if at < len(lines) - 1 else lines[:-1])


def head_cut_off(t: Tamper) -> None:
    lines, at = t.some("entries.jsonl")
    t.put("entries.jsonl", lines[max(at, 1) :])


def tail_cut_off_in_the_manifest_too(t: Tamper) -> None:
    """Shorten the log itself: what is left is a sound, shorter tree; only signatures can tell."""
    if t.kind != "all":
        raise Skip
    lines, at = t.some("entries.jsonl")
    keep = max(at, 1)
    t.put("entries.jsonl", lines[:keep])
    root = _root([leaf_hash(line[:-1]) for line in lines[:keep]])
    t.manifest(size=keep, last=keep - 1, root=root.hex())


def entry_withheld(t: Tamper) -> None:
    """Replace an entry by its leaf, as if it had been left out lawfully."""
    if t.kind == "customer":
        raise Skip
    lines, at = t.some("entries.jsonl")
    first = json.loads(t.files["manifest.json"])["first"]
    proofs = [*t.lines("proofs.txt"), b"%d 1 %s\n" % (first + at, leaf_hash(lines[at][:-1]).hex().encode())]
    t.put("proofs.txt", sorted(proofs, key=lambda line: int(line.split()[0])))
    del lines[at]
    t.put("entries.jsonl", lines)


def entry_forged(t: Tamper) -> None:
    """Insert an entry that follows the one before it."""
    lines, at = t.some("entries.jsonl")
    body = json.loads(lines[at])
    body.update(seq=body["seq"] + 1, prev=leaf_hash(lines[at][:-1]).hex(), act="customer.import")
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    lines.insert(at + 1, text)
    t.put("entries.jsonl", lines)


def history_rewritten(t: Tamper) -> None:
    """Change one entry and every leaf after it, root included: sound in itself, but not what was signed."""
    if t.kind != "all":
        raise Skip
    lines, at = t.some("entries.jsonl")
    prev, made = bytes(32), []
    for place, line in enumerate(lines):
        body = json.loads(line)
        body["prev"] = prev.hex()
        if place == at:
            body["act"] = "customer.list"
            body["n"] = 999
        text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        prev = leaf_hash(text)
        made.append(text + b"\n")
    t.put("entries.jsonl", made)
    t.manifest(root=_root([leaf_hash(line[:-1]) for line in made]).hex())


def checkpoints_swapped(t: Tamper) -> None:
    notes = t.files["checkpoints.txt"].split(b"%%\n")
    t.random.shuffle(notes)
    if notes == sorted(notes, key=_size):
        notes.reverse()
    t.files["checkpoints.txt"] = b"%%\n".join(notes)


def checkpoint_edited(t: Tamper) -> None:
    t.files["checkpoints.txt"] = t.flip(t.files["checkpoints.txt"])


def checkpoints_emptied(t: Tamper) -> None:
    t.files["checkpoints.txt"] = b""


def checkpoint_signatures_taken_off(t: Tamper) -> None:
    notes = [text.partition(b"\n\n")[0] + b"\n\n" for text in t.files["checkpoints.txt"].split(b"%%\n")]
    t.files["checkpoints.txt"] = b"%%\n".join(notes)


def signed_with_another_key(t: Tamper) -> None:
    other = Signer(seed=2)
    texts = []
    for text in t.files["checkpoints.txt"].decode().split("%%\n"):
        said = note.parse_checkpoint(note.parse(text).text)
        texts.append(other.sign(said.size, said.root))
    t.files["checkpoints.txt"] = "%%\n".join(texts).encode()
    t.files["signer.vkey"] = other.vkey.encode() + b"\n"
    t.files["signer.pem"] = note.pem(note.parse_vkey(other.vkey)).encode()


def one_signed_with_another_key(t: Tamper) -> None:
    texts = t.files["checkpoints.txt"].decode().split("%%\n")
    at = t.random.randrange(len(texts))
    said = note.parse_checkpoint(note.parse(texts[at]).text)
    texts[at] = Signer(seed=2).sign(said.size, said.root)
    t.files["checkpoints.txt"] = "%%\n".join(texts).encode()


def of_another_log(t: Tamper) -> None:
    other = Signer(name="crm.example.cn/audit/other")
    texts = []
    for text in t.files["checkpoints.txt"].decode().split("%%\n"):
        said = note.parse_checkpoint(note.parse(text).text)
        texts.append(other.sign(said.size, said.root))
    t.files["checkpoints.txt"] = "%%\n".join(texts).encode()
    t.manifest(origin=other.name)


def signer_replaced(t: Tamper) -> None:
    key = note.parse_vkey(Signer(seed=3).vkey)
    if t.random.random() < 0.5:
        t.files["signer.pem"] = note.pem(key).encode()
    else:
        t.files["signer.vkey"] = str(key).encode() + b"\n"


def proof_edited(t: Tamper) -> None:
    lines, at = t.some("proofs.txt")
    lines[at] = t.flip(lines[at])
    t.put("proofs.txt", lines)


def proof_dropped(t: Tamper) -> None:
    lines, at = t.some("proofs.txt")
    del lines[at]
    t.put("proofs.txt", lines)


def inclusion_edited(t: Tamper) -> None:
    lines, at = t.some("inclusion.txt")
    lines[at] = t.flip(lines[at])
    t.put("inclusion.txt", lines)


def inclusion_dropped(t: Tamper) -> None:
    lines, at = t.some("inclusion.txt")
    del lines[at]
    t.put("inclusion.txt", lines)


def manifest_edited(t: Tamper) -> None:
    t.files["manifest.json"] = t.flip(t.files["manifest.json"])


def manifest_says_other(t: Tamper) -> None:
    name = t.random.choice(["size", "root", "first", "last", "kind", "origin", "customer", "format"])
    found = json.loads(t.files["manifest.json"])
    others = {
        "root": found["root"][::-1],
        "kind": "customer" if t.kind == "all" else "all",  # the whole log may be called a period: it is one
        "origin": found["origin"] + "x",
        "customer": (found["customer"] or 0) + t.random.randint(1, 9),
        "format": "crmctl-audit-bundle/2",
    }
    t.manifest(**{name: others[name] if name in others else found[name] + t.random.choice([-1, 1, 7])})


def sums_edited(t: Tamper) -> None:
    t.files["SHA256SUMS"] = t.flip(t.files["SHA256SUMS"])


def summary_edited(t: Tamper) -> None:
    name = t.random.choice(["summary.en.md", "summary.zh.md"])
    if name not in t.files:
        raise Skip
    text = t.files[name].decode()
    t.files[name] = text.replace(t.random.choice(["CRM-4711", "2026", "customer.show"]), "X", 1).encode()


def summary_line_dropped(t: Tamper) -> None:
    if t.kind != "customer":
        raise Skip
    lines, at = t.some("summary.zh.md")
    del lines[at]
    t.put("summary.zh.md", lines)


def leaf_edited(t: Tamper) -> None:
    if t.kind != "customer":
        raise Skip
    lines, at = t.some("leaves.jsonl")
    lines[at] = t.flip(lines[at])
    t.put("leaves.jsonl", lines)


def look_leaf_dropped(t: Tamper) -> None:
    if t.kind != "customer":
        raise Skip
    lines = t.lines("leaves.jsonl")
    lines.remove(t.random.choice([line for line in lines if b'"kind":"look"' in line]))
    t.put("leaves.jsonl", lines)


def leaf_of_another_entry(t: Tamper) -> None:
    if t.kind != "customer":
        raise Skip
    lines, at = t.some("leaves.jsonl")
    item = json.loads(lines[at])
    numbers = [json.loads(line)["seq"] for line in t.lines("entries.jsonl")]
    item["entry"] = t.random.choice([number for number in numbers if number != item["entry"]])
    lines[at] = json.dumps(item, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    t.put("leaves.jsonl", sorted(lines, key=_place))


def leaf_says_another_customer(t: Tamper) -> None:
    if t.kind != "customer":
        raise Skip
    lines, at = t.some("leaves.jsonl")
    lines[at] = lines[at].replace(b'\\"customer\\":7', b'\\"customer\\":8')
    t.put("leaves.jsonl", lines)


def file_removed(t: Tamper) -> None:
    del t.files[t.random.choice(sorted(t.files.keys() - {"SHA256SUMS"}))]


def sums_removed(t: Tamper) -> None:
    del t.files["SHA256SUMS"]


def file_added(t: Tamper) -> None:
    t.files[f"notes{t.random.randrange(99)}.txt"] = b"extra\n"


def file_emptied(t: Tamper) -> None:
    name = t.random.choice(sorted(name for name, data in t.files.items() if data))
    if name in ("VERIFY.md", "VERIFY.zh.md", "verify_audit.py", "SHA256SUMS"):
        raise Skip
    t.files[name] = b""


def instructions_edited(t: Tamper) -> None:
    name = t.random.choice(["VERIFY.md", "VERIFY.zh.md", "verify_audit.py"])
    t.files[name] = t.flip(t.files[name])


def rolled_back(t: Tamper) -> None:
    """Give the export of last week, sound and signed: older than the auditor's own checkpoint."""
    if t.kind != "all":
        raise Skip
    t.files = {path.name: path.read_bytes() for path in t.older.iterdir()}


def _root(leaves: list[bytes]) -> bytes:
    from crmctl.audit import tree

    return tree.root(leaves)


def _size(text: bytes) -> int:
    return int(text.split(b"\n")[1])


def _place(line: bytes) -> tuple[int, str, int]:
    item = json.loads(line)
    return item["entry"], item["kind"], item["index"]


ACTS: list[Callable[[Tamper], None]] = [
    entry_edited, entry_person_changed, entry_dropped, entry_duplicated, entries_swapped, tail_cut_off, head_cut_off,
    tail_cut_off_in_the_manifest_too, entry_withheld, entry_forged, history_rewritten, checkpoints_swapped,
    checkpoint_edited, checkpoints_emptied, checkpoint_signatures_taken_off, signed_with_another_key,
    one_signed_with_another_key, of_another_log, signer_replaced, proof_edited, proof_dropped, inclusion_edited,
    inclusion_dropped, manifest_says_other, summary_edited, summary_line_dropped, leaf_edited, look_leaf_dropped,
    leaf_of_another_entry, leaf_says_another_customer, file_removed, file_emptied, rolled_back,
]  # fmt: skip
# A forger mends these by mending; before, they are found.
PLAIN = [*ACTS, manifest_edited, sums_edited, sums_removed, file_added, instructions_edited]


@pytest.fixture(scope="module")
def exported(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], Path, str]:
    """Bundles of every kind of one log, an older one, and the auditor's checkpoint: the newest there is."""
    place = tmp_path_factory.mktemp("log")
    (place / "crmctl.db").write_bytes(_sqlite_template.read_bytes())
    engine = open_engine(f"sqlite:///{place / 'crmctl.db'}")
    log, _notes = build(engine)
    older = export(engine, place / "older")
    log.shows([1, 2, 3])
    pin = log.signed()
    found = {kind: export(engine, place / kind, wanted) for kind, wanted in WANTED.items()}
    engine.dispose()
    return found, older, pin


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify each signature once only: the same few come thousands of times."""
    monkeypatch.setattr(verify_audit, "ed25519", lru_cache(None)(verify_audit.ed25519))


def verdicts(folder: Path, pin: str) -> tuple[int, int]:
    """What both verifiers say of a folder."""
    ours = verify_bundle(folder, [note.parse_vkey(KEY)], pin).exit_code
    theirs = verify_audit.exit_status(verify_audit.verify(str(folder), [verify_audit.parse_key(KEY)], pin))
    return ours, theirs


def cases(
    exported: tuple[dict[str, Path], Path, str], act: Callable[[Tamper], None], *, mended: bool
) -> Iterator[Tamper]:
    folders, older, _pin = exported
    for kind, folder in folders.items():
        for place in range(PLACES):
            tamper = Tamper(folder, kind, f"{act.__name__} {kind} {place}", older)
            before = dict(tamper.files)
            try:
                act(tamper)
            except Skip:
                continue
            if tamper.files != before:
                if mended:
                    if {"manifest.json", "entries.jsonl"} - tamper.files.keys() or not tamper.files["manifest.json"]:
                        continue
                    tamper.mend()
                yield tamper


@pytest.mark.parametrize("kind", WANTED)
def test_nothing_is_found_where_nothing_was_done(exported: tuple[dict[str, Path], Path, str], kind: str) -> None:
    """The yardstick of all that follows."""
    assert verdicts(exported[0][kind], exported[2]) == (0, 0)


@pytest.mark.parametrize("mended", [False, True], ids=["plain", "mended"])
def test_tampering_is_found_by_both(exported: tuple[dict[str, Path], Path, str], tmp_path: Path, mended: bool) -> None:
    missed, disagreed, done = [], [], Counter[str]()
    for act in ACTS if mended else PLAIN:
        for number, tamper in enumerate(cases(exported, act, mended=mended)):
            ours, theirs = verdicts(tamper.write(tmp_path), exported[2])
            name = f"{act.__name__} {tamper.kind} {number}: {ours} {theirs}"
            done[act.__name__] += 1
            if ours != theirs:
                disagreed.append(name)
            if 0 in (ours, theirs):
                missed.append(name)
    assert (missed, disagreed) == ([], [])
    assert len(done) == len(ACTS if mended else PLAIN)
    assert done.total() > 1000


def test_the_child_says_what_the_module_says(exported: tuple[dict[str, Path], Path, str], tmp_path: Path) -> None:
    """The verifier run as an auditor runs it: another interpreter, isolated, nothing of this program in reach."""
    pin = tmp_path / "pin.note"
    pin.write_text(exported[2])
    folder = tmp_path / "bundle"
    folder.mkdir()
    script = tmp_path / "verify_audit.py"
    script.write_bytes(Path(verify_audit.__file__).read_bytes())
    for place, act in enumerate(PLAIN):
        tamper = next(iter(cases(exported, act, mended=bool(place % 2) and act in ACTS)))
        tamper.write(folder)
        words = [sys.executable, "-I", str(script), "--key", KEY, "--pin", str(pin), str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env={"PATH": os.defpath})
        assert (done.returncode, done.stderr) == (verdicts(folder, exported[2])[1], ""), act.__name__
