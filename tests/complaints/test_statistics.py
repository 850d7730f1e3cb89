"""Figures of a period: counts that reconcile, timeliness by each complaint's own terms (CMP-16 to CMP-18, K05 …)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from casework import ADMIN, AGENT, HANDLER, SECOND, STEWARD, SUPERVISOR, Office
from hypothesis import given, settings
from hypothesis import strategies as st

from crmctl.clock import stamp
from crmctl.complaints.figures import COUNTS, document
from crmctl.complaints.statistics import Prevented, Statistics
from crmctl.complaints.tallying import Facts, Limit, Period, Tally, add

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: float) -> str:
    """Return the stamp so many hours after the beginning."""
    return stamp(BEGIN + timedelta(hours=hours))


def period(first: float, last: float) -> Period:
    """Return a period in hours; its days are of no account here."""
    return Period(date(2026, 1, 1), date(2026, 1, 2), at(first), at(last))


def facts(
    accepted: float = 10,
    *limits: tuple[str, bool, float | None, float, float | None],
    turns: Iterable[tuple[str, float]] = (),
    **more: Any,
) -> Facts:
    """Return a complaint; a limit is (stage, counts, due, started, stopped)."""
    return Facts(
        {"category": "quality", "cause": None, "department": None},
        bool(more.get("service")),
        at(accepted),
        tuple(
            Limit(
                stage, timely, None if due is None else at(due), at(started), None if stopped is None else at(stopped)
            )
            for stage, timely, due, started, stopped in limits
        ),
        tuple((kind, at(moment)) for kind, moment in turns),
        at(more["reviewed"]) if "reviewed" in more else None,
        tuple(more.get("answers", ())),
    )


def counted(found: Facts, first: float, last: float) -> dict[str, int]:
    """Return the counts of one complaint that are not nothing."""
    tally = Tally()
    add(tally, found, period(first, last))
    return {name: number for name, number in tally.counts.items() if number}


KEPT = ("verify", True, 20.0, 10.0, 20.0)  # ended in the second of its deadline
LATE = ("verify", True, 20.0, 10.0, 20.001)


def test_closed_with_all_limits_kept_is_timely_to_the_second() -> None:
    """K05: the second of the deadline is in time, the next is late."""
    found = facts(10, KEPT, turns=[("closed", 30)])
    assert counted(found, 0, 40) == {"opened": 1, "closed": 1, "handled": 1, "judged": 1, "timely": 1}
    found = facts(10, LATE, turns=[("closed", 30)])
    assert counted(found, 0, 40) == {"opened": 1, "closed": 1, "handled": 1, "judged": 1}


def test_a_clock_that_runs_late_counts_at_once_and_one_that_runs_in_time_not_yet() -> None:
    found = facts(10, ("verify", True, 20, 10, None))
    assert counted(found, 0, 20) == {"opened": 1, "open": 1}
    assert counted(found, 0, 21) == {"opened": 1, "open": 1, "judged": 1}
    assert counted(found, 21, 40) == {"open_before": 1, "open": 1, "judged": 1}


def test_what_happened_after_the_end_is_not_looked_at() -> None:
    found = facts(10, ("verify", True, 20, 10, 25), turns=[("closed", 30), ("reopened", 35), ("closed", 50)])
    assert counted(found, 0, 15) == {"opened": 1, "open": 1}
    assert counted(found, 0, 22) == {"opened": 1, "open": 1, "judged": 1}
    assert counted(found, 26, 32) == {"open_before": 1, "closed": 1, "handled": 1, "judged": 1}
    assert counted(found, 33, 40) == {"reopened": 1, "open": 1, "judged": 1}
    assert counted(found, 0, 5) == {}


def test_stages_that_do_not_count_and_clocks_without_deadline_do_not_decide() -> None:
    """Progress and analysis are `timely: false`; a clock that stood still as it ended is not late."""
    late_progress = ("progress", False, 12.0, 10.0, 19.0)
    paused = ("propose", True, None, 10.0, 15.0)
    assert counted(facts(10, late_progress, KEPT, turns=[("closed", 30)]), 0, 40)["timely"] == 1
    assert counted(facts(10, paused, turns=[("closed", 30)]), 0, 40)["timely"] == 1
    only = counted(facts(10, late_progress, turns=[("closed", 30)]), 0, 40)
    assert (only["unlimited"], only.get("judged")) == (1, None)


def test_a_duplicate_is_handled_with_the_one_it_repeats() -> None:
    assert counted(facts(10, LATE, turns=[("duplicated", 30)]), 0, 40) == {"opened": 1, "duplicates": 1}


def test_a_stage_is_judged_in_the_period_it_ended_or_is_late_in() -> None:
    found = facts(10, KEPT, ("rectify", True, 50, 30, None))
    for first, last, wanted in (
        (0, 40, {"verify": (1, 1)}), (41, 50, {}), (41, 51, {"rectify": (0, 1)}), (52, 60, {"rectify": (0, 1)}),
    ):  # fmt: skip
        tally = Tally()
        add(tally, found, period(first, last))
        assert {stage: (n["kept"], n["judged"]) for stage, n in tally.stages.items()} == wanted


LIVES = st.lists(
    st.tuples(
        st.integers(0, 90),  # accepted
        st.lists(st.tuples(st.booleans(), st.integers(1, 20), st.integers(1, 30)), max_size=4),  # clocks
        st.lists(st.integers(1, 20), max_size=5),  # hours between closing and reopening
    ),
    max_size=12,
)


def made(life: tuple[int, list[tuple[bool, int, int]], list[int]]) -> Facts:
    accepted, clocks, gaps = life
    turns, moment = [], float(accepted)
    for place, gap in enumerate(gaps):
        moment += gap
        turns.append(("reopened" if place % 2 else "closed", moment))
    limits = [("verify", timely, accepted + within, accepted, accepted + took) for timely, within, took in clocks]
    return facts(accepted, *limits, turns=turns)


@given(LIVES, st.integers(0, 100), st.integers(1, 60))
@settings(max_examples=200, deadline=None)
def test_counts_reconcile_and_agree_with_a_replay_of_every_hour(lives: list[Any], first: int, length: int) -> None:
    """open = open_before + opened - closed - duplicates + reopened; openness and lateness as in a naive replay."""
    last = first + length - 0.001
    tally, found = Tally(), [made(life) for life in lives]
    for each in found:
        add(tally, each, period(first, last))
    n = tally.counts
    assert n["open"] == n["open_before"] + n["opened"] - n["closed"] - n["duplicates"] + n["reopened"]
    end, judged, timely = at(last), 0, 0
    for each in found:
        if each.accepted > end:
            continue
        open_, closed_at = True, None
        for kind, moment in each.turns:
            if moment <= end:
                open_, closed_at = kind == "reopened", moment
        overran = [
            (limit.stopped if limit.stopped is not None and limit.stopped <= end else end) > str(limit.due)
            for limit in each.limits
            if limit.timely and limit.started <= end
        ]
        within = closed_at is not None and not open_ and closed_at >= at(first)
        if overran and (within or (open_ and any(overran))):
            judged += 1
            timely += not any(overran)
    assert (n["judged"], n["timely"]) == (judged, timely)


@given(LIVES)
@settings(max_examples=100, deadline=None)
def test_periods_one_after_the_other_miss_nothing(lives: list[Any]) -> None:
    """What is opened and closed in parts is opened and closed in the whole; open at the end is open before the next."""
    found = [made(life) for life in lives]
    whole, parts = Tally(), [Tally() for _ in range(10)]
    for each in found:
        add(whole, each, period(0, 199.9))
        for place, part in enumerate(parts):
            add(part, each, period(20 * place, 20 * place + 19.9997))
    for name in ("opened", "closed", "duplicates", "reopened"):
        assert sum(part.counts[name] for part in parts) == whole.counts[name]
    for part, following in zip(parts, parts[1:], strict=False):
        assert part.counts["open"] == following.counts["open_before"]


def test_scores_of_different_scales_are_compared_in_per_cent() -> None:
    """K28: 4 of 5 and 90 of 100 make 85; who gave none is counted apart."""
    tally = Tally()
    add(
        tally,
        facts(10, answers=[(5, 4, at(20)), (100, 90, at(21)), (100, None, at(22)), (5, 1, at(99))]),
        period(0, 40),
    )
    told = document(Statistics(period(0, 40), tally, (), 7, Prevented()), "UTC")
    figure = {each["definition"]: each for each in told["figures"]}
    assert (figure["K28"]["value"], figure["K28"]["denominator"], figure["K28"]["unanswered"]) == (85.0, 2, 1)
    assert (figure["K16"]["numerator"], figure["K16"]["denominator"], figure["K16"]["value"]) == (1, 7, 14.29)


def statistics(office: Office, *words: object, uid: int = SUPERVISOR) -> dict[str, Any]:
    """Return the document of the command."""
    return office.json(uid, "complaint", "statistics", *words)


def figure(told: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one figure."""
    (found,) = [each for each in told["figures"] if each["definition"] == name]
    return dict(found)


