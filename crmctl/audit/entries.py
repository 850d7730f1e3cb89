"""Entries of the log: built from a fixed set of keys, written as exact bytes, at the end of the caller's transaction.

An entry is one line of canonical ASCII JSON: sorted keys, no spaces, no floats, integers below 2^53, at most 8 KiB. The
stored bytes are what is hashed; nothing is ever written again to verify it. Every key has a form that admits codes,
numbers, hashes and times only: there is no key for free text, and so no personal data in the log (security.md 2(d)).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import orjson
from sqlalchemy import Connection, bindparam, insert, select, update

from crmctl.audit.reading import as_bytes
from crmctl.audit.tables import audit_entry, audit_head
from crmctl.audit.tree import HASH_SIZE, Frontier, leaf_hash
from crmctl.clock import stamp
from crmctl.errors import IntegrityFailed
from crmctl.i18n import _

VERSION = 1
RESULTS = ("done", "begun", "refused", "denied", "failed")
MAX_BYTES = 8192
MAX_INT = 2**53
MAX_ITEMS = 200
GENESIS = bytes(HASH_SIZE)

_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}", re.ASCII)
PERSON = re.compile(r"(?:job:)?\w[\w.@-]{0,63}")  # as access.yaml names them, in any script; escaped in the bytes
_TERMINAL = re.compile(r"/dev/[a-z0-9/]{1,32}", re.ASCII)
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_OBJECT = re.compile(r"[a-z][a-z_]{0,31}:(?:[0-9]{1,15}|[a-z][a-z0-9_.-]{0,63})", re.ASCII)
_TICKET = re.compile(r"[A-Z]{2,10}-[0-9]{1,10}(?:-[0-9]{1,9})?", re.ASCII)  # CRM-4711, CMP-20261121-0007
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_NOT_HOST = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_MANY_DIGITS = re.compile(r"[0-9]{7}", re.ASCII)  # a telephone or ID number dressed up as a code


class ActorLike(Protocol):
    """Who acts, as `security.actor.Actor` says it; `evidence` is noted and believed by nobody."""

    @property
    def person(self) -> str: ...
    @property
    def uid(self) -> int: ...
    @property
    def via(self) -> str: ...
    @property
    def roles(self) -> Sequence[str]: ...
    @property
    def evidence(self) -> Mapping[str, int | str]: ...


class Appended(NamedTuple):
    """Where an entry stands in the log, and its leaf."""

    seq: int
    leaf: bytes


def _text(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _without_digits(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value)) and not _MANY_DIGITS.search(value)


_code = _text(_CODE)


def _int(value: object) -> bool:
    return type(value) is int and 0 <= value < MAX_INT


def _list(of: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and len(value) <= MAX_ITEMS and all(map(of, value))


def _counts(value: object) -> bool:
    return isinstance(value, dict) and len(value) <= MAX_ITEMS and all(_code(k) and _int(v) for k, v in value.items())


def _range(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_int, value)) and value[0] <= value[1]


_EVIDENCE: Mapping[str, Callable[[object], bool]] = {"loginuid": _int, "sudo_uid": _int, "tty": _text(_TERMINAL)}
_ACTOR_KEYS = {"person", "uid", "via", "roles", *_EVIDENCE}


def _actor(value: object) -> bool:
    return (
        isinstance(value, dict)
        and {"person", "uid", "via", "roles"} <= value.keys() <= _ACTOR_KEYS
        and _text(PERSON)(value["person"])
        and _int(value["uid"])
        and _code(value["via"])
        and _list(_code)(value["roles"])
        and all(_EVIDENCE[name](value[name]) for name in value.keys() & _EVIDENCE.keys())
    )


# Every key an entry may have besides what `append` adds (v, seq, prev, skew), and the form of its value.
_FORMS: Mapping[str, Callable[[object], bool]] = {
    "act": _code,  # customer.import, audit.list, …
    "actor": _actor,
    "ts": _text(_TIME),
    "result": lambda value: value in RESULTS,
    "run": _int,
    "batch": _int,
    "chunk": _int,
    "job": _code,
    "as_of": _text(_TIME),
    "obj": _text(_OBJECT),  # the one object looked at or changed: customer:123
    "n": _int,  # how many objects were looked at or changed
    "fields": _list(_code),  # names, never values
    "purpose": _without_digits(_CODE),
    "ticket": _text(_TICKET),
    "policy": _text(_HASH),
    "changes": _int,  # leaves of this chunk …
    "changes_root": _text(_HASH),  # … and their root
    "looks": _int,  # customers this command showed …
    "looks_root": _text(_HASH),  # … and the root of their leaves in table look
    "approval": _int,  # under which it was done, or which it is about
    "use": _int,  # the use request it was done under
    "recipient": _without_digits(_CODE),  # of a copy: code of the use policy
    "about": _text(PERSON),  # the person an entry is about: whose access changed, who was refused
    "granted": _list(_code),
    "revoked": _list(_code),
    "rows": _range,  # first and last source row; of a prune, first and last entry that lost its text
    "emptied": _int,  # a run: `n` of its changes lost the values before them
    "pruned": _int,  # so many entries of the beginning have no text any more …
    "pruned_root": _text(_HASH),  # … and the root of their leaves
    "kept": _int,  # chunks and looks that those entries spoke of …
    "kept_root": _text(_HASH),  # … and the root over what they said
    "source": _text(_HASH),  # of the imported or exported file
    "counts": _counts,
    "codes": _list(_without_digits(_REASON)),  # reasons: NAME_MISSING, …
    "host": _text(_HOST),
}
_REQUIRED = {"act", "actor", "ts", "result"}
_DROPPED: tuple[object, ...] = (None, "", [], {})


def entry(*, act: str, actor: ActorLike, at: datetime, result: str, **fields: Any) -> dict[str, Any]:
    """Return the body of an entry for `append`; of `fields` (the keys of the table above), empty ones are left out.

    Tuples may stand for lists. Raises ValueError, naming the key, for an unknown key or a value not of its form.
    """
    evidence = {name: value for name, value in actor.evidence.items() if name in _EVIDENCE and _EVIDENCE[name](value)}
    who = {"person": actor.person, "uid": actor.uid, "via": actor.via, "roles": sorted(actor.roles), **evidence}
    body: dict[str, Any] = {
        "act": act,
        "actor": who,
        "ts": stamp(at),
        "result": result,
    }
    for key, value in fields.items():
        if isinstance(value, tuple):
            value = list(value)
        elif key == "host" and value:
            value = _NOT_HOST.sub("_", value)
        if value not in _DROPPED:
            body[key] = value
    check(body)
    return body


def check(body: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the key and never the value, when `body` is not an entry's body."""
    missing = _REQUIRED - body.keys()
    if missing:
        raise ValueError(f"audit entry: {min(missing)} is missing")
    for key, value in body.items():
        form = _FORMS.get(key)
        if form is None:
            raise ValueError(f"audit entry: no such key: {key[:40]!r}")
        if not form(value):
            raise ValueError(f"audit entry: {key} is not of its form")
    if ("changes_root" in body) != bool(body.get("changes")):
        raise ValueError("audit entry: changes and changes_root go together")
    if ("looks_root" in body) != bool(body.get("looks")):
        raise ValueError("audit entry: looks and looks_root go together")
    if len({"pruned", "pruned_root", "kept", "kept_root"} & body.keys()) not in (0, 4):
        raise ValueError("audit entry: pruned, pruned_root, kept and kept_root go together")
    if body.get("changes") and not {"run", "chunk"} <= body.keys():
        raise ValueError("audit entry: changes belong to a run and a chunk")


