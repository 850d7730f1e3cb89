"""What stands on the approval form of a purge: how many by which rule, what goes, what stays, who agreed, signatures.

Numbers of lines and letters are bounded, so that it stays one page; what is left out or cut, the page says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crmctl import clock
from crmctl.approvals.listing import ASSURANCES
from crmctl.i18n import _, lang, pick
from crmctl.printed import Cutter, Part
from crmctl.retention import leaving, telling
from crmctl.retention.form import HASH_DIGITS, LISTED, Known
from crmctl.retention.policy import CustomerRule
from crmctl.retention.rules import settings_of
from crmctl.runs.run import Run
from crmctl.sheets.kinds import label_of
from crmctl.use.listing import KINDS

# What one A4 page holds, in half letters (a Chinese character or a capital has two) and in lines of tables.
FACT, BASIS, RULE, WORD, TEXT, LINE = 42, 100, 40, 24, 240, 80
RULES, REASONS, APPROVERS = 5, 5, 2
SHORT = 16  # digits of a file's SHA-256 that tell it from others


@dataclass(frozen=True)
class Sheet:
    """A form in the reader's language, ready to be written."""

    title: str
    language: str
    company: str
    facts: tuple[tuple[str, str], ...]
    texts: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    signatures: tuple[str, ...]
    line: str
    hash: str
    compare: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Desk:
    """What every part of the form is written with; `same` says that the policies are still those of the plan."""

    run: Run
    found: Known
    same: bool
    cutter: Cutter

    def when(self, moment: datetime | None) -> str:
        return clock.local(moment, self.run.zone)[:16].replace("T", " ") if moment else ""


def sheet(run: Run, found: Known) -> Sheet:
    """Return the form of a purge."""
    plan = found.purge.plan
    desk = _Desk(run, found, plan.policy_hash == run.policies.hash, Cutter())
    company: Any = run.policies.company.name
    facts, texts = _facts(desk), _texts(desk)
    parts = (_rules(desk), _kept(desk), _imports(desk), _copies(desk), _approved(desk))
    return Sheet(
        title=_("Destruction approval form, plan {plan}").format(plan=plan.plan_id),
        language="zh-CN" if lang().startswith("zh") else "en",
        company=desk.cutter.fit(pick(company, ""), LINE),
        facts=facts,
        texts=texts,
        parts=parts,
        signatures=(_("Planned by"), _("Approved by"), _("Carried out by")),
        line=_("Signature and day"),
        hash=found.fingerprint[:HASH_DIGITS],
        compare=_(
            "Compare before you sign: “Approved is” in crmctl purge show {plan} must begin with these digits."
        ).format(plan=plan.plan_id),
        remarks=tuple(_remarks(desk)),
    )


def _facts(desk: _Desk) -> tuple[tuple[str, str], ...]:
    plan, done = desk.found.purge.plan, desk.found.purge.destruction
    told: list[tuple[str, Any]] = [
        (_("Purge plan"), plan.plan_id),
        (_("State"), _(telling.STANDING[desk.found.purge.state])),
        (_("Planned by"), plan.person),
        (_("Planned"), desk.when(plan.created_at)),
        (_("To be destroyed"), f"{sum(plan.summary.get('destroy', {}).values()):,}"),
        (_("Carried out until"), desk.when(plan.expires_at)),
    ]
    if done is not None:
        told += [(_("Begun"), desk.when(done.begun_at)), (_("Keys destroyed"), desk.when(done.shredded_at))]
        told += [(_("Customers destroyed"), f"{done.counts.get('destroyed', 0):,}" if done.shredded_at else "")]
        told += [(_("No copy opens after"), desk.when(done.complete_after))]
    return tuple((name, desk.cutter.fit(value, FACT)) for name, value in told)


def _texts(desk: _Desk) -> tuple[tuple[str, str], ...]:
    """Return what needs a line of its own: what goes, how, and what is proved."""
    plan, done = desk.found.purge.plan, desk.found.purge.destruction
    method = _("The data keys are destroyed in every key store, then all rows, images and look-ups are removed.")
    rows = done.counts.get("rows", {}) if done is not None and done.shredded_at else plan.summary.get("rows", {})
    told = [(_("Rows by table"), telling.by_table(rows)), (_("Method"), method)]
    if line := telling.going(plan.summary.get("rejected_rows", {})):
        told.insert(1, (_("Rejected rows"), line))
    if line := telling.old_going(plan.summary.get("old_values", {})):
        told.append((_("Old values"), _("{changes}: emptied in the change log; backups made before keep them").format(
            changes=line)))  # fmt: skip
    if number := plan.summary.get("paper_planned"):
        line = _("{number}, destroyed by hand; which: crmctl paper list --plan {plan}")
        told.append((_("Paper items"), line.format(number=f"{number:,}", plan=plan.plan_id)))
    if line := leaving.words(plan.summary.get("anonymise", ())):
        told.append((_("Left of the anonymised"), line))
    if archive := plan.summary.get("archive"):
        told.append((_("To be put away"), telling.by_rule(desk.run.policies, archive)))
    if plan.summary.get("asked"):
        told.append((_("Asked for"), _("at the request of the persons themselves (PIPL art. 47)")))
    if done is not None and done.counts.get("spared"):
        told.append((_("Spared"), telling.by_reason(done.counts["spared"])))
    if done is not None and done.record_hash is not None:
        told.append((_("Destruction record"), f"SHA-256 {done.record_hash.hex()}"))
    return tuple((name, desk.cutter.fit(text, TEXT)) for name, text in told if text)


