"""Verify an exported bundle offline, as the stand-alone verifier in it does, written a second time.

The two share the wording of one customer's summary and nothing else; a test holds them against each other. Whose log it
is and who signs it is said by the verifier's own keys and checkpoint, never by the bundle; what is absent is a problem.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Any

from crmctl.audit import bundle_parts as parts
from crmctl.audit import note
from crmctl.audit.bundle_parts import Manifest, Signed, Unreadable
from crmctl.audit.bundle_problems import EXPLAINED
from crmctl.audit.entries import MAX_BYTES
from crmctl.audit.problems import Problem, Problems
from crmctl.audit.pruned import Mark
from crmctl.audit.tree import EMPTY_ROOT, Frontier
from crmctl.audit.verifier.verify_audit import summary
from crmctl.errors import DONE, UNSIGNED_TAIL, IntegrityFailed
from crmctl.i18n import _

_AT_ONCE = 2048


@dataclass(frozen=True)
class Verdict:
    """What came of a bundle: what it is, how far it is signed, what is wrong; `problems` are the first hundred.

    The first `pruned` entries of the log have no text any more, as a signed entry of it says.
    """

    kind: str
    size: int
    entries: int
    last: int
    signed: int
    pruned: int
    manifest_sha256: str
    problems: tuple[Problem, ...]
    problem_count: int

    @property
    def exit_code(self) -> int:
        """13 when something is wrong, 14 when the newest entries shown are unsigned, else 0."""
        if self.problem_count:
            return IntegrityFailed.exit_code
        return DONE if self.last < self.signed else UNSIGNED_TAIL


@dataclass
class _Bundle:
    """A bundle as verified so far."""

    folder: Path
    manifest: Manifest
    keys: Sequence[note.VerifierKey]
    problems: Problems
    checkpoints: list[Signed] = field(default_factory=list)
    signed: int = 0
    count: int = 0
    proved: int = -1
    mark: Mark | None = None
    bodies: dict[int, dict[str, Any]] = field(default_factory=dict)
    leaves: dict[int, bytes] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)

    def wrong(self, code: str, subject: str) -> None:
        """Note a problem."""
        shown = subject.encode("ascii", "backslashreplace").decode()[:80]
        self.problems.add(code, shown, _(EXPLAINED[code]))


def verify_bundle(
    folder: Path, keys: Sequence[note.VerifierKey], pin: str, *, whole: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Verdict:  # fmt: skip
    """Verify the export in `folder` against the caller's keys and the text of the caller's checkpoint.

    `whole` wants every entry of the log. Problems are returned, not raised.
    """
    problems, manifest, bundle = Problems(), None, None
    digest = parts.file_hash(folder / "manifest.json")[0]
    try:
        manifest = parts.manifest(parts.read_text(folder, "manifest.json"))
        bundle = _Bundle(folder, manifest, keys, problems)
        _check_files(bundle, digest)
        if not problems.total:
            _check_signatures(bundle, pin)
            _read_mark(bundle)
            _grow(bundle, progress or (lambda _number: None))
            _check_scope(bundle, whole)
            _check_inclusion(bundle)
            if manifest.customer is not None:
                _check_customer(bundle, manifest.customer)
    except Unreadable as error:
        code, subject = error.args
        problems.add(code, subject, _(EXPLAINED[code]))
    if manifest is None or bundle is None:
        return Verdict("", 0, 0, 0, 0, 0, digest, tuple(problems.first), problems.total)
    last = max(bundle.bodies, default=manifest.last)
    return Verdict(
        manifest.kind, manifest.size, manifest.entries, last, bundle.signed, manifest.pruned, digest,
        tuple(problems.first), problems.total,
    )  # fmt: skip


def _check_files(bundle: _Bundle, digest: str) -> None:
    """Every file is the one the manifest names, and nothing else is there."""
    manifest, folder = bundle.manifest, bundle.folder
    hashes = {name: sha for name, (sha, _size) in manifest.files.items()} | {"manifest.json": digest}
    if parts.read_text(folder, "SHA256SUMS") != "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)):
        bundle.wrong("SUMS_CHANGED", "SHA256SUMS")
    for name in sorted({path.name for path in folder.iterdir()} - hashes.keys() - {"SHA256SUMS"}):
        bundle.wrong("FILE_EXTRA", name)
    for name in sorted(manifest.wanted ^ manifest.files.keys()):
        bundle.wrong("FILE_MISSING", name)
    for name in sorted(manifest.wanted & manifest.files.keys()):
        if parts.file_hash(folder / name) != manifest.files[name]:
            bundle.wrong("FILE_CHANGED", name)


def _check_signatures(bundle: _Bundle, pin: str) -> None:
    """Read the caller's checkpoint and the bundle's: all of one log, signed by the caller's keys, within its size."""
    try:
        known = parts.checkpoint(pin, bundle.keys, "pin")
    except ValueError:
        raise Unreadable("PIN_FORM", "pin") from None
    found = [known]
    for number, text in enumerate(parts.notes(parts.read_text(bundle.folder, "checkpoints.txt"))):
        try:
            found.append(parts.checkpoint(text, bundle.keys, f"checkpoint:{number}"))
            if number and found[-1].size < found[-2].size:
                raise ValueError(number)
        except ValueError:
            bundle.wrong("CHECKPOINT_FORM", f"checkpoint:{number}")
    for item in found:
        if not item.believed:
            bundle.wrong(item.code("SIGNATURE"), item.label)
        if item.said.origin != known.said.origin:
            bundle.wrong("CHECKPOINT_ORIGIN", item.label)
        if item.size > bundle.manifest.size:
            bundle.wrong(item.code("BEYOND"), item.label)
    if bundle.manifest.origin != known.said.origin:
        bundle.wrong("MANIFEST_FORM", "manifest.json")
    if parts.read_text(bundle.folder, "signer.vkey").strip() not in map(str, bundle.keys):
        bundle.wrong("SIGNER_FOREIGN", "signer.vkey")
    if parts.read_text(bundle.folder, "signer.pem") not in map(note.pem, bundle.keys):
        bundle.wrong("SIGNER_FOREIGN", "signer.pem")
    bundle.checkpoints = found
    bundle.proved = min(found[-1].size - 1, bundle.manifest.last)