def test_a_month_through_the_real_commands(office: Office) -> None:
    """Five complaints: timely, late and closed, late and open, open in time, a duplicate."""
    timely = office.open()
    office.step(timely, "respond", "--text", office.text("已联系"))
    late = office.open("C-2", category="态度", handler="K2")
    office.hours.forward(minutes=31)
    office.step(late, "respond", "--text", office.text("已联系"))
    standing = office.open("C-3", category="态度", severity="serious")
    office.through(timely)
    office.through(late, uid=SECOND)
    double = office.open("C-3")
    office.step(double, "mark-duplicate", "--of", standing, "--reason", office.text("同一件事"))
    office.hours.forward(hours=1)
    office.open("C-2", category="price")
    told = statistics(office)
    counts = {"open_before": 0, "opened": 5, "closed": 2, "duplicates": 1, "reopened": 0, "open": 2}
    assert told["counts"] == counts
    assert (told["from"], told["until"], told["as_of"]) == ("2026-11-01", "2026-11-23", office.hours.local())
    k05 = figure(told, "K05")
    assert (k05["numerator"], k05["denominator"], k05["value"], k05["unlimited"]) == (1, 3, 33.33, 0)
    assert k05["as_of"] == told["as_of"]
    assert figure(told, "K28") | {"as_of": ""} == {
        "definition": "K28", "numerator": 180.0, "denominator": 2, "value": 90.0, "unanswered": 0, "as_of": "",
    }  # fmt: skip
    assert [figure(told, "K29")[name] for name in ("numerator", "denominator", "value")] == [0, 2, 0.0]
    k15 = figure(told, "K15")
    assert (k15["numerator"], k15["denominator"], k15["value"], k15["lacks"]) == (2, None, None, "service_volume")
    assert (figure(told, "K16")["numerator"], figure(told, "K16")["denominator"]) == (5, 3)
    ranked = [(row["category"], row["complaints"], row["share"]) for row in told["categories"]]
    assert ranked == [("attitude", 2, 40.0), ("quality", 2, 40.0), ("price", 1, 20.0)]
    assert told["causes"] == [{"cause": "process", "complaints": 2, "share": 100.0}] and told["cause_unknown"] == 3
    stages = {row["stage"]: (row["kept"], row["judged"]) for row in told["stages"]}
    assert stages["respond"] == (2, 4) and stages["verify"] == (3, 3) and "analyse" not in stages
    by = {row["handler"]: row for row in statistics(office, "--by", "handler")["groups"]}
    assert (by[office.staff_ids["K2"]]["timely"], by[office.staff_ids["K2"]]["judged"]) == (0, 1)
    assert (by[office.staff_ids["K1"]]["timely"], by[office.staff_ids["K1"]]["judged"]) == (1, 2)


