#!/usr/bin/env python3
"""Verify an exported audit log offline, with nothing but Python's standard library (3.8 or newer).

    python3 -I verify_audit.py --key KEY --pin NOTE [--whole] [FOLDER]

KEY (a verifier key, or a file that holds it) and NOTE (the file of the newest checkpoint you know) are your own: you
got them from somebody else than whoever gave you the folder. They decide; nothing in the folder can vouch for itself.
--whole fails unless every entry of the log is there. Exit status: 0 valid and signed to the end, 13 something does not
fit, 14 valid but the newest entries are not signed yet, 2 the command line is wrong.

entries.jsonl holds entries, proofs.txt the roots of full subtrees in place of all others. In order of number they make
up one tree (RFC 6962), whose root is compared with every checkpoint and with yours at the size each of them has. That
is the inclusion proof of every entry and the consistency proof between all checkpoints at once.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import hashlib
import itertools
import json
import os
import re
import stat
import sys
from collections import namedtuple
from collections.abc import Mapping

FORMAT = "crmctl-audit-bundle/1"
MAX_ENTRY, MAX_SMALL, MAX_SHOWN, BLOCK = 8192, 1 << 28, 100, 1024
COMMON = {
    "entries.jsonl", "proofs.txt", "inclusion.txt", "checkpoints.txt", "signer.vkey", "signer.pem",
    "VERIFY.md", "VERIFY.zh.md", "verify_audit.py",
}  # fmt: skip
OF_CUSTOMER = {"leaves.jsonl", "summary.en.md", "summary.zh.md"}
KEYS = {
    "format", "kind", "origin", "size", "root", "first", "last", "entries", "pruned", "customer", "from", "to",
    "offset", "files",
}  # fmt: skip
Key = namedtuple("Key", "name id public text")
Checkpoint = namedtuple("Checkpoint", "origin size root signed label")
Result = namedtuple("Result", "problems kind size entries first last signed manifest pruned")
sha256 = hashlib.sha256


class Broken(Exception):
    """What cannot be read any further: code, subject, message."""


# Ed25519 (RFC 8032), verification only ---------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
_ROOT = pow(2, (P - 1) // 4, P)


def _point(data):
    """Return the point that 32 bytes encode, or None."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def _add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return e * f % P, g * h % P, f * g % P, e * h % P


_BASE = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
_ZERO = (0, 1, 1, 0)


def ed25519(public, message, signature):
    """Say whether `signature` (64 bytes) of `message` is by the key `public` (32 bytes)."""
    point, scalar = _point(public), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or point is None or scalar >= L:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    minus = (P - point[0], point[1], 1, P - point[3])
    table, found = (_ZERO, _BASE, minus, _add(_BASE, minus)), _ZERO
    for bit in range(255, -1, -1):
        found = _add(found, found)
        found = _add(found, table[(scalar >> bit & 1) + 2 * (hashed >> bit & 1)])
    inverse = pow(found[2], P - 2, P)
    x, y = found[0] * inverse % P, found[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# Signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint) ---------------------------------------


def _decoded(text):
    found = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(found).decode() != text:
        raise ValueError("not base64")
    return found


def _named(name):
    return bool(name) and "+" not in name and name.isprintable() and not any(map(str.isspace, name))


def parse_key(text):
    """Return the Key of `name+id+base64`; ValueError for anything else."""
    name, number, encoded = [*text.strip().split("+", 2), "", ""][:3]
    data = _decoded(encoded)
    found = sha256(name.encode() + b"\n" + data).digest()[:4]
    if not _named(name) or len(data) != 33 or data[:1] != b"\x01" or found.hex() != number:
        raise ValueError("not a verifier key")
    return Key(name, found, data[1:], text.strip())


def pem(key):
    """Return the key as a PEM file."""
    body = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + key.public).decode()
    return "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n" % body


