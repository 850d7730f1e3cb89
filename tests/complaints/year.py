"""A year of complaints, scripted: who complains when, what is done about it, in time and late, and what is refused.

Everything is done through the functions the commands use, each at its own second of the year 2026. The same seed and
number make the same year. Most complaints are entered several at a time, as a hotline's sheet is, each received at a
second of its own before that.
"""

from __future__ import annotations

import contextlib
import heapq
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import yearcompany
from yearcompany import ADMIN, HANDLERS, STEWARD, SUPERVISOR

from crmctl import clock, staff
from crmctl.approvals import deciding
from crmctl.approvals.evidence import Evidence
from crmctl.approvals.judging import Wish
from crmctl.cli.invocation import Invocation
from crmctl.complaints import closing, drafting, extending, handling, opening
from crmctl.complaints.closing import Word
from crmctl.complaints.drafting import Request
from crmctl.complaints.extending import Wish as Longer
from crmctl.complaints.handling import NOW, Finding, Moment, Plan
from crmctl.errors import CrmctlError
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.keystore import KeyStore
from crmctl.store import engine

BEGIN = datetime(2025, 12, 31, 16, tzinfo=UTC)  # midnight in Shanghai
CHANGE = datetime(2026, 6, 30, 16, tzinfo=UTC)
END = datetime(2026, 12, 31, 16, tzinfo=UTC)
CHANNELS = ("phone", "phone", "wecom", "mail", "online", "authority", "onsite")
CATEGORIES = ("quality", "installation", "after_sales", "price", "attitude", "skill", "response", "privacy", "other")
SEVERITIES = ("", "", "", "general", "serious", "critical")
CAUSES = ("product", "process", "conduct", "communication", "supplier", "unfounded")
DEPARTMENTS = ("客服部", "工程部", "财务部")
TEXTS = {"complainant": "投诉人", "contact": "电话", "matter": "事项", "demand": "要求"}
Life = Generator[timedelta, None, None]


@dataclass(frozen=True)
class Seated(Run):
    """A run of somebody whose key store stays open from one step to the next."""

    store: KeyStore | None = None

    @property
    def keys(self) -> KeyStore:  # type: ignore[override]
        """The key store."""
        assert self.store is not None
        return self.store


@dataclass
class Entered:
    """A complaint of the script: its number, and what the steps to come depend on."""

    number: str
    customer: int
    severity: str
    policy: str
    handler: int