def test_what_was_asked_as_of_an_earlier_moment_stays_the_same(office: Office) -> None:
    number = office.open()
    office.step(number, "respond", "--text", office.text("已联系"))
    office.hours.forward(minutes=1)
    then, told = office.hours.local(), statistics(office)
    office.hours.forward(days=3)
    office.open("C-2")
    assert figure(statistics(office), "K05")["denominator"] == 1
    office.through(number, uid=HANDLER)
    again = statistics(office, "--as-of", then)
    assert figure(told, "K30")["cause_unknown"] == 1 and figure(again, "K30")["cause_unknown"] == 0
    for each in (told, again):  # what a complaint is of is said as it is known today
        each["figures"] = [row for row in each["figures"] if row["definition"] != "K30"]
    assert {**again, "run_id": 0} == {**told, "run_id": 0, "cause_unknown": 0, "causes": again["causes"]}


def test_by_month_each_month_is_a_period_of_its_own(office: Office) -> None:
    """Open over the turn of a month: opened in one, closed in the next, and counted late in both."""
    number = office.open()
    office.hours.to("2026-12-01T10:00")
    office.through(number)
    told = statistics(office, "--from", "2026-11-01", "--until", "2026-12-31", "--by", "month")
    rows = {row["month"]: row for row in told["groups"]}
    assert [rows["2026-11"][name] for name in COUNTS] == [0, 1, 0, 0, 0, 1]
    assert [rows["2026-12"][name] for name in COUNTS] == [1, 0, 1, 0, 0, 0]
    assert [(rows[month]["timely"], rows[month]["judged"]) for month in sorted(rows)] == [(0, 1), (0, 1)]
    assert told["counts"]["opened"] == 1 and figure(told, "K05")["denominator"] == 1


