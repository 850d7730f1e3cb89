"""From revisit to closing, and after it: nothing is closed while something is missing (CMP-11 to CMP-15, CMP-22)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from hashlib import sha256

import orjson
from sqlalchemy import Connection, select

from crmctl import clock
from crmctl.approvals import asking, using
from crmctl.approvals.decide import rule_for
from crmctl.complaints import acting, decide, facts, judging, ruling, scope
from crmctl.complaints.acting import Deed, Outcome
from crmctl.complaints.handling import NOW, Moment
from crmctl.complaints.model import Case
from crmctl.complaints.reasons import MISSING
from crmctl.complaints.writing import Write
from crmctl.customers.model import PROVISIONAL
from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput, PermissionMissing, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.satisfaction.recording import Answer, row_of
from crmctl.store import counters
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import limit_of

WITHOUT_AGREEMENT = "complaint.close-without-agreement"
_WORK = ("verified", "proposed", "agreed", "refused", "rectified", "revisited")  # handling, whoever enters it


@dataclass(frozen=True)
class Word:
    """What the customer said at the revisit (CMP-11, SAT-03); `score` on the policy's scale, None: gave none."""

    settled: bool
    score: int | None = None
    text: str = field(default="", repr=False)


def revisit(run: Run, number: str, word: Word, moment: Moment = NOW) -> Outcome:
    """Record a revisit; not settled, another plan is needed. Raises InvalidInput for a score off the scale."""

    def choose(_conn: Connection, case: Case) -> Deed:
        scale = int(case.rest["scale"])
        if word.score is not None and not 0 <= word.score <= scale:
            raise InvalidInput(
                _("--score {score}: the scale goes from 0 to {scale}").format(score=word.score, scale=scale),
                code="SCORE_INVALID",
            )
        data = {"settled": word.settled, "score": word.score, "scale": scale}

        def rows(conn: Connection, case: Case, run: Run) -> list[Write]:
            answer = Answer("revisit", "complaint", case.complaint_id, scale, word.score, word.settled)
            own = counters.take(conn, "satisfaction", 1)
            at = clock.stamp(moment.at or clock.now())
            row, table = row_of(run, case.customer_id, own, answer, at)
            return [Write(table, row)]

        return Deed("revisited", data, {"text": word.text}, moment.at, moment.late, writes=rows)

    return acting.carry_out(run, number, choose)


def review(run: Run, number: str, *, passed: bool, text: str) -> Outcome:
    """Record the review (复核) by somebody who did not handle the complaint (CMP-15). Not passed, it goes back."""

    def choose(_conn: Connection, case: Case) -> Deed:
        mine = run.standing.staff_ids if run.standing else ()
        work = [row for row in case.events if row["kind"] in _WORK]
        own = any(row["person"] == run.actor.person or row["staff_id"] in mine for row in work)
        if own or case.handlers & set(mine):
            raise PermissionMissing(
                _("{number}: whoever handled it does not review it").format(number=number),
                hint=_("let somebody else review it"),
                code="OWN_WORK",
            )
        return Deed("reviewed", {"result": "passed" if passed else "failed"}, {"text": text})

    return acting.carry_out(run, number, choose)


def analyse(run: Run, number: str, root_cause: str, improvement: str) -> Outcome:
    """Record root cause and improvement, so that it does not happen again (CMP-14); also once it is closed."""
    private = {"root_cause": root_cause, "improvement": improvement}
    return acting.carry_out(run, number, lambda _conn, _case: Deed("analysed", {}, private))


def close(run: Run, number: str, text: str) -> Outcome:
    """Close a complaint. Raises Refused (MISSING) that lists exactly what it lacks, each with its command (CMP-13)."""

    def choose(_conn: Connection, case: Case) -> Deed:
        judging.require_next(case, "closed")
        _require_whole(case, without_agreement=False)
        row = {"closing": "settled", "closed_at": clock.stamp(clock.now())}
        return Deed("closed", {"closing": "settled"}, {"text": text}, row=row)

    return acting.carry_out(run, number, choose)


def close_without_agreement(run: Run, number: str, text: str) -> Outcome:
    """Close a complaint whose customer agrees to nothing (A-07): after mediation, once somebody else approves.

    Raises Refused where there is no such disagreement, or something else is missing; PermissionMissing while nobody
    has approved.
    """

    def choose(conn: Connection, case: Case) -> Deed:
        judging.require_next(case, "closed")
        _require_disagreement(case)
        _require_whole(case, without_agreement=True)
        _require_approver(run, case)
        subject, digest = f"complaint:{case.complaint_id}", fingerprint(case, judging.barred(conn, run, case))
        approval = using.require(conn, run, act=WITHOUT_AGREEMENT, subject=subject, subject_hash=digest, rows=1)
        assert approval is not None  # there is a rule
        row = {"closing": "without_agreement", "closed_at": clock.stamp(clock.now())}

        def spend(conn: Connection, run: Run) -> dict[str, int]:
            using.spend(conn, run, approval)
            return {"approval": approval}

        return Deed("closed", {"closing": "without_agreement"}, {"text": text}, row=row, then=spend)

    return acting.carry_out(run, number, choose)


def ask_to_close(run: Run, number: str, text: str) -> Outcome:
    """Ask that somebody else agrees to closing without agreement. Raises Refused as closing so does."""

    def choose(conn: Connection, case: Case) -> Deed:
        judging.require_next(case, "closed")
        _require_disagreement(case)
        _require_whole(case, without_agreement=True)
        _require_approver(run, case)
        barred = judging.barred(conn, run, case)

        def ask(conn: Connection, run: Run) -> dict[str, int]:
            number = asking.ask(
                conn, run, act=WITHOUT_AGREEMENT, subject=f"complaint:{case.complaint_id}",
                subject_hash=fingerprint(case, barred), rows=1, barred=barred,
            )  # fmt: skip
            return {} if number is None else {"approval": number}

        return Deed("asked", {"for": WITHOUT_AGREEMENT}, {"text": text}, then=ask)

    return acting.carry_out(run, number, choose)


