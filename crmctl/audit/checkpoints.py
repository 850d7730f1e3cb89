"""Checkpoints in the database: made by the workspace's own signer or brought from another, believed by keys alone.

Whose signatures count stands in audit.yaml, else in signer.vkey of the workspace; the database is asked for notes,
never for trust. A checkpoint counts once it is stored, and is stored once every required anchor has it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from sqlalchemy import Connection, func, insert, select

from crmctl.audit import anchors, note, pruned, raw, signing
from crmctl.audit.following import Position, follow, not_extended
from crmctl.audit.policy import AuditSettings
from crmctl.audit.tables import audit_head, checkpoint
from crmctl.audit.verify_entries import Trust
from crmctl.errors import IntegrityFailed, InvalidInput, KeyMissing
from crmctl.files import write_text
from crmctl.i18n import _
from crmctl.store.engine import read, write

if TYPE_CHECKING:
    from crmctl.audit.anchors import Outcome
    from crmctl.policy import PolicySet
    from crmctl.runs.run import Run
    from crmctl.workspace import Workspace

PUBLISHED = "signer.vkey"
REACHED = "checkpoint.json"


class Stored(NamedTuple):
    """A row of table `checkpoint`."""

    seq: int
    size: int
    root: bytes
    note: str
    added_at: datetime


@dataclass(frozen=True)
class Done:
    """What came of a checkpoint: `added` entries are signed that were not, `new` says whether it is stored now first.

    `vkey` is what it was signed with; empty where another signer's note was added.
    """

    new: bool
    added: int
    size: int
    root: bytes
    origin: str
    note: str
    vkey: str
    anchors: tuple[Outcome, ...] = ()


def settings_of(policies: PolicySet) -> AuditSettings:
    """Return the settings of audit.yaml, or the defaults where the workspace has none."""
    if not policies.of_kind("audit"):
        return AuditSettings()
    return cast("AuditSettings", policies.settings("audit"))


def origin_of(place: Workspace, settings: AuditSettings) -> str:
    """Return the name of this workspace's log in its checkpoints."""
    return settings.origin or f"crmctl/{place.get('instance')}"


def signers_of(place: Workspace, settings: AuditSettings) -> tuple[str, ...]:
    """Return the verifier keys that count. Raises KeyMissing when signer.vkey of the workspace is no key."""
    if settings.signers:
        return tuple(settings.signers)
    path = place.root / PUBLISHED
    if not path.exists():
        return ()
    try:
        return (str(note.parse_vkey(path.read_text("utf-8").strip())),)
    except (OSError, ValueError):
        raise KeyMissing(
            _("{path}: does not hold a verifier key").format(path=path),
            hint=_("restore it from {name} of the signer's folder").format(name=signing.PUBLIC),
            code="SIGNER_INVALID",
        ) from None


def trust_of(place: Workspace, settings: AuditSettings) -> Trust:
    """Return what says whether a checkpoint's note can be believed: of this log, of that size and root, well signed.

    A log that went on under another name (after a restore) was called what its former signers are called.
    """
    keys = [note.parse_vkey(text) for text in signers_of(place, settings)]
    origins = {origin_of(place, settings), *(key.name for key in keys)}

    def trusted(text: str, size: int, root: bytes) -> bool:
        try:
            said = note.parse_checkpoint(note.parse(text).text)
        except ValueError:
            return False
        return said.origin in origins and said[1:] == (size, root) and any(note.verify(text, key) for key in keys)

    return trusted


def newest(conn: Connection, trust: Trust | None = None) -> Stored | None:
    """Return the checkpoint of the most entries, with `trust` the one of those it believes; None when there is none."""
    return next(stored(conn, trust), None)


def stored(conn: Connection, trust: Trust | None, above: int = -1) -> Iterator[Stored]:
    """Yield the checkpoints of more than `above` entries, most entries first, with `trust` those it believes."""
    columns = checkpoint.c
    statement = select(columns.seq, columns.size, columns.root, columns.note, columns.added_at)
    for row in conn.execute(statement.where(columns.size > above).order_by(columns.size.desc(), columns.seq.desc())):
        found = Stored(*row)
        if trust is None or trust(found.note, found.size, found.root):
            yield found