def test_reviewed_and_fewer_like_complaints_after_an_improvement(office: Office) -> None:
    """K29, K30: compared only where a root cause and an improvement were recorded before the period began."""
    for customer in ("C-1", "C-2"):
        number = office.open(customer)
        office.through(number, "revisit")
        office.step(number, "review", "--passed", uid=SECOND)
        office.step(number, "close")
    assert figure(statistics(office), "K29")["value"] == 100.0
    office.hours.to("2026-11-24T09:00")
    assert figure(statistics(office, "--from", "today"), "K30")["kinds"] == 0
    cause = ("--root-cause", office.text("水管老化"), "--improvement", office.text("每年检查"))
    office.step(number, "analyse", *cause)
    office.hours.to("2026-11-25T09:00")
    other = office.open("C-3")
    office.verify(other)
    office.hours.to("2026-11-26T23:59:59")
    told = figure(statistics(office, "--from", "2026-11-25", "--until", "2026-11-25"), "K30")
    assert [told[name] for name in ("kinds", "before", "now", "value")] == [1, 0, 1, None]
    told = figure(statistics(office, "--from", "2026-11-25", "--until", "2026-11-26"), "K30")
    assert [told[name] for name in ("before", "now", "numerator", "denominator", "value")] == [2, 1, 1, 2, 50.0]


def test_nothing_is_prevented_while_causes_are_unknown(office: Office) -> None:
    """K30: what nobody has verified yet is no fewer complaints; a duplicate, never verified, is no hindrance."""
    number = office.open()
    office.through(number, "revisit")
    office.step(number, "analyse", "--root-cause", office.text("水管老化"), "--improvement", office.text("每年检查"))
    office.step(number, "close")
    office.hours.to("2026-11-24T09:00")
    office.verify(office.open("C-1"))
    office.open("C-2")
    office.hours.to("2026-11-25T09:00")
    fresh, double = office.open("C-3"), office.open("C-3")
    office.step(double, "mark-duplicate", "--of", fresh, "--reason", office.text("同一件事"))
    office.hours.to("2026-11-25T23:59:59")  # as long as the day before
    names = ("before", "now", "cause_unknown_before", "cause_unknown", "value")
    assert [figure(statistics(office, "--from", "today"), "K30")[name] for name in names] == [1, 0, 1, 1, None]
    shown = office.desk.say(SUPERVISOR, "--lang", "en", "complaint", "statistics", "--from", "today").stdout
    assert "not verified yet: before 1, now 1" in shown
    office.verify(fresh)
    assert [figure(statistics(office, "--from", "today"), "K30")[name] for name in names] == [1, 1, 1, 0, 0.0]


