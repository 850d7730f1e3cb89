"""Write an export that an outsider can verify: a folder of text files, their proofs, and the means to check them.

    entries.jsonl     the exact bytes of the entries, one a line
    proofs.txt        roots of full subtrees in place of every other entry: FIRST NUMBER ROOT
    inclusion.txt     proofs of single entries, to be followed by hand: NUMBER LEAF SIDE+HASH …
    checkpoints.txt   signed notes, %% between them, oldest first
    pruned.jsonl      of a pruned log: the entry that says so; proofs.txt has the hashes of what is pruned
    leaves.jsonl      of one customer: its leaves under those entries, with their proofs
    summary.*.md      of one customer: what happened, in words
    signer.vkey .pem  the public key; manifest.json, SHA256SUMS  what belongs to it
    VERIFY*.md, verify_audit.py   how to check it

`proofs.txt` with the entries gives one tree, and its root at the size of every checkpoint the log has: every entry is
proved to be in the log, every checkpoint to extend the one before, and a pin the auditor holds to be of the same log.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmctl.audit import note
from crmctl.audit.bundle_leaves import leaves_of
from crmctl.audit.checkpoints import Stored, stored
from crmctl.audit.export import Selection, bodies, lines
from crmctl.audit.proofs import Subtrees, hidden
from crmctl.audit.reading import rows
from crmctl.audit.tables import audit_entry
from crmctl.audit.verifier.verify_audit import summary
from crmctl.audit.verify_entries import Trust
from crmctl.clock import stamp
from crmctl.errors import IntegrityFailed, Refused
from crmctl.files import OWNER_FILE, OWNER_FOLDER, storage_failure, sync_folder
from crmctl.i18n import _

FORMAT = "crmctl-audit-bundle/1"
SEPARATOR = "%%\n"
MOST_CHECKPOINTS = 100
SHIPPED = ("VERIFY.md", "VERIFY.zh.md", "verify_audit.py")
_SHIPPED_IN = Path(__file__).parent / "verifier"


@dataclass(frozen=True)
class About:
    """What a bundle says besides the log: the company's offset from UTC in minutes, who signs the log."""

    offset: int
    signers: Sequence[str]
    trust: Trust