def line(body: Mapping[str, Any], seq: int, prev: bytes, *, skew: bool = False) -> bytes:
    """Return the exact bytes of entry `seq`, which follows the entry with leaf `prev`. Raises ValueError over 8 KiB."""
    whole = {**body, "v": VERSION, "seq": seq, "prev": prev.hex()}
    if skew:
        whole["skew"] = True
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")
    if len(text) > MAX_BYTES:
        raise ValueError("audit entry: larger than 8 KiB")
    return text


_LOCKED_HEAD = (
    select(audit_head.c.size, audit_head.c.last_leaf, audit_head.c.frontier)
    .where(audit_head.c.id == 1)
    .with_for_update()  # SQLite has none and needs none: writers take turns there
)
_INSERT = insert(audit_entry).values(
    {name: bindparam(name) for name in ("seq", "leaf", "prev", "body")},
)
_MOVE_HEAD = (
    update(audit_head)
    .where(audit_head.c.id == 1)
    .values(size=bindparam("size"), last_leaf=bindparam("last_leaf"), frontier=bindparam("frontier"))
)


def append(conn: Connection, body: Mapping[str, Any]) -> Appended:
    """Write an entry within the caller's transaction: all or nothing with the data it is about.

    Call it last: it locks the head of the log until the transaction ends. The time is the body's; when it lies before
    the newest entry's, the entry says `skew` (order is `seq`, never time). Raises ValueError for a body that is no
    entry, IntegrityFailed 13 when the log does not end as its head says.
    """
    check(body)
    frontier, prev = _locked_head(conn)
    seq = frontier.size
    newest = _newest(conn)
    if (newest[0] + 1, newest[1]) != (seq, prev) if newest else seq:
        raise _broken()
    text = line(body, seq, prev, skew=newest is not None and body["ts"] < _time_of(newest[2]))
    leaf = leaf_hash(text)
    frontier.append(leaf)
    conn.execute(_INSERT, {"seq": seq, "leaf": leaf, "prev": prev, "body": text.decode("ascii")})
    conn.execute(_MOVE_HEAD, {"size": frontier.size, "last_leaf": leaf, "frontier": frontier.to_bytes()})
    return Appended(seq, leaf)


