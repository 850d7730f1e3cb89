"""Conditions as files write them: every fault at its place, values and codes as references, numbers exact."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from strategies import LEFTS, left, trees

from crmctl.errors import InvalidInput, ValueUndecided
from crmctl.policy.binding import bind
from crmctl.policy.conditionfile import parsed
from crmctl.policy.conditions import MARKER, All, Any_, Bound, Compare, Condition, Not, bound, undecided, written
from crmctl.policy.metrics import BY_NAME, METRICS, Left, by_source, left_named
from crmctl.policy.model import Many, Settings, ValueRef
from crmctl.policy.nodes import Fields
from crmctl.policy.problems import Report
from crmctl.policy.reading import read_tree
from crmctl.policy.scalars import construct


class Rule(Settings):
    when: Condition | None = None
    rules: Many[Condition] = ()


def problems(text: str) -> list[str]:
    report = Report("f")
    node = read_tree(text.encode(), report)
    assert isinstance(node, Fields)
    found = bind(Rule, node, construct(node, report), report)
    assert (found is None) == bool(report.problems)
    return [problem.as_line().removeprefix("f:") for problem in report.problems]


def rule(text: str) -> Condition:
    report = Report("f")
    node = read_tree(f"when: {text}\n".encode(), report)
    assert node is not None
    found = bind(Rule, node, construct(node, report), report)
    assert report.problems == []
    assert found is not None
    assert found.when is not None
    return found.when


def plain(operand: int | Decimal | ValueRef) -> Decimal | None:
    return None if isinstance(operand, ValueRef) else Decimal(operand)


BROKEN = [
    ("teir: {eq: core}", "1:8: P103 when.teir: nothing of that name can be compared; did you mean 'tier'?"),
    ("gte: 5", "1:8: P103 when.gte: nothing of that name can be compared; name first what is compared: "
     "{annual_amount: {gte: …}}"),
    ("tier: {gte: core}", "1:15: P203 when.tier.gte: gte does not compare tier; allowed: eq, ne, in, not_in, exists"),
    ("flagged: {in: [true]}", "1:18: P203 when.flagged.in: in does not compare flagged; allowed: eq, ne, exists"),
    ("annual_amount: {gle: 5}", "1:24: P103 when.annual_amount.gle: unknown operator; did you mean 'lte'?"),
    ("annual_amount: {gte: '5'}", "1:29: P201 when.annual_amount.gte: a number or $name is wanted; "
     "the names are in company.yaml"),
    ("annual_amount: {gte: true}", "1:29: P201 when.annual_amount.gte: a number or $name is wanted; "
     "the names are in company.yaml"),
    ("annual_amount: {gte: $Core}", "1:29: P205 when.annual_amount.gte: '$Core' is malformed; "
     "write $ and the name of a value in company.yaml"),
    ("annual_amount: {gte: 5.00001}", "1:29: P204 when.annual_amount.gte: more than 4 decimals"),
    ("annual_amount: {gte: 10000000000001}", "1:29: P204 when.annual_amount.gte: out of range; "
     "from -10000000000000 to 10000000000000"),
    ("completeness: {gte: 101}", "1:28: P204 when.completeness.gte: out of range; from 0 to 100"),
    ("days_since_added: {gt: 1.5}", "1:31: P204 when.days_since_added.gt: a whole number is wanted"),
    ("order_count: {gte: 5}", "1:8: P105 when.order_count: a window is wanted: over how long order_count is counted; "
     "for example over: 12 months"),
    ("order_count: {over: 12 moons, gte: 5}", "1:28: P205 when.order_count.over: not a window, or longer than a "
     "hundred years; a number and days, weeks, months or years: 12 months"),
    ("order_count: {over: 12 months}", "1:21: P207 when.order_count: an operator is wanted; "
     "allowed: eq, ne, gt, gte, lt, lte, in, not_in, between, exists"),
    ("annual_amount: {over: 12 months, gte: 5}", "1:24: P103 when.annual_amount.over: annual_amount is not counted "
     "over a window; remove it"),
    ("annual_amount: {between: [5, 4]}", "1:33: P301 when.annual_amount.between: the least is above the greatest; "
     "write the smaller number first"),
    ("annual_amount: {between: [5]}", "1:33: P207 when.annual_amount.between: two numbers are wanted, the least and "
     "the greatest"),
    ("annual_amount: {between: 5}", "1:33: P201 when.annual_amount.between: a list is wanted, not '5'"),
    ("tier: {in: []}", "1:19: P207 when.tier.in: must not be empty"),
    ("tier: {in: [core, core]}", "1:26: P301 when.tier.in[1]: repeats item 1"),
    ("tier: {eq: Core Tier}", "1:19: P205 when.tier.eq: 'Core Tier' is malformed; "
     "small letters, digits, _ and -, beginning with a letter"),
    ("tier: {eq: 010}", '1:19: P202 010: YAML programs read this differently; quote it: "010"'),
    ("region: {eq: 10}", "1:21: P202 when.region.eq: a text is wanted, but 10 is read as something else; "
     'quote it: "10"'),
    ("status: {eq: darft}", "1:21: P307 when.status.eq: no status 'darft'; did you mean 'draft'?"),
    ("flagged: {eq: 1}", "1:22: P201 when.flagged.eq: true or false is wanted, not '1'"),
    ("tier: {exists: core}", "1:23: P201 when.tier.exists: true or false is wanted, not 'core'"),
    ("tier: core", "1:14: P201 when.tier: an operator is wanted; write tier: {eq: …}"),
    ("tier: {}", "1:14: P207 when.tier: an operator is wanted; allowed: eq, ne, in, not_in, exists"),
    ("all: []", "1:13: P207 when.all: must not be empty"),
    ("any: {tier: {eq: core}}", "1:13: P201 when.any: a list is wanted, not a mapping of keys to values"),
    ("any: [{tier: {eq: core}}, {tier: {eq: core}}]", "1:34: P301 when.any[1]: repeats item 1"),
    ("not: [1]", "1:13: P201 when.not: a mapping of keys to values is wanted, not a list"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line"), BROKEN, ids=[text for text, _line in BROKEN])
def test_a_fault_is_told_once_at_its_place(text: str, line: str) -> None:
    assert problems(f"when: {{{text}}}\n") == [line]


def test_what_is_no_mapping() -> None:
    assert problems("when: core\n") == ["1:7: P201 when: a mapping of keys to values is wanted, not 'core'"]
    assert problems("when: {}\n") == ["1:7: P207 when: an empty condition; leave it out, or name what is compared"]


def test_every_fault_of_every_condition_comes_in_one_pass() -> None:
    text = "rules:\n" + "".join(f"  - {{{broken}}}\n" for broken, _line in BROKEN)
    found = problems(text)
    assert len(found) == len(BROKEN)
    assert sorted(int(line.split(":")[0]) for line in found) == list(range(2, len(BROKEN) + 2))


def test_too_much_to_compare_with() -> None:
    codes = ", ".join(f"c{number}" for number in range(501))
    assert problems(f"when: {{tier: {{in: [{codes}]}}}}\n") == ["1:7: P207 when: more than 500 things to compare with"]


def test_several_keys_and_several_operators_mean_all_of_them() -> None:
    amount, tier = Left(BY_NAME["annual_amount"]), Left(BY_NAME["tier"])
    found = rule("{annual_amount: {gte: 5, lt: $top}, not: {tier: {eq: core}}}")
    assert found == All(
        (
            All((Compare(amount, "gte", (5,)), Compare(amount, "lt", (ValueRef("$top"),)))),
            Not(Compare(tier, "eq", ("core",))),
        )
    )
    assert rule("{tier: {eq: core}}") == Compare(tier, "eq", ("core",))
    assert rule("{any: [{tier: {eq: core}}]}") == Any_((Compare(tier, "eq", ("core",)),))
    assert found.lefts() == (amount, tier)


def test_values_and_codes_are_references_at_their_places() -> None:
    found = rule("{any: [{tier: {in: [core, important]}}, {annual_amount: {gte: $core}}], customer_type: {eq: park}}")
    references = [(str(reference), reference.what, at) for reference, at in found.references()]
    assert references == [
        ("core", "tier", ("any", 0, "tier", "in", 0)),
        ("important", "tier", ("any", 0, "tier", "in", 1)),
        ("$core", "value", ("any", 1, "annual_amount", "gte")),
        ("park", "customer_type", ("customer_type", "eq")),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{annual_amount: {gte: 5, lt: $top}, not: {tier: {eq: core}}}",
        "{order_amount: {over: 12 months, between: [1, 2.5]}, order_count: {over: 30 days, gt: 3}}",
        "{all: [{order_amount: {over: 12 months, gte: 5}}, {order_amount: {over: 3 months, gte: 5}}]}",
        "{any: [{status: {not_in: [draft]}}, {flagged: {eq: false}}, {stage: {exists: true}}]}",
        "{all: [{any: [{tier: {eq: a}}]}, {any: [{tier: {eq: b}}]}]}",
    ],
)
def test_a_condition_is_written_as_it_was_read(text: str) -> None:
    found = rule(text)
    assert parsed(written(found)) == found
    assert rule(str(written(found)).replace("'", "").replace("True", "true").replace("False", "false")
                .replace("Decimal(2.5)", "2.5")) == found  # fmt: skip


def test_a_model_shows_a_condition_as_the_file_has_it() -> None:
    model = Rule.model_validate({"when": {"annual_amount": {"gte": "$core", "lt": 5}}})
    assert model.model_dump(mode="json", exclude_defaults=True) == {
        "when": {"annual_amount": {"gte": "$core", "lt": 5}}
    }
    assert Rule.model_validate(model.model_dump()) == model
    assert Rule.model_json_schema()["properties"]["rules"]["items"][MARKER] is True


@given(trees())
def test_what_is_written_of_any_tree_has_all_its_comparisons(tree: Condition) -> None:
    def count(data: Any) -> int:
        if isinstance(data, list):
            return sum(map(count, data))
        groups = sum(count(data[key]) for key in ("all", "any", "not") if key in data)
        sides = [value for key, value in data.items() if key not in ("all", "any", "not")]
        return groups + sum(len(side.keys() - {"over"}) for side in sides)

    assert count(written(tree)) == len(list(tree.comparisons()))


@pytest.mark.parametrize(
    ("decimals", "number", "minor"),
    [(2, "1000000", 100_000_000), (0, "500", 500), (2, "0.29", 29), (3, "1.005", 1005), (2, "-7.10", -710),
     (4, "9999999999999.9999", 99999999999999999)],
)  # fmt: skip
def test_money_becomes_minor_units_exactly(decimals: int, number: str, minor: int) -> None:
    found = bound(Compare(Left(BY_NAME["annual_amount"]), "gte", (Decimal(number),)), plain, decimals)
    assert found == Bound(Compare(Left(BY_NAME["annual_amount"]), "gte", (minor,)), decimals)
    (compare,) = found.tree.comparisons()
    assert type(compare.operands[0]) is int


@pytest.mark.parametrize(("decimals", "number"), [(2, "0.005"), (0, "1.5"), (4, "1e16")])
def test_numbers_that_cannot_be_compared_exactly_are_refused(decimals: int, number: str) -> None:
    with pytest.raises(InvalidInput, match="annual_amount"):
        bound(Compare(Left(BY_NAME["annual_amount"]), "gte", (Decimal(number),)), plain, decimals)


def test_other_units_are_not_scaled() -> None:
    found = rule("{completeness: {gte: 80}, days_since_added: {lt: 30}, tier: {eq: core}, flagged: {eq: true}}")
    operands = [compare.operands for compare in bound(found, plain, 2).tree.comparisons()]
    assert operands == [(80,), (30,), ("core",), (True,)]
    assert [type(operand[0]) for operand in operands] == [int, int, str, bool]
    score = left("score", "number", places=2)
    assert bound(Compare(score, "eq", (Decimal("4.5"),)), plain, 0).tree == Compare(score, "eq", (450,))


def test_all_undecided_values_are_named_at_once() -> None:
    found = rule("{any: [{annual_amount: {gte: $a}}, {annual_amount: {between: [$b, $c]}}, {annual_amount: {lt: $a}}]}")

    def figure(operand: int | Decimal | ValueRef) -> Decimal | None:
        return Decimal(7) if operand == "$b" else plain(operand)

    assert undecided(found, figure) == ("a", "c")
    with pytest.raises(ValueUndecided) as caught:
        bound(found, figure, 2)
    assert caught.value.exit_code == 4
    assert caught.value.details == {"values": ["a", "c"]}


def test_a_condition_can_be_sent_to_another_process() -> None:
    found = rule("{tier: {in: [core]}, annual_amount: {gte: $core}, order_count: {over: 3 months, gt: 1}}")
    again = pickle.loads(pickle.dumps(found))
    assert again == found
    assert [(reference.what, at) for reference, at in again.references()] == [
        (reference.what, at) for reference, at in found.references()
    ]


def test_the_registry() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.target.count(":") == 1
        assert set(metric.labels) == {"zh", "en"}
        assert metric.type != "code" or bool(metric.what) != bool(metric.codes)
    assert {metric.name for metric in METRICS if metric.windowed} == {
        "order_amount", "order_count", "average_order_amount", "product_lines",
    }  # fmt: skip


def test_left_sides_have_names() -> None:
    found = rule("{order_amount: {over: 1 year, gte: 5}, tier: {eq: core}}").lefts()
    assert [side.text for side in found] == ["order_amount over 1 year", "tier"]
    assert [left_named(side.text) for side in found] == list(found)
    assert left_named("order_amount over 12 months") == found[0]
    for wrong in ("order_amount", "tier over 12 months", "teir", "order_amount over 12", "order_amount over "):
        assert left_named(wrong) is None
    assert by_source([*found, found[0]]) == {
        "crmctl.orders.metrics:source": [found[0]],
        "crmctl.customers.metrics:source": [found[1]],
    }
    assert len({side.text for side in LEFTS}) == len(LEFTS)
