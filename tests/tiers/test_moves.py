"""Grading in SQL is grading in Python: random policies and customers, boundaries on purpose, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import worlds
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection
from sqlalchemy.engine import Engine
from worlds import Someone, World

from crmctl.policy.conditions import bound
from crmctl.policy.evaluate import holds
from crmctl.policy.metrics import Left, Value
from crmctl.policy.scopes import Ruling, area, units_below
from crmctl.store.engine import write
from crmctl.tiers import survey as surveys
from crmctl.tiers.applying import cause_of
from crmctl.tiers.decide import Held, graded, settled
from crmctl.tiers.grading import Grading
from crmctl.tiers.moves import CHANGE, CLEAR, UNDECIDED, WAIT, Part
from crmctl.tiers.survey import Basis, Move


class RolledBack(Exception):
    """Ends a transaction that nobody wants."""


def expected(world: World, basis: Basis) -> list[dict[int, Move]]:
    """Return for each policy its moves by customer, as Python decides them one by one."""
    found: list[dict[int, Move]] = [{} for _scoped in basis.scoped]
    for one in world.people:
        place = ruling_of(world, basis, one)
        if place is not None:
            move = _move(world, basis.scoped[place].grading, one)
            if move is not None:
                found[place][one.number] = move
    return found


def ruling_of(world: World, basis: Basis, one: Someone, *, exempt: bool = False) -> int | None:
    """Return whose customer it is: the first scope that fits, unless it is excepted there (or only if, `exempt`)."""
    units = units_below(world.policies.company)
    for place, scoped in enumerate(basis.scoped):
        codes = area(scoped.ruling.policy, units)
        own = {"customer_type": one.kind, "org_unit": one.org_unit}
        if all(own[name] in wanted for name, wanted in codes.items()):
            return place if _excepted(world, scoped.ruling, one) is exempt else None
    return None


def _excepted(world: World, ruling: Ruling, one: Someone) -> bool:
    for each in ruling.exempt:
        if each.numbers and one.number not in each.numbers:
            continue
        if each.condition is None:
            return True
        ready = bound(each.condition, world.policies.figure, world.decimals)
        if holds(ready, worlds.facts_of(one, ready.lefts(), world.at)):
            return True
    return False


def _move(world: World, grading: Grading, one: Someone) -> Move | None:
    facts: Mapping[Left, Value] = worlds.facts_of(one, grading.asked(), world.at)
    said = graded(grading, facts)
    row = next(worlds.in_force(one.overrides, world.day), None)
    held = Held(row["kind"], row["tier"]) if row else None
    wanted = said.rule.tier if said.rule else None
    outcome = settled(grading, wanted, one.tier, held, one.since, world.day)
    final, made_by = _final(grading.ranks(), wanted, held)
    action = None
    if outcome.cause == "undecided":
        action = UNDECIDED
    elif outcome.cause == "waiting":
        action = None if one.since else WAIT
    elif outcome.tier != one.tier:
        action = CHANGE
    elif one.since:
        action = CLEAR
    if action is None:
        return None
    if outcome.cause in ("rule", "override", "grace"):
        assert outcome.tier == final
    move = Move(
        one.number, action, one.tier, final or one.tier, said.rule.rank if said.rule else None, made_by,
        one.since.isoformat() if one.since else None, tuple(said.facts[left] for left in grading.compared()),
    )  # fmt: skip
    if action == CHANGE:
        assert cause_of(move, grading.months, grading.ranks()) == outcome.cause
    return move


def _final(ranks: Mapping[str, int], wanted: str | None, held: Held | None) -> tuple[str | None, str | None]:
    if held is None or held.tier not in ranks:
        return wanted, None
    if held.kind == "pin":
        return held.tier, "pin"
    if wanted is None:
        return None, None
    worst_to_best = sorted(ranks, key=lambda tier: -ranks[tier])
    places = worst_to_best.index(wanted), worst_to_best.index(held.tier)
    place = max(places) if held.kind == "floor" else min(places)
    return worst_to_best[place], held.kind if worst_to_best[place] != wanted else None


def found_in(conn: Connection, basis: Basis, position: int, part: Part) -> dict[int, Move]:
    moves = list(basis.moves(conn, position, part))
    assert len({move.customer_id for move in moves}) == len(moves)
    return {move.customer_id: move for move in moves}


@pytest.mark.parametrize("check", ["whole", "parts", "survey"])
def test_sql_and_python_agree(engine: Engine, check: str) -> None:
    @settings(
        max_examples=80 if check == "whole" else 20,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.data_too_large],
    )
    @given(worlds.worlds())
    def agree(world: World) -> None:
        with pytest.raises(RolledBack), write(engine) as conn:
            worlds.put(conn, world)
            CHECKS[check](conn, world, surveys.basis(world.policies, world.at, world.decimals, Part()))
            raise RolledBack

    agree()


def _whole(conn: Connection, world: World, basis: Basis) -> None:
    wanted = expected(world, basis)
    assert [found_in(conn, basis, position, Part()) for position in range(len(basis.scoped))] == wanted


def _parts(conn: Connection, world: World, basis: Basis) -> None:
    """A range of numbers, or some named ones, bring the moves of these and no others."""
    middle = len(world.people) // 2
    named = tuple(one.number for one in world.people if one.number % 3 == 0) or (999,)
    for position, wanted in enumerate(expected(world, basis)):
        lower = found_in(conn, basis, position, Part(1, middle))
        upper = found_in(conn, basis, position, Part(middle + 1, 999))
        assert lower == {number: move for number, move in wanted.items() if number <= middle}
        assert upper == {number: move for number, move in wanted.items() if number > middle}
        some = found_in(conn, basis, position, Part(only=named))
        assert some == {number: move for number, move in wanted.items() if number in named}


def _survey(conn: Connection, world: World, basis: Basis) -> None:
    """The counts are those of the moves; whoever no policy is for, or is excepted from it, is in none."""
    tallies = surveys.survey(conn, basis)
    wanted = expected(world, basis)
    for position, tally in enumerate(tallies):
        mine = [one for one in world.people if ruling_of(world, basis, one) == position]
        out = [one for one in world.people if ruling_of(world, basis, one, exempt=True) == position]
        assert (tally.graded, tally.exempt) == (len(mine), len(out))
        assert {move.customer_id: move for move in tally.kept or ()} == wanted[position]
        assert dict(tally.actions) == _counted([move.action for move in wanted[position].values()])
        pairs = [(move.before, move.after) for move in wanted[position].values() if move.action == CHANGE]
        assert dict(tally.matrix) == _counted(pairs)
        assert tally.existing == sum(before is not None for before, _after in pairs)


def _counted(items: list[Any]) -> dict[Any, int]:
    return {item: items.count(item) for item in items}


CHECKS = {"whole": _whole, "parts": _parts, "survey": _survey}
