"""Purges in words and JSON: plans, what came of them, how they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from crmctl import holds
from crmctl.cli.render import Column, Part, Table
from crmctl.customers.showing import number_text
from crmctl.i18n import N_, _, pick
from crmctl.policy.policyset import PolicySet
from crmctl.retention.decide import (
    DUE,
    EDITED,
    GONE,
    GRACE,
    LATE,
    MINIMUM,
    NO_RULE,
    NO_START,
    NOT_DUE,
    PUT_AWAY,
    RUNNING,
)
from crmctl.retention.deciding import SHARED, UNKNOWN
from crmctl.retention.planning import Planned
from crmctl.retention.policy import RetentionSettings
from crmctl.retention.purging import Outcome
from crmctl.retention.rejected import COPIES

STATES = {
    DUE: N_("time is over"),
    GRACE: N_("time is over, in the grace window"),
    MINIMUM: N_("time is over, a period of the law is not"),
    RUNNING: N_("time is not over"),
    NO_START: N_("no day is known from which it runs"),
    PUT_AWAY: N_("time is over, is put away"),
    NO_RULE: N_("no rule of the policy"),
}
REASONS = {
    UNKNOWN: N_("nobody knows yet who that is, so they are not put away; write a rule for status provisional"),
    SHARED: N_("an unidentified complainant of theirs is somebody else's as well"),
    MINIMUM: N_("a period of the law is not over"),
    GONE: N_("is there no more"),
    EDITED: N_("was edited since the plan"),
    NOT_DUE: N_("time is not over any more"),
    LATE: N_("the plan was too late for them"),
    COPIES: N_("a file with its rejected rows is not destroyed yet (crmctl use copies)"),
}
STANDING = {
    "empty": N_("nothing to destroy"),
    "unasked": N_("interrupted while it was made"),
    "open": N_("waits for somebody else's approval"),
    "approved": N_("approved"),
    "rejected": N_("rejected"),
    "expired": N_("expired"),
    "begun": N_("begun, not finished"),
    "done": N_("done, not verified"),
    "verified": N_("done and verified"),
}
_NO_RULES = {  # what stands beside rules where purges are counted
    DUE: N_("asked for it"),
    "rejected_rows": N_("imports with rejected rows"),
    "old_values": N_("runs with old values"),
}
_COUNTED = (Column("what", N_("What")), Column("customers", N_("Customers"), lambda value: f"{value:,}", right=True))


def reason(code: str) -> str:
    """Return why a customer stays, in words."""
    kind, _colon, held = code.partition(":")
    return _("held: {reason}").format(reason=holds.label(held)) if kind == "hold" else _(REASONS.get(code, code))


def rule(policies: PolicySet, code: str) -> str:
    """Return what people call a rule; the code where no policy has it any more, or nobody's rule asked for it."""
    for policy in policies.of_kind("retention"):
        assert isinstance(policy.settings, RetentionSettings)
        for each in policy.settings.customers:
            if each.code == code:
                return pick(dict(each.labels.items()), code)
    return _(_NO_RULES[code]) if code in _NO_RULES else code


def anonymised(told: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the codes of the rules of which a plan's summary says that they leave a number behind."""
    return frozenset(str(each["code"]) for each in told)


def by_plain_rule(counts: Mapping[str, int]) -> str:
    """Return counts by code of rule in one line."""
    return ", ".join(f"{code} {number:,}" for code, number in sorted(counts.items()))


def by_rule(policies: PolicySet, counts: Mapping[str, int]) -> str:
    """Return counts by rule in one line."""
    return ", ".join(f"{rule(policies, code)} {number:,}" for code, number in sorted(counts.items()))


def by_reason(counts: Mapping[str, int]) -> str:
    """Return counts by reason in one line."""
    return ", ".join(f"{reason(code)} {number:,}" for code, number in sorted(counts.items()))


def by_table(counts: Mapping[str, int]) -> str:
    """Return counts by table in one line; tables are called what they are."""
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items()))


