"""What people type about complaints → moments, requests, references to staff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from crmctl.errors import InvalidInput, UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.complaints.drafting import Request
    from crmctl.complaints.handling import Moment
    from crmctl.runs.run import Run


def moment(text: str, zone: str, flag: str, *, end_of_day: bool = False) -> datetime | None:
    """Return the moment an option names in the company's zone, UTC; None for an empty one.

    A day alone means its end where `end_of_day`, else it is refused. Raises InvalidInput.
    """
    if not text:
        return None
    plain = text.strip().replace(" ", "T", 1)
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        raise _no_time(flag, text) from None
    if len(plain) <= 10:
        if not end_of_day:
            raise InvalidInput(
                _("{flag} {text}: the time of day is missing").format(flag=flag, text=text[:25]),
                hint=_("write 2026-11-21T18:00"),
                code="TIME_INVALID",
            )
        found = datetime.combine(found.date(), time(23, 59, 59))
    if not MINYEAR < found.year < MAXYEAR:  # beyond the neighbouring year there is nothing to count with
        raise _no_time(flag, text)
    if found.tzinfo is None:
        found = found.replace(tzinfo=ZoneInfo(zone))
    return found.astimezone(UTC)


def _no_time(flag: str, text: str) -> InvalidInput:
    return InvalidInput(
        _("{flag} {text}: not a time").format(flag=flag, text=text[:25]),
        hint=_("write 2026-11-21T18:00"),
        code="TIME_INVALID",
    )


def happened(run: Run, given: Mapping[str, Any]) -> Moment:
    """Return when something happened, by --at and --late-reason."""
    from crmctl.complaints.handling import Moment

    at, late = moment(given.get("at") or "", run.zone, "--at"), (given.get("late_reason") or "").strip()
    if late and at is None:
        raise UsageProblem(_("--late-reason: goes with --at"), hint=_("add --at, or leave it out"))
    return Moment(at, late)


def staff_ids(run: Run, references: Iterable[str]) -> tuple[int, ...]:
    """Return the staff ids of whom references mean. Raises Refused for nobody or several."""
    from crmctl import staff
    from crmctl.store import engine

    wanted = [reference for reference in references if reference]
    if not wanted:
        return ()
    with engine.read(run.engine) as conn:
        return tuple(dict.fromkeys(staff.find(conn, reference).staff_id for reference in wanted))


def request(run: Run, given: Mapping[str, Any]) -> Request:
    """Return the request that the options of `complaint open` make."""
    from crmctl.complaints.drafting import FIELDS, Request

    when = happened(run, given)
    receiver, handler = staff_ids(run, (given["receiver"],)), staff_ids(run, (given["handler"],))
    return Request(
        channel=given["channel"],
        category=given["category"],
        severity=given["severity"],
        private={name: given[name] for name in FIELDS if given.get(name)},
        received_at=when.at,
        late=when.late,
        feedback_by=moment(given["feedback_by"], run.zone, "--feedback-by", end_of_day=True),
        about=staff_ids(run, given["about"]),
        first_receiver=receiver[0] if receiver else None,
        handler=handler[0] if handler else None,
    )


def day_named(text: str, today: date, flag: str) -> date | None:
    """Return the day an option names: today, tomorrow or 2026-11-21; None for an empty one. Raises InvalidInput."""
    if not text:
        return None
    near = {"today": 0, "今天": 0, "tomorrow": 1, "明天": 1}
    if text in near:
        return today + timedelta(near[text])
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            _("{flag} {text}: not a date").format(flag=flag, text=text[:20]),
            hint=_("write today, tomorrow or 2026-11-21"),
            code="DATE_INVALID",
        ) from None


def status_named(text: str) -> str:
    """Return the state that a code or its word names; empty for an empty one. Raises InvalidInput for none."""
    from crmctl.complaints.reasons import STATUS_TEXTS
    from crmctl.policy.model import folded

    known = {folded(word): code for code, told in STATUS_TEXTS.items() for word in (code, _(told))}
    return _known(known, text, _("status"), "STATUS_UNKNOWN")


def code_named(run: Run, what: str, text: str) -> str:
    """Return the stage, category or severity of any complaints policy that a word names. Raises InvalidInput."""
    from crmctl.policy.model import folded

    lists = {"stage": "stages", "category": "categories", "severity": "severities"}
    told = {"stage": _("stage"), "category": _("category"), "severity": _("severity")}
    known: dict[str, str] = {}
    for policy in run.policies.of_kind("complaints"):
        for item in getattr(policy.settings, lists[what]):
            for word in item.names():
                known.setdefault(folded(word), item.code)
    return _known(known, text, told[what], f"{what.upper()}_UNKNOWN")


def _known(known: Mapping[str, str], text: str, what: str, code: str) -> str:
    from crmctl.policy.model import folded

    if not text:
        return ""
    found = known.get(folded(text))
    if found is None:
        raise InvalidInput(
            _("{text}: no such {field}").format(text=text[:40], field=what),
            hint=_("one of: {codes}").format(codes=", ".join(dict.fromkeys(known.values()))),
            code=code,
        )
    return found
