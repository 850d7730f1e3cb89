"""The pure rules of a complaint against a second telling of them, which looks at the whole history each time.

CMP-05 to CMP-13, CMP-15, CMP-23. The rules of the program go on from a state; those here know no state: they ask what
is in the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmctl.complaints.decide import (
    DEEDS,
    NEEDS,
    Event,
    Person,
    Standing,
    missing,
    next_refused,
    recused,
    standing,
    time_refused,
    without_agreement_refused,
)

START = datetime(2026, 11, 23, 1, tzinfo=UTC)
KINDS = tuple(kind for kind in DEEDS if kind != "accepted")
ANSWERS = ("agreed", "refused", "rectified", "revisited", "reviewed")


class History:
    """All that happened to a complaint, and what follows from it; nothing is kept between two questions."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        ends = [at for at, each in enumerate(events) if each.kind == "reopened"]
        self.life = events[ends[-1] + 1 :] if ends else events
        plans = [at for at, each in enumerate(self.life) if each.kind == "proposed"]
        self.planned = bool(plans)
        self.since = self.life[plans[-1] + 1 :] if plans else ()
        failed = [at for at, each in enumerate(self.since) if self._failed(each)]
        self.failed = bool(failed)
        self.answers = [each for each in self.since if each.kind in ANSWERS and not self._passed(each)]

    @staticmethod
    def _failed(event: Event) -> bool:
        return event.kind == "reviewed" and event.data["result"] == "failed"

    @staticmethod
    def _passed(event: Event) -> bool:
        return event.kind == "reviewed" and event.data["result"] == "passed"

    @property
    def refusals(self) -> int:
        """Plans refused, before they were carried out or after (SAT-05)."""
        return sum(each.kind == "refused" for each in self.life) + sum(
            each.kind == "revisited" and not each.data["settled"] for each in self.life
        )

    def ever(self, kind: str, among: Iterable[Event] | None = None) -> bool:
        return any(each.kind == kind for each in (self.events if among is None else among))

    @property
    def over(self) -> str:
        return next((each.kind for each in self.life if each.kind in ("closed", "duplicated")), "")

    @property
    def came_to_nothing(self) -> bool:
        """The plan was carried out and did not settle it, or its review says so."""
        visits = [each for each in self.since if each.kind == "revisited"]
        return self.failed or bool(visits and not visits[-1].data["settled"])

    @property
    def word(self) -> str:
        """The last thing said or done of the newest plan; empty where nothing was yet."""
        return self.answers[-1].kind if self.answers else ""

    def done(self) -> set[str]:
        found = {kind for kind in ("responded", "verified", "attached") if self.ever(kind)}
        found |= {kind for kind in ("legal_reviewed", "analysed") if self.ever(kind, self.life)}
        if self.planned and not self.failed:
            found |= {kind for kind in ("agreed", "rectified", "revisited") if self.ever(kind, self.since)}
            if self.ever("revisited", self.since) and not self.came_to_nothing:
                found.add("settled")
            if any(map(self._passed, self.since)):
                found.add("reviewed")
        return found

    def may(self, kind: str) -> bool:
        """Whether this may come next, as the requirements tell it."""
        if self.over:
            return kind in ("analysed", "attached", "linked", "extended") or (
                kind == "reopened" and self.over == "closed"
            )
        match kind:
            case "responded":
                return not self.ever("responded")
            case "proposed":  # verified first; a plan that holds is not replaced
                free = not self.planned or self.word in ("", "refused") or self.came_to_nothing
                return self.ever("verified") and free
            case "agreed" | "refused":  # one answer a plan
                return self.planned and not self.word
            case "rectified":  # never from a plan that is not agreed (CMP-08)
                return self.word == "agreed"
            case "revisited":
                return self.word in ("rectified", "revisited") and not self.came_to_nothing
            case "reviewed":
                return self.word in ("refused", "rectified", "revisited") and not self.came_to_nothing
            case "reopened":
                return False
        return True


def history(seed: int) -> list[Event]:
    """Return a history in which everything was allowed when it happened; far down the road as often as at its start."""
    chance, events, at = Random(seed), [Event("accepted", START)], START
    for _turn in range(chance.randint(0, 40)):
        able = [kind for kind in KINDS if History(events).may(kind)]
        # What leads on is drawn more often than what can always happen, and than what ends it.
        leading = [kind for kind in able if kind in (*ANSWERS, "verified", "proposed", "reopened")]
        kept = [kind for kind in able if kind in ("responded", "legal_reviewed", "analysed", "mediated", "attached")]
        kind = chance.choice(leading * 10 + kept * 2 + able)
        at += timedelta(minutes=chance.randint(0, 90))
        data: dict[str, object] = {"settled": chance.random() < 0.5} if kind == "revisited" else {}
        if kind == "reviewed":
            data = {"result": chance.choice(["passed", "failed"])}
        events.append(Event(kind, at, data))
    return events


def histories() -> st.SearchStrategy[list[Event]]:
    """Return walks, each by its seed: left to itself Hypothesis seldom goes so deep."""
    return st.integers(0, 2**32).map(history)