def going(told: Mapping[str, Any]) -> str:
    """Return the imports whose rejected rows a plan is to destroy, in one line; empty where there is none."""
    imports = [each for each in told.get("imports", ()) if not each["kept"]]
    rows = sum(each["rows"] for each in imports)
    words = _("imports {imports} ({rows} rows)")
    return words.format(imports=", ".join(str(each["batch"]) for each in imports), rows=f"{rows:,}") if imports else ""


def staying(told: Mapping[str, Any]) -> str:
    """Return the imports whose rejected rows a plan keeps, with the reasons, in one line."""
    kept = {each["batch"]: each["kept"] for each in told.get("imports", ()) if each["kept"]}
    return spared_imports(kept)


def spared_imports(kept: Mapping[Any, str]) -> str:
    """Return why imports stay, in one line."""
    return ", ".join(f"{number}: {reason(why)}" for number, why in kept.items())


def by_hand(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what people have to destroy of a purge, and how much of it they said they did."""
    if told["copies"]:
        yield (
            _("Copies destroyed"),
            _("{number} of {size}").format(
                number=f"{len(told['copies_destroyed']):,}", size=f"{len(told['copies']):,}"
            ),
        )
    if told["paper"]:
        yield (
            _("Paper items"),
            _("{size}, confirmed destroyed {number}").format(
                number=f"{len(told['paper_destroyed']):,}", size=f"{len(told['paper']):,}"
            ),
        )
    elif told["paper_planned"]:
        yield _("Paper items"), f"{told['paper_planned']:,}"


def old_going(told: Mapping[str, Any]) -> str:
    """Return how many values before changes a plan is to destroy, in one line; empty where there are none."""
    words = _("{changes} changes of {runs} runs")
    going = told.get("runs", 0)
    return words.format(changes=f"{told['changes']:,}", runs=f"{going:,}") if going else ""


def plan_document(planned: Planned, dry_run: bool) -> dict[str, Any]:
    """Return the JSON of a plan that was made."""
    tally = planned.tally
    receipts = [{"customer": number_text(number), "receipt": token} for number, token in tally.receipts]
    return {
        "run_id": planned.run_id,
        "dry_run": dry_run,
        "plan": planned.plan_id,
        "approval": planned.approval,
        **tally.summary(),
        "anonymise": tally.anonymise,
        **(planned.weight.document() if planned.weight else {}),
        "receipts": receipts,
    }


def plan_parts(policies: PolicySet, planned: Planned, dry_run: bool) -> Iterator[Part]:
    """Yield what people read of a plan that was made."""
    tally = planned.tally
    rows: list[tuple[str, int]] = [(_(STATES[state]), tally.states[state]) for state in STATES if state in tally.states]
    rows += [(_("kept: {reason}").format(reason=reason(code)), number) for code, number in sorted(tally.keep.items())]
    left = anonymised(tally.anonymise)
    for code, number in sorted(tally.destroy.items()):
        told = _("to be anonymised: {rule}") if code in left else _("to be destroyed: {rule}")
        rows.append((told.format(rule=rule(policies, code)), number))
    told = _("to be put away: {rule}")
    rows += [(told.format(rule=rule(policies, code)), number) for code, number in sorted(tally.archive.items())]
    for code, number in sorted(tally.reported.items()):
        told = _("mode report, nobody is destroyed: {rule}")
        rows.append((told.format(rule=rule(policies, code)), number))
    yield Table(_COUNTED, rows)
    imports = tally.summary()["rejected_rows"]
    if line := going(imports):
        yield _("Rejected rows to be destroyed: {imports}").format(imports=line)
    if line := staying(imports):
        yield _("Rejected rows that stay: imports {imports}").format(imports=line)
    old = tally.old.summary()
    if line := old_going(old):
        yield _("Values before changes to be destroyed: {changes}").format(changes=line)
    if old["kept"]:
        yield _("Values before changes that stay: {reasons}").format(reasons=by_reason(old["kept"]))
    if planned.weight and planned.weight.rows:
        yield _("With them: {rows}").format(rows=by_table(planned.weight.rows))
        yield from _outside(planned)
    for number, token in tally.receipts:
        yield _("Receipt of {customer}, to be handed to the person now; it is shown once: {token}").format(
            customer=number_text(number), token=token
        )
    if tally.reported and planned.plan_id is not None:
        yield _("What policies in mode report found is kept; see: crmctl purge findings")
    if planned.approval is not None:
        told = _("Plan {plan} waits for somebody else: crmctl purge approve {plan}. Nothing is destroyed yet.")
        yield told.format(plan=planned.plan_id)
    elif planned.plan_id is not None:
        yield _("Plan {plan}: there is nothing to destroy.").format(plan=planned.plan_id)
    elif dry_run:
        yield _("Nothing was written.")


def _outside(planned: Planned) -> Iterator[str]:
    assert planned.weight is not None
    if planned.weight.batches:
        told = _("Source files to dispose of: those of imports {batches} (crmctl batch show NUMBER)")
        yield told.format(batches=", ".join(map(str, planned.weight.batches)))
    if planned.weight.copies:
        told = _("Copies that hold some of them and are not destroyed: {copies} (crmctl use copies)")
        yield told.format(copies=", ".join(map(str, planned.weight.copies)))
    if planned.weight.paper:
        yield _("Paper items to be destroyed by hand: {number} (crmctl paper list --plan {plan})").format(
            number=f"{planned.weight.paper:,}", plan=planned.plan_id
        )


def run_document(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the JSON of what purges did."""
    return {
        "run_id": outcomes[-1].run_id if outcomes else None,
        "purges": [
            {
                "plan": each.plan_id,
                "run_id": each.run_id,
                "dry_run": each.dry_run,
                "resumed": each.resumed,
                "destroyed": each.destroyed,
                "archived": each.archived,
                "spared": dict(each.spared),
                "rows": dict(each.rows),
                "anonymised": dict(each.anonymised),
                "imports": each.imports,
                "imports_spared": {str(number): why for number, why in each.imports_spared.items()},
                "old_values": {"runs": len(each.old_values), "changes": sum(each.old_values.values())},
                "old_values_spared": dict(each.old_values_spared),
            }
            for each in outcomes
        ],
    }


def run_parts(outcomes: Sequence[Outcome], dry_run: bool) -> Iterator[Part]:
    """Yield what people read of what purges did."""
    if not outcomes:
        yield _("No plan is approved or begun: there is nothing to do.")
    for each in outcomes:
        told = _("Plan {plan}: {number} customers would be destroyed") if dry_run else _(
            "Plan {plan}: {number} customers destroyed"
        )  # fmt: skip
        yield told.format(plan=each.plan_id, number=f"{each.destroyed:,}")
        if each.rows:
            yield _("Rows: {rows}").format(rows=by_table(each.rows))
        if each.archived:
            told = _("Customers who would be put away: {number}") if dry_run else _("Customers put away: {number}")
            yield told.format(number=f"{each.archived:,}")
        if each.anonymised:
            told = _("Of these anonymised, {rules}: crmctl purge anonymous")
            yield told.format(rules=by_plain_rule(each.anonymised))
        if each.spared:
            yield _("Spared: {reasons}; see: crmctl purge show {plan} --customers").format(
                reasons=by_reason(each.spared), plan=each.plan_id
            )
        if each.imports:
            told = _("Rejected rows of imports {imports}: would be destroyed") if dry_run else _(
                "Rejected rows of imports {imports}: destroyed"
            )  # fmt: skip
            yield told.format(imports=", ".join(map(str, each.imports)))
        if each.imports_spared:
            yield _("Rejected rows that stay: imports {imports}").format(imports=spared_imports(each.imports_spared))
        if changed := sum(each.old_values.values()):
            told = _("Values before changes, of {changes}: would be destroyed") if dry_run else _(
                "Values before changes, of {changes}: destroyed"
            )  # fmt: skip
            yield told.format(changes=old_going({"runs": len(each.old_values), "changes": changed}))
        if each.old_values_spared:
            yield _("Values before changes that stay: {reasons}").format(reasons=by_reason(each.old_values_spared))
        if not dry_run:
            yield _("Prove it: crmctl purge verify {plan}").format(plan=each.plan_id)