def make(run: Run) -> Done:
    """Sign the log as it is with the workspace's own signer, where it extends what that signed last; store it.

    A dry run follows the log and says what it would sign. Raises IntegrityFailed 13 for a log that was put back or
    rewritten, KeyMissing for a signer that is not this workspace's, StorageFailed when a required anchor fails.
    """
    place, settings = run.workspace, settings_of(run.policies)
    origin = origin_of(place, settings)
    if run.dry_run:
        known = signing.load(place.signer, origin) if signing.exists(place.signer) else None
        end = _followed(run, known.signed if known else Position())
        was = known.signed.size if known else 0
        return Done(False, end.size - was, end.size, end.root, origin, "", known.vkey if known else "")
    _refuse_inside(place)
    if not signing.exists(place.signer):
        _refuse_elsewhere(place, settings)
    signing.make_place(place.signer)
    with signing.held(place.signer, place.timeout):
        signer = signing.load(place.signer, origin) if signing.exists(place.signer) else None
        signer = signer or signing.make(place.signer, origin)
        _publish(place, settings, signer.vkey)
        was, end = signer.signed.size, _followed(run, signer.signed)
        if end.size > was:
            signer = signer.sign(end)
    new, outcomes = _keep(run, settings, Stored(0, end.size, end.root, signer.note, run.at))
    return Done(new, end.size - was, end.size, end.root, origin, signer.note, signer.vkey, tuple(outcomes))


def _followed(run: Run, signed: Position) -> Position:
    """Return where the log in the database ends, followed from `signed`; its head must say the same."""
    trust = trust_of(run.workspace, settings_of(run.policies))
    with read(run.engine) as conn:
        marks = {row.size: row.root for row in stored(conn, trust, signed.size - 1)}
        begin = pruned.size(conn)
        if begin and not signed.size:  # a new signer: what was signed before vouches for what has no text any more
            if begin > max(marks, default=0):
                raise not_extended(_("entries {first} to {last} are missing").format(first=0, last=begin - 1))
            signed = pruned.position(conn, begin)
            if marks.get(begin, signed.root) != signed.root:
                raise not_extended(
                    _("the first {size} entries do not give the root that was signed").format(size=begin)
                )
        with contextlib.closing(raw.lines(conn, signed.size - 2)) as lines:
            end = follow(lines, signed, marks)
        columns = audit_head.c
        head = conn.execute(select(columns.size, columns.last_leaf, columns.frontier)).first()
    if head is None or tuple(head) != (end.size, end.last_leaf, end.tree.to_bytes()):
        raise not_extended(_("its head says something else than its entries"))
    return end


def add(run: Run, text: str) -> Done:
    """Store another signer's checkpoint: signed by a key that counts, with the root that this log has at that size.

    Raises InvalidInput for what is no checkpoint of this log, IntegrityFailed 13 for a signature that does not count
    and for a root or size that this log does not have, StorageFailed when a required anchor fails.
    """
    place, settings = run.workspace, settings_of(run.policies)
    origin, trust = origin_of(place, settings), trust_of(place, settings)
    said = _checked(text, origin, trust)
    with read(run.engine) as conn:
        before = newest(conn, trust)
        start = _reached(place, before, said.size)
        start = start if start.size else pruned.position(conn, min(pruned.size(conn), said.size))
        with contextlib.closing(raw.lines(conn, start.size - 2, said.size - 1)) as lines:
            end = start if _ends(start, said) else follow(lines, start, {said.size: said.root})
    wanted = Stored(0, said.size, said.root, text, run.at)
    added = max(said.size - (before.size if before else 0), 0)
    if run.dry_run:
        return Done(False, added, said.size, said.root, origin, text, "")
    new, outcomes = _keep(run, settings, wanted)
    if new:
        write_text(_reached_file(place), json.dumps(end.document()) + "\n", replace=True)
    return Done(new, added, said.size, said.root, origin, text, "", tuple(outcomes))


