"""What stands in an exported bundle besides its entries, read strictly: manifest, notes, proofs, leaves."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from crmctl.audit import note
from crmctl.audit.bundle import FORMAT, SEPARATOR, SHIPPED
from crmctl.audit.entries import MAX_BYTES
from crmctl.audit.pruned import Mark, read_mark
from crmctl.audit.tree import inclusion_ranges, verify_inclusion

MAX_SMALL = 1 << 28
MAX_NUMBER = 1 << 53
KINDS = ("all", "period", "customer")
KEYS = {
    "format", "kind", "origin", "size", "root", "first", "last", "entries", "pruned", "customer", "from", "to",
    "offset", "files",
}  # fmt: skip
ALWAYS = frozenset(
    {"entries.jsonl", "proofs.txt", "inclusion.txt", "checkpoints.txt", "signer.vkey", "signer.pem", *SHIPPED}
)
OF_PRUNED = frozenset({"pruned.jsonl"})
OF_CUSTOMER = frozenset({"leaves.jsonl", "summary.en.md", "summary.zh.md"})
_NODE = re.compile(r"(0|[1-9][0-9]{0,18}) ([1-9][0-9]{0,18}) ([0-9a-f]{64})", re.ASCII)
_PATH = re.compile(r"(0|[1-9][0-9]{0,17}) ([0-9a-f]{64})((?: [LR][0-9a-f]{64})*)", re.ASCII)
_ROOTS = {"change": ("changes", "changes_root"), "look": ("looks", "looks_root")}
_LEAF_KEYS = {"content", "entry", "index", "kind", "leaf", "proof", "salt", "size"}


class Unreadable(Exception):
    """A part that is not of its form: code and subject of the problem."""


@dataclass(frozen=True)
class Manifest:
    """What a bundle claims to be: believed in nothing, only compared."""

    format: str
    kind: str
    origin: str
    size: int
    root: str
    first: int
    last: int
    entries: int
    pruned: int
    customer: int | None
    since: str | None
    until: str | None
    offset: int | None
    files: Mapping[str, tuple[str, int]]
    document: Mapping[str, Any]

    @property
    def wanted(self) -> frozenset[str]:
        """The files that belong to a bundle of this kind."""
        found = ALWAYS | OF_PRUNED if self.pruned else ALWAYS
        return found | OF_CUSTOMER if self.kind == "customer" else found


class Signed(NamedTuple):
    """A checkpoint with the name problems give it, and whether one of the keys signed it."""

    said: note.Checkpoint
    believed: bool
    label: str

    @property
    def size(self) -> int:
        """How many entries it covers."""
        return self.said.size

    def code(self, what: str) -> str:
        """Return the code of a problem with it."""
        return f"{self.label.partition(':')[0].upper()}_{what}"


def read_text(folder: Path, name: str) -> str:
    """Return a small file's text; links and what is no regular file are not followed. Raises Unreadable."""
    try:
        if not stat.S_ISREG(os.lstat(folder / name).st_mode):
            raise ValueError(name)
        with (folder / name).open("rb") as stream:
            data = stream.read(MAX_SMALL + 1)
        if len(data) > MAX_SMALL:
            raise ValueError(name)
        return data.decode()
    except (OSError, ValueError):
        raise Unreadable("FILE_MISSING", name) from None


def read_lines(folder: Path, name: str) -> list[str]:
    """Return a file's lines, each of which must end as one. Raises Unreadable."""
    text = read_text(folder, name)
    if text and not text.endswith("\n"):
        raise Unreadable("FILE_FORM", name)
    return text.split("\n")[:-1]


def file_hash(path: Path) -> tuple[str, int]:
    """Return SHA-256 in hex and size of a regular file; ("", -1) for anything else."""
    digest, size = sha256(), 0
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return "", -1
        with path.open("rb") as stream:
            while data := stream.read(1 << 20):
                digest.update(data)
                size += len(data)
    except OSError:
        return "", -1
    return digest.hexdigest(), size


def manifest(text: str) -> Manifest:
    """Return the manifest. Raises Unreadable for what is not one of this format."""
    try:
        found = json.loads(text)
        if set(found) != KEYS or json.dumps(found, indent=1, sort_keys=True) + "\n" != text:
            raise ValueError(text[:20])
        values = {**found, "since": found["from"], "until": found["to"], "document": found}
        values["files"] = {name: (item.pop("sha256"), item.pop("bytes")) for name, item in found["files"].items()}
        if any(found["files"].values()):
            raise ValueError(text[:20])
        del values["from"], values["to"]
        made = Manifest(**values)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise Unreadable("MANIFEST_FORM", "manifest.json") from None
    if not _typed(made) or not 0 <= made.first <= made.last < made.size or made.format != FORMAT:
        raise Unreadable("MANIFEST_FORM", "manifest.json")
    if not 0 <= made.pruned < made.size:
        raise Unreadable("MANIFEST_FORM", "manifest.json")
    return made


