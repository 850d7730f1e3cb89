"""From revisit to closing, and after it: nothing is closed while something is missing (CMP-11 to CMP-15, CMP-22)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from hashlib import sha256

import orjson
from sqlalchemy import Connection

from crmctl import clock
from crmctl.approvals import asking, using
from crmctl.complaints import acting, decide, facts, judging, ruling, scope
from crmctl.complaints.acting import Deed, Outcome
from crmctl.complaints.handling import NOW, Moment
from crmctl.complaints.model import Case
from crmctl.complaints.reasons import MISSING
from crmctl.complaints.writing import Write
from crmctl.errors import InvalidInput, PermissionMissing, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.satisfaction.recording import Answer, row_of
from crmctl.store import counters
from crmctl.worktime.deadlines import due
from crmctl.worktime.limits import limit_of

WITHOUT_AGREEMENT = "complaint.close-without-agreement"


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
        work = [row for row in case.events if row["kind"] in ("verified", "proposed", "rectified")]
        own = any(row["person"] == run.actor.person or row["staff_id"] in mine for row in work)
        if case.row["handler_id"] in mine or own:
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

    The first time it asks for that approval, and the complaint stays open; `told` then has `approval` and `asked`.
    Raises Refused where there is no such disagreement, or something else is missing.
    """

    def choose(conn: Connection, case: Case) -> Deed:
        judging.require_next(case, "closed")
        _require_disagreement(case)
        _require_whole(case, without_agreement=True)
        subject, digest = f"complaint:{case.complaint_id}", fingerprint(case, judging.barred(conn, run, case))
        rule = {"act": WITHOUT_AGREEMENT, "subject": subject, "subject_hash": digest, "rows": 1}
        approval = using.require(conn, run, **rule)  # type: ignore[arg-type]
        row = {"closing": "without_agreement", "closed_at": clock.stamp(clock.now())}
        deed = Deed("closed", {"closing": "without_agreement"}, {"text": text}, row=row)
        if approval is None:
            return deed

        def spend(conn: Connection, run: Run) -> dict[str, int]:
            using.spend(conn, run, approval)
            return {"approval": approval}

        return replace(deed, then=spend)

    return acting.carry_out(run, number, choose)


def ask_to_close(run: Run, number: str, text: str) -> Outcome:
    """Ask that somebody else agrees to closing without agreement. Raises Refused as closing so does."""

    def choose(conn: Connection, case: Case) -> Deed:
        judging.require_next(case, "closed")
        _require_disagreement(case)
        _require_whole(case, without_agreement=True)
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
            hint=_("next: crmctl {command} {number}").format(
                command=MISSING[lacking[0]][1].partition(",")[0], number=case.number
            ),
            code="MISSING",
            details={"missing": list(lacking)},
        )


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


def mark_duplicate(run: Run, number: str, original: str, reason: str) -> Outcome:
    """Close a complaint as a repetition of another, with a reason (CMP-23): both stay on record.

    Raises Refused for an original there is not, which is closed or a duplicate itself, or which is this one.
    """

    def choose(conn: Connection, case: Case) -> Deed:
        place = facts.place_of(conn, original)
        # Locked: two that are marked duplicates of each other at once would both be closed, and nobody handles either.
        seen = place is not None and scope.visible(conn, run, place)
        other = facts.case(conn, place, locked=not run.dry_run) if place and seen else None
        if other is None:
            raise scope.gone(original)
        if other.number == case.number or not other.standing.open:
            raise Refused(
                _("{original}: is no complaint that {number} could repeat").format(original=original, number=number),
                hint=_("name the one that is handled"),
                code="NO_ORIGINAL",
            )
        row = {"closing": "duplicate", "closed_at": clock.stamp(clock.now()), "duplicate_of": other.number}
        return Deed("duplicated", {"of": other.number}, {"text": reason}, row=row)

    return acting.carry_out(run, number, choose)