@dataclass
class Year:
    """The year as it goes on: the clock, who is at the keyboard, what has been done, what was refused."""

    folder: Path
    complaints: int
    seed: int = 2026
    now: datetime = BEGIN
    uid: int = field(default_factory=os.getuid)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    entered: list[Entered] = field(default_factory=list)
    _seller: int = 0
    _desks: dict[int, Seated] = field(default_factory=dict)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _permitted: set[tuple[int, str]] = field(default_factory=set)

    @property
    def customers(self) -> int:
        """How many customers the company has: some complain often."""
        return max(self.complaints // 4, 25)

    def run(self, database: str = "") -> None:
        """Make the company and live through the year."""
        yearcompany.make(self.folder, database)
        for uid, noun, text in (
            (ADMIN, "staff", yearcompany.staff_sheet()),
            (STEWARD, "customer", yearcompany.customer_sheet(self.customers)),
        ):
            self.uid = uid
            sheet = self.folder.parent / f"{noun}.csv"
            sheet.write_text(text, "utf-8")
            yearcompany.said(self.folder, noun, "import", sheet)
        with self._open:
            self._live()

    def _live(self) -> None:
        """Do everything in the order of its time, until the year is over."""
        with self.at_desk(ADMIN, "list") as run, engine.read(run.engine) as conn:
            self._seller = staff.find(conn, "S9").staff_id
        queue: list[tuple[datetime, int, Life]] = []
        for at, life in [(CHANGE, self._change()), *self._arrivals(queue)]:
            heapq.heappush(queue, (at, len(queue), life))
        turn = len(queue)
        while queue and queue[0][0] < END:
            at, _turn, life = heapq.heappop(queue)
            self.now = at
            wait = next(life, None)
            if wait is not None:
                turn += 1
                heapq.heappush(queue, (at + wait, turn + self.complaints, life))

    def _change(self) -> Life:
        yearcompany.change(self.folder)
        self._open.close()
        self._desks.clear()
        self._permitted.clear()
        yield from ()

    def _arrivals(self, queue: list[tuple[datetime, int, Life]]) -> Iterator[tuple[datetime, Life]]:
        """Yield when complaints are entered: a tenth one by one, the others some at a time."""
        random = Random(self.seed)
        left, most = self.complaints, max(1, min(self.complaints // 125, 24))
        while left:
            size = min(left, 1 if random.random() < 0.6 else random.randint(2, 2 * most))
            left -= size
            at = BEGIN + timedelta(seconds=random.randrange(int((END - BEGIN).total_seconds())))
            yield at, self._arrive(queue, size, Random(random.random()))

    def _arrive(self, queue: list[tuple[datetime, int, Life]], size: int, random: Random) -> Life:
        handler = random.choice(HANDLERS)
        for one in self._opened(handler, [self._request(random) for _each in range(size)], random):
            self.entered.append(one)
            self.done["accepted"] += 1
            life = self._life(one, Random(random.random()))
            heapq.heappush(queue, (self.now + _delay(random), len(self.entered), life))
        yield from ()

    def _request(self, random: Random) -> Request:
        moment: dict[str, Any] = {}
        if random.random() < 0.8:
            ago = timedelta(seconds=random.randrange(1, random.choice((3600, 86400, 2 * 86400))))
            moment = {"received_at": self.now - ago, "late": "纸面受理"}
        if random.random() < 0.05:
            moment["feedback_by"] = self.now + timedelta(hours=random.randint(1, 20))
        about = (self._seller,) if random.random() < 0.03 else ()
        severity = random.choice(SEVERITIES)
        return Request(random.choice(CHANNELS), random.choice(CATEGORIES), TEXTS, severity, about=about, **moment)

    def _opened(self, uid: int, requests: list[Request], random: Random) -> list[Entered]:
        """Enter complaints: one as the command does, several in one transaction as an import does."""
        customers = [random.randint(1, self.customers) for _each in requests]
        with self.at_desk(uid, "open") as run:
            if len(requests) == 1:
                one = opening.open_complaint(run, customers[0], requests[0])
                assert one.number is not None
                return [Entered(one.number, customers[0], one.draft.severity, one.draft.policy.name, uid)]
            own = run.standing.staff_ids[0] if run.standing else None
            with engine.read(run.engine) as conn:
                whose = [opening.complainant(conn, customer) for customer in customers]
                drafts = [
                    drafting.draft(run, replace(request, first_receiver=own, handler=own), who, self.now)
                    for request, who in zip(requests, whose, strict=True)
                ]
                handlers = [opening.handler_for(conn, prepared) for prepared in drafts]
            begun = runs.begin(run)
            with runs.recorded_failure(begun), engine.write(begun.engine) as conn:
                numbers = opening.register(conn, begun, list(zip(customers, drafts, handlers, strict=True)), whose)
        return [
            Entered(number, customer, prepared.severity, prepared.policy.name, uid)
            for (number, _own), customer, prepared in zip(numbers, customers, drafts, strict=True)
        ]

    @contextlib.contextmanager
    def at_desk(self, uid: int, verb: str, noun: str = "complaint") -> Iterator[Run]:
        """Yield a run of somebody that begins now; whether they may is asked once a verb and set of policies."""
        self.uid, act = uid, f"{noun}.{verb}"
        if uid not in self._desks:
            call = Invocation(command="complaint list", workspace=self.folder)
            run = self._open.enter_context(runs.open_run(call, "complaint list", "complaint.list"))
            base = {name: getattr(run, name) for name in run.__dataclass_fields__}
            self._desks[uid] = Seated(**base, store=run.keys)
        with contextlib.ExitStack() as stack:
            desk = self._desks[uid]
            run = replace(desk, command=f"{noun} {verb}", act=act, at=self.now, as_of=self.now, cleanup=stack)
            if (uid, act) not in self._permitted:
                runs.permitted(run)
                self._permitted.add((uid, act))
            yield run

    def step(self, one: Entered, verb: str, kind: str, act: Callable[..., Any], *given: Any, by: int = 0) -> Any:
        """Let something happen to a complaint; count it as the event it makes."""
        with self.at_desk(by or one.handler, verb) as run:
            found = act(run, one.number, *given)
        self.done[kind] += 1
        return found

    def refusal(self, one: Entered, code: str, verb: str, act: Callable[..., Any], *given: Any) -> None:
        """Try what must be refused."""
        with self.at_desk(one.handler, verb) as run:
            try:
                act(run, one.number, *given)
            except CrmctlError as error:
                assert error.code == code, (error.code, code, error.message)
                self.refused[code] += 1
            else:
                raise AssertionError(f"{verb} was not refused with {code}")

    def tell(self, one: Entered, kind: str, moment: Moment = NOW) -> None:
        """Record what needs a text alone."""
        verb = {"responded": "respond", "agreed": "agree", "refused": "refuse", "rectified": "rectify",
                "progressed": "progress", "mediated": "mediate", "legal_reviewed": "legal-review"}[kind]  # fmt: skip
        self.step(one, verb, kind, handling.tell, kind, "如实记录", moment)

    def _life(self, one: Entered, random: Random) -> Life:
        """Live through a complaint, yielding how long until the next step; some are left lying."""
        fate = random.random()
        if fate < 0.12 and len(self.entered) > 1:
            own = [each for each in self.entered if each.customer == one.customer and each is not one]
            other = random.choice(own if own and fate < 0.1 else self.entered)
            self.step(one, "mark-duplicate", "tried", self._repeats, other)
            return
        if fate < 0.42:
            if fate < 0.3:
                self.tell(one, "responded")
            return
        yield from self._found_out(one, random)
        closed = yield from self._settled(one, random)
        if closed and random.random() < 0.08:
            yield timedelta(days=random.randint(1, 40))
            self.step(one, "reopen", "reopened", closing.reopen, "客户反映未解决")
            yield _delay(random)
            yield from self._settled(one, random)

    def _repeats(self, run: Run, number: str, other: Entered) -> None:
        """Mark a complaint a duplicate; refused where the other is closed, another's, later, or knows of fewer."""
        try:
            closing.mark_duplicate(run, number, other.number, "重复")
            self.done["duplicated"] += 1
        except CrmctlError as error:
            assert error.code in ("NO_ORIGINAL", "OTHER_CUSTOMER", "ABOUT_MISSING"), error.code
            self.refused[error.code] += 1

    def _found_out(self, one: Entered, random: Random) -> Life:
        """From acceptance to verification."""
        if random.random() < 0.7:
            self.tell(one, "responded")
            yield _delay(random)
        if random.random() < 0.1:
            self.refusal(one, "MISSING", "close", closing.close, "想早点结案")
        if random.random() < 0.25:
            department = random.choice(DEPARTMENTS)
            self.step(one, "handoff", "handed", handling.hand_on, {"department": department}, "请协助")
            yield _delay(random)
            if random.random() < 0.8:
                self.step(one, "answer", "answered", handling.answer, department, "已答复")
                yield _delay(random)
        if random.random() < 0.3:
            self.tell(one, "progressed")
            yield _delay(random)
        if random.random() < 0.1:
            self.refusal(one, "NOT_YET", "agree", handling.agree, "还没有方案")
        if random.random() < 0.1:
            late = Moment(self.now - timedelta(days=9), "补录")
            self.refusal(one, "AT_TOO_EARLY", "verify", handling.verify, Finding("客服部", "process"), late)
        self.step(one, "verify", "verified", handling.verify, Finding(random.choice(DEPARTMENTS), random.choice(CAUSES),
                  "已核实"))  # fmt: skip
        yield _delay(random)

    def _settled(self, one: Entered, random: Random) -> Generator[timedelta, None, bool]:
        """From plan to closing; what the customer does not agree to is proposed again, or mediated in the end.

        Returns whether it was closed: after the third plan nobody goes on.
        """
        refused = 0
        for _plan in range(3):
            promised = self.now + timedelta(seconds=random.randrange(3600, 8 * 86400))
            self.step(one, "propose", "proposed", handling.propose, Plan(promised, "措施"))
            yield _delay(random, until=timedelta(days=2))
            if random.random() < 0.25:
                self.tell(one, "refused")
                yield _delay(random)
                refused += 1
                if refused == 2:
                    yield from self._disagreed(one, random)
                    return True
                continue
            if self.now >= promised:
                self.refusal(one, "PLAN_PASSED", "agree", handling.agree, "同意")
                continue
            self.step(one, "agree", "agreed", handling.agree, "同意")
            yield from self._rectified(one, promised, random)
            settled = random.random() < 0.85
            self.step(one, "revisit", "revisited", closing.revisit, Word(settled, random.choice((None, 60, 80, 100))))
            yield _delay(random)
            if settled:
                yield from self._closed(one, random)
                return True
        return False

    def _rectified(self, one: Entered, promised: datetime, random: Random) -> Life:
        """From agreement to revisit, within the date that was promised, beyond it, or with a later date agreed to."""
        wish = random.random()
        longer = Longer("rectify", "等待配件", promised + timedelta(hours=random.randint(1, 60)))
        if self.now + timedelta(hours=1) < promised and wish < 0.15:
            asked = self.step(one, "extend", "asked", extending.ask, longer)
            yield timedelta(minutes=random.randint(1, 50))
            with self.at_desk(SUPERVISOR, "approve", "approval") as run:
                deciding.carry_out(run, Wish(asked.told["approval"], "approve"), Evidence())
            yield timedelta(minutes=random.randint(1, 300))
            self.step(one, "extend", "extended", extending.apply, "rectify")
        elif wish > 0.9 and self.now < promised:
            yield promised - self.now + timedelta(seconds=random.choice((1, 60, 3600)))
            self.refusal(one, "EXTENSION_LATE", "extend", extending.ask, longer)
        elif self.now < promised and random.random() < 0.3:
            yield promised - self.now  # to the second: in time
        wait = _delay(random)
        yield wait
        ago = min(wait, timedelta(days=2)) * random.random()
        before = Moment(self.now - ago, "当时在现场")
        self.tell(one, "rectified", before if random.random() < 0.1 else NOW)
        yield _delay(random)

    def _reviewed(self, one: Entered, act: Callable[..., Any], random: Random) -> None:
        """Have it reviewed where its policy wants that; `act` before that lacks it."""
        if one.policy == "handbook" or one.severity in ("serious", "critical"):
            if random.random() < 0.2:
                self.refusal(one, "MISSING", "close", act, "未复核")
            self.step(one, "review", "reviewed", _passed, by=SUPERVISOR)
        if one.severity == "critical":
            self.tell(one, "legal_reviewed")

    def _closed(self, one: Entered, random: Random) -> Life:
        self._reviewed(one, closing.close, random)
        yield _delay(random)
        self.step(one, "close", "closed", closing.close, "结案")
        if random.random() < 0.4:
            yield _delay(random)
            self.step(one, "analyse", "analysed", closing.analyse, "根因", "改进")
        if random.random() < 0.2:
            self.refusal(one, "CASE_CLOSED", "progress", handling.tell, "progressed", "已结案")

    def _disagreed(self, one: Entered, random: Random) -> Life:
        """Close without agreement: after mediation, once somebody else has agreed."""
        if random.random() < 0.3:
            self.refusal(one, "MEDIATION_MISSING", "close", closing.ask_to_close, "无法一致")
        self.tell(one, "mediated")
        self._reviewed(one, closing.ask_to_close, random)
        asked = self.step(one, "close", "asked", closing.ask_to_close, "无法一致")
        yield timedelta(minutes=random.randint(1, 600))
        with self.at_desk(SUPERVISOR, "approve", "approval") as run:
            deciding.carry_out(run, Wish(asked.told["approval"], "approve"), Evidence())
        yield timedelta(minutes=random.randint(1, 600))
        self.step(one, "close", "closed", closing.close_without_agreement, "无法一致")


def _passed(run: Run, number: str) -> Any:  # noqa: ANN401
    return closing.review(run, number, passed=True, text="已复核")


def _delay(random: Random, until: timedelta = timedelta(days=12)) -> timedelta:
    """Return how long it takes until the next step: minutes, hours, days, seldom weeks."""
    most = random.choice((2700, 2700, 2700, 72_000, 72_000, 72_000, 259_200, 259_200, 1_000_000))
    return min(timedelta(seconds=random.randrange(1, most)), until)


def patched(patch: Any, year: Year) -> None:  # noqa: ANN401 - pytest's
    """Let the program read the script's clock and account; `patch` undoes it afterwards."""
    patch.setattr(clock, "now", lambda: year.now)
    patch.setattr(os, "getresuid", lambda: (year.uid,) * 3)
