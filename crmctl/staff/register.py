"""The staff register: whom a reference means; adding, changing, deactivating. Facts → decide → plan → apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.runs.run import Run, today
from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.reasons import reason_text, suggestion_text
from crmctl.staff import apply, facts
from crmctl.staff.apply import Plan, Write
from crmctl.staff.decide import Identities, Refusal, changed_fields
from crmctl.staff.drafting import columns_of, context_of, draft_of, merged, readers
from crmctl.staff.model import Directory, Staff
from crmctl.staff.policy import StaffSettings, settings_of
from crmctl.staff.protected import STAFF


@dataclass(frozen=True)
class Outcome:
    """What became of one person: created, updated or unchanged; which fields; as the row is now."""

    run_id: int | None
    outcome: str
    staff: Staff
    fields: tuple[str, ...]


def find(conn: Connection, reference: str) -> Staff:
    """Return whom `reference` (number, staff id, WeCom userid, or a name that one person has) means.

    Raises Refused when it means nobody, or several people: then it names their numbers.
    """
    return one(facts.directory(conn), reference)


def active(conn: Connection, day: date) -> tuple[Staff, ...]:
    """Return everybody in post on `day`, in order of staff id."""
    return tuple(facts.directory(conn).of(day))


def one(directory: Directory, reference: str) -> Staff:
    """Return whom `reference` means. Raises Refused as `find` does."""
    found = directory.meant(reference)
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refused(
            _("nobody on the staff register is meant by this number, name or account"),
            hint=_("see: crmctl staff list"),
            code="STAFF_UNKNOWN",
        )
    numbers = [person.number for person in found]
    raise Refused(
        _("several people have this name: {numbers}").format(numbers=", ".join(numbers)),
        hint=_("give the staff number"),
        code="STAFF_AMBIGUOUS",
        details={"numbers": numbers},
    )


def add(run: Run, texts: Mapping[str, str]) -> Outcome:
    """Add a person with the fields given as texts. Raises Refused for an identity taken, InvalidInput for values."""
    settings = settings_of(run.policies)
    draft = new_draft(run, settings, texts)

    def decide(conn: Connection) -> Plan:
        _refuse(settings, identities_of(facts.every_row(conn)).refusals(0, draft))
        number = apply.number(run, conn, "staff")
        row = apply.stamped(run, None, {"staff_id": number, **columns_of(draft, today(run.policies, run.at))})
        return Plan((Write(STAFF, None, row),), "created", _entry(row), row)

    done, plan = apply.carry_out(run, decide)
    return Outcome(done.run_id, plan.outcome, facts.person(plan.row), tuple(sorted(draft)))


def update(run: Run, reference: str, texts: Mapping[str, str]) -> Outcome:
    """Change the given fields of a person; an empty text clears. Raises as `find` and `add` do."""
    settings = settings_of(run.policies)
    given = _values(run, settings, texts)

    def decide(conn: Connection) -> Plan:
        staff = find(conn, reference)
        rows = facts.every_row(conn)
        before = rows[staff.staff_id]
        old = draft_of(before)
        draft = merged(old, given)
        fields = changed_fields(old, draft)
        if not fields:
            return Plan((), "unchanged", _entry(before), before)
        _require(settings, draft)
        _refuse(settings, identities_of(rows).refusals(staff.staff_id, draft))
        row = apply.stamped(run, before, columns_of(draft, today(run.policies, run.at)))
        write = Write(STAFF, before, row, fields)
        return Plan((write,), "updated", {**_entry(row), "fields": sorted(fields)}, row)

    done, plan = apply.carry_out(run, decide)
    fields = plan.writes[0].fields if plan.writes else ()
    return Outcome(done.run_id, plan.outcome, facts.person(plan.row), tuple(sorted(fields)))


def deactivate(run: Run, reference: str, left_on: str) -> Outcome:
    """Record the day on which a person leaves (today when empty): from that day on not in post. Raises as `update`."""
    day = left_on or today(run.policies, run.at).isoformat()
    return update(run, reference, {"left_on": day})


def identities_of(rows: Mapping[int, facts.Row]) -> Identities:
    """Return whose each number and account is, from rows by staff id."""
    known = Identities()
    for staff_id, row in rows.items():
        known.take(staff_id, draft_of(row))
    return known


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"obj": f"staff:{row['staff_id']}", "n": 1} if row["staff_id"] else {}


def new_draft(run: Run, settings: StaffSettings, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the draft of a new person. Raises InvalidInput for wrong texts, or when what is required is missing."""
    draft = merged({}, _values(run, settings, texts))
    _require(settings, draft)
    return draft


def _values(run: Run, settings: StaffSettings, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return what the texts say. Raises InvalidInput naming each field the policy lacks or whose text is wrong."""
    known = readers(settings, context_of(run.policies, settings, run.at), texts)
    unknown = [name for name in texts if name not in known]
    if unknown:
        raise InvalidInput(
            _("the staff policy has no field {fields}").format(fields=", ".join(unknown)),
            hint=_("see: crmctl policy show staff"),
            code="FIELD_UNKNOWN",
        )
    values: dict[str, Any] = {}
    wrong: list[tuple[str, str]] = []
    for name, text in texts.items():
        try:
            values[name] = known[name](text) if text.strip() else None
        except Fault as fault:
            wrong.append((fault.code, name))
    if wrong:
        raise _invalid(settings, wrong)
    return values


def _invalid(settings: StaffSettings, wrong: list[tuple[str, str]]) -> InvalidInput:
    said = _("; ").join(reason_text({"code": code, "field": name}, settings) for code, name in wrong)
    hints = dict.fromkeys(suggestion_text(code, settings) for code, _name in wrong)
    return InvalidInput(
        said,
        hint=_("; ").join(hints),
        code=wrong[0][0],
        details={"fields": [{"code": code, "field": name} for code, name in wrong]},
    )


def _require(settings: StaffSettings, draft: Mapping[str, Any]) -> None:
    missing = [("REQUIRED", code) for code in settings.missing(draft)]
    if missing:
        raise _invalid(settings, missing)


def _refuse(settings: StaffSettings, refusals: Any) -> None:  # noqa: ANN401 - any iterable of Refusal
    found: list[Refusal] = list(refusals)
    if not found:
        return
    first = found[0]
    message = reason_text({"code": first.code}, settings)
    if first.numbers:
        message = _("{message} ({details})").format(message=message, details=", ".join(first.numbers))
    raise Refused(
        message,
        hint=suggestion_text(first.code, settings),
        code=first.code,
        details={"refusals": [{"code": item.code, "numbers": list(item.numbers)} for item in found]},
    )