def parse_note(note, keys, label):
    """Return the Checkpoint a note is; `signed` says whether one of `keys` signed it. ValueError when it is none."""
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or len(note) > 1 << 20 or re.search("[\0-\x09\x0b-\x1f]", note):
        raise ValueError("not a note")
    signatures = []
    for line in lines[:-1].split("\n"):
        name, space, encoded = line[2:].partition(" ")
        data = _decoded(encoded)
        if not line.startswith("\u2014 ") or not space or not _named(name) or len(data) < 5:
            raise ValueError("not a signature line")
        signatures.append((name, data[:4], data[4:]))
    origin, size, root = text.split("\n")  # ValueError unless these three
    hashed, message = _decoded(root), (text + "\n").encode()
    if not origin or not re.fullmatch("0|[1-9][0-9]{0,18}", size) or len(hashed) != 32 or len(signatures) > 100:
        raise ValueError("not a checkpoint")
    signed = False
    for key in keys:
        own = [found for name, number, found in signatures if (name, number) == (key.name, key.id)]
        signed = signed or bool(own) and all(ed25519(key.public, message, found) for found in own)
    return Checkpoint(origin, int(size), hashed, signed, label)


# The tree (RFC 6962) -------------------------------------------------------------------------------------------------


def _node(left, right):
    return sha256(b"\1" + left + right).digest()


class Tree:
    """A growing tree: its size, the roots of its full subtrees, largest first."""

    def __init__(self):
        self.size, self.peaks = 0, []

    def push(self, node, level=0):
        """Add a full subtree of 2**level leaves where it fits."""
        above = self.size >> level
        while above & 1:
            node, above = _node(self.peaks.pop(), node), above >> 1
        self.peaks.append(node)
        self.size += 1 << level

    def extend(self, leaves):
        """Add leaves; blocks of 1024 that fit are hashed level by level."""
        start = 0
        while start < len(leaves):
            block = leaves[start : start + BLOCK]
            if len(block) < BLOCK or self.size % BLOCK:
                block = block[: -self.size % BLOCK or BLOCK]
                for leaf in block:
                    self.push(leaf)
            else:
                nodes = block
                while len(nodes) > 1:
                    pairs = iter(nodes)
                    nodes = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs)]
                self.push(nodes[0], 10)
            start += len(block)

    def root(self):
        """Return the root so far."""
        node = self.peaks[-1] if self.peaks else sha256(b"").digest()
        for peak in self.peaks[-2::-1]:
            node = _node(peak, node)
        return node


