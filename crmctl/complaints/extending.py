"""`complaint extend`: a limit gets longer while it runs, when somebody else agreed before it was over.

Asked for in time and agreed to in time, by the real clock: neither knows --at or --as-of. Whoever the complaint is
about has no part in it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection

from crmctl import clock as times
from crmctl.approvals import asking, records, using
from crmctl.approvals.decide import rule_for
from crmctl.cases.clockwork import Clock, extended
from crmctl.cases.policy import PROMISED
from crmctl.cases.terms import ExtensionTerms
from crmctl.complaints import acting, judging, ruling, telling
from crmctl.complaints.acting import Deed, Outcome
from crmctl.complaints.drafting import code_of
from crmctl.complaints.model import Case
from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import limit_of


@dataclass(frozen=True)
class Wish:
    """What is asked for: the stage that gets longer, why, and the date where the policy leaves it to be promised."""

    stage: str
    reason: str
    until: datetime | None = None


def ask(run: Run, number: str, wish: Wish) -> Outcome:
    """Ask that somebody else agrees to a longer limit; `told` then names the approval.

    Raises Refused (EXTENSION_LATE) once the limit is over, for a stage that does not run, or that the policy extends
    no further; InvalidInput for a date the policy does not allow.
    """

    def choose(conn: Connection, case: Case) -> Deed:
        clock, rule = _running(case, _stage(run, case, wish.stage))
        longer = _longer(run, case, clock, rule, wish.until)
        act = f"complaint.{rule.act}"
        _require_rule(run, case, act)
        barred = judging.barred(conn, run, case)
        data = {"for": act, "stage": clock.stage, "clock": clock.clock_id, "due_was": _text(clock.due_at),
                "due_will": _text(longer.due_at), "within": longer.within}  # fmt: skip

        def approval(conn: Connection, run: Run) -> dict[str, int]:
            asked = asking.ask(
                conn, run, act=act, subject=_subject(case), subject_hash=_hash(case, clock, longer, barred), rows=1,
                barred=barred,
            )  # fmt: skip
            return {} if asked is None else {"approval": asked}

        return Deed(
            "asked", {name: value for name, value in data.items() if value}, {"text": wish.reason}, then=approval
        )

    return acting.carry_out(run, number, choose)


def apply(run: Run, number: str, stage: str) -> Outcome:
    """Extend a limit as it was agreed. Raises PermissionMissing while nobody agreed, Refused where it came too late."""

    def choose(conn: Connection, case: Case) -> Deed:
        clock, rule = _running(case, _stage(run, case, stage), asked=True)
        act = f"complaint.{rule.act}"
        _require_rule(run, case, act)
        longer = _longer(run, case, clock, rule, _asked_until(case, clock, act), asked=True)
        digest = _hash(case, clock, longer, judging.barred(conn, run, case))
        approval = using.require(conn, run, act=act, subject=_subject(case), subject_hash=digest, rows=1)
        assert approval is not None  # the rule is there
        _require_in_time(conn, case, clock, approval)
        data = {"stage": clock.stage, "clock": clock.clock_id, "within": longer.within, "approval": approval}
        row: dict[str, Any] = {}
        if clock.told:
            row["feedback_due_at"] = _text(longer.due_at)

        def spend(conn: Connection, run: Run) -> dict[str, int]:
            using.spend(conn, run, approval)
            return {"approval": approval}

        return Deed("extended", data, row=row, extended=longer, then=spend)

    return acting.carry_out(run, number, choose)


def _stage(run: Run, case: Case, text: str) -> str:
    """Return the code of the stage a word names: code, label or synonym; the word itself where the policy is gone."""
    stages = telling.listed(telling.settings_or_none(run.policies, case.row["policy"]), "stages")
    return code_of(stages, text, _("stage"), "STAGE_UNKNOWN") if stages else text


def _running(case: Case, stage: str, *, asked: bool = False) -> tuple[Clock, ExtensionTerms]:
    """Return the clock that is to get longer and the rule it gets longer by; it must not be over yet."""
    clock = next((each for each in reversed(case.clocks) if each.stage == stage and each.running), None)
    if clock is None:
        running = ", ".join(dict.fromkeys(each.stage for each in case.clocks if each.running))
        raise Refused(
            _("{number}: no limit of stage {stage} runs").format(number=case.number, stage=stage[:40]),
            hint=_("running: {stages}").format(stages=running or "-"),
            code="STAGE_NOT_RUNNING",
        )
    rules = [rule for rule in case.terms.extensions if rule.stage == stage]
    if clock.extended >= len(rules):
        raise Refused(
            _("{number}: the policy extends stage {stage} no further").format(number=case.number, stage=stage),
            hint=_("policies/complaints.yaml: extensions"),
            code="EXTENSION_NONE",
        )
    if not asked and clock.late(times.parse_stamp(times.stamp(times.now()))):
        raise _late(case, clock)
    return clock, rules[clock.extended]


def _late(case: Case, clock: Clock) -> Refused:
    return Refused(
        _("{number}: the limit of stage {stage} is over, and what is over is not extended").format(
            number=case.number, stage=clock.stage
        ),
        hint=_("ask before the limit ends: crmctl complaint list --due today"),
        code="EXTENSION_LATE",
    )


def _longer(
    run: Run, case: Case, clock: Clock, rule: ExtensionTerms, until: datetime | None, *, asked: bool = False
) -> Clock:
    calendars = ruling.calendars(run.policies, runs.today(run.policies, run.at), case.row["org_unit"])
    if rule.to != PROMISED:
        if until is not None and not asked:
            raise InvalidInput(
                _("--until: stage {stage} is extended to {limit} from its beginning").format(
                    stage=clock.stage, limit=limit_of(rule.to).words
                ),
                hint=_("leave --until out"),
                code="UNTIL_GIVEN",
            )
        return extended(clock, rule.to, case.terms, calendars)
    if until is None:
        raise InvalidInput(
            _("--until is missing: stage {stage} is extended to a date that is promised").format(stage=clock.stage),
            hint=_("add --until 2026-12-05"),
            code="UNTIL_MISSING",
        )
    latest = due(clock.started_at, limit_of(rule.at_most), calendars("")).at if rule.at_most else None
    if (clock.due_at is not None and until <= clock.due_at) or (latest is not None and until > latest):
        raise InvalidInput(
            _("--until: later than the date there is, and not later than {latest}").format(
                latest=times.local(latest, run.zone) if latest else "-"
            ),
            hint=_("give a date between the two"),
            code="UNTIL_INVALID",
        )
    return extended(clock, PROMISED, case.terms, calendars, until)


def _require_rule(run: Run, case: Case, act: str) -> None:
    """Raise Refused where access.yaml asks nobody to agree to one: nobody extends a limit alone."""
    if rule_for(runs.access_of(run.policies), act, 1) is None:
        raise Refused(
            _("{number}: policies/access.yaml names nobody who agrees to {act}").format(number=case.number, act=act),
            hint=_("add {act} under approvals").format(act=act),
            code="EXTENSION_WITHOUT_APPROVER",
        )


def _asked_until(case: Case, clock: Clock, act: str) -> datetime | None:
    """Return the date that was asked for last for this clock."""
    for row in reversed(case.events):
        data = orjson.loads(row["data"])
        if row["kind"] == "asked" and data.get("for") == act and data.get("clock") == clock.clock_id:
            return times.parse_stamp(data["due_will"]) if data.get("due_will") else None
    raise Refused(
        _("{number}: nobody asked to extend stage {stage}").format(number=case.number, stage=clock.stage),
        hint=_("ask: crmctl complaint extend {number} --stage {stage} --reason …").format(
            number=case.number, stage=clock.stage
        ),
        code="EXTENSION_NOT_ASKED",
    )


def _require_in_time(conn: Connection, case: Case, clock: Clock, approval: int) -> None:
    """Raise Refused when somebody agreed only once the limit was over."""
    made = records.decisions(conn, (approval,))[approval]
    last = max(each.decided_at for each in made if each.decision == "approve")
    if clock.due_at is not None and last > clock.due_at:
        raise _late(case, clock)


def _subject(case: Case) -> str:
    return f"complaint:{case.complaint_id}"


def _hash(case: Case, clock: Clock, longer: Clock, barred: Collection[str]) -> str:
    """Return what an approval is bound to: this clock, its date, what it gets, and who keeps out (who did not then).

    What it gets is the limit: its date is that of the calendar by then. Only of what is promised is it the date.
    """
    promised = _text(longer.due_at) if longer.within == PROMISED else ""
    told = [
        case.complaint_id, clock.clock_id, clock.extended, _text(clock.due_at), longer.within, promised,
        sorted(barred),
    ]  # fmt: skip
    return sha256(b"crmctl/v1/extension\n" + orjson.dumps(told)).hexdigest()


def _text(moment: datetime | None) -> str:
    return times.stamp(moment) if moment else ""