def settle(conn: Connection) -> None:
    """Wait until no other transaction holds the end of the log.

    A server finishes a COMMIT it has been sent although the client is dead. Every transaction with rows holds the head
    until its commit is through; after this, what a killed run wrote is there or never will be.
    """
    conn.execute(_LOCKED_HEAD).first()


def _locked_head(conn: Connection) -> tuple[Frontier, bytes]:
    """Return the frontier and the newest leaf, locked; the very first time, make the head."""
    head = conn.execute(_LOCKED_HEAD).first()
    if head is None:
        _begin_head(conn)  # or wait for whoever begins it now; a head lost from a log with entries shows in `append`
        head = conn.execute(_LOCKED_HEAD).one()
    try:
        return Frontier.from_bytes(head.size, head.frontier), head.last_leaf
    except ValueError:
        raise _broken() from None


def _newest(conn: Connection) -> tuple[int, bytes, bytes] | None:
    """Return number, leaf and bytes of the newest entry; as text, what is not UTF-8 any more could not be read."""
    columns = audit_entry.c
    query = select(columns.seq, columns.leaf, as_bytes(conn, columns.body)).order_by(columns.seq.desc()).limit(1)
    found = conn.execute(query).first()
    if found is None:
        return None
    seq, leaf, body = found
    return seq, leaf, body


def _begin_head(conn: Connection) -> None:
    if conn.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_once
    else:
        from sqlalchemy.dialects.sqlite import insert as insert_once  # type: ignore[assignment]
    first = {"id": 1, "size": 0, "last_leaf": GENESIS, "frontier": b""}
    conn.execute(insert_once(audit_head).values(first).on_conflict_do_nothing())


def _time_of(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["ts"])
    except (ValueError, KeyError, TypeError):
        raise _broken() from None


def _broken() -> IntegrityFailed:
    return IntegrityFailed(
        _("the audit log does not end as its head says; nothing was written"),
        hint=_("see what differs with: crmctl audit verify"),
        code="LOG_HEAD",
    )