def folded(leaf, index, size, proof):
    """Return the root that an inclusion proof gives, or None where the proof does not fit (RFC 9162 2.1.3.2)."""
    node, at, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            return None
        if at & 1 or at == last:
            node = _node(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = _node(node, sibling)
        at, last = at >> 1, last >> 1
    return node if last == 0 and 0 <= index < size else None


# The bundle ----------------------------------------------------------------------------------------------------------


class Bundle:
    """One folder being verified."""

    def __init__(self, folder, keys):
        self.folder, self.keys, self.problems = folder, keys, []
        self.manifest, self.checkpoints, self.signed = {}, [], 0
        self.bodies, self.leaves, self.edges, self.count, self.proved, self.mark = {}, {}, {}, 0, -1, None

    def wrong(self, code, subject, message):
        """Note what does not fit."""
        self.problems.append((code, subject, message))

    def text(self, name):
        """Return a small file's text; links and what is no file are not followed."""
        try:
            if not stat.S_ISREG(os.lstat(os.path.join(self.folder, name)).st_mode):
                raise ValueError
            with open(os.path.join(self.folder, name), "rb") as stream:
                data = stream.read(MAX_SMALL + 1)
            if len(data) > MAX_SMALL:
                raise ValueError
            return data.decode()
        except (OSError, ValueError):
            raise Broken("FILE_MISSING", name, "is not there, not readable, or too large") from None

    def lines(self, name):
        """Return the lines of a file each of which ends as a line must."""
        text = self.text(name)
        if text and not text.endswith("\n"):
            raise Broken("FILE_FORM", name, "does not end with a whole line")
        return text.split("\n")[:-1]

    # Files

    def read_manifest(self):
        """Read manifest.json; it is believed in nothing, only compared."""
        text = self.text("manifest.json")
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not _is_manifest(found) or json.dumps(found, indent=1, sort_keys=True) + "\n" != text:
            raise Broken("MANIFEST_FORM", "manifest.json", "is not a manifest of this format")
        self.manifest = found

    def check_files(self):
        """Every file is named with its hash, and nothing else is there."""
        named = self.manifest["files"]
        wanted = COMMON | (OF_CUSTOMER if self.manifest["kind"] == "customer" else set())
        wanted = wanted | ({"pruned.jsonl"} if self.manifest["pruned"] else set())
        sums = {
            "manifest.json": self._hash("manifest.json")[0],
            **{name: item["sha256"] for name, item in named.items()},
        }
        if self.text("SHA256SUMS") != "".join("%s  %s\n" % (sums[name], name) for name in sorted(sums)):
            self.wrong("SUMS_CHANGED", "SHA256SUMS", "is not what the manifest says")
        for name in sorted(set(os.listdir(self.folder)) - set(sums) - {"SHA256SUMS"}):
            self.wrong("FILE_EXTRA", _shown(name), "is no part of the export")
        for name in sorted(wanted ^ set(named)):
            self.wrong("FILE_MISSING", _shown(name), "belongs in the manifest, or does not")
        for name in sorted(wanted & set(named)):
            if self._hash(name) != (named[name]["sha256"], named[name]["bytes"]):
                self.wrong("FILE_CHANGED", name, "is not the file the manifest names")

    def _hash(self, name):
        path, digest, size = os.path.join(self.folder, name), sha256(), 0
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise OSError
            with open(path, "rb") as stream:
                for data in iter(lambda: stream.read(1 << 20), b""):
                    digest.update(data)
                    size += len(data)
        except OSError:
            return "", -1
        return digest.hexdigest(), size

    # Signatures

    def read_checkpoints(self, pin):
        """Read your checkpoint and theirs; all must be of your log, signed with your key."""
        try:
            self.checkpoints = [parse_note(pin, self.keys, "pin")]
        except ValueError:
            raise Broken("PIN_FORM", "pin", "your checkpoint is not one") from None
        origin = self.checkpoints[0].origin
        for number, note in enumerate(self.text("checkpoints.txt").split("%%\n")):
            try:
                self.checkpoints.append(parse_note(note, self.keys, "checkpoint:%d" % number))
                if number and self.checkpoints[-1].size < self.checkpoints[-2].size:
                    raise ValueError
            except ValueError:
                self.wrong("CHECKPOINT_FORM", "checkpoint:%d" % number, "is not a checkpoint, or not in order")
        for item in self.checkpoints:
            kind = item.label.partition(":")[0].upper()
            if not item.signed:
                self.wrong(kind + "_SIGNATURE", item.label, "is not signed with your key")
            if item.origin != origin:
                self.wrong(kind + "_ORIGIN", item.label, "is of another log than yours")
            if item.size > self.manifest["size"]:
                self.wrong(kind + "_BEYOND", item.label, "covers more entries than there are: the end is cut off")
        if self.manifest["origin"] != origin:
            self.wrong("MANIFEST_FORM", "manifest.json", "is of another log than yours")
        if self.text("signer.vkey").strip() not in [key.text for key in self.keys]:
            self.wrong("SIGNER_FOREIGN", "signer.vkey", "is not your key")
        if self.text("signer.pem") not in [pem(key) for key in self.keys]:
            self.wrong("SIGNER_FOREIGN", "signer.pem", "is not your key")

    # What is pruned

    def read_pruned(self):
        """Read the entry that says that the first entries have no text any more; a checkpoint must cover it."""
        size = self.manifest["pruned"]
        if not size:
            return
        lines = self.lines("pruned.jsonl")
        try:
            body = json.loads(lines[0]) if len(lines) == 1 and lines[0].isascii() else None
            self.mark = (
                body["seq"],
                body["pruned"],
                bytes.fromhex(body["pruned_root"]),
                bytes.fromhex(body["kept_root"]),
            )
            if body["act"] != "audit.prune" or body["result"] not in ("begun", "done") or len(lines[0]) > MAX_ENTRY:
                raise ValueError
            if [type(number) for number in (*self.mark[:2], body["kept"])] != [int] * 3 or size != self.mark[1]:
                raise ValueError
            if self.mark[0] < size or [len(root) for root in self.mark[2:]] != [32, 32]:
                raise ValueError
        except (KeyError, TypeError, ValueError, RecursionError):
            raise Broken("PRUNED_FORM", "pruned.jsonl", "is not the entry of a prune of so many entries") from None
        self.mark = self.mark[0], size, self.mark[2], sha256(b"\0" + lines[0].encode()).hexdigest()
        if self.mark[0] >= self.checkpoints[-1].size:
            self.wrong("PRUNED_SIGNATURE", "entry:%d" % self.mark[0], "no checkpoint covers the entry of the prune")

    # Entries and proofs

    def walk(self):
        """Grow the tree from entries and subtree roots; compare it wherever a checkpoint says what it must be."""
        targets = self.checkpoints + ([Checkpoint("", *self.mark[1:3], False, "pruned")] if self.mark else [])
        tree, targets = Tree(), sorted(targets, key=lambda item: item.size)
        self.proved = min(self.checkpoints[-1].size - 1, self.manifest["last"])
        for start, level, leaves in self._merged():
            if start != tree.size:
                raise Broken("LOG_GAP", "entry:%d" % tree.size, "nothing stands for this place in the log")
            while leaves:
                room = next((item.size - tree.size for item in targets if item.size > tree.size), len(leaves))
                if level:
                    tree.push(leaves.pop(), level)
                else:
                    tree.extend(leaves[:room])
                    del leaves[:room]
                targets = self._reach(tree, targets)
        if tree.size != self.manifest["size"] or tree.root().hex() != self.manifest["root"]:
            self.wrong("LOG_ROOT", "manifest.json", "the entries and proofs do not give its size and root")
        if self.count != self.manifest["entries"] or not self.count:
            self.wrong("ENTRY_COUNT", "manifest.json", "the number of entries is not the manifest's")

    def _reach(self, tree, targets):
        while targets and targets[0].size <= tree.size:
            item, kind = targets[0], targets[0].label.partition(":")[0].upper()
            if item.size != tree.size and item.size:
                self.wrong(
                    kind + "_PLACE", item.label, "lies within what is not shown; ask for an export that shows it"
                )
            elif item.size and item.root != tree.root() or not item.size and item.root != sha256(b"").digest():
                self.wrong(kind + "_ROOT", item.label, "the first %d entries do not give its root" % item.size)
            elif item.signed:
                self.signed = max(self.signed, item.size)
            targets = targets[1:]
        return targets

    def _merged(self):
        """Yield (start, level, hashes) of entries (level 0) and subtrees in order of their place."""
        with open(os.path.join(self.folder, "entries.jsonl"), "rb") as stream:
            sparse = self.manifest["kind"] == "customer"
            entries = self._scattered(stream) if sparse else self._consecutive(stream)
            proofs = self._proofs()
            entry, proof = next(entries, None), next(proofs, None)
            while entry or proof:
                if proof is None or entry and entry[0] <= proof[0]:
                    yield entry
                    entry = next(entries, None)
                else:
                    yield proof
                    proof = next(proofs, None)

    def _proofs(self):
        manifest = self.manifest
        for line in self.lines("proofs.txt"):
            match = re.fullmatch("(0|[1-9][0-9]{0,18}) ([1-9][0-9]{0,18}) ([0-9a-f]{64})", line)
            start, count = (int(match[1]), int(match[2])) if match else (1, 2)
            if count & count - 1 or start % count:
                raise Broken("PROOF_FORM", "proofs.txt", "a line is not the root of a full subtree")
            if manifest["kind"] != "customer" and start + count > manifest["first"] and start <= manifest["last"]:
                self.wrong("ENTRY_WITHHELD", "entry:%d" % start, "is kept back though the export says it is there")
            yield start, count.bit_length() - 1, [bytes.fromhex(match[3])]

    def _consecutive(self, stream):
        """Yield the leaves of one run of entries, a block at a time; each must name its number and the leaf before."""
        seq, prev = self.manifest["first"], None
        while True:
            lines, leaves, start = list(itertools.islice(stream, BLOCK)), [], seq
            if not lines:
                return
            if prev is None:
                prev = "0" * 64 if seq == 0 else ""
                self.edges["first"] = self._body(lines[0], seq)
            for line in lines:
                leaf = sha256(b"\0" + line[:-1])
                if (
                    b'"prev":"%s' % prev.encode() not in line
                    or b'"seq":%d,' % seq not in line
                    or line[-1:] != b"\n"
                    or len(line) > MAX_ENTRY + 1
                ):
                    self.wrong("ENTRY_PLACE", "entry:%d" % seq, "does not follow the entry before it")
                leaves.append(leaf.digest())
                prev, seq = leaf.hexdigest(), seq + 1
            self.count += len(lines)
            self.edges["last"] = self._body(lines[-1], seq - 1)
            if start <= self.proved < seq:
                self.leaves[self.proved] = leaves[self.proved - start].hex()
            yield start, 0, leaves

    def _scattered(self, stream):
        """Yield the leaves of entries that stand here and there; each says its number."""
        last, leaf = -1, b""
        for line in stream:
            body = self._body(line, -1)
            seq, prev = body.get("seq"), body.get("prev")
            if type(seq) is not int or seq <= last:
                raise Broken("ENTRY_PLACE", "entry:%d" % (last + 1), "the entries are not in order")
            if seq == last + 1 and prev != (leaf.hex() if seq else "0" * 64):
                self.wrong("ENTRY_PLACE", "entry:%d" % seq, "does not follow the entry before it")
            last, leaf = seq, sha256(b"\0" + line[:-1]).digest()
            self.bodies[seq], self.leaves[seq] = body, leaf.hex()
            self.count += 1
            yield seq, 0, [leaf]

    def _body(self, line, seq):
        try:
            body = json.loads(line) if line.isascii() and line[-1:] == b"\n" and len(line) <= MAX_ENTRY + 1 else None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            self.wrong("ENTRY_FORM", "entry:%d" % seq if seq >= 0 else "entries.jsonl", "an entry is not readable")
            return {}
        return body

    # What is in it

    def check_scope(self, whole):
        """The export is what it says it is: everything, a period with an entry to either side, or one customer's."""
        kind, size, first, last = (self.manifest[name] for name in ("kind", "size", "first", "last"))
        if whole and kind != "all":
            self.wrong("SCOPE_PART", "manifest.json", "the export is not of the whole log")
        pruned = self.manifest["pruned"]
        if kind != "period" and (first, last) != (0 if kind == "customer" else pruned, size - 1):
            self.wrong("SCOPE_PART", "manifest.json", "the export says it is whole and is not")
        if kind == "period":
            early, late = str(self.edges.get("first", {}).get("ts")), str(self.edges.get("last", {}).get("ts"))
            if first not in (0, pruned) and not early < (self.manifest["from"] or ""):
                self.wrong("PERIOD_EDGE", "entry:%d" % first, "the entry before the period is not shown")
            if last < size - 1 and not late >= (self.manifest["to"] or "~"):
                self.wrong("PERIOD_EDGE", "entry:%d" % last, "the entry after the period is not shown")

    def check_inclusion(self):
        """Each line of inclusion.txt leads from an entry that is here to the newest checkpoint's root.

        There is a line for each entry of a customer; of a run of entries, for the newest the checkpoint covers; and
        for the entry that says what is pruned.
        """
        newest, proved = self.checkpoints[-1], []
        if self.mark and self.leaves.setdefault(self.mark[0], self.mark[3]) != self.mark[3]:
            self.wrong("PRUNED_FORM", "pruned.jsonl", "is not the entry that stands at its place")
        for line in self.lines("inclusion.txt"):
            match = re.fullmatch("(0|[1-9][0-9]{0,17}) ([0-9a-f]{64})((?: [LR][0-9a-f]{64})*)", line)
            if match is None:
                raise Broken("PROOF_FORM", "inclusion.txt", "a line is not an inclusion proof")
            index, path = int(match[1]), match[3].split()
            if _sides(index, newest.size) != [step[0] for step in path] or newest.root != folded(
                bytes.fromhex(match[2]), index, newest.size, [bytes.fromhex(step[1:]) for step in path]
            ):
                self.wrong(
                    "PROOF_WRONG", "entry:%d" % index, "its inclusion proof does not lead to the newest checkpoint"
                )
            if self.leaves.get(index) != match[2]:
                self.wrong("PROOF_WRONG", "entry:%d" % index, "its inclusion proof is another entry's")
            proved.append(index)
        if proved != [index for index in sorted(self.leaves) if index < newest.size]:
            self.wrong("PROOF_MISSING", "inclusion.txt", "does not prove what it must, in order")

    def check_customer(self):
        """Every entry touches the customer: it is about it, or a proved leaf says that it changed or showed it."""
        number, touched, last = self.manifest["customer"], {}, None
        for line in self.lines("leaves.jsonl"):
            try:
                item = json.loads(line)
                place = (item["entry"], item["kind"], item["index"])
                digits = item["leaf"] + "".join(item["proof"]) + (item["salt"] or "")
                if list(map(type, place)) != [int, str, int] or last is not None and place <= last:
                    raise ValueError
                if (
                    bytes.fromhex(digits).hex() != digits
                    or json.dumps(item, sort_keys=True, separators=(",", ":")) != line
                ):
                    raise ValueError
                last = place
                code = _leaf_fault(item, self.bodies.get(item["entry"], {}), number)
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
                raise Broken(
                    "LEAF_FORM", "leaves.jsonl", "a line is not a leaf with its proof, or out of order"
                ) from None
            if code:
                self.wrong(code, "entry:%d" % item["entry"], "a leaf of it does not fit")
            touched.setdefault(item["entry"], []).append(item)
        for seq, body in sorted(self.bodies.items()):
            if seq not in touched and body.get("obj") != "customer:%d" % number:
                self.wrong("LEAF_MISSING", "entry:%d" % seq, "nothing shows that it is about this customer")
        for language in ("en", "zh"):
            if self.text("summary.%s.md" % language) != summary(language, self.manifest, self.bodies, touched):
                self.wrong("SUMMARY_CHANGED", "summary.%s.md" % language, "is not the summary of these entries")


def _is_manifest(found):
    """Say whether `found` has the form of a manifest."""
    if not isinstance(found, dict) or set(found) != KEYS or found["format"] != FORMAT:
        return False
    kind, files, offset = found["kind"], found["files"], found["offset"]
    numbers = [found[name] for name in ("size", "first", "last", "entries", "pruned")]
    mine = (type(found["customer"]), type(offset)) == (int, int) and abs(offset) < 1440
    return (
        kind in ("all", "period", "customer")
        and all(type(number) is int and abs(number) < 1 << 53 for number in numbers)
        and all(isinstance(found[name], str) for name in ("origin", "root"))
        and all(found[name] is None or kind == "period" and isinstance(found[name], str) for name in ("from", "to"))
        and (mine if kind == "customer" else found["customer"] is offset is None)
        and 0 <= found["first"] <= found["last"] < found["size"]
        and 0 <= found["pruned"] < found["size"]
        and isinstance(files, dict)
        and all(isinstance(item, dict) and set(item) == {"sha256", "bytes"} for item in files.values())
        and all(isinstance(item["sha256"], str) and type(item["bytes"]) is int for item in files.values())
    )


def _sides(index, size):
    """Return on which side each sibling of an inclusion proof stands, nearest first; None outside the tree."""
    if not 0 <= index < size:
        return None
    found, start, end = [], 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        found.append("R" if index < middle else "L")
        start, end = (start, middle) if index < middle else (middle, end)
    return found[::-1]


def _leaf_fault(item, body, customer):
    """Return what is wrong with a leaf of an entry, "" for nothing. KeyError and the like for no leaf."""
    kind, index, size = item["kind"], item["index"], item["size"]
    names = {"change": ("changes", "changes_root"), "look": ("looks", "looks_root")}[kind]
    leaf, proof = bytes.fromhex(item["leaf"]), [bytes.fromhex(node) for node in item["proof"]]
    if set(item) != {"content", "entry", "index", "kind", "leaf", "proof", "salt", "size"} or type(size) is not int:
        raise ValueError
    root = folded(leaf, index, size, proof)
    if root is None or body.get(names[0]) != size or body.get(names[1]) != root.hex():
        return "LEAF_PROOF"
    if item["content"] is None and item["salt"] is None:
        return ""
    if sha256(b"\0" + bytes.fromhex(item["salt"]) + item["content"].encode()).digest() != leaf:
        return "LEAF_CONTENT"
    said = json.loads(item["content"])
    if said["customer"] != customer or kind == "look" and (said["run"], said["position"]) != (body.get("run"), index):
        return "LEAF_CONTENT"
    return ""


# The summary of one customer -----------------------------------------------------------------------------------------

ACTS = {
    "customer.show": ("looked at the customer", "查看了该客户"),
    "customer.list": ("listed customers, this one among them", "列出了包括该客户在内的客户"),
    "customer.find": ("looked customers up and found this one", "查询到该客户"),
    "customer.history": ("looked at the customer's history", "查看了该客户的变更历史"),
    "customer.import": ("created or changed the customer by import", "通过导入新建或更改了该客户"),
    "customer.reveal": ("had values of the customer shown in full", "查看了该客户的完整信息"),
    "customer.export": ("exported customers, this one among them", "导出了包括该客户在内的客户"),
    "tier.regrade": ("graded the customer", "评定了该客户的等级"),
    "tier.explain": ("asked why the customer has its tier", "查询了该客户等级的理由"),
    "audit.list": ("looked into the log about the customer", "查看了有关该客户的日志"),
    "audit.export": ("exported the log about the customer", "导出了有关该客户的日志"),
}
RESULTS = {
    "done": ("done", "完成"), "begun": ("begun", "已开始"), "refused": ("refused", "已拒绝"),
    "denied": ("denied", "无权限"), "failed": ("failed", "失败"),
}  # fmt: skip
TITLES = {
    "en": (
        "# What the audit log says of customer C-%06d\n\n"
        "Log %s, %d entries in all; %d of them are about this customer. Times have the offset %s.\n"
        "A summary of entries.jsonl, made again and compared whenever the export is verified.\n\n",
        "- No. %d, %s: %s %s%s. Result: %s.\n",
        (", fields %s", ", purpose %s", ", ticket %s"),
        ("%d changes", "shown in a list", "%d of them with contents destroyed"),
    ),
    "zh": (
        "# 审计日志中有关客户 C-%06d 的记录\n\n"
        "日志 %s，共 %d 条，其中 %d 条与该客户有关。时间所用时差：%s。\n"
        "本摘要由 entries.jsonl 生成；每次验证时都会重新生成并比对。\n\n",
        "- 第 %d 条，%s：%s %s%s。结果：%s。\n",
        ("，字段 %s", "，用途 %s", "，工单 %s"),
        ("更改 %d 处", "出现在列表中", "其中 %d 处内容已销毁"),
    ),
}


def summary(language: str, manifest: Mapping, bodies: Mapping, leaves: Mapping) -> str:
    """Return the summary of one customer's entries (seq → body) and leaves (seq → items), in "en" or "zh"."""
    head, line, details, touches = TITLES[language]
    place, minutes = language == "zh", manifest["offset"]
    offset = "%s%02d:%02d" % ("-" if minutes < 0 else "+", abs(minutes) // 60, abs(minutes) % 60)
    found = head % (manifest["customer"], _word(manifest["origin"]), manifest["size"], len(bodies), offset)
    for seq, body in sorted(bodies.items()):
        actor, act = body.get("actor"), _word(body.get("act"))
        who = _word(actor.get("person") if isinstance(actor, dict) else None)
        did = "%s (%s)" % (ACTS[act][place], act) if act in ACTS else act
        values = [body.get(name) for name in ("fields", "purpose", "ticket")]
        more = "".join(text % _word(value) for text, value in zip(details, values) if value)
        items = leaves.get(seq, [])
        changes = sum(item["kind"] == "change" for item in items)
        gone = sum(item["content"] is None for item in items)
        said = (
            [touches[0] % changes] * bool(changes)
            + [touches[1]] * (len(items) > changes)
            + [touches[2] % gone] * bool(gone)
        )
        more += " (%s)" % ", ".join(said) if said else ""
        result = _word(body.get("result"))
        told = RESULTS[result][place] if result in RESULTS else result
        found += line % (seq, _local(body.get("ts"), minutes, offset), who, did, more, told)
    return found


def _local(text, minutes, offset):
    try:
        moment = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ") + datetime.timedelta(minutes=minutes)
    except (TypeError, ValueError, OverflowError):
        return _word(text)
    return moment.strftime("%Y-%m-%d %H:%M:%S ") + offset


def _word(value):
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(c if c.isprintable() and c not in "<>[]`|" else "?" for c in text)[:80]


def _shown(text):
    return text.encode("ascii", "backslashreplace").decode()[:80]


# The command line ----------------------------------------------------------------------------------------------------


def verify(folder, keys, pin, whole=False):
    """Verify the export in `folder` against your keys (Key) and your checkpoint (the note's text); return a Result."""
    bundle = Bundle(folder, keys)
    try:
        bundle.read_manifest()
        bundle.check_files()
        if not bundle.problems:
            bundle.read_checkpoints(pin)
            bundle.read_pruned()
            bundle.walk()
            bundle.check_scope(whole)
            bundle.check_inclusion()
            if bundle.manifest["kind"] == "customer":
                bundle.check_customer()
    except Broken as error:
        bundle.wrong(*error.args)
    manifest = bundle.manifest
    last = max(bundle.bodies, default=manifest.get("last", 0))
    scope = [manifest.get(name) for name in ("kind", "size", "entries", "first")]
    return Result(
        bundle.problems, *scope, last, bundle.signed, bundle._hash("manifest.json")[0], manifest.get("pruned", 0)
    )


def exit_status(result):
    """Return 13 when something does not fit, 14 when the newest entries shown are not signed, else 0."""
    return 13 if result.problems else 0 if result.last < result.signed else 14


def _from_file(value, what):
    try:
        if what == "key" and not os.path.exists(value):
            return value
        with open(value, "rb") as stream:
            return stream.read(MAX_SMALL).decode()
    except (OSError, ValueError):
        raise SystemExit("verify_audit: %s: cannot be read" % value) from None


def main(arguments=None):
    """Verify what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=".")
    parser.add_argument(
        "--key", required=True, action="append", help="a verifier key you trust, or its file (again for more)"
    )
    parser.add_argument("--pin", required=True, help="the file of the newest checkpoint you know (the last in it)")
    parser.add_argument("--whole", action="store_true", help="fail unless every entry of the log is there")
    given = parser.parse_args(arguments)
    try:
        keys = [parse_key(_from_file(value, "key")) for value in given.key]
    except ValueError:
        parser.error("--key: not a verifier key")
    pin = [text for text in _from_file(given.pin, "pin").split("%%\n") if text] or [""]
    result = verify(given.folder, keys, pin[-1], given.whole)
    status = exit_status(result)
    for code, subject, message in result.problems[:MAX_SHOWN]:
        print("%s  %s  %s" % (code, subject, message))
    if len(result.problems) > MAX_SHOWN:
        print("... and %d more" % (len(result.problems) - MAX_SHOWN))
    if result.kind:
        print("export: %s, %d of %d entries; signed: %d" % (result.kind, result.entries, result.size, result.signed))
    if result.pruned and not result.problems:
        told = "entries 0 to %d: pruned, covered by the checkpoint of %d entries"
        print(told % (result.pruned - 1, result.signed))
    print("manifest: sha256 %s" % result.manifest)
    words = {0: "VALID, and signed to the end", 13: "NOT VALID", 14: "valid; the newest entries are not signed yet"}
    print(words[status])
    return status


if __name__ == "__main__":
    sys.exit(main())