def _read_mark(bundle: _Bundle) -> None:
    """Read the entry that says what is pruned; it must be signed, and is proved with the others."""
    if not bundle.manifest.pruned:
        return
    bundle.mark = parts.prune_mark(bundle.folder, bundle.manifest.pruned)
    if bundle.mark.seq >= bundle.checkpoints[-1].size:
        bundle.wrong("PRUNED_SIGNATURE", f"entry:{bundle.mark.seq}")


def _targets(bundle: _Bundle) -> list[Signed]:
    """Return the roots that the tree must have on its way, smallest first."""
    found = list(bundle.checkpoints)
    if bundle.mark is not None:
        said = note.Checkpoint(bundle.manifest.origin, bundle.mark.size, bundle.mark.root)
        found.append(Signed(said, False, "pruned"))
    return sorted(found, key=lambda item: item.size)


def _grow(bundle: _Bundle, progress: Callable[[int], None]) -> None:
    """Grow the tree from entries and subtrees in order; compare it at the size of every checkpoint."""
    tree, waiting = Frontier(), _targets(bundle)
    with (bundle.folder / "entries.jsonl").open("rb") as stream:
        for start, level, hashes in _pieces(bundle, stream):
            if start != tree.size:
                raise Unreadable("LOG_GAP", f"entry:{tree.size}")
            if level:
                tree.add_subtree(hashes[0], level)
                waiting = _reach(bundle, tree, waiting)
                continue
            progress(len(hashes))
            while hashes:
                room = (
                    next((item.size for item in waiting if item.size > tree.size), tree.size + len(hashes)) - tree.size
                )
                tree.extend(hashes[:room])
                hashes = hashes[room:]
                waiting = _reach(bundle, tree, waiting)
    if (tree.size, tree.root().hex()) != (bundle.manifest.size, bundle.manifest.root):
        bundle.wrong("LOG_ROOT", "manifest.json")
    if bundle.count != bundle.manifest.entries or not bundle.count:
        bundle.wrong("ENTRY_COUNT", "manifest.json")


def _reach(bundle: _Bundle, tree: Frontier, waiting: list[Signed]) -> list[Signed]:
    """Compare the checkpoints that the tree has reached; return the others."""
    while waiting and waiting[0].size <= tree.size:
        item = waiting.pop(0)
        root = tree.root() if item.size else EMPTY_ROOT
        if item.size not in (0, tree.size):
            bundle.wrong(item.code("PLACE"), item.label)
        elif item.said.root != root:
            bundle.wrong(item.code("ROOT"), item.label)
        elif item.believed:
            bundle.signed = max(bundle.signed, item.size)
    return waiting


