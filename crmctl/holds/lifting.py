"""`hold lift`: a hold, or some customers of it, need not be kept any more. Why is on record as well (DES-07)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from crmctl.audit.changes import CHANGE_COLUMNS, Changes
from crmctl.audit.tables import change
from crmctl.customers import scope
from crmctl.errors import Refused
from crmctl.holds import facts, texts, writing
from crmctl.holds.model import Hold
from crmctl.i18n import _
from crmctl.runs import chunks
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey
from crmctl.store import bulk, engine

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Outcome:
    """What was lifted, or would be: so many customers; `absent` ones were not under the hold.

    `whole`: nobody is left under it, and it is lifted itself.
    """

    run_id: int | None
    hold: int
    kind: str
    everybody: bool
    lifted: int
    absent: int
    whole: bool


def lift(run: Run, number: int, customers: Sequence[int], reason: str, tell: Tell) -> Outcome:
    """Lift a hold, or only `customers` (each once) out of it, or say what would be lifted (`run.dry_run`).

    Raises Refused for a hold that there is not, that is lifted, that holds everybody where customers are named, and
    where none of them is under it.
    """
    for some in facts.slices(customers):
        scope.require(run, some)
    with engine.read(run.engine) as conn:
        hold = facts.in_force(conn, number)
        total = facts.sizes(conn, (number,)).get(number, 0)
        here = sum(len(facts.under(conn, number, some)) for some in facts.slices(customers)) if customers else total
    if customers and hold.everybody:
        message = _("hold {hold}: holds everybody, so nobody can be taken out of it").format(hold=number)
        raise Refused(message, hint=_("lift all of it"), code="HOLD_EVERYBODY")
    if customers and not here:
        message = _("hold {hold}: none of these customers is under it").format(hold=number)
        raise Refused(message, hint=_("see: crmctl hold list --customer NUMBER"), code="NOT_HELD")
    absent = max(len(customers) - here, 0)
    outcome = Outcome(None, number, hold.kind, bool(hold.everybody), here, absent, here == total)
    if run.dry_run:
        return outcome
    run = runs.begin(run)
    with runs.recorded_failure(run):
        lifting = _Lifting(run, hold, reason, texts.key_of(run, hold.run_id))
        for part, last in _parts(run, number, customers):
            lifting.chunk(part, last=last)
            tell(len(part))
            if lifting.whole:
                break
    return replace(outcome, run_id=run.run_id, lifted=lifting.lifted, whole=lifting.whole)


def _parts(run: Run, hold: int, customers: Sequence[int]) -> Iterator[tuple[list[int], bool]]:
    """Yield who is to be taken out, chunk by chunk, and whether that is the last: those named, else all there are."""
    if customers:
        parts = list(facts.slices(customers, writing.CHUNK))
        yield from ((part, place == len(parts)) for place, part in enumerate(parts, 1))
        return
    while True:  # until the hold itself is lifted: somebody may add to it meanwhile
        with engine.read(run.engine) as conn:
            part = facts.page(conn, hold, 0, writing.CHUNK)
        yield part, False


@dataclass
class _Lifting:
    """A hold that is being lifted: why, and what is written of it so far."""

    run: Run
    hold: Hold
    reason: str
    key: DataKey
    ordinal: int = 0
    lifted: int = 0
    whole: bool = False

    def chunk(self, part: Sequence[int], *, last: bool) -> None:
        """Take customers out of the hold in one transaction; with the last one of all the hold itself is lifted."""
        fill = partial(self._write, part=part, last=last)
        obj = f"hold:{self.hold.hold_id}"
        done = chunks.write(self.run, self.ordinal, len(part), len(part) + 1, fill, obj=obj)
        self.ordinal += 1
        self.lifted += done["lifted"]
        self.whole = bool(done.get("whole"))

    def _write(self, conn: Connection, log: Changes, *, part: Sequence[int], last: bool) -> Mapping[str, int]:
        number = self.hold.hold_id
        writing.keep_others_out(conn)
        facts.in_force(conn, number)
        gone = writing.remove_items(conn, log, number, part)
        whole = facts.empty(conn, number)
        if self.ordinal == 0 or whole:
            note = (texts.LIFTED, self.reason) if self.ordinal == 0 else None
            writing.revise(conn, self.run, log, number, self.key, note, lifted=whole)
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, log.take())
        if last or whole:
            runs.finish(conn, self.run, "done", 0, {"lifted": self.lifted + gone})
        return {"lifted": gone, **({"whole": 1} if whole else {})}