def _rules(desk: _Desk) -> Part:
    """Return how many go by which rule, on what basis; without it where the policies are others by now."""
    policies, rows = desk.run.policies, []
    written = {rule.code: rule for policy in policies.of_kind("retention") for rule in settings_of(policy).customers}
    for code, number in sorted(desk.found.purge.plan.summary.get("destroy", {}).items()):
        rule = written.get(code) if desk.same else None
        name = telling.rule(policies, code) if desk.same else code
        rows.append((desk.cutter.fit(name, RULE), f"{number:,}", *_basis(desk, rule)))
    headings = (_("Rule"), _("Customers"), _("Basis"), _("Clauses"))
    return Part(_("Who is to be destroyed"), headings, rows[:RULES], _left_out(desk, len(rows) - RULES))


def _basis(desk: _Desk, rule: CustomerRule | None) -> tuple[str, str]:
    if rule is None:
        return "", ""
    told = pick(dict((rule.basis or {}).items()))
    return desk.cutter.fit(told, BASIS), desk.cutter.fit(", ".join(map(str, rule.source)), WORD)


def _kept(desk: _Desk) -> Part:
    counts: Mapping[str, int] = desk.found.purge.plan.summary.get("keep", {})
    rows = [(desk.cutter.fit(telling.reason(code), BASIS), f"{number:,}") for code, number in sorted(counts.items())]
    headings = (_("Why"), _("Customers"))
    title = _("Kept though their time is over")
    return Part(title, headings, rows[:REASONS], _left_out(desk, len(rows) - REASONS))


def _imports(desk: _Desk) -> Part:
    rows = [
        (str(each.batch_id), label_of(each.kind), desk.when(each.started_at), each.sha256[:SHORT], "")
        for each in desk.found.imports
    ]
    headings = (_("Import"), _("Kind"), _("Began"), _("SHA-256 begins with"), _("Disposed of: by whom, day"))
    left = len(desk.found.purge.plan.summary.get("batches", [])) - LISTED
    return Part(_("Source files to dispose of"), headings, rows, _left_out(desk, left))


def _copies(desk: _Desk) -> Part:
    rows = [
        (
            str(each.copy_id),
            _(KINDS.get(each.kind, each.kind)),
            desk.cutter.fit(each.person, WORD),
            each.sha256[:SHORT],
            desk.when(each.disposed_at),
        )
        for each in desk.found.copies
    ]
    headings = (_("Copy"), _("Kind"), _("Held by"), _("SHA-256 begins with"), _("Destroyed: by whom, day"))
    left = len(desk.found.purge.plan.summary.get("copies", [])) - LISTED
    return Part(_("Copies outside that hold some of them"), headings, rows, _left_out(desk, left))


def _approved(desk: _Desk) -> Part:
    rows = [
        (
            desk.cutter.fit(each.person, WORD),
            desk.cutter.fit(each.for_person, WORD),
            _(ASSURANCES.get(each.assurance, each.assurance)),
            desk.cutter.fit(each.document, WORD),
            desk.when(each.decided_at),
        )
        for each in desk.found.approved
    ]
    headings = (_("Approved by"), _("In place of"), _("Certainty"), _("Document"), _("At"))
    return Part(_("Approvals there are"), headings, rows[:APPROVERS], _left_out(desk, len(rows) - APPROVERS))


def _remarks(desk: _Desk) -> Iterator[str]:
    yield _("This page names no customer; who they are: crmctl purge show {plan} --customers.").format(
        plan=desk.found.purge.plan.plan_id
    )
    if not desk.same:
        yield _("The policies are others by now than those of the plan: rules have their codes, and no basis.")
    if desk.cutter.cut:
        yield _("What ends with … is cut; the whole text: crmctl purge show {plan}.").format(
            plan=desk.found.purge.plan.plan_id
        )


def _left_out(desk: _Desk, number: int) -> str:
    told = _("{number} more: crmctl purge show {plan}")
    return told.format(number=number, plan=desk.found.purge.plan.plan_id) if number > 0 else ""
