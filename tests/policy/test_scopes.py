"""Scopes: which policy is whose on which day, in Python and in SQL; ties and useless scopes are errors when loading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.engine import Engine
from sqlalchemy.sql.elements import ColumnElement

from crmctl.errors import PolicyInvalid
from crmctl.locate import shipped
from crmctl.policy import PolicySet, check, in_force, load, ruling_for
from crmctl.policy.checking import check_files
from crmctl.policy.conditions import Compare
from crmctl.policy.conditionsql import first as first_sql
from crmctl.policy.evaluate import Facts, first
from crmctl.policy.metrics import BY_NAME, Left
from crmctl.policy.problems import Report
from crmctl.policy.scopes import Ruling, units_below
from crmctl.store.engine import write
from crmctl.tiers.policy import TiersSettings

Edit = Callable[[str, str, str], None]

DAY = date(2026, 6, 30)
TYPE, UNIT = Left(BY_NAME["customer_type"]), Left(BY_NAME["org_unit"])
UNITS = """
    - {code: north, labels: {zh: 北方, en: North}, parent: head}
    - {code: south, labels: {zh: 南方, en: South}, parent: head}
    - {code: beijing, labels: {zh: 北京, en: Beijing}, parent: north}
    - {code: shop, labels: {zh: 门店, en: Shop}, parent: beijing}
    - {code: abroad, labels: {zh: 海外, en: Abroad}}
  default_org_unit"""
CODES = ("head", "north", "south", "beijing", "shop", "abroad")
TYPES = ("enterprise", "individual", "government")


@pytest.fixture
def units(edit: Edit) -> None:
    edit("company.yaml", "\n  default_org_unit", UNITS)


@pytest.fixture
def add(folder: Path, units: None) -> Callable[..., None]:
    """Return a function that adds a calendar of a scope; it stands for any kind here."""

    def one(name: str, scope: str, more: str = "", text: str | None = None) -> None:
        source = text or (folder / "calendar.yaml").read_text(encoding="utf-8")
        head = f"version: 1\nscope: {{{scope}}}\n{more}"
        wanted = source.replace("name: working", f"name: {name}").replace("version: 1\n", f"{head}\n")
        (folder / f"calendar.{name}.yaml").write_text(wanted, encoding="utf-8")

    return one


def names(rulings: tuple[Ruling, ...]) -> list[str]:
    return [ruling.policy.name for ruling in rulings]


def told(folder: Path) -> list[tuple[str, str, str]]:
    return [(Path(each.path).name, each.code, each.message) for each in check(folder).problems]


def chosen(rulings: tuple[Ruling, ...], policies: PolicySet, facts: Facts) -> str | None:
    conditions = [policies.bound([each.condition], 2)[0] if each.condition else None for each in rulings]
    found = first(conditions, facts)
    return None if found is None else rulings[found].policy.name


def test_one_policy_is_everybodys(folder: Path) -> None:
    (ruling,) = in_force(load(folder), "tiers", DAY)
    assert (ruling.policy.name, ruling.condition, ruling.exempt, ruling.report) == ("tiers", None, (), False)


def test_the_most_specific_scope_is_first(folder: Path, add: Callable[..., None]) -> None:
    add("nor", "org_unit: [north]")
    add("e", "customer_type: [enterprise]")
    add("en", "customer_type: [enterprise], org_unit: [north]")
    add("b", "org_unit: [beijing]")
    policies = load(folder)
    rulings = in_force(policies, "calendar", DAY)
    assert names(rulings) == ["en", "e", "b", "nor", "working"]
    assert rulings[-1].condition is None
    assert rulings[2].condition == Compare(UNIT, "in", ("beijing", "shop"))
    cases = {
        ("enterprise", "shop"): "en",
        ("enterprise", "south"): "e",
        ("individual", "shop"): "b",
        ("individual", "north"): "nor",
        ("individual", "head"): "working",
        ("individual", None): "working",
        ("enterprise", None): "e",
    }
    assert {pair: chosen(rulings, policies, dict(zip((TYPE, UNIT), pair, strict=True))) for pair in cases} == cases


def test_precedence_is_the_companys(folder: Path, add: Callable[..., None], edit: Edit) -> None:
    add("nor", "org_unit: [north]")
    add("e", "customer_type: [enterprise]")
    edit("company.yaml", "[channel, post, customer_type, org_unit]", "[org_unit, customer_type, post, channel]")
    assert names(in_force(load(folder), "calendar", DAY)) == ["nor", "e", "working"]


def test_a_stronger_dimension_beats_two_weaker_ones(folder: Path, add: Callable[..., None]) -> None:
    add("w", "channel: [wecom]")
    add("en", "customer_type: [enterprise], org_unit: [north]")
    add("we", "channel: [wecom], customer_type: [enterprise]")
    policies = load(folder)

    def ruled(**facts: str) -> str:
        found = ruling_for(policies, "calendar", DAY, **facts)
        assert found is not None
        return found.name

    assert ruled(channel="wecom", customer_type="enterprise", org_unit="shop") == "we"
    assert ruled(channel="wecom", customer_type="individual", org_unit="shop") == "w"
    assert ruled(channel="phone", customer_type="enterprise", org_unit="shop") == "en"
    assert ruled(customer_type="enterprise", org_unit="shop") == "en"
    assert ruled(org_unit="shop") == "working"
    (folder / "calendar.yaml").unlink()
    policies = load(folder)
    assert ruling_for(policies, "calendar", DAY, channel="phone") is None
    assert ruling_for(policies, "tags", date(1, 1, 1)) is policies.policy("tags")


def test_a_channel_is_no_fact_of_customers(folder: Path, add: Callable[..., None]) -> None:
    add("w", "channel: [wecom]")
    with pytest.raises(ValueError, match="channel"):
        in_force(load(folder), "calendar", DAY)


def test_dates_and_modes(folder: Path, add: Callable[..., None], edit: Edit) -> None:
    original = (folder / "calendar.yaml").read_text(encoding="utf-8")
    edit("calendar.yaml", "version: 1\n", "version: 1\neffective: {until: 2026-06-30}\n")
    add("next", "", "effective: {from: 2026-07-01}\nmode: report", original)
    add("nor", "org_unit: [north]", "mode: off", original)
    policies = load(folder)
    today, tomorrow = in_force(policies, "calendar", DAY), in_force(policies, "calendar", date(2026, 7, 1))
    assert (names(today), names(tomorrow)) == (["working"], ["next"])
    assert [each.report for each in (*today, *tomorrow)] == [False, True]
    found = ruling_for(policies, "calendar", DAY, org_unit="north")
    assert found is not None
    assert found.name == "working"


@pytest.mark.parametrize(
    ("one", "other", "tie"),
    [
        ("org_unit: [north]", "org_unit: [beijing]", False),
        ("org_unit: [north]", "org_unit: [south]", False),
        ("org_unit: [north, south]", "org_unit: [north, abroad]", True),
        ("org_unit: [beijing, south]", "org_unit: [north]", True),
        ("org_unit: [north]", "org_unit: [north, beijing]", True),
        ("customer_type: [enterprise]", "customer_type: [enterprise, individual]", False),
        ("customer_type: [enterprise], org_unit: [north]", "customer_type: [enterprise], org_unit: [shop]", False),
        (
            "customer_type: [enterprise], org_unit: [north]",
            "customer_type: [enterprise, individual], org_unit: [shop]",
            True,
        ),
        ("customer_type: [enterprise], org_unit: [north]", "customer_type: [individual], org_unit: [north]", False),
        ("customer_type: [enterprise]", "org_unit: [north]", False),
        ("channel: [wecom]", "post: [request]", False),
    ],
)
def test_ties_are_errors(folder: Path, add: Callable[..., None], one: str, other: str, tie: bool) -> None:
    add("a", one)
    add("b", other)
    expected = [("calendar.b.yaml", "P304")] if tie else []
    assert [(name, code) for name, code, _message in told(folder)] == expected


def test_no_tie_on_different_days(folder: Path, add: Callable[..., None]) -> None:
    add("a", "org_unit: [north, south]", "effective: {until: 2026-06-30}")
    add("b", "org_unit: [north, abroad]", "effective: {from: 2026-07-01}")
    assert told(folder) == []


def test_a_scope_that_a_kind_cannot_use(folder: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TiersSettings, "scopes", ("customer_type", "org_unit"))
    edit("tiers.yaml", "version: 1\n", "version: 1\nscope: {channel: [wecom], org_unit: [head]}\n")
    (problem,) = check(folder).problems
    assert (problem.code, problem.message) == ("P208", "scope.channel: tiers does not depend on it")
    assert problem.hint == "allowed: customer_type, org_unit"
    with pytest.raises(PolicyInvalid):
        load(folder)


def test_units_below(folder: Path, units: None) -> None:
    assert units_below(load(folder).company) == {
        "head": ("head", "north", "south", "beijing", "shop"),
        "north": ("north", "beijing", "shop"),
        "south": ("south",),
        "beijing": ("beijing", "shop"),
        "shop": ("shop",),
        "abroad": ("abroad",),
    }


def test_units_in_a_circle_are_told_and_do_no_harm(folder: Path, edit: Edit) -> None:
    circle = UNITS.replace("- {code: abroad", "- {code: abroad, parent: isle").replace(
        "  default_org_unit", "    - {code: isle, labels: {en: Isle}, parent: abroad}\n  default_org_unit"
    )
    edit("company.yaml", "\n  default_org_unit", circle)
    assert "P301" in {code for _name, code, _message in told(folder)}


def starter() -> dict[str, bytes]:
    """Return the starter set with org units and two more tiers files to be scoped."""
    files = {path.name: path.read_bytes() for path in shipped("policies").glob("[!_]*.yaml")}
    files["company.yaml"] = files["company.yaml"].replace(b"\n  default_org_unit", UNITS.encode())
    return files


STARTER = starter()
SCOPES = st.fixed_dictionaries(
    {
        "customer_type": st.lists(st.sampled_from(TYPES), max_size=2, unique=True),
        "org_unit": st.lists(st.sampled_from(CODES), max_size=2, unique=True),
    }
)
FACTS = st.fixed_dictionaries({TYPE: st.sampled_from(TYPES), UNIT: st.sampled_from((*CODES, None))})


def scoped(scopes: list[dict[str, list[str]]]) -> PolicySet | None:
    """Return a set with one calendar a scope, or None where it is refused."""
    files = dict(STARTER)
    source = files.pop("calendar.yaml").decode()
    for number, scope in enumerate(scopes):
        text = source.replace("name: working", f"name: s{number}").replace(
            "version: 1\n", f"version: 1\nscope: {scope}\n"
        )
        files[f"calendar.s{number}.yaml"] = text.encode()
    return check_files(files, {name: Report(name) for name in files}, Report("")).policies


def above(code: str | None) -> set[str]:
    parents = {"north": "head", "south": "head", "beijing": "north", "shop": "beijing"}
    found = set()
    while code is not None:
        found.add(code)
        code = parents.get(code)
    return found


def fits(scope: dict[str, list[str]], facts: dict[Left, Any]) -> bool:
    types, units = set(scope["customer_type"]), set(scope["org_unit"])
    return (not types or facts[TYPE] in types) and (not units or bool(above(facts[UNIT]) & units))


def table() -> tuple[Table, dict[Left, ColumnElement[Any]]]:
    sample = Table(
        "scoped", MetaData(), Column("id", Integer), Column("t", Text), Column("u", Text), prefixes=["TEMPORARY"]
    )
    return sample, {TYPE: sample.c.t, UNIT: sample.c.u}


def test_sql_and_python_choose_the_same_and_the_most_specific(engine: Engine) -> None:
    sample, columns = table()

    @settings(max_examples=60)
    @given(st.lists(SCOPES, min_size=1, max_size=4), st.lists(FACTS, min_size=1, max_size=6))
    def agree(scopes: list[dict[str, list[str]]], rows: list[dict[Left, Any]]) -> None:
        policies = scoped(scopes)
        if policies is None:
            return
        rulings = in_force(policies, "calendar", DAY)
        conditions = [policies.bound([each.condition], 2)[0] if each.condition else None for each in rulings]
        conn.execute(sample.delete())
        conn.execute(insert(sample), [{"id": i, "t": row[TYPE], "u": row[UNIT]} for i, row in enumerate(rows)])
        in_sql = {
            row.id: row.place
            for row in conn.execute(select(sample.c.id, first_sql(conditions, columns).label("place")))
        }
        for number, row in enumerate(rows):
            found = first(conditions, row)
            assert in_sql[number] == found
            single = ruling_for(policies, "calendar", DAY, customer_type=row[TYPE], org_unit=row[UNIT])
            assert single is (None if found is None else rulings[found].policy)
            fitting = [f"s{i}" for i, scope in enumerate(scopes) if fits(scope, row)]
            assert (single is None) == (not fitting)
            if single is not None:
                assert_first(single.name, fitting, {f"s{i}": scope for i, scope in enumerate(scopes)})

    with write(engine) as conn:
        sample.create(conn)
        agree()


def assert_first(name: str, fitting: list[str], scopes: dict[str, dict[str, list[str]]]) -> None:
    """Assert that the chosen scope fits and that none that fits names a stronger dimension, or the same and less."""
    assert name in fitting
    mine = scopes[name]
    for other in (scopes[each] for each in fitting if each != name):
        strength = [(bool(mine[what]), bool(other[what])) for what in ("customer_type", "org_unit")]
        decisive = next((pair for pair in strength if pair[0] != pair[1]), None)
        assert decisive != (False, True)
        if decisive is None:
            assert any(set(mine[what]) != set(other[what]) for what in mine)
            assert not (other["customer_type"] and set(other["customer_type"]) < set(mine["customer_type"]))


def test_nothing_to_choose_from(engine: Engine) -> None:
    sample, columns = table()
    with write(engine) as conn:
        sample.create(conn)
        conn.execute(insert(sample), [{"id": 1, "t": "enterprise", "u": None}])
        assert conn.scalar(select(first_sql([], columns))) is None
        assert conn.scalar(select(first_sql([None], columns)).select_from(sample)) == 0
    assert (first([], {}), first([None], {})) == (None, 0)
