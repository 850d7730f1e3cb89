"""How purges stand, in words: lists, one whole, verification, proofs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from crmctl.cli.render import Column, Part, Table
from crmctl.clock import local
from crmctl.i18n import N_, _
from crmctl.retention import leaving, telling
from crmctl.retention.horizon import Horizon
from crmctl.retention.proving import Proof
from crmctl.retention.showing import Shown
from crmctl.retention.verifying import Verified
from crmctl.retention.waiting import Purge
from crmctl.runs.run import Run

CHECKS = {
    "digests": N_("digests of the destroyed"),
    "rows": N_("rows of theirs in any table"),
    "identities": N_("ways to find them"),
    "images": N_("images and salts in the change log"),
    "rejected_rows": N_("rejected rows, and what is sealed of their imports"),
    "old_values": N_("values before changes whose time was over"),
    "keys": N_("data keys in any key store"),
    "files": N_("pieces of their envelopes in the database's files"),
}
BECOMES = {
    "destroy": N_("to be destroyed"),
    "purging": N_("being destroyed"),
    "archive": N_("to be put away"),
    "archived": N_("put away"),
    "kept": N_("stays"),
}
_LISTED = (
    Column("plan", N_("Purge plan"), right=True),
    Column("state", N_("State"), lambda value: _(telling.STANDING[value])),
    Column("planned_at", N_("Planned")),
    Column("planned_by", N_("Planned by")),
    Column("destroy", N_("To destroy"), lambda value: f"{value:,}", right=True),
    Column("archive", N_("To put away"), lambda value: f"{value:,}", right=True, detail=True),
    Column("kept", N_("Kept back"), lambda value: f"{value:,}", right=True),
    Column("destroyed", N_("Customers destroyed"), lambda value: f"{value:,}", right=True),
    Column("imports", N_("Imports with rejected rows"), lambda value: f"{value:,}", right=True),
    Column("runs", N_("Runs with old values"), detail=True),
    Column("erasure_complete_after", N_("No copy opens after")),
)
_WHAT = (Column("what", N_("What")), Column("value", N_("Value")))


def row(run: Run, found: Purge) -> tuple[Any, ...]:
    """Return a purge as a row of the list."""
    plan, done = found.plan, found.destruction
    after = local(done.complete_after, run.zone) if done and done.complete_after else None
    return (
        plan.plan_id,
        found.state,
        local(plan.created_at, run.zone),
        plan.person,
        sum(plan.summary.get("destroy", {}).values()),
        sum(plan.summary.get("archive", {}).values()),
        sum(plan.summary.get("keep", {}).values()),
        done.counts.get("destroyed") if done else None,
        sum(not each["kept"] for each in plan.summary.get("rejected_rows", {}).get("imports", ())),
        plan.summary.get("old_values", {}).get("runs", 0),
        after,
    )


def table(rows: Sequence[tuple[Any, ...]]) -> Table:
    """Return the list."""
    return Table(_LISTED, rows, "purges")


def horizons(run: Run, found: Sequence[Horizon]) -> Table:
    """Return how far each destruction is."""
    columns = (
        Column("plan", N_("Purge plan"), right=True),
        Column("shredded_at", N_("Keys destroyed")),
        Column("master_keys", N_("Master keys that copies need")),
        Column("backups", N_("Backups that open it"), detail=not any(each.backups for each in found)),
        Column("expected", N_("To be destroyed from")),
        Column("complete_at", N_("Complete")),
    )

    def at(moment: datetime | None) -> str | None:
        return None if moment is None else local(moment, run.zone)

    rows = [
        (
            each.plan_id,
            at(each.shredded_at),
            list(each.epochs),
            list(each.backups),
            at(each.expected),
            at(each.complete_at),
        )
        for each in found
    ]
    return Table(columns, rows, "purges")


def verified_document(done: Verified) -> dict[str, Any]:
    """Return the JSON of a verification."""
    return {
        "run_id": done.run_id,
        "plan": done.plan_id,
        "clean": done.clean,
        "checks": [{"check": each.code, "looked": each.looked, "found": each.found} for each in done.checks],
        "record_sha256": done.record_hash,
        "signed": done.signed,
        "backup_untried": done.untried,
        "backup_opens": done.trial.resurrected if done.trial is not None else None,
    }


def verified_parts(done: Verified, dry_run: bool) -> Iterator[Part]:
    """Yield what people read of a verification."""
    columns = (
        Column("check", N_("Looked for"), lambda code: _(CHECKS[code])),
        Column("looked", N_("Places"), lambda value: f"{value:,}", right=True),
        Column("found", N_("Found"), lambda value: f"{value:,}", right=True),
    )
    yield Table(columns, [(each.code, each.looked, each.found) for each in done.checks])
    if done.untried:
        yield _("That no backup opens them was not tried since: crmctl backup drill SET --keys-set SET")
    elif done.trial is not None and done.trial.resurrected:
        yield _(
            "The newest trial of a backup found {number} of the destroyed who open; see: crmctl backup list"
        ).format(number=f"{done.trial.resurrected:,}")
    if dry_run:
        yield _("Nothing was written.")
    elif done.record_hash is not None:
        yield _("Destruction record: SHA-256 {digest}").format(digest=done.record_hash)
        if done.signed:
            yield _("It is in the log, and the log is signed: crmctl purge show {plan} --record").format(
                plan=done.plan_id
            )
        else:
            yield _("It is in the log; the next checkpoint signs it: crmctl audit checkpoint")


def proof_parts(run: Run, proof: Proof) -> Iterator[Part]:
    """Yield what people read of a proof."""
    found = proof.destruction
    yield _("The record of plan {plan} speaks of the holder of this receipt: digest {index} of {size}.").format(
        plan=found.plan_id, index=proof.index + 1, size=f"{proof.size:,}"
    )
    lines: list[tuple[str, str]] = []
    if found.shredded_at is not None:
        lines.append((_("Destroyed"), local(found.shredded_at, run.zone)))
    if found.complete_after is not None:
        lines.append((_("No copy opens after"), local(found.complete_after, run.zone)))
    lines += [(_("Digest"), proof.leaf.hex()), (_("Root"), proof.root.hex())]
    if found.record_hash is not None:
        lines.append((_("Destruction record"), found.record_hash.hex()))
    yield Table(_WHAT, lines)


def show_parts(shown: Shown) -> Iterator[Part]:
    """Yield what people read of one purge."""
    if shown.record is not None:
        yield shown.record
        return
    told = shown.document
    lines: list[tuple[str, str]] = [(_("State"), _(telling.STANDING[told["state"]]))]
    for name, heading in _LINES:
        if told[name]:
            lines.append((_(heading), str(told[name]) if not isinstance(told[name], list) else _list(told[name])))
    for name, heading, words in (
        ("archive", N_("To be put away"), telling.by_plain_rule),
        ("anonymise", N_("Left of the anonymised"), leaving.words),
        ("anonymised", N_("Anonymised"), telling.by_plain_rule),
        ("keep", N_("Kept back"), telling.by_reason),
        ("spared", N_("Spared"), telling.by_reason),
        ("rows", N_("Rows by table"), telling.by_table),
        ("rejected_rows", N_("Rejected rows"), telling.going),
        ("rejected_rows", N_("Rejected rows kept back"), telling.staying),
        ("imports", N_("Rejected rows spared"), lambda imports: telling.spared_imports(imports.get("spared", {}))),
        ("old_values", N_("Old values"), telling.old_going),
        ("old_values", N_("Old values kept back"), lambda told: telling.by_reason(told.get("kept", {}))),
        ("old_values_done", N_("Old values spared"), lambda told: telling.by_reason(told.get("spared", {}))),
    ):
        if told[name] and (text := words(told[name])):
            lines.append((_(heading), text))
    lines += telling.by_hand(told)
    yield Table(_WHAT, lines)
    if shown.items:
        columns = (
            Column("customer", N_("Customer")),
            Column("becomes", N_("What becomes of it"), lambda value: _(BECOMES[value])),
            Column("why", N_("Rule or reason"), lambda code: shown.names[code]),
        )
        yield Table(columns, shown.items)


_LINES = (
    ("planned_by", N_("Planned by")),
    ("planned_at", N_("Planned")),
    ("expires_at", N_("Carried out until")),
    ("hash", N_("Hash")),
    ("fingerprint", N_("Approved is")),
    ("approval", N_("Approval")),
    ("approved_by", N_("Approved by")),
    ("destroyed", N_("Customers destroyed")),
    ("archived", N_("Customers put away")),
    ("begun_at", N_("Begun")),
    ("shredded_at", N_("Keys destroyed")),
    ("erasure_complete_after", N_("No copy opens after")),
    ("batches", N_("Source files of imports")),
    ("copies", N_("Copies outside")),
    ("record_sha256", N_("Destruction record")),
)


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))