def _typed(made: Manifest) -> bool:
    """Say whether every value has the type its field says; mypy cannot know what a file holds."""
    for field in fields(made):
        value = getattr(made, field.name)
        if field.type == "int" and not (type(value) is int and abs(value) < MAX_NUMBER):
            return False
        if field.type == "str" and not isinstance(value, str):
            return False
        if field.type == "str | None" and not (value is None or isinstance(value, str)):
            return False
    hashes = made.files.values()
    of_customer = (type(made.customer) is int, type(made.offset) is int)
    return (
        made.kind in KINDS
        and (made.kind == "customer" or (made.customer, made.offset) == (None, None))
        and (made.kind != "customer" or of_customer == (True, True) and abs(made.offset or 0) < 1440)
        and (made.kind == "period" or (made.since, made.until) == (None, None))
        and all(isinstance(digest, str) and type(size) is int for digest, size in hashes)
    )


def checkpoint(text: str, keys: Sequence[note.VerifierKey], label: str) -> Signed:
    """Return a note's checkpoint. Raises ValueError when it is none."""
    said = note.parse_checkpoint(note.parse(text).text)
    return Signed(said, any(note.verify(text, key) for key in keys), label)


def notes(text: str) -> list[str]:
    """Return the notes of checkpoints.txt."""
    return text.split(SEPARATOR)


def nodes(folder: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (first entry, number, root) of each subtree in proofs.txt. Raises Unreadable for what is no full one."""
    for line in read_lines(folder, "proofs.txt"):
        match = _NODE.fullmatch(line)
        if match is None:
            raise Unreadable("PROOF_FORM", "proofs.txt")
        start, count = int(match[1]), int(match[2])
        if count & (count - 1) or start % count:
            raise Unreadable("PROOF_FORM", "proofs.txt")
        yield start, count, bytes.fromhex(match[3])


class Inclusion(NamedTuple):
    """A line of inclusion.txt."""

    number: int
    leaf: bytes
    sides: list[str]
    proof: list[bytes]

    def leads_to(self, said: note.Checkpoint) -> bool:
        """Say whether it proves the leaf at its place, sides included, under the root of a checkpoint."""
        if not 0 <= self.number < said.size:
            return False
        sides = ["L" if end <= self.number else "R" for _start, end in inclusion_ranges(self.number, said.size)]
        return sides == self.sides and verify_inclusion(self.leaf, self.number, said.size, self.proof, said.root)


def inclusions(folder: Path) -> Iterator[Inclusion]:
    """Yield the lines of inclusion.txt. Raises Unreadable."""
    for line in read_lines(folder, "inclusion.txt"):
        match = _PATH.fullmatch(line)
        if match is None:
            raise Unreadable("PROOF_FORM", "inclusion.txt")
        steps = match[3].split()
        hashes = [bytes.fromhex(step[1:]) for step in steps]
        yield Inclusion(int(match[1]), bytes.fromhex(match[2]), [step[0] for step in steps], hashes)


def prune_mark(folder: Path, pruned: int) -> Mark:
    """Return what the entry in pruned.jsonl says: the first `pruned` entries have no text. Raises Unreadable."""
    lines = read_lines(folder, "pruned.jsonl")
    found = read_mark(lines[0].encode("ascii", "replace")) if len(lines) == 1 else None
    if found is None or found.size != pruned or len(found.line) > MAX_BYTES or found.line.decode() != lines[0]:
        raise Unreadable("PRUNED_FORM", "pruned.jsonl")
    return found


def leaves(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of leaves.jsonl, which stand in order. Raises Unreadable."""
    last: tuple[int, str, int] | None = None
    for line in read_lines(folder, "leaves.jsonl"):
        try:
            item = json.loads(line)
            place = (item["entry"], item["kind"], item["index"])
            if [type(part) for part in place] != [int, str, int] or set(item) != _LEAF_KEYS:
                raise ValueError(place)
            if place[1] not in _ROOTS or type(item["size"]) is not int or last is not None and place <= last:
                raise ValueError(place)
            digits = item["leaf"] + "".join(item["proof"]) + (item["salt"] or "")
            written = json.dumps(item, sort_keys=True, separators=(",", ":"))
            if bytes.fromhex(digits).hex() != digits or written != line:
                raise ValueError(place)
        except (KeyError, TypeError, ValueError, RecursionError):
            raise Unreadable("LEAF_FORM", "leaves.jsonl") from None
        last = place
        yield item


def leaf_fault(item: Mapping[str, Any], body: Mapping[str, Any], customer: int) -> str:
    """Return the code of what is wrong with a leaf under an entry, "" for nothing."""
    size_key, root_key = _ROOTS[item["kind"]]
    try:
        leaf, root = bytes.fromhex(item["leaf"]), bytes.fromhex(body[root_key])
        proof = [bytes.fromhex(node) for node in item["proof"]]
        if body[size_key] != item["size"] or body[root_key] != root.hex():
            return "LEAF_PROOF"
    except (KeyError, TypeError, ValueError):
        return "LEAF_PROOF"
    if not verify_inclusion(leaf, item["index"], item["size"], proof, root):
        return "LEAF_PROOF"
    if item["salt"] is None and item["content"] is None:
        return ""
    try:
        content = item["content"].encode()
        said = json.loads(content)
        fits = sha256(b"\x00" + bytes.fromhex(item["salt"]) + content).digest() == leaf and said["customer"] == customer
        if item["kind"] == "look":
            fits = fits and (said["run"], said["position"]) == (body.get("run"), item["index"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return "LEAF_CONTENT"
    return "" if fits else "LEAF_CONTENT"