@given(histories())
def test_what_may_come_next_and_what_closing_lacks(events: list[Event]) -> None:
    """CMP-05, CMP-08, CMP-11, CMP-13, CMP-15, CMP-23; at every step of the way."""
    for place in range(1, len(events) + 1):
        told, now = History(events[:place]), standing(events[:place])
        assert {kind for kind in KINDS if next_refused(now, kind) is None} == {kind for kind in KINDS if told.may(kind)}
        assert set(now.done) == told.done()
        assert now.open == (not told.over)
        assert now.plan_version == sum(each.kind == "proposed" for each in events[:place])
        assert now.refusals == told.refusals
        assert now.mediated == told.ever("mediated", told.life)
        assert now.reopened == sum(each.kind == "reopened" for each in events[:place])
        assert now.last_at == max(each.at for each in events[:place])


@given(histories(), st.lists(st.sampled_from(NEEDS), max_size=8), st.booleans())
def test_missing_is_what_the_policy_wants_and_did_not_happen(
    events: list[Event], needs: list[str], without: bool
) -> None:
    """CMP-13, in the policy's order, each once; without agreement there cannot be what needs one."""
    found = missing(standing(events), needs, without_agreement=without)
    wanted = [need for need in needs if not (without and need in ("agreed", "rectified", "revisited", "settled"))]
    assert set(found) == set(wanted) - History(events).done()
    assert list(found) == [need for at, need in enumerate(wanted) if need in found and need not in wanted[:at]]


@settings(max_examples=250)
@given(histories(), st.integers(1, 3), st.booleans())
def test_closing_without_agreement(events: list[Event], plans: int, mediation: bool) -> None:
    """A-07: only where there is no agreement, after enough plans, after mediation where it is wanted."""
    told, now = History(events), standing(events)
    refusal = without_agreement_refused(now, plans, mediation=mediation)
    nothing = told.came_to_nothing
    disagreement = not told.over and told.planned and (told.word in ("", "refused") or nothing)
    if not disagreement:
        assert refusal is not None
        assert refusal.code == "AGREEMENT_POSSIBLE"
    elif told.refusals < plans:
        assert refusal is not None
        assert refusal.code == "PLANS_TOO_FEW"
    elif mediation and not told.ever("mediated", told.life):
        assert refusal is not None
        assert refusal.code == "MEDIATION_MISSING"
    else:
        assert refusal is None


@given(histories())
def test_a_refusal_says_why(events: list[Event]) -> None:
    now = standing(events)
    codes = {kind: refusal.code for kind in KINDS if (refusal := next_refused(now, kind)) is not None}
    if now.open:
        assert codes.pop("reopened") == "CASE_OPEN"
        assert codes.pop("responded", "DONE_ALREADY") == "DONE_ALREADY"
        assert set(codes.values()) <= {"NOT_YET"}
    elif now.status == "duplicate":
        assert set(codes.values()) == {"IS_DUPLICATE"}
    else:
        assert codes.pop("responded", "DONE_ALREADY") in ("DONE_ALREADY", "CASE_CLOSED")
        assert set(codes.values()) <= {"CASE_CLOSED"}


MOMENTS = st.integers(-500, 500).map(lambda minutes: START + timedelta(minutes=minutes))


@given(MOMENTS, MOMENTS, st.none() | MOMENTS, st.none() | MOMENTS)
def test_when_something_can_have_happened(
    at: datetime, entered: datetime, last: datetime | None, until: datetime | None
) -> None:
    """Not in the future, not before what is on record, not longer ago than the policy allows."""
    refusal = time_refused(Standing(last_at=last), at, entered, until)
    able = at <= entered and (last is None or at >= last) and (until is None or entered <= until)
    assert (refusal is None) == able


POSTS, PLACES = st.sampled_from(["manager", "lead", None]), st.sampled_from(["east", "west", None])
PEOPLE = st.lists(st.tuples(POSTS, PLACES, PLACES), min_size=1, max_size=8).map(
    lambda rows: [Person(number, *row) for number, row in enumerate(rows, 1)]
)


@given(PEOPLE, st.sets(st.integers(1, 8)), st.sampled_from(["department", "org_unit", "company"]))
def test_who_keeps_out(everybody: list[Person], about: set[int], within: str) -> None:
    """Whom it is about, and whoever holds a superior's post over one of them."""
    people = [each for each in everybody if each.staff_id in about]
    found = recused(people, everybody, ("manager",), within)
    for each in everybody:
        over = False
        for person in people:
            same_unit = person.org_unit == each.org_unit
            near = {
                "company": True,
                "org_unit": same_unit,
                "department": same_unit and (person.department is None or person.department == each.department),
            }[within]
            over = over or (each.post == "manager" and near)
        assert (each.staff_id in found) == (each in people or over)


@pytest.mark.parametrize("kind", ["agreed", "rectified", "revisited", "settled", "reviewed"])
def test_another_plan_takes_back_what_belonged_to_the_last(kind: str) -> None:
    """CMP-08: what was agreed, done and said of an earlier plan does not close a later one."""
    life = [("verified", {}), ("proposed", {}), ("agreed", {}), ("rectified", {}), ("reviewed", {"result": "passed"}),
            ("revisited", {"settled": True})]  # fmt: skip
    events = [Event(name, START, data) for name, data in life]
    assert kind in standing(events).done
    again = [*events, Event("revisited", START, {"settled": False}), Event("proposed", START)]
    assert kind not in standing(again).done