def test_what_was_kept_only_by_what_was_entered_late_is_told(office: Office) -> None:
    """CMP-16, K05: it counts as kept, and how many do is told: of complaints, of stages, in groups."""
    prompt, afterwards, late = office.open("C-1"), office.open("C-2"), office.open("C-3")
    said = ("--text", office.text("已联系"))
    office.step(prompt, "respond", *said)  # to be done by 09:30
    office.hours.forward(minutes=40)
    office.step(afterwards, "respond", *said, "--at", "2026-11-23T09:30:00", "--late-reason", office.text("外出"))
    office.step(late, "respond", *said, "--at", "2026-11-23T09:30:01", "--late-reason", office.text("外出"))
    for number in (prompt, afterwards, late):
        office.through(number)
    told = statistics(office, "--by", "category")
    k05 = figure(told, "K05")
    assert [k05[name] for name in ("numerator", "denominator", "entered_late")] == [2, 3, 1]
    (respond,) = [row for row in told["stages"] if row["stage"] == "respond"]
    assert [respond[name] for name in ("kept", "judged", "entered_late")] == [2, 3, 1]
    assert sum(row["entered_late"] for row in told["stages"]) == 1
    assert [row["entered_late"] for row in told["groups"]] == [1]
    shown = office.desk.say(SUPERVISOR, "--lang", "en", "complaint", "statistics").stdout
    assert "entered after the limit: 1" in shown and "Entered late" in shown


def test_an_extended_limit_and_a_changed_policy_are_judged_by_the_case_s_own_terms(office: Office) -> None:
    number = office.open()
    office.desk.edit("complaints.yaml", "within: 1 working day, source", "within: 1 working hour, source")
    second = office.open("C-2")
    for each in (number, second):
        office.step(each, "respond", "--text", office.text("已联系"))
    office.hours.forward(hours=2)
    for each in (number, second):
        office.through(each)
    told = statistics(office)
    assert (figure(told, "K05")["numerator"], figure(told, "K05")["denominator"]) == (1, 2)
    assert {row["stage"]: row["kept"] for row in told["stages"]}["verify"] == 1


def test_only_complaints_in_scope_are_counted(office: Office) -> None:
    office.open()
    office.open("C-2", handler="K3")
    assert statistics(office, uid=STEWARD)["counts"]["opened"] == 2
    assert statistics(office, uid=AGENT)["counts"]["opened"] == 1
    assert figure(statistics(office, uid=AGENT), "K16")["denominator"] == 0
    entry = office.desk.entries("complaint.statistics")[-1]
    assert (entry["result"], entry["n"]) == ("done", 1) and "looks" not in entry


@pytest.mark.parametrize("by", ["category", "cause", "department", "severity", "channel", "handler", "month"])
def test_groups_add_up_to_the_whole(office: Office, by: str) -> None:
    office.open()
    office.through(office.open("C-2", category="price"))
    told = statistics(office, "--by", by)
    for name in COUNTS:
        assert sum(row[name] for row in told["groups"]) == told["counts"][name]
    shown = office.desk.say(SUPERVISOR, "complaint", "statistics", "--by", by, "-o", "csv")
    rows = list(csv.reader(io.StringIO(shown.stdout)))
    assert len(rows) == 1 + len(told["groups"]) and all(row[0] for row in rows)
    assert office.desk.say(SUPERVISOR, "complaint", "statistics", "--by", by).exit_code == 0


def test_an_empty_period_says_so_and_a_wrong_one_is_refused(office: Office) -> None:
    told = statistics(office, uid=ADMIN)
    assert set(told["counts"].values()) == {0}
    assert all(each["value"] in (None, 0.0) for each in told["figures"])
    code = office.desk.refusal(
        ADMIN, "complaint", "statistics", "--from", "2026-11-20", "--until", "2026-11-19", status=2
    )
    assert code
    assert office.desk.refusal(ADMIN, "complaint", "statistics", "--from", "2027-01-01", status=2)