def _pieces(bundle: _Bundle, stream: IO[bytes]) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield (first entry, level, hashes): runs of entries (level 0) and subtrees, in order of their place."""
    sparse = bundle.manifest.kind == "customer"
    entries = _scattered(bundle, stream) if sparse else _consecutive(bundle, stream)
    subtrees = _subtrees(bundle)
    entry, subtree = next(entries, None), next(subtrees, None)
    while entry is not None or subtree is not None:
        if entry is not None and (subtree is None or entry[0] <= subtree[0]):
            yield entry
            entry = next(entries, None)
        elif subtree is not None:
            yield subtree
            subtree = next(subtrees, None)


def _subtrees(bundle: _Bundle) -> Iterator[tuple[int, int, list[bytes]]]:
    manifest = bundle.manifest
    for start, count, root in parts.nodes(bundle.folder):
        if manifest.kind != "customer" and start + count > manifest.first and start <= manifest.last:
            bundle.wrong("ENTRY_WITHHELD", f"entry:{start}")
        yield start, count.bit_length() - 1, [root]


def _consecutive(bundle: _Bundle, stream: IO[bytes]) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield the leaves of one run of entries; each names its number and the leaf before it."""
    seq = bundle.manifest.first
    prev = bytes(32).hex() if seq == 0 else ""
    while lines := list(islice(stream, _AT_ONCE)):
        start, found = seq, []
        if start == bundle.manifest.first:
            bundle.first = _body(bundle, lines[0], seq)
        for line in lines:
            named = b'"prev":"' + prev.encode() in line and b'"seq":%d,' % seq in line
            if not named or not line.endswith(b"\n") or len(line) > MAX_BYTES + 1:
                bundle.wrong("ENTRY_PLACE", f"entry:{seq}")
            leaf = sha256(b"\x00" + line[:-1])
            found.append(leaf.digest())
            prev, seq = leaf.hexdigest(), seq + 1
        bundle.count += len(lines)
        bundle.last = _body(bundle, lines[-1], seq - 1)
        if start <= bundle.proved < seq:
            bundle.leaves[bundle.proved] = found[bundle.proved - start]
        yield start, 0, found


def _scattered(bundle: _Bundle, stream: IO[bytes]) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield the leaves of entries that stand here and there; each says its number."""
    last, leaf = -1, bytes(32)
    for line in stream:
        body = _body(bundle, line, -1)
        seq = body.get("seq")
        if type(seq) is not int or seq <= last:
            raise Unreadable("ENTRY_PLACE", f"entry:{last + 1}")
        if seq == last + 1 and body.get("prev") != leaf.hex():
            bundle.wrong("ENTRY_PLACE", f"entry:{seq}")
        last, leaf = seq, sha256(b"\x00" + line[:-1]).digest()
        bundle.bodies[seq], bundle.leaves[seq] = body, leaf
        bundle.count += 1
        yield seq, 0, [leaf]


def _body(bundle: _Bundle, line: bytes, seq: int) -> dict[str, Any]:
    try:
        sound = line.isascii() and line.endswith(b"\n") and len(line) <= MAX_BYTES + 1
        body = json.loads(line) if sound else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        bundle.wrong("ENTRY_FORM", f"entry:{seq}" if seq >= 0 else "entries.jsonl")
        return {}
    return body


def _check_scope(bundle: _Bundle, whole: bool) -> None:
    """The export is what it says it is: everything, or a period with an entry to either side."""
    manifest = bundle.manifest
    begin = 0 if manifest.kind == "customer" else manifest.pruned
    complete = (manifest.first, manifest.last) == (begin, manifest.size - 1)
    if manifest.kind != "period" and not complete or whole and manifest.kind != "all":
        bundle.wrong("SCOPE_PART", "manifest.json")
    if manifest.kind != "period":
        return
    if manifest.first not in (0, manifest.pruned) and not str(bundle.first.get("ts")) < (manifest.since or ""):
        bundle.wrong("PERIOD_EDGE", f"entry:{manifest.first}")
    if manifest.last < manifest.size - 1 and not str(bundle.last.get("ts")) >= (manifest.until or "~"):
        bundle.wrong("PERIOD_EDGE", f"entry:{manifest.last}")


def _check_inclusion(bundle: _Bundle) -> None:
    """The proofs by hand lead from the entries to the newest checkpoint, and none is missing."""
    newest, proved = bundle.checkpoints[-1], []
    if bundle.mark is not None:
        leaf = sha256(b"\x00" + bundle.mark.line).digest()
        if bundle.leaves.setdefault(bundle.mark.seq, leaf) != leaf:
            bundle.wrong("PRUNED_FORM", "pruned.jsonl")
    for item in parts.inclusions(bundle.folder):
        if not item.leads_to(newest.said) or bundle.leaves.get(item.number) != item.leaf:
            bundle.wrong("PROOF_WRONG", f"entry:{item.number}")
        proved.append(item.number)
    if proved != sorted(index for index in bundle.leaves if index < newest.size):
        bundle.wrong("PROOF_MISSING", "inclusion.txt")


def _check_customer(bundle: _Bundle, customer: int) -> None:
    """Every entry is about the customer, or a proved leaf says that it changed or showed it; the summary fits."""
    touched: dict[int, list[dict[str, Any]]] = {}
    for item in parts.leaves(bundle.folder):
        code = parts.leaf_fault(item, bundle.bodies.get(item["entry"], {}), customer)
        if code:
            bundle.wrong(code, f"entry:{item['entry']}")
        touched.setdefault(item["entry"], []).append(item)
    for seq, body in sorted(bundle.bodies.items()):
        if seq not in touched and body.get("obj") != f"customer:{customer}":
            bundle.wrong("LEAF_MISSING", f"entry:{seq}")
    for language in ("en", "zh"):
        name = f"summary.{language}.md"
        if parts.read_text(bundle.folder, name) != summary(language, bundle.manifest.document, bundle.bodies, touched):
            bundle.wrong("SUMMARY_CHANGED", name)
