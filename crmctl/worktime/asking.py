"""`crmctl calendar import`: permitted, told day by day, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from crmctl import clock
from crmctl.cli.render import Column, Table
from crmctl.errors import REJECTED_ROWS, InvalidInput
from crmctl.i18n import N_, _
from crmctl.policy import rewriting
from crmctl.worktime import adding, ical
from crmctl.worktime.calendars import calendar_for, in_force
from crmctl.worktime.instants import local_day

if TYPE_CHECKING:
    from datetime import date

    from crmctl.cli.invocation import Invocation
    from crmctl.policy.policyset import Policy, PolicySet

ACT = "calendar.import"
ADDED, UNCHANGED, REJECTED = "added", "unchanged", "rejected"
_OUTCOMES = {ADDED: N_("added"), UNCHANGED: N_("already so"), REJECTED: N_("rejected")}
_MEANINGS = {True: N_("worked"), False: N_("off")}
_DAYS = (
    Column("date", N_("Day")),
    Column("worked", N_("Is"), show=lambda worked: _(_MEANINGS[worked])),
    Column("title", N_("Title")),
    Column("outcome", N_("Outcome"), show=lambda outcome: _(_OUTCOMES[outcome])),
    Column("reason", N_("Reason")),
)


def add_days(call: Invocation, path: Path, name: str) -> int:
    """Add the days of an iCal file to a calendar's file, and say of each day and event what came of it.

    Returns 3 where an event was rejected; the other days are written. Raises InvalidInput, PolicyInvalid,
    PermissionMissing, Refused for a file changed meanwhile.
    """
    with rewriting.allowed(call, "calendar import", ACT) as ground:
        policies = ground.policies
        zone = ZoneInfo(policies.company.timezone)
        policy = _policy(policies, local_day(clock.now(), zone), name)
        told, wrong = ical.read(_bytes(path), str(path), zone)
        if not told and not wrong:
            raise InvalidInput(_("{path}: holds no events").format(path=path), code="ICAL_EMPTY")
        sorted_ = adding.sort(policies, policy, told)
        exit_code = REJECTED_ROWS if wrong or sorted_.contrary else 0
        rows = _rows(sorted_, wrong)
        counts = {outcome: sum(row[3] == outcome for row in rows) for outcome in _OUTCOMES}
        run_id, version = None, policy.version
        if sorted_.new:
            after, data = adding.with_days(policies, policy, sorted_.new)
            version += 1
            lists = tuple(dict.fromkeys(adding.LISTS[day.worked] for day in sorted_.new))
            obj = f"calendar:{policy.name}"
            new = rewriting.Rewritten(after, policy.path, data, len(sorted_.new), lists, counts, obj, exit_code)
            run_id = None if call.dry_run else rewriting.write(call, ground, new)
    document = {
        "run_id": run_id,
        "dry_run": call.dry_run,
        "calendar": policy.name,
        "file": policy.path,
        "version": version,
        **counts,
    }
    line = _("{file}: {added} days would be added") if call.dry_run else _("{file}: {added} days added")
    summary = _("; ").join((line, _("already so: {unchanged}"), _("rejected: {rejected}"))).format(**document)
    call.emit(document, Table(_DAYS, rows, key="days"), summary, trouble=bool(exit_code))
    return exit_code


def _policy(policies: PolicySet, today: date, name: str) -> Policy:
    chosen = calendar_for(policies, today, name=name)
    return next(policy for policy in in_force(policies, today) if policy.name == chosen.name)


def _rows(sorted_: adding.Sorted, wrong: tuple[ical.Rejected, ...]) -> list[tuple[Any, ...]]:
    """Return each day and each rejected event in the order of time."""
    rows: list[tuple[Any, ...]] = [
        (each.day.isoformat(), each.worked, each.title, outcome, reason)
        for days, outcome, reason in (
            (sorted_.new, ADDED, ""),
            (sorted_.unchanged, UNCHANGED, ""),
            (sorted_.contrary, REJECTED, _("the calendar's file says otherwise")),
        )
        for each in days
    ]
    rows += [(each.day.isoformat() if each.day else None, None, each.title, REJECTED, each.reason) for each in wrong]
    return sorted(rows, key=lambda row: (row[0] or "", row[2]))


def _bytes(path: Path) -> bytes:
    from crmctl.files import open_input

    with open_input(path) as stream:
        return stream.read(ical.MOST_BYTES + 1)
