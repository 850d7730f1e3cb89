"""`hold set`: customers who may not be destroyed for now, and why. All of them are looked at before anything is set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from sqlalchemy import Connection

from crmctl.audit.changes import CHANGE_COLUMNS, Changes
from crmctl.audit.tables import change
from crmctl.customers import scope
from crmctl.errors import InvalidInput, Refused
from crmctl.holds import facts, texts, writing
from crmctl.holds.model import Hold
from crmctl.i18n import _
from crmctl.runs import chunks, staying
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey
from crmctl.store import bulk, counters, engine

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Wish:
    """What is to be set: a new hold of a kind, or (`to`) more customers under one that there is."""

    reason: str
    kind: str = ""
    authority: str = ""
    review_on: date | None = None
    everybody: bool = False
    to: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What was set, or would be: `held` customers, `already` ones that were under the hold before.

    `hold` is None in a dry run of a new one; `begun` are customers whom a hold on everybody comes too late for.
    """

    run_id: int | None
    hold: int | None
    kind: str
    everybody: bool
    held: int = 0
    already: int = 0
    begun: int = 0


def set_hold(run: Run, wish: Wish, customers: Sequence[int], tell: Tell) -> Outcome:
    """Set a hold on `customers` (each once) or everybody, or say what would be set (`run.dry_run`).

    Raises InvalidInput for a review day that has passed; Refused for a customer there is not, one whose destruction has
    begun, and a hold that there is not or that is lifted. Nothing is set then, unless a destruction began meanwhile:
    what was set by then stays.
    """
    if wish.review_on is not None and wish.review_on < runs.today(run.policies, run.at):
        day = wish.review_on.isoformat()
        raise InvalidInput(_("--review-on {day}: has passed").format(day=day), hint=_("name a day to come"))
    for some in facts.slices(customers):
        scope.require(run, some)
    with engine.read(run.engine) as conn:
        target = _target(conn, wish)
        _refuse_begun(staying.being_destroyed(conn, customers))
        begun = sum(1 for _each in staying.being_destroyed(conn)) if wish.everybody else 0
        already = 0
        if target is not None:
            already = sum(len(facts.under(conn, target.hold_id, some)) for some in facts.slices(customers))
    kind = wish.kind if target is None else target.kind
    outcome = Outcome(None, wish.to, kind, wish.everybody, len(customers) - already, already, begun)
    if run.dry_run:
        return outcome
    run = runs.begin(run)
    with runs.recorded_failure(run):
        done = _set(run, wish, target, customers, tell)
    return replace(outcome, run_id=run.run_id, hold=done.hold, held=done.held, already=done.already)


def _target(conn: Connection, wish: Wish) -> Hold | None:
    """Return the hold that customers are added to. Raises Refused for one that takes none."""
    if wish.to is None:
        return None
    found = facts.in_force(conn, wish.to)
    if found.everybody:
        message = _("hold {hold}: holds everybody already").format(hold=wish.to)
        raise Refused(message, hint=_("set one of its own for some customers"), code="HOLD_EVERYBODY")
    return found


def _refuse_begun(begun: Iterable[tuple[int, int]]) -> None:
    """Raise Refused where the destruction of a customer has begun: there is nothing left to hold."""
    for number, plan in begun:
        raise Refused(
            _("C-{number:06d}: its destruction has begun (plan {plan}); nothing holds it any more").format(
                number=number, plan=plan
            ),
            hint=_("leave this customer out: the others can be held"),
            code="PURGE_BEGUN",
        )


@dataclass
class _Setting:
    """A hold that is being written: what is wanted, and what is written of it so far."""

    run: Run
    wish: Wish
    hold: int
    new: bool
    key: DataKey
    held: int = 0
    already: int = 0

    def write(
        self, conn: Connection, log: Changes, *, part: Sequence[int], first: bool, last: bool
    ) -> Mapping[str, int]:
        """Write one chunk; return the counts of its entry. Raises what `set_hold` does."""
        run = self.run
        writing.keep_others_out(conn)
        _still_there(conn, part)
        if not (self.new and first):
            facts.in_force(conn, self.hold)
        if first:
            self._head(conn, log)
        under = set() if self.new and first else facts.under(conn, self.hold, part)
        fresh = [number for number in part if number not in under]
        before = {} if self.new else facts.versions(conn, self.hold, fresh)
        writing.add_items(conn, run, log, self.hold, fresh, before)
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, log.take())
        if last:
            runs.finish(conn, run, "done", 0, self._counts(self.held + len(fresh), self.already + len(under)))
        return self._counts(len(fresh), len(under))

    def _head(self, conn: Connection, log: Changes) -> None:
        wish = self.wish
        if not self.new:
            note = (texts.ADDED, wish.reason)
            writing.revise(conn, self.run, log, self.hold, self.key, note, lifted=False)
            return
        values = {
            "hold_id": self.hold,
            "kind": wish.kind,
            "everybody": int(wish.everybody),
            "review_on": None if wish.review_on is None else wish.review_on.isoformat(),
        }
        sealed = texts.seal(self.run, self.key, texts.first(wish.reason, wish.authority), self.hold)
        writing.create(conn, self.run, log, values, sealed)

    def _counts(self, held: int, already: int) -> dict[str, int]:
        return {"everybody": 1} if self.wish.everybody else {"held": held, "already": already}


def _set(run: Run, wish: Wish, target: Hold | None, customers: Sequence[int], tell: Tell) -> _Setting:
    """Write the hold chunk by chunk, within a run that has begun."""
    key = texts.key_of(run, target.run_id if target else run.run_id or 0)
    number = target.hold_id if target else counters.take(run.engine, "hold")
    setting = _Setting(run, wish, number, target is None, key)
    parts = list(facts.slices(customers, writing.CHUNK)) or [[]]
    for ordinal, part in enumerate(parts):
        fill = partial(setting.write, part=part, first=ordinal == 0, last=ordinal == len(parts) - 1)
        counts = chunks.write(run, ordinal, len(part), len(part) + 1, fill, obj=f"hold:{number}")
        setting.held += counts.get("held", 0)
        setting.already += counts.get("already", 0)
        tell(len(part))
    return setting


def _still_there(conn: Connection, part: Sequence[int]) -> None:
    """Raise Refused where the destruction of one of the customers has begun since they were looked at, or is over."""
    _refuse_begun(staying.being_destroyed(conn, part))
    scope.require_there(conn, part)