@dataclass
class Folder:
    """A folder being filled: owner-only files, each made durable, their hashes remembered."""

    path: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, name: str, parts: Iterable[bytes]) -> str:
        """Write a file from `parts`; return its SHA-256 in hex."""
        digest, size = sha256(), 0
        handle = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_FILE)
        with os.fdopen(handle, "wb") as stream:
            for part in parts:
                digest.update(part)
                size += len(part)
                stream.write(part)
            stream.flush()
            os.fsync(stream.fileno())
        self.files[name] = {"sha256": digest.hexdigest(), "bytes": size}
        return digest.hexdigest()


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Folder]:
    """Yield an owner-only folder that becomes `path` when the block ends well, and never exists half-filled.

    Raises Refused when `path` exists, StorageFailed when the disk refuses.
    """
    if os.path.lexists(path):
        raise _exists(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        temporary.mkdir(mode=OWNER_FOLDER)
    except OSError as error:
        raise storage_failure(path, error) from error
    try:
        yield Folder(temporary)
        sync_folder(temporary)
        if os.path.lexists(path):
            raise _exists(path)
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise storage_failure(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            for name in list(temporary.iterdir()):
                name.unlink()
            temporary.rmdir()


def _exists(path: Path) -> Refused:
    message = _("{path}: exists already").format(path=path)
    return Refused(message, hint=_("choose another name or remove it first"), code="FILE_EXISTS")


def fill(conn: Connection, folder: Folder, selection: Selection, about: About) -> str:
    """Write the bundle of these entries; return the SHA-256 of its manifest in hex, which names all other files.

    Raises Refused where nothing is to be exported or no checkpoint covers anything, or not the entry of a prune;
    IntegrityFailed 13 where the log has holes.
    """
    if not selection.count:
        raise Refused(_("there are no such entries"), hint=_("see: crmctl audit list"), code="NOTHING_TO_EXPORT")
    notes = _checkpoints(conn, selection.size, about.trust)
    newest = notes[-1]
    shown = selection.with_edges()
    cuts = [stored.size for stored in notes]
    if shown.mark is not None:
        _refuse_unsigned(shown.mark.seq, newest.size)
        folder.write("pruned.jsonl", [shown.mark.line + b"\n"])
        cuts.append(shown.mark.size)
    columns = audit_entry.c
    leaves = select(columns.leaf).where(columns.seq < selection.size).order_by(columns.seq)
    with Subtrees(row[0] for row in rows(conn, leaves)) as tree:
        if tree.size != selection.size:
            raise IntegrityFailed(
                _("the audit log has holes; nothing was exported"),
                hint=_("see what differs with: crmctl audit verify"),
                code="LOG_HOLES",
            )
        folder.write("entries.jsonl", lines(bodies(conn, shown)))
        folder.write("proofs.txt", _proofs(tree, shown, cuts))
        folder.write("inclusion.txt", _inclusion(tree, shown, newest.size))
        root = tree.root(0, tree.size).hex()
    _signatures(folder, notes, about)
    manifest = _manifest(shown, about, note.parse_checkpoint(note.parse(newest.note).text).origin, root)
    if selection.numbers is not None:
        _customer(conn, folder, shown, manifest)
    for name in SHIPPED:
        folder.write(name, [(_SHIPPED_IN / name).read_bytes()])
    return _close(folder, manifest)


def _checkpoints(conn: Connection, size: int, trust: Trust) -> list[Stored]:
    """Return the checkpoints within the log, oldest first, up to the newest that can be believed; Refused when none."""
    found = [item for item in stored(conn, None) if item.size <= size]
    while found and not trust(found[0].note, found[0].size, found[0].root):
        del found[0]
    if not found:
        raise Refused(
            _("nothing of the log is signed yet, so nobody could verify an export"),
            hint=_("sign it first: crmctl audit checkpoint"),
            code="NOTHING_SIGNED",
        )
    return found[::-1]


def _refuse_unsigned(seq: int, signed: int) -> None:
    if seq >= signed:
        raise Refused(
            _("the log is pruned, and the entry that says so is not signed yet"),
            hint=_("sign it first: crmctl audit checkpoint"),
            code="NOTHING_SIGNED",
        )


def _proofs(tree: Subtrees, shown: Selection, cuts: Sequence[int]) -> Iterator[bytes]:
    for start, count in hidden(shown.runs(), shown.size, cuts):
        node = tree.node(start, count.bit_length() - 1)
        yield f"{start} {count} {node.hex()}\n".encode()


def _inclusion(tree: Subtrees, shown: Selection, covered: int) -> Iterator[bytes]:
    """Yield the proofs by hand: of each entry of a customer; of a run of entries, of the newest that is covered.

    Where the log is pruned, also of the entry that says so.
    """
    numbers: Sequence[int] = shown.numbers or ()
    if shown.numbers is None and shown.first < covered:
        numbers = (min(shown.last, covered - 1),)
    if shown.mark is not None:
        numbers = sorted({*numbers, shown.mark.seq})
    for number in numbers:
        if number < covered:
            path = "".join(f" {side}{node.hex()}" for side, node in tree.inclusion(number, covered))
            yield f"{number} {tree.node(number, 0).hex()}{path}\n".encode()


def _signatures(folder: Folder, notes: Sequence[Stored], about: About) -> None:
    """Write the newest checkpoint and others evenly spread, and the key that signed it."""
    step = -(-len(notes) // MOST_CHECKPOINTS)
    kept = notes[::-1][::step][::-1]
    texts = [item.note for item in kept if about.trust(item.note, item.size, item.root)]
    folder.write("checkpoints.txt", [SEPARATOR.join(texts).encode()])
    signer = next(key for key in about.signers if note.verify(texts[-1], key))
    folder.write("signer.vkey", [signer.encode() + b"\n"])
    folder.write("signer.pem", [note.pem(note.parse_vkey(signer)).encode()])


def _manifest(shown: Selection, about: About, origin: str, root: str) -> dict[str, Any]:
    wanted = shown.wanted
    return {
        "format": FORMAT,
        "kind": wanted.kind,
        "origin": origin,
        "size": shown.size,
        "root": root,
        "first": shown.first,
        "last": shown.last,
        "entries": shown.count,
        "pruned": shown.pruned,
        "customer": wanted.customer or None,
        "from": stamp(wanted.since) if wanted.since else None,
        "to": stamp(wanted.until) if wanted.until else None,
        "offset": about.offset if wanted.customer else None,
    }


def _customer(conn: Connection, folder: Folder, shown: Selection, manifest: dict[str, Any]) -> None:
    """Write what belongs to one customer: its leaves, the summary in two languages."""
    found: dict[int, dict[str, Any]] = {}
    for part in bodies(conn, shown):
        found.update((body["seq"], body) for body in map(orjson.loads, part))
    leaves = leaves_of(conn, shown.wanted.customer, list(found.values()))
    folder.write("leaves.jsonl", (leaf.line() for leaf in leaves))
    by_entry: dict[int, list[dict[str, Any]]] = {}
    for leaf in leaves:
        by_entry.setdefault(leaf.entry, []).append(leaf.document())
    for language in ("en", "zh"):
        folder.write(f"summary.{language}.md", [summary(language, manifest, found, by_entry).encode()])


def _close(folder: Folder, manifest: dict[str, Any]) -> str:
    """Write manifest.json and SHA256SUMS; return the manifest's SHA-256."""
    whole = {**manifest, "files": dict(sorted(folder.files.items()))}
    found = folder.write("manifest.json", [json.dumps(whole, indent=1, sort_keys=True).encode() + b"\n"])
    sums = sorted((name, item["sha256"]) for name, item in folder.files.items())
    folder.write("SHA256SUMS", [f"{digest}  {name}\n".encode() for name, digest in sums])
    return found