def _ends(start: Position, said: note.Checkpoint) -> bool:
    """Say whether a checkpoint covers exactly what is pruned, or less: its own root vouches for that."""
    return 0 < start.size == said.size and start.root == said.root


def _checked(text: str, origin: str, trust: Trust) -> note.Checkpoint:
    try:
        said = note.parse_checkpoint(note.parse(text).text)
    except ValueError:
        raise InvalidInput(
            _("not a signed checkpoint"),
            hint=_("give the file that `crmctl audit checkpoint --log -` wrote"),
            code="NOTE_INVALID",
        ) from None
    if said.origin != origin:
        raise InvalidInput(
            _("a checkpoint of the log {theirs}, this is {ours}").format(theirs=said.origin, ours=origin),
            hint=_("the signer's --origin and `origin` of policies/audit.yaml must be the same"),
            code="ORIGIN_DIFFERS",
        )
    if not trust(text, said.size, said.root):
        raise IntegrityFailed(
            _("the checkpoint is not signed by a key that counts here"),
            hint=_("name the signer's verifier key under `signers` in policies/audit.yaml"),
            code="NOTE_UNTRUSTED",
        )
    return said


def _keep(run: Run, settings: AuditSettings, wanted: Stored) -> tuple[bool, list[Outcome]]:
    """Pass a checkpoint to the anchors and store it unless it is; the optional ones may fail. Say whether it is new."""
    book = anchors.Book.read(run.workspace.root / "data")
    required = [anchor for anchor in settings.anchors if anchor.required]
    outcomes = anchors.pass_on(required, wanted.size, wanted.note, book)
    anchors.require(outcomes)
    with write(run.engine) as conn:
        same = (checkpoint.c.size == wanted.size) & (checkpoint.c.note == wanted.note)
        new = conn.execute(select(checkpoint.c.seq).where(same)).first() is None
        if new:
            number = conn.execute(select(func.coalesce(func.max(checkpoint.c.seq) + 1, 0))).scalar_one()
            conn.execute(insert(checkpoint).values({**wanted._asdict(), "seq": number}))
    optional = [anchor for anchor in settings.anchors if not anchor.required]
    return new, outcomes + anchors.pass_on(optional, wanted.size, wanted.note, book)


def _reached(place: Workspace, before: Stored | None, size: int) -> Position:
    """Return how far this log was followed when the newest checkpoint was added; its signed root vouches for that."""
    try:
        document: Mapping[str, object] = json.loads(_reached_file(place).read_bytes())
        found = Position.read(document)
    except (OSError, ValueError, TypeError):
        return Position()
    vouched = before is not None and (found.size, found.root) == (before.size, before.root)
    return found if vouched and found.size <= size else Position()


def _reached_file(place: Workspace) -> Path:
    return place.root / "data" / REACHED


def _refuse_inside(place: Workspace) -> None:
    if place.root.resolve() in (place.signer, *place.signer.parents):
        raise InvalidInput(
            _("{path}: the signer may not lie in the workspace").format(path=place.signer),
            hint=_("name another place as `signer` in crmctl.yaml"),
            code="SIGNER_IN_WORKSPACE",
        )


def _refuse_elsewhere(place: Workspace, settings: AuditSettings) -> None:
    """Raise KeyMissing rather than make a key where audit.yaml names those that count."""
    if signers_of(place, settings):
        raise KeyMissing(
            _("{folder}: no signer here, and others are named already").format(folder=place.signer),
            hint=_("mount or restore it, or sign where it is: crmctl audit checkpoint --log - and --add"),
            code="SIGNER_MISSING",
        )


def _publish(place: Workspace, settings: AuditSettings, vkey: str) -> None:
    """Put the verifier key into the workspace, once; a signer whose key does not count must not sign."""
    known = signers_of(place, settings)
    if not known:
        write_text(place.root / PUBLISHED, vkey + "\n")
    elif vkey not in known:
        raise KeyMissing(
            _("the signer's key is none of those that count here: {vkey}").format(vkey=vkey),
            hint=_("add it to `signers` in policies/audit.yaml, beside those that signed before"),
            code="SIGNER_UNKNOWN",
        )
