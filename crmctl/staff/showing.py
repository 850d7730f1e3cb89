"""How staff look to people and to programs: columns of the list, lines of one, words for codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from crmctl.cli.render import Column
from crmctl.i18n import N_, _, lang, pick
from crmctl.policy import PolicySet
from crmctl.policy.model import CodeItem
from crmctl.staff.absences import AbsenceOutcome
from crmctl.staff.listing import Listed, View
from crmctl.staff.model import Absence, Staff, id_text
from crmctl.staff.policy import outside_lists, settings_of
from crmctl.staff.reasons import PROBLEMS

STATES = {"active": N_("active"), "inactive": N_("inactive")}
OUTCOMES = {
    "created": N_("added"),
    "updated": N_("updated"),
    "unchanged": N_("unchanged"),
    "cancelled": N_("called off"),
}
DRY_OUTCOMES = {
    "created": N_("would be added"),
    "updated": N_("would be updated"),
    "unchanged": N_("unchanged"),
    "cancelled": N_("would be called off"),
}
Label = Callable[[str, Any], str]


def labels(policies: PolicySet) -> Label:
    """Return the function from a field and a value to what people see of it."""
    settings = settings_of(policies)
    outside = outside_lists(policies)
    words: dict[str, dict[str, str]] = {}
    for field in settings.fields:
        items: Iterable[CodeItem] = (settings.items(field.choices, outside) or ()) if field.choices else ()
        for item in items:
            own = {str(key): text for key, text in item.labels.items()}
            words.setdefault(field.code, {})[item.code] = pick(own, item.code)

    def label(field: str, value: Any) -> str:  # noqa: ANN401 - any value of a draft
        if value is None:
            return ""
        if isinstance(value, list | tuple):
            return ", ".join(label(field, item) for item in value)
        return words.get(field, {}).get(str(value), str(value))

    return label


def problem_text(code: str) -> str:
    """Return what a code of `decide.PROBLEMS` means."""
    return _(PROBLEMS[code])


def document(staff: Staff) -> dict[str, Any]:
    """Return a person as programs get one: codes, ISO days, lists."""
    days = {name: _iso(getattr(staff, name)) for name in ("trained_on", "signed_on", "joined_on", "left_on")}
    return {
        "staff_id": staff.staff_id or None,
        "number": staff.number,
        "name": staff.name,
        "post": staff.post,
        "level": staff.level,
        "department": staff.department,
        "org_unit": staff.org_unit,
        "region": staff.region,
        "capacity": staff.capacity,
        "languages": list(staff.languages),
        "hr_id": staff.hr_id,
        "wecom_id": staff.wecom_id,
        "dingtalk_id": staff.dingtalk_id,
        "uids": list(staff.uids),
        **days,
        "attributes": dict(staff.attributes),
    }


def list_columns(policies: PolicySet, *, problems: bool) -> tuple[Column, ...]:
    """Return the columns of `staff list`; with `problems` people see why each may not own customers."""
    settings, label = settings_of(policies), labels(policies)

    def of(code: str, **more: Any) -> Column:  # noqa: ANN401 - settings of a column
        field = settings.by_code.get(code)
        title = {str(key): text for key, text in field.labels.items()} if field else code
        show = (lambda value: label(code, value)) if field and field.choices else None
        return Column(code, title, show=show, **more)

    def words(codes: Iterable[str]) -> str:
        return ", ".join(map(problem_text, codes))

    return (
        Column("staff_id", N_("Staff id"), show=id_text, detail=True),
        *map(of, ("number", "name", "post", "level")),
        of("department", detail=True),
        of("org_unit"),
        of("region", detail=True),
        of("capacity", right=True),
        of("languages", detail=True),
        Column("state", N_("State"), show=lambda value: _(STATES[value])),
        Column("absent_until", N_("Away until")),
        Column("deputy", N_("Deputy")),
        Column("problems", N_("May not own customers"), show=words, detail=not problems),
        *(Column(name, detail=True) for name in _DETAILS),
    )


_DETAILS = (
    "hr_id", "wecom_id", "dingtalk_id", "uids", "trained_on", "signed_on", "joined_on", "left_on", "attributes",
)  # fmt: skip


def list_row(view: View, item: Listed) -> tuple[Any, ...]:
    """Return one line of the list."""
    staff = item.staff
    away, deputy = staff.away_on(view.day), view.deputy_of(staff)
    values = document(staff)
    return (
        *(values[name] for name in ("staff_id", "number", "name", "post", "level", "department", "org_unit")),
        *(values[name] for name in ("region", "capacity", "languages")),
        item.state,
        _iso(away.until_on) if away else None,
        deputy.number if deputy else None,
        list(item.problems),
        *(values[name] for name in _DETAILS),
    )


def field_lines(policies: PolicySet, item: Listed) -> list[tuple[str, str]]:
    """Return (field, value) lines of one person, what is not filled left out."""
    settings, label = settings_of(policies), labels(policies)
    staff = item.staff
    values = document(staff)
    lines = [(_("Staff id"), id_text(staff.staff_id)), (_("State"), _(STATES[item.state]))]
    for field in settings.fields:
        value = values.get(field.code) if field.code in values else staff.attributes.get(field.code)
        if value not in (None, []):
            lines.append((field.label(lang()), label(field.code, value)))
    known = {field.code for field in settings.fields}
    lines += [(name, label(name, value)) for name, value in staff.attributes.items() if name not in known]
    return lines


ABSENCE_COLUMNS = (
    Column("absence_id", N_("Absence"), detail=True),
    Column("number", N_("Staff number")),
    Column("name", N_("Name of staff")),
    Column("from", N_("First day")),
    Column("until", N_("Last day")),
    Column("deputy", N_("Deputy")),
    Column("cancelled", N_("Cancelled")),
)


def absence_row(staff: Staff, absence: Absence, deputy: Staff | None) -> tuple[Any, ...]:
    """Return one line of the list of absences."""
    return (
        absence.absence_id,
        staff.number,
        staff.name,
        absence.from_on.isoformat(),
        absence.until_on.isoformat(),
        deputy.number if deputy else None,
        absence.cancelled is not None,
    )


def absence_document(outcome: AbsenceOutcome) -> dict[str, Any]:
    """Return what programs get of an absence that was added or cancelled."""
    absence = outcome.absence
    return {
        "run_id": outcome.run_id,
        "outcome": outcome.outcome,
        "absence": {
            "absence_id": absence.absence_id or None,
            "number": outcome.staff.number,
            "from": absence.from_on.isoformat(),
            "until": absence.until_on.isoformat(),
            "deputy": outcome.deputy.number if outcome.deputy else None,
        },
    }


def headings(policies: PolicySet, codes: Iterable[str]) -> list[str]:
    """Return what people call fields."""
    fields = settings_of(policies).by_code
    return [fields[code].label(lang()) if code in fields else code for code in codes]


def outcome_text(outcome: str, *, dry_run: bool) -> str:
    """Return what became of something, or would."""
    return _((DRY_OUTCOMES if dry_run else OUTCOMES)[outcome])


def _iso(day: Any) -> str | None:  # noqa: ANN401 - a date or None
    return day.isoformat() if day is not None else None