def fingerprint(case: Case, barred: Collection[str]) -> str:
    """Return the hash of a complaint as far as an approval of its closing goes: plans and answers, not every note.

    Whoever keeps out of it belongs to it: what one of them agreed to before that was known is an approval no more.
    """
    told = [
        [row["event_id"], row["kind"], row["data"]]
        for row in case.events
        if row["kind"] in ("accepted", "verified", "proposed", "agreed", "refused", "revisited", "mediated", "reopened")
    ]
    return sha256(b"crmctl/v1/complaint\n" + orjson.dumps([told, sorted(barred)])).hexdigest()


def _require_approver(run: Run, case: Case) -> None:
    """Raise Refused where access.yaml asks nobody: nobody closes a complaint against the customer alone."""
    if rule_for(runs.access_of(run.policies), WITHOUT_AGREEMENT, 1) is None:
        raise Refused(
            _("{number}: policies/access.yaml names nobody who agrees to {act}").format(
                number=case.number, act=WITHOUT_AGREEMENT
            ),
            hint=_("add {act} under approvals").format(act=WITHOUT_AGREEMENT),
            code="CLOSING_WITHOUT_APPROVER",
        )


def _require_disagreement(case: Case) -> None:
    rule = case.rest["without_agreement"]
    if rule is None:
        raise judging.refused(case.number, decide.Refusal("NO_DISAGREEMENT_EXIT"))
    refusal = decide.without_agreement_refused(case.standing, rule["plans"], mediation=rule["mediation"])
    if refusal is not None:
        raise judging.refused(case.number, refusal)


def _require_whole(case: Case, *, without_agreement: bool) -> None:
    lacking = decide.missing(case.standing, case.rest["closing"], without_agreement=without_agreement)
    if lacking:
        raise Refused(
            _("{number}: cannot be closed, missing: {missing}").format(
                number=case.number, missing=_("; ").join(_(MISSING[need][0]) for need in lacking)
            ),
            hint=_("next: crmctl {command} {number}").format(command=_next(case, lacking[0]), number=case.number),
            code="MISSING",
            details={"missing": list(lacking)},
        )


def _next(case: Case, need: str) -> str:
    """Return the command that brings what is lacking; what was not settled needs another plan first."""
    if case.standing.status == "unsettled" and need in decide.WITHOUT_AGREEMENT:
        return "complaint propose"
    return MISSING[need][1].partition(",")[0]


def reopen(run: Run, number: str, reason: str) -> Outcome:
    """Reopen a closed complaint: plan, answer and revisit are needed again. Raises Refused when it is too late."""

    def choose(_conn: Connection, case: Case) -> Deed:
        judging.require_next(case, "reopened")
        within = case.rest["reopen_within"]
        if within is not None:
            calendar = ruling.calendars(run.policies, runs.today(run.policies, run.at), case.row["org_unit"])("")
            until = due(clock.parse_stamp(case.row["closed_at"]), limit_of(within), calendar).at
            if until is not None and clock.now() > until:
                raise Refused(
                    _("{number}: was closed too long ago to be reopened ({limit})").format(
                        number=number, limit=limit_of(within).words
                    ),
                    hint=_("open a new one: crmctl complaint open"),
                    code="REOPEN_TOO_LATE",
                )
        return Deed("reopened", {}, {"text": reason}, row={"closing": None, "closed_at": None})

    return acting.carry_out(run, number, choose)


def _accepted(conn: Connection, case: Case) -> decide.Accepted:
    """Return a complaint as far as repetition goes."""
    row, unknown = case.row, False
    if row["linked_customer_id"] is None:
        query = select(customer.c.status).where(customer.c.customer_id == case.customer_id)
        unknown = conn.execute(query).scalar_one_or_none() == PROVISIONAL
    at = clock.parse_stamp(row["accepted_at"])
    return decide.Accepted(at, case.complaint_id, frozenset(case.concerned), frozenset(case.about), unknown)


def mark_duplicate(run: Run, number: str, original: str, reason: str) -> Outcome:
    """Close a complaint as a repetition of another, with a reason (CMP-23): both stay on record.

    Raises Refused for an original there is not, which is closed, came later or is another customer's, or which does not
    know of everybody this one is about.
    """

    def choose(conn: Connection, case: Case) -> Deed:
        place = facts.place_of(conn, original)
        other = facts.case(conn, place) if place and scope.visible(conn, run, place) else None
        if other is None or place is None:
            raise scope.gone(original)
        refusal = decide.duplicate_refused(_accepted(conn, case), _accepted(conn, other))
        if refusal is not None:
            raise judging.refused(number, replace(refusal, told={"original": original}))
        # The earlier one is locked last, whoever asks: nobody waits for each other. Read again, it is as it is now.
        other = facts.case(conn, place, locked=not run.dry_run) or other
        if not other.standing.open:
            raise judging.refused(number, decide.Refusal("NO_ORIGINAL", {"original": original}))
        row = {"closing": "duplicate", "closed_at": clock.stamp(clock.now()), "duplicate_of": other.number}
        return Deed("duplicated", {"of": other.number}, {"text": reason}, row=row)

    return acting.carry_out(run, number, choose)
